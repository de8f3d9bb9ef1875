/// Sums over rows. The compiler may not reorder a float sum, so the sixteen partial sums are written out; the order is
/// the same on every machine.
enum Vectors {
    @inline(__always)
    static func load(_ pointer: UnsafePointer<Float>) -> SIMD16<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Float>.self)
    }

    @inline(__always)
    static func sum(_ a: UnsafePointer<Float>, _ count: Int) -> Float {
        var total = SIMD16<Float>()
        let whole = count & ~15
        for index in stride(from: 0, to: whole, by: 16) { total += load(a + index) }
        var rest: Float = 0
        for index in whole..<count { rest += a[index] }
        return total.sum() + rest
    }

    @inline(__always)
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
        var total = SIMD16<Float>()
        let whole = count & ~15
        for index in stride(from: 0, to: whole, by: 16) { total += load(a + index) * load(b + index) }
        var rest: Float = 0
        for index in whole..<count { rest += a[index] * b[index] }
        return total.sum() + rest
    }

    /// Σ a·b·c
    @inline(__always)
    static func dot(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>, _ count: Int
    ) -> Float {
        var total = SIMD16<Float>()
        let whole = count & ~15
        for index in stride(from: 0, to: whole, by: 16) { total += load(a + index) * load(b + index) * load(c + index) }
        var rest: Float = 0
        for index in whole..<count { rest += a[index] * b[index] * c[index] }
        return total.sum() + rest
    }
}
