/// y = (x − mean) / √(variance + ε) · gain + shift, over each row (Ba, Kiros and Hinton, 2016).
public struct LayerNorm: Sendable {
    public let width: Int
    public let epsilon: Float
    public let gain: ParameterLayout.Entry
    public let shift: ParameterLayout.Entry

    public init(_ name: String, width: Int, epsilon: Float = 1e-8, in layout: inout ParameterLayout) {
        self.width = width
        self.epsilon = epsilon
        gain = layout.add(name + ".weight", rows: 1, columns: width)
        shift = layout.add(name + ".bias", rows: 1, columns: width)
    }

    /// - Parameters:
    ///   - normalized: gets (x − mean) / deviation, which backward needs.
    ///   - inverse: rows × 1, gets 1 / deviation, which backward needs.
    public func forward(
        _ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, normalized: Tile, inverse: Tile
    ) {
        let (gain, shift) = (parameters + gain.offset, parameters + shift.offset)
        for row in 0..<x.rows {
            let (x, y, normal) = (x.row(row), y.row(row), normalized.row(row))
            let mean = Vectors.sum(x, width) / Float(width)
            for column in 0..<width { normal[column] = x[column] - mean }
            let variance = Vectors.dot(normal, normal, width) / Float(width)
            let scale = 1 / (variance + epsilon).squareRoot()
            for column in 0..<width {
                normal[column] *= scale
                y[column] = normal[column] * gain[column] + shift[column]
            }
            inverse.base[row] = scale
        }
    }

    /// Adds to the parameters' gradients where they are wanted, and writes (or with `accumulating` adds) dL/dx. `dx` may be `dy`.
    public func backward(
        _ dy: Tile, normalized: Tile, inverse: Tile, _ blocks: ParameterBlocks, into dx: Tile,
        accumulating: Bool = false
    ) {
        let gain = blocks.values + gain.offset
        for row in 0..<dy.rows {
            let (dy, normal, dx) = (dy.row(row), normalized.row(row), dx.row(row))
            if let gradients = blocks.gradients {
                let (dGain, dShift) = (gradients + self.gain.offset, gradients + shift.offset)
                for column in 0..<width {
                    dGain[column] += dy[column] * normal[column]
                    dShift[column] += dy[column]
                }
            }
            // With g = dy ∘ gain: dx = (g − mean g − x̂ · mean(g ∘ x̂)) / deviation.
            let meanG = Vectors.dot(dy, gain, width) / Float(width)
            let meanGX = Vectors.dot(dy, gain, normal, width) / Float(width)
            let scale = inverse.base[row]
            if accumulating {
                for column in 0..<width {
                    dx[column] += (dy[column] * gain[column] - meanG - normal[column] * meanGX) * scale
                }
            } else {
                for column in 0..<width {
                    dx[column] = (dy[column] * gain[column] - meanG - normal[column] * meanGX) * scale
                }
            }
        }
    }
}
