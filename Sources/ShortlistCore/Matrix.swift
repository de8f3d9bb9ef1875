/// A borrowed, read-only, row-major f32 matrix: `rows` × `columns`, consecutive rows `rowStride` elements apart.
///
/// Element (r, c) is `base[r * rowStride + c]`. The memory is the caller's: it must outlive the view, and nobody may
/// write to it during a call that reads it. Any number of threads may read through one view.
public struct MatrixView: @unchecked Sendable {
    // Sendable: the view only reads, and its maker promises that nobody writes meanwhile.
    public let base: UnsafePointer<Float>
    public let rows: Int
    public let columns: Int
    /// Elements from one row's start to the next; at least `columns`.
    public let rowStride: Int

    /// - Throws: `invalidArgument` for a negative size or a stride below `columns`, `overflow` for a size beyond 63
    ///   bits.
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

    /// The first element of row `index`, which is not checked.
    @inlinable
    public func row(_ index: Int) -> UnsafePointer<Float> { base + index * rowStride }

    /// Bytes from the first element to past the last, for overlap checks.
    public var byteExtent: Int { MemoryLayout<Float>.stride * elementExtent(rows, columns, rowStride) }
}

/// A borrowed, writable, row-major f32 matrix: where a call puts a result. Elements between `columns` and `rowStride`
/// are left as they are.
///
/// The memory is the caller's: it must outlive the view, may not overlap an input or another output, and is nobody
/// else's during a call.
public struct MutableMatrixView: @unchecked Sendable {
    // Sendable: the maker hands over the only access for the duration of a call.
    public let base: UnsafeMutablePointer<Float>
    public let rows: Int
    public let columns: Int
    /// Elements from one row's start to the next; at least `columns`.
    public let rowStride: Int

    /// - Throws: `invalidArgument` for a negative size or a stride below `columns`, `overflow` for a size beyond 63
    ///   bits.
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

    /// The first element of row `index`, which is not checked.
    @inlinable
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * rowStride }

    /// Bytes from the first element to past the last, for overlap checks.
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

/// An owned row-major f32 matrix without gaps between rows, zero when made, with 64-byte aligned memory.
///
/// Its buffers and views are valid while the matrix lives: do not take them from a temporary, as in
/// `try makeMatrix().elements`. Several threads may read one matrix; who writes sees to it that nobody else uses it.
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
    ///
    /// - Throws: also `invalidArgument` when there are not rows × columns values.
    public convenience init(rows: Int, columns: Int, _ values: [Float]) throws(ShortlistError) {
        try self.init(rows: rows, columns: columns)
        guard values.count == rows * columns else {
            throw ShortlistError(.invalidArgument, "\(values.count) values for a \(rows) × \(columns) matrix")
        }
        for index in values.indices { elements[index] = values[index] }
    }

    private var base: UnsafeMutablePointer<Float> { memory.base.assumingMemoryBound(to: Float.self) }

    /// All elements, row after row; valid while the matrix lives.
    public var elements: UnsafeMutableBufferPointer<Float> { .init(start: base, count: rows * columns) }

    /// Row `index` as a buffer of `columns` elements; valid while the matrix lives. An index outside the matrix stops
    /// the program.
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index >= 0 && index < rows, "row \(index) of a matrix of \(rows) rows")
        return .init(start: base + index * columns, count: columns)
    }

    /// One element. A row outside the matrix stops the program; a column is checked in debug builds alone.
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

    /// The same elements, to read.
    public var readOnly: MatrixView {
        MatrixView(unchecked: base, rows: rows, columns: columns, rowStride: rowStride)
    }
}
