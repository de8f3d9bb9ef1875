/// y = x / √(mean(x²) + ε) · gain, over each row (Zhang and Sennrich, 2019).
public struct RMSNorm: Sendable {
    public let width: Int
    public let epsilon: Float
    public let gain: ParameterLayout.Entry

    public init(_ name: String, width: Int, epsilon: Float = 1e-6, in layout: inout ParameterLayout) {
        self.width = width
        self.epsilon = epsilon
        gain = layout.add(name + ".weight", rows: 1, columns: width)
    }

    /// - Parameter inverse: rows × 1, gets 1 / √(mean(x²) + ε), which backward needs beside x.
    public func forward(_ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, inverse: Tile) {
        assert(x.columns == width && y.rows == x.rows && y.columns == width && inverse.rows == x.rows)
        let gain = parameters + gain.offset
        for row in 0..<x.rows {
            let (x, y) = (x.row(row), y.row(row))
            let scale = 1 / (Vectors.dot(x, x, width) / Float(width) + epsilon).squareRoot()
            for column in 0..<width { y[column] = x[column] * scale * gain[column] }
            inverse.base[row] = scale
        }
    }

    /// Adds to the parameters' gradients where they are wanted, and writes (or with `accumulating` adds) dL/dx.
    /// `dx` may be `dy`.
    public func backward(
        _ dy: Tile, _ x: Tile, inverse: Tile, _ blocks: ParameterBlocks, into dx: Tile, accumulating: Bool = false
    ) {
        let gain = blocks.values + gain.offset
        for row in 0..<dy.rows {
            let (dy, x, dx) = (dy.row(row), x.row(row), dx.row(row))
            let scale = inverse.base[row]
            if let gradients = blocks.gradients {
                let dGain = gradients + self.gain.offset
                for column in 0..<width { dGain[column] += dy[column] * x[column] * scale }
            }
            // With g = dy ∘ gain and x̂ = x · scale: dx = (g − x̂ · mean(g ∘ x̂)) · scale.
            let pull = Vectors.dot(dy, gain, x, width) / Float(width) * scale * scale
            if accumulating {
                for column in 0..<width { dx[column] += (dy[column] * gain[column] - x[column] * pull) * scale }
            } else {
                for column in 0..<width { dx[column] = (dy[column] * gain[column] - x[column] * pull) * scale }
            }
        }
    }
}
