import ShortlistCore

/// Memory between sentinels: a write outside it, or into the gap between strided rows, is seen.
final class Guarded<Element: BitwiseCopyable & Equatable> {
    private let memory: UnsafeMutablePointer<Element>
    private let sentinel: Element
    private static var margin: Int { 64 }
    let rows: Int
    let columns: Int
    let stride: Int

    var base: UnsafeMutablePointer<Element> { memory + Guarded.margin }
    /// From the first element to past the last row's gap.
    private var extent: Int { rows * stride }

    init(rows: Int = 1, columns: Int, stride: Int? = nil, sentinel: Element, fill: Element? = nil) {
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
        self.sentinel = sentinel
        memory = .allocate(capacity: rows * self.stride + 2 * Guarded.margin)
        memory.update(repeating: sentinel, count: rows * self.stride + 2 * Guarded.margin)
        if let fill {
            for row in 0..<rows { (base + row * self.stride).update(repeating: fill, count: columns) }
        }
    }

    convenience init(rows: Int = 1, stride: Int? = nil, sentinel: Element, _ values: [Element]) {
        let columns = values.count / max(rows, 1)
        self.init(rows: rows, columns: columns, stride: stride, sentinel: sentinel)
        set(values)
    }

    deinit { memory.deallocate() }

    func set(_ values: [Element]) {
        for row in 0..<rows {
            for column in 0..<columns { base[row * stride + column] = values[row * columns + column] }
        }
    }

    /// The values, without gaps.
    var values: [Element] {
        (0..<rows).flatMap { row in (0..<columns).map { base[row * stride + $0] } }
    }

    var buffer: UnsafeMutableBufferPointer<Element> { .init(start: base, count: rows * columns) }
    var readOnly: UnsafeBufferPointer<Element> { .init(buffer) }

    /// The first place outside the values that no longer holds the sentinel, counted from `base`.
    func firstTouched(_ same: (Element, Element) -> Bool) -> Int? {
        for place in -Guarded.margin..<extent + Guarded.margin {
            let inside = place >= 0 && place < extent && place % max(stride, 1) < columns
            if !inside && !same(base[place], sentinel) { return place }
        }
        return nil
    }
}

/// A quiet NaN that no computation makes: both a sentinel and poison for whoever reads a gap.
let poison = Float(bitPattern: 0x7FC0_DEAD)
let poison64 = Double(bitPattern: 0x7FF8_0000_DEAD_BEEF)

extension Guarded where Element == Float {
    convenience init(rows: Int = 1, columns: Int, padding: Int = 0, fill: Float? = nil) {
        self.init(rows: rows, columns: columns, stride: columns + padding, sentinel: poison, fill: fill)
    }

    var isIntact: Bool { firstTouched { $0.bitPattern == $1.bitPattern } == nil }
    /// Whether every value is still the sentinel.
    var isUntouched: Bool { isIntact && values.allSatisfy { $0.bitPattern == poison.bitPattern } }
    var bits: [UInt32] { values.map(\.bitPattern) }

    func view() throws(ShortlistError) -> MatrixView {
        try MatrixView(base, rows: rows, columns: columns, rowStride: stride)
    }

    func mutableView() throws(ShortlistError) -> MutableMatrixView {
        try MutableMatrixView(base, rows: rows, columns: columns, rowStride: stride)
    }
}

extension Guarded where Element: FixedWidthInteger {
    convenience init(_ values: [Element]) {
        self.init(rows: 1, sentinel: Element(truncatingIfNeeded: 0x5EAF_00D5_5EAF_00D5), values)
    }

    convenience init(count: Int) {
        self.init(rows: 1, columns: count, sentinel: Element(truncatingIfNeeded: 0x5EAF_00D5_5EAF_00D5))
    }

    var isIntact: Bool { firstTouched(==) == nil }
}
