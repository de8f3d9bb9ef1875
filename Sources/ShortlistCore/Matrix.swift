/// A borrowed, read-only, row-major f32 matrix: `rows` × `columns`, consecutive rows `rowStride` elements apart.
///
/// The memory is the caller's and must outlive the view.
public struct MatrixView: @unchecked Sendable {
    // Sendable: the view only reads, and its maker promises that nobody writes meanwhile.
    public let base: UnsafePointer<Float>
    public let rows: Int
    public let columns: Int
    /// Elements from one row's start to the next; at least `columns`.
    public let rowStride: Int

    /// - Throws: `invalidArgument` for a negative size or a stride below `columns`, `overflow` for a size beyond 63 bits.
    public init(
        _ base: UnsafePointer<Float>, rows: Int, columns: Int, rowStride: Int? = nil
    ) throws(ShortlistError) {
        let stride = rowStride ?? columns
        try checkShape(rows: rows, columns: columns, rowStride: stride)
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = stride
    }

    @inlinable
    public func row(_ index: Int) -> UnsafePointer<Float> { base + index * rowStride }

    /// Bytes from the first element to past the last, for overlap checks.
    public var byteExtent: Int { MemoryLayout<Float>.stride * elementExtent(rows, columns, rowStride) }
}

/// A borrowed, writable, row-major f32 matrix.
public struct MutableMatrixView: @unchecked Sendable {
    // Sendable: the maker hands over the only access for the duration of a call.
    public let base: UnsafeMutablePointer<Float>
    public let rows: Int
    public let columns: Int
    public let rowStride: Int

    public init(
        _ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, rowStride: Int? = nil
    ) throws(ShortlistError) {
        let stride = rowStride ?? columns
        try checkShape(rows: rows, columns: columns, rowStride: stride)
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = stride
    }

    @inlinable
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * rowStride }

    public var byteExtent: Int { MemoryLayout<Float>.stride * elementExtent(rows, columns, rowStride) }
}

private func checkShape(rows: Int, columns: Int, rowStride: Int) throws(ShortlistError) {
    guard rows >= 0, columns >= 0 else {
        throw ShortlistError(.invalidArgument, "a matrix of \(rows) × \(columns)")
    }
    guard rowStride >= columns else {
        throw ShortlistError(.invalidArgument, "row stride \(rowStride) is below the \(columns) columns")
    }
    _ = try rows.multiplied(by: rowStride, for: "matrix").multiplied(by: MemoryLayout<Float>.stride, for: "matrix")
}

private func elementExtent(_ rows: Int, _ columns: Int, _ rowStride: Int) -> Int {
    rows == 0 ? 0 : (rows - 1) * rowStride + columns
}

/// An owned row-major f32 matrix, zero when made, with 64-byte aligned memory.
public final class Matrix: @unchecked Sendable {
    // Sendable: a plain block of numbers; as with any array shared between threads, its user orders reads and writes.
    public let rows: Int
    public let columns: Int
    private let memory: Memory

    /// - Throws: `outOfMemory`, `overflow`, or `invalidArgument` for a negative size.
    public init(rows: Int, columns: Int) throws(ShortlistError) {
        try checkShape(rows: rows, columns: columns, rowStride: columns)
        self.rows = rows
        self.columns = columns
        memory = try Memory(
            byteCount: rows * columns * MemoryLayout<Float>.stride, zeroed: true, for: "a \(rows) × \(columns) matrix")
    }

    /// A matrix of `values`, row after row.
    public convenience init(rows: Int, columns: Int, _ values: [Float]) throws(ShortlistError) {
        try self.init(rows: rows, columns: columns)
        guard values.count == rows * columns else {
            throw ShortlistError(.invalidArgument, "\(values.count) values for a \(rows) × \(columns) matrix")
        }
        for index in values.indices { elements[index] = values[index] }
    }

    private var base: UnsafeMutablePointer<Float> { memory.base.assumingMemoryBound(to: Float.self) }

    /// All elements, row after row.
    public var elements: UnsafeMutableBufferPointer<Float> { .init(start: base, count: rows * columns) }

    /// Row `index` as a buffer of `columns` elements.
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index >= 0 && index < rows, "row \(index) of a matrix of \(rows) rows")
        return .init(start: base + index * columns, count: columns)
    }

    public subscript(row: Int, column: Int) -> Float {
        get { self.row(row)[column] }
        set { self.row(row)[column] = newValue }
    }

    /// Valid while the matrix lives.
    public var view: MatrixView {
        MatrixView(unchecked: base, rows: rows, columns: columns, rowStride: columns)
    }

    /// Valid while the matrix lives.
    public var mutableView: MutableMatrixView {
        MutableMatrixView(unchecked: base, rows: rows, columns: columns, rowStride: columns)
    }
}

extension MatrixView {
    package init(unchecked base: UnsafePointer<Float>, rows: Int, columns: Int, rowStride: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }
}

extension MutableMatrixView {
    package init(unchecked base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, rowStride: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }

    public var readOnly: MatrixView {
        MatrixView(unchecked: base, rows: rows, columns: columns, rowStride: rowStride)
    }
}
