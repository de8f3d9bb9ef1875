import NeuralLayers

/// A family's normalisation of rows.
enum Normalization {
    case rms(RMSNorm)
    case layer(LayerNorm)

    init(_ name: String, _ configuration: ModelConfiguration, in layout: inout ParameterLayout) {
        let (width, epsilon) = (configuration.width, configuration.normEpsilon)
        switch configuration.family {
        case .llama: self = .rms(RMSNorm(name, width: width, epsilon: epsilon, in: &layout))
        case .gptNeoX: self = .layer(LayerNorm(name, width: width, epsilon: epsilon, in: &layout))
        }
    }

    /// What backward needs: x for RMSNorm, the normalised x for LayerNorm, and the rows' 1 / deviation.
    struct Saved {
        let unit: Tile
        let inverse: Tile
    }

    /// `x` must stay as it is until backward.
    func forward(_ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, _ arena: Arena) -> Saved {
        let inverse = arena.take(x.rows, 1)
        switch self {
        case .rms(let norm):
            norm.forward(x, parameters, into: y, inverse: inverse)
            return Saved(unit: x, inverse: inverse)
        case .layer(let norm):
            let unit = arena.take(x.rows, x.columns)
            norm.forward(x, parameters, into: y, normalized: unit, inverse: inverse)
            return Saved(unit: unit, inverse: inverse)
        }
    }

    func backward(_ dy: Tile, _ saved: Saved, _ blocks: ParameterBlocks, into dx: Tile, accumulating: Bool = false) {
        switch self {
        case .rms(let norm):
            norm.backward(dy, saved.unit, inverse: saved.inverse, blocks, into: dx, accumulating: accumulating)
        case .layer(let norm):
            norm.backward(
                dy, normalized: saved.unit, inverse: saved.inverse, blocks, into: dx, accumulating: accumulating)
        }
    }
}
