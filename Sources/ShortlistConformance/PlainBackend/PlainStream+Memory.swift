import ShortlistCore

/// Vectors and matrices: names to the caller, pointers in here.
extension PlainStream {
    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        try opened().reserve(E.self, count: count)
    }

    func withScratchVectors(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError) {
        try opened().withScratchVectors(body)
    }

    // Inputs and outputs are used where they are: binding gives a name. A device would upload an input here, and an
    // output too (kernels add to what it holds), and copy outputs back in `finish`.

    func bind(_ view: MatrixView) throws(ShortlistError) -> DeviceMatrix {
        let buffer = try opened().name(UnsafeMutableRawPointer(mutating: view.base))
        return DeviceMatrix(
            buffer: buffer, offset: 0, rows: view.rows, columns: view.columns, rowStride: view.rowStride)
    }

    func bind<E: BitwiseCopyable>(_ values: UnsafeBufferPointer<E>) throws(ShortlistError) -> Vector<E> {
        guard let base = values.baseAddress else { return try reserve(E.self, count: 0) }
        let buffer = try opened().name(UnsafeMutableRawPointer(mutating: base))
        return Vector(buffer: buffer, offset: 0, count: values.count)
    }

    func bindOutput(_ view: MutableMatrixView) throws(ShortlistError) -> DeviceMatrix { try bind(view.readOnly) }

    func bindOutput<E: BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<E>
    ) throws(ShortlistError) -> Vector<E> {
        try bind(UnsafeBufferPointer(values))
    }

    func write<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeMutableBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        try body(try elements(vector))
    }

    func read<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        try body(UnsafeBufferPointer(try elements(vector)))
    }

    // MARK: For kernels

    func elements<E: BitwiseCopyable>(_ vector: Vector<E>) throws(ShortlistError) -> UnsafeMutableBufferPointer<E> {
        let base = try opened().base(of: vector.buffer).assumingMemoryBound(to: E.self)
        return UnsafeMutableBufferPointer(start: base + vector.offset, count: vector.count)
    }

    func optionalElements<E: BitwiseCopyable>(
        _ vector: Vector<E>?
    ) throws(ShortlistError) -> UnsafeMutableBufferPointer<E>? {
        guard let vector else { return nil }
        return try elements(vector)
    }

    func rows(_ matrix: DeviceMatrix) throws(ShortlistError) -> PlainRows {
        let base = try opened().base(of: matrix.buffer).assumingMemoryBound(to: Float.self)
        return PlainRows(
            base: base + matrix.offset, stride: matrix.rowStride, width: matrix.columns, count: matrix.rows, listed: nil
        )
    }

    func optionalRows(_ matrix: DeviceMatrix?) throws(ShortlistError) -> PlainRows? {
        guard let matrix else { return nil }
        return try rows(matrix)
    }

    func rows(_ source: RowSource) throws(ShortlistError) -> PlainRows {
        var rows = try rows(source.matrix)
        rows.listed = try optionalElements(source.rows)
        rows.count = source.count
        return rows
    }
}

/// Rows of a matrix, all of them or those listed.
struct PlainRows {
    let base: UnsafeMutablePointer<Float>
    let stride: Int
    let width: Int
    var count: Int
    var listed: UnsafeMutableBufferPointer<Int32>?

    /// The matrix row that row `index` of this source is: of a token's ordinal, its row of X.
    func place(_ index: Int) -> Int { listed.map { Int($0[index]) } ?? index }

    subscript(index: Int) -> UnsafeMutablePointer<Float> { base + place(index) * stride }
}

/// ⟨a, b⟩ in Double.
func dot(_ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>, _ width: Int) -> Double {
    var sum = 0.0
    for k in 0..<width { sum += Double(a[k]) * Double(b[k]) }
    return sum
}
