import NeuralLayers

/// The layer between attentions: contract(f(gate(x)) ∘ expand(x)) in Llama, contract(f(expand(x))) in GPT-NeoX.
struct FeedForward {
    let gate: Linear?
    let expand: Linear
    let contract: Linear
    let activation: Activation

    init(_ name: String, _ configuration: ModelConfiguration, in layout: inout ParameterLayout) {
        let (width, inner, bias) = (configuration.width, configuration.innerWidth, configuration.feedForwardBias)
        activation = configuration.activation
        switch configuration.family {
        case .llama:
            gate = Linear(name + ".gate_proj", inputs: width, outputs: inner, bias: bias, in: &layout)
            expand = Linear(name + ".up_proj", inputs: width, outputs: inner, bias: bias, in: &layout)
            contract = Linear(name + ".down_proj", inputs: inner, outputs: width, bias: bias, in: &layout)
        case .gptNeoX:
            gate = nil
            expand = Linear(name + ".dense_h_to_4h", inputs: width, outputs: inner, bias: bias, in: &layout)
            contract = Linear(name + ".dense_4h_to_h", inputs: inner, outputs: width, bias: bias, in: &layout)
        }
    }

    struct Saved {
        let input: Tile
        let activated: Tile
        /// d activated / d gate(x), in Llama alone.
        let gateSlope: Tile?
        /// d activated / d expand(x)
        let slope: Tile
    }

    func forward(_ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, _ arena: Arena) -> Saved {
        let inner = expand.outputs
        // The results of the first layers, in whose places their slopes come.
        let (gated, expanded) = (gate.map { _ in arena.take(x.rows, inner) }, arena.take(x.rows, inner))
        let activated = arena.take(x.rows, inner)
        expand.forward(x, parameters, into: expanded)
        if let gate, let gated {
            gate.forward(x, parameters, into: gated)
            GatedActivation(activation).forward(gate: gated, up: expanded, into: activated)
        } else {
            activation.forwardKeepingSlope(expanded, into: activated)
        }
        contract.forward(activated, parameters, into: y)
        return Saved(input: x, activated: activated, gateSlope: gated, slope: expanded)
    }

    func backward(_ dy: Tile, _ saved: Saved, _ blocks: ParameterBlocks, into dx: Tile, _ arena: Arena) {
        let dActivated = arena.take(dy.rows, expand.outputs)
        contract.backward(dy, saved.activated, blocks, into: dActivated)
        if let gate, let gateSlope = saved.gateSlope {
            let dGate = arena.take(dy.rows, expand.outputs)
            GatedActivation(activation).backward(
                dActivated, gateSlope: gateSlope, upSlope: saved.slope, dGate: dGate, dUp: dActivated)
            expand.backward(dActivated, saved.input, blocks, into: dx)
            gate.backward(dGate, saved.input, blocks, into: dx, accumulating: true)
        } else {
            dActivated.multiply(by: saved.slope)
            expand.backward(dActivated, saved.input, blocks, into: dx)
        }
    }
}
