import Foundation

/// An elementwise function with its derivative.
public enum Activation: String, Sendable, CaseIterable, Codable {
    case relu
    /// x·Φ(x), the exact form.
    case gelu
    /// x·σ(x), also called swish.
    case silu

    public func forward(_ x: Tile, into y: Tile) {
        let (x, y, count) = (x.base, y.base, x.count)
        switch self {
        case .relu: for index in 0..<count { y[index] = max(x[index], 0) }
        case .gelu: for index in 0..<count { y[index] = x[index] * Self.normalCDF(x[index]) }
        case .silu: for index in 0..<count { y[index] = x[index] / (1 + exp(-x[index])) }
        }
    }

    /// dx = dy ∘ f′(x); `dx` may be `dy`.
    public func backward(_ dy: Tile, _ x: Tile, into dx: Tile) {
        let (dy, x, dx, count) = (dy.base, x.base, dx.base, x.count)
        switch self {
        case .relu: for index in 0..<count { dx[index] = x[index] > 0 ? dy[index] : 0 }
        case .gelu:
            for index in 0..<count {
                let density = 0.398_942_280_4 * exp(-0.5 * x[index] * x[index])
                dx[index] = dy[index] * (Self.normalCDF(x[index]) + x[index] * density)
            }
        case .silu:
            for index in 0..<count {
                let gate = 1 / (1 + exp(-x[index]))
                dx[index] = dy[index] * gate * (1 + x[index] * (1 - gate))
            }
        }
    }

    @inline(__always)
    private static func normalCDF(_ x: Float) -> Float { 0.5 * (1 + erff(x * 0.707_106_781_2)) }
}
