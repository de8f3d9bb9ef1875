/// y = f(gate) ∘ up: the middle of a gated feed-forward layer (Shazeer, 2020); SwiGLU with f = SiLU.
public struct GatedActivation: Sendable {
    public let activation: Activation

    public init(_ activation: Activation) { self.activation = activation }

    /// All tiles are of one shape; `y` may be none of the others.
    public func forward(gate: Tile, up: Tile, into y: Tile) {
        activation.forward(gate, into: y)
        let (y, up) = (y.base, up.base)
        for index in 0..<gate.count { y[index] *= up[index] }
    }

    /// Writes dL/d gate and dL/d up; either may be `dy`, or the tile that it is the gradient of.
    public func backward(_ dy: Tile, gate: Tile, up: Tile, dGate: Tile, dUp: Tile) {
        let (dy, up, dGate, dUp) = (dy.base, up.base, dGate.base, dUp.base)
        activation.forEach(gate) { index, value, slope in
            let (upstream, factor) = (dy[index], up[index])
            dUp[index] = upstream * value
            dGate[index] = upstream * factor * slope
        }
    }
}
