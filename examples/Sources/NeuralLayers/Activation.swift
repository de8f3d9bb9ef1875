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

    /// As `forward`, and puts f′(x), dL/dx over dL/dy, in the place of `x`: for one more exponential at most, backward is
    /// then a product of elements.
    public func forwardKeepingSlope(_ x: Tile, into y: Tile) {
        let (slopes, y) = (x.base, y.base)
        forEach(x) { index, value, slope in
            y[index] = value
            slopes[index] = slope
        }
    }

    /// dx = dy ∘ f′(x); `dx` may be `dy`.
    public func backward(_ dy: Tile, _ x: Tile, into dx: Tile) {
        let (dy, dx) = (dy.base, dx.base)
        forEach(x) { index, _, slope in dx[index] = dy[index] * slope }
    }

    /// f(x) and f′(x) of every element; together they take one exponential.
    @inline(__always)
    func forEach(_ x: Tile, _ body: (_ index: Int, _ value: Float, _ slope: Float) -> Void) {
        let (x, count) = (x.base, x.count)
        switch self {
        case .relu: for index in 0..<count { body(index, max(x[index], 0), x[index] > 0 ? 1 : 0) }
        case .gelu:
            for index in 0..<count {
                let share = Self.normalCDF(x[index])
                let density = 0.398_942_280_4 * exp(-0.5 * x[index] * x[index])
                body(index, x[index] * share, share + x[index] * density)
            }
        case .silu:
            for index in 0..<count {
                let gate = 1 / (1 + exp(-x[index]))
                body(index, x[index] * gate, gate * (1 + x[index] * (1 - gate)))
            }
        }
    }

    @inline(__always)
    private static func normalCDF(_ x: Float) -> Float { 0.5 * (1 + erff(x * 0.707_106_781_2)) }
}
