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
        let gate: Tile?
        let expanded: Tile
        let activated: Tile
    }

    func forward(_ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, _ arena: Arena) -> Saved {
        let inner = expand.outputs
        let saved = Saved(
            input: x, gate: gate.map { _ in arena.take(x.rows, inner) }, expanded: arena.take(x.rows, inner),
            activated: arena.take(x.rows, inner))
        expand.forward(x, parameters, into: saved.expanded)
        if let gate, let gateTile = saved.gate {
            gate.forward(x, parameters, into: gateTile)
            GatedActivation(activation).forward(gate: gateTile, up: saved.expanded, into: saved.activated)
        } else {
            activation.forward(saved.expanded, into: saved.activated)
        }
        contract.forward(saved.activated, parameters, into: y)
        return saved
    }

    func backward(_ dy: Tile, _ saved: Saved, _ blocks: ParameterBlocks, into dx: Tile, _ arena: Arena) {
        let dActivated = arena.take(dy.rows, expand.outputs)
        contract.backward(dy, saved.activated, blocks, into: dActivated)
        if let gate, let gateTile = saved.gate {
            let dGate = arena.take(dy.rows, expand.outputs)
            GatedActivation(activation).backward(
                dActivated, gate: gateTile, up: saved.expanded, dGate: dGate, dUp: dActivated)
            expand.backward(dActivated, saved.input, blocks, into: dx)
            gate.backward(dGate, saved.input, blocks, into: dx, accumulating: true)
        } else {
            activation.backward(dActivated, saved.expanded, into: dActivated)
            expand.backward(dActivated, saved.input, blocks, into: dx)
        }
    }
}
