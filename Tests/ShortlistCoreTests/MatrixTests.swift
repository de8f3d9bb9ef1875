import ShortlistCore
import Testing

@Suite("Matrices and memory")
struct MatrixTests {
    @Test(
        "A view of a shape that makes no sense is refused, naming what is wrong",
        arguments: [
            (-1, 3, nil, .invalidArgument), (3, -1, nil, .invalidArgument), (2, 4, 3, .invalidArgument),
            (2, 4, -4, .invalidArgument), (.max, 2, nil, .overflow), (1 << 40, 1 << 22, nil, .overflow),
            (1 << 40, 1, 1 << 22, .overflow), (2, .max, nil, .overflow), (1, .max, nil, .overflow),
        ] as [(Int, Int, Int?, ShortlistError.Code)])
    func refusedViews(_ rows: Int, _ columns: Int, _ stride: Int?, _ expected: ShortlistError.Code) {
        var number: Float = 0
        withUnsafeMutablePointer(to: &number) { pointer in
            #expect(
                code { () throws(ShortlistError) in
                    _ = try MatrixView(pointer, rows: rows, columns: columns, rowStride: stride)
                } == expected)
            #expect(
                code { () throws(ShortlistError) in
                    _ = try MutableMatrixView(pointer, rows: rows, columns: columns, rowStride: stride)
                } == expected)
        }
    }

    @Test("Elements lie at row · stride + column, and a view's extent ends with its last element, not its last gap")
    func layout() throws {
        var numbers = (0..<20).map(Float.init)
        try numbers.withUnsafeMutableBufferPointer { buffer in
            let base = try #require(buffer.baseAddress)
            let view = try MatrixView(base, rows: 3, columns: 4, rowStride: 6)
            #expect(view.row(2)[3] == 15)
            #expect(view.byteExtent == 4 * 16)
            let writable = try MutableMatrixView(base, rows: 3, columns: 4, rowStride: 6)
            writable.row(1)[0] = -1
            #expect(writable.readOnly.row(1)[0] == -1 && writable.byteExtent == 64)
            #expect(try MatrixView(base, rows: 0, columns: 4).byteExtent == 0)
            #expect(try MatrixView(base, rows: 5, columns: 0).byteExtent == 0)
            #expect(try MatrixView(base, rows: 2, columns: 3).rowStride == 3)
        }
    }

    @Test("A matrix is zero when made, aligned, and holds its values row after row")
    func matrix() throws {
        let zero = try Matrix(rows: 7, columns: 5)
        #expect(zero.elements.allSatisfy { $0 == 0 } && zero.elements.count == 35)
        #expect(UInt(bitPattern: zero.elements.baseAddress) % UInt(Memory.alignment) == 0)
        let matrix = try Matrix(rows: 2, columns: 3, [1, 2, 3, 4, 5, 6])
        #expect(matrix[1, 0] == 4 && Array(matrix.row(1)) == [4, 5, 6])
        matrix[0, 2] = -3
        #expect(matrix.view.row(0)[2] == -3 && matrix.mutableView.rowStride == 3)
    }

    @Test("Empty matrices are matrices")
    func emptyMatrices() throws {
        #expect(try Matrix(rows: 0, columns: 5).elements.isEmpty)
        #expect(try Matrix(rows: 5, columns: 0).row(4).isEmpty)
        #expect(try Matrix(rows: 0, columns: 0, []).view.rows == 0)
    }

    @Test("A matrix of a negative or overflowing size, or of another number of values, is refused")
    func refusedMatrices() {
        #expect(code { () throws(ShortlistError) in _ = try Matrix(rows: -1, columns: 1) } == .invalidArgument)
        #expect(code { () throws(ShortlistError) in _ = try Matrix(rows: .max, columns: 3) } == .overflow)
        #expect(
            code { () throws(ShortlistError) in _ = try Matrix(rows: 2, columns: 2, [1, 2, 3]) } == .invalidArgument)
        #expect(code { () throws(ShortlistError) in _ = try Matrix(rows: 1, columns: 0, [1]) } == .invalidArgument)
    }

    @Test("A row outside a matrix stops the program rather than reading elsewhere", arguments: [-1, 2])
    func rowsAreChecked(_ row: Int) async {
        await #expect(processExitsWith: .failure) { [row] in _ = try Matrix(rows: 2, columns: 2).row(row) }
    }

    @Test("Memory that the system refuses is an error that names the size and its use")
    func refusedMemory() {
        let error = failure { () throws(ShortlistError) in _ = try Memory(byteCount: 1 << 60, for: "a test") }
        #expect(error?.code == .outOfMemory)
        #expect(error?.message.contains("a test") == true && error?.message.contains("1152921504606846976") == true)
        #expect(
            code { () throws(ShortlistError) in _ = try Memory(byteCount: .max, zeroed: true, for: "a test") }
                == .outOfMemory)
        #expect(code { () throws(ShortlistError) in _ = try Matrix(rows: 1 << 40, columns: 1 << 18) } == .outOfMemory)
        #expect(code { () throws(ShortlistError) in _ = try Memory(byteCount: -1, for: "a test") } == .overflow)
    }

    @Test("Memory of no bytes is memory, and zeroed memory is zero")
    func smallMemory() throws {
        #expect(try Memory(byteCount: 0, for: "nothing").byteCount == 0)
        let memory = try Memory(byteCount: 1000, zeroed: true, for: "zeros")
        #expect((0..<1000).allSatisfy { memory.base.load(fromByteOffset: $0, as: UInt8.self) == 0 })
        #expect(UInt(bitPattern: memory.base) % UInt(Memory.alignment) == 0)
    }
}
