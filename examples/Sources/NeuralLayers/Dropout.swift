/// Inverted dropout whose mask is a function of (seed, step, site, element), not of the order of the work: backward
/// draws it again instead of storing it, any split between threads gives the same bits, and so does a resumed run.
public struct Dropout: Sendable {
    /// Probability that an element becomes 0.
    public let rate: Float
    private let key: UInt32
    /// Elements whose draw is below this stay.
    private let threshold: UInt32
    /// What the elements that stay are multiplied by.
    public let scale: Float

    /// - Parameter site: tells apart the places of a model that drop.
    public init(rate: Float, seed: UInt64, step: UInt64, site: Int) {
        self.rate = rate
        var mixed =
            seed &* 0x9E37_79B9_7F4A_7C15 &+ step &* 0xD1B5_4A32_D192_ED03 &+ UInt64(site) &* 0x8CB9_2BA7_2F3D_8DD7
        mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
        mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
        key = UInt32(truncatingIfNeeded: mixed ^ (mixed >> 32))
        threshold = UInt32((Double(1 - rate) * 4_294_967_296).rounded(.down).clamped(to: 0...4_294_967_295))
        scale = rate < 1 ? 1 / (1 - rate) : 0
    }

    public var isActive: Bool { rate > 0 }

    /// Zeroes some elements and scales the others, in place. The draw of element (r, c) belongs to (firstRow + r, c).
    public func apply(_ tile: Tile, firstRow: Int) {
        guard isActive else { return }
        let columns = tile.columns
        for row in 0..<tile.rows {
            apply(tile.row(row), columns, from: UInt32(truncatingIfNeeded: (firstRow + row) * columns))
        }
    }

    /// The same for `count` elements whose draws are numbered from `first`.
    @inline(__always)
    public func apply(_ values: UnsafeMutablePointer<Float>, _ count: Int, from first: UInt32) {
        for index in 0..<count {
            let kept = draw(first &+ UInt32(truncatingIfNeeded: index)) < threshold
            values[index] = kept ? values[index] * scale : 0
        }
    }

    /// 32 mixed bits for an element (a bijective integer hash after C. Wellons' search, "lowbias32").
    @inline(__always)
    private func draw(_ index: UInt32) -> UInt32 {
        var x = index ^ key
        x = (x ^ (x >> 16)) &* 0x21F0_AAAD
        x = (x ^ (x >> 15)) &* 0x735A_2D97
        return x ^ (x >> 15)
    }
}

extension Comparable {
    fileprivate func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
