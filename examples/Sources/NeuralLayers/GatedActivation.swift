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

    /// Writes dL/d gate and dL/d up.
    ///
    /// - Parameters:
    ///   - dUp: may be `dy`.
    ///   - dGate: may be none of the others.
    public func backward(_ dy: Tile, gate: Tile, up: Tile, dGate: Tile, dUp: Tile) {
        let (dyBase, upBase, dGateBase, dUpBase) = (dy.base, up.base, dGate.base, dUp.base)
        // First f(gate) in dGate's place, for dL/d up; dL/df(gate) then needs dy, which dUp may overwrite.
        activation.forward(gate, into: dGate)
        for index in 0..<dy.count {
            let upstream = dyBase[index]
            dUpBase[index] = upstream * dGateBase[index]
            dGateBase[index] = upstream * upBase[index]
        }
        activation.backward(dGate, gate, into: dGate)
    }
}
