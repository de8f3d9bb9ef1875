/// y = f(gate) ∘ up: the middle of a gated feed-forward layer (Shazeer, 2020); SwiGLU with f = SiLU.
public struct GatedActivation: Sendable {
    public let activation: Activation

    public init(_ activation: Activation) { self.activation = activation }

    /// Writes y, and puts ∂y/∂gate in the place of `gate` and ∂y/∂up in that of `up`, which is what backward needs. All
    /// tiles are of one shape.
    public func forward(gate: Tile, up: Tile, into y: Tile) {
        assert(gate.count == up.count && gate.count == y.count)
        let (gateSlopes, upSlopes, y) = (gate.base, up.base, y.base)
        activation.forEach(gate) { index, value, slope in
            let factor = upSlopes[index]
            y[index] = value * factor
            gateSlopes[index] = slope * factor
            upSlopes[index] = value
        }
    }

    /// dL/d gate = dy ∘ `gateSlope` and dL/d up = dy ∘ `upSlope`, the slopes as forward left them.
    ///
    /// - Parameter dUp: may be `dy`.
    public func backward(_ dy: Tile, gateSlope: Tile, upSlope: Tile, dGate: Tile, dUp: Tile) {
        let (dy, gateSlope, upSlope, dGateBase, dUp) = (dy.base, gateSlope.base, upSlope.base, dGate.base, dUp.base)
        for index in 0..<dGate.count {
            let upstream = dy[index]
            dGateBase[index] = upstream * gateSlope[index]
            dUp[index] = upstream * upSlope[index]
        }
    }
}
