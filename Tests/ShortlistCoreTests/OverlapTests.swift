import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import Testing

/// Memory that a call reads and writes, laid out by hand in one block: N = 4, C = 6, d = 3.
private final class Layout {
    let memory: Matrix
    let targets: [Int32] = [0, 5, 2, 3]
    var hidden: MatrixView
    var items: MatrixView
    var outputs = GradientOutputs()
    var tokens = TokenOutputs()

    var base: UnsafeMutablePointer<Float> { memory.elements.baseAddress! }

    init() throws {
        memory = try Matrix(rows: 1, columns: 4000)
        for place in 0..<4000 { memory.elements[place] = Float(place % 7) / 4 - 0.6 }
        let start = memory.elements.baseAddress!
        hidden = try MatrixView(start, rows: 4, columns: 3)
        items = try MatrixView(start + 1000, rows: 6, columns: 3)
    }

    func matrix(at place: Int, rows: Int, stride: Int) throws -> MutableMatrixView {
        try MutableMatrixView(base + place, rows: rows, columns: 3, rowStride: stride)
    }

    func vector(at place: Int, _ count: Int) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base + place, count: count)
    }

    func ids(at place: Int, _ count: Int) -> UnsafeMutableBufferPointer<Int32> {
        UnsafeMutableBufferPointer(
            start: UnsafeMutableRawPointer(base + place).assumingMemoryBound(to: Int32.self), count: count)
    }

    /// The error of a call, nil when it succeeds.
    func error() throws -> ShortlistError? {
        let evaluator = try evaluator(PlainBackend())
        return targets.withUnsafeBufferPointer { targets in
            failure { () throws(ShortlistError) in
                let catalog = try Catalog(items: items, on: evaluator.stream)
                _ = try evaluator.evaluate(
                    CrossEntropy(), Batch(hidden: hidden, targets: .int32(targets)), catalog, into: outputs,
                    tokenOutputs: tokens)
            }
        }
    }
}

@Suite("Overlapping memory")
struct OverlapTests {
    @Test("Column ranges of one larger matrix do not overlap, whichever comes first", arguments: [3, 4, 5, 7, -3])
    func interleaved(_ shift: Int) throws {
        let layout = try Layout()
        layout.hidden = try MatrixView(layout.base + 100, rows: 4, columns: 3, rowStride: 10)
        layout.outputs.hidden = try layout.matrix(at: 100 + shift, rows: 4, stride: 10)
        #expect(try layout.error() == nil)
        // In X's rows, a call may not have written.
        #expect(
            (0..<4).allSatisfy { row in
                (0..<3).allSatisfy { layout.hidden.row(row)[$0] == Float((100 + row * 10 + $0) % 7) / 4 - 0.6 }
            })
    }

    @Test(
        "Column ranges that share a column overlap, also across the end of a row",
        arguments: [0, 1, 2, 8, 9, 10, 22, -1, -2])
    func sharedColumns(_ shift: Int) throws {
        let layout = try Layout()
        layout.hidden = try MatrixView(layout.base + 100, rows: 4, columns: 3, rowStride: 10)
        layout.outputs.hidden = try layout.matrix(at: 100 + shift, rows: 4, stride: 10)
        let error = try #require(try layout.error())
        #expect(error.code == .overlappingMemory)
        #expect(error.message.contains("hidden gradient") && error.message.contains("hidden states"))
    }

    @Test("Memory that follows without a gap does not overlap, one element more does")
    func neighbours() throws {
        let layout = try Layout()
        // X is 12 elements from 0, Y 18 from 1000.
        layout.outputs.hidden = try layout.matrix(at: 12, rows: 4, stride: 3)
        layout.outputs.catalog = .dense(
            try layout.matrix(at: 1018, rows: 6, stride: 3), bias: layout.vector(at: 994, 6))
        layout.tokens = TokenOutputs(losses: layout.vector(at: 24, 4), logSumExp: layout.vector(at: 28, 4))
        #expect(try layout.error() == nil)
        layout.outputs.hidden = try layout.matrix(at: 11, rows: 4, stride: 3)
        #expect(try layout.error()?.code == .overlappingMemory)
    }

    @Test("The last row's gap belongs to nobody")
    func lastGap() throws {
        let layout = try Layout()
        layout.hidden = try MatrixView(layout.base, rows: 4, columns: 3, rowStride: 8)  // 27 elements
        layout.outputs.hidden = try layout.matrix(at: 27, rows: 4, stride: 3)
        #expect(try layout.error() == nil)
        layout.outputs.hidden = try layout.matrix(at: 26, rows: 4, stride: 3)
        #expect(try layout.error()?.code == .overlappingMemory)
    }

    @Test("Every output is held against every input and every other output")
    func everyPair() throws {
        let inputs = [("hidden states", 5), ("the catalog", 1010)]
        for (name, place) in inputs {
            for output in 0..<7 {
                let layout = try Layout()
                try put(output, at: place, in: layout)
                let error = try #require(try layout.error(), "\(name), output \(output)")
                #expect(error.code == .overlappingMemory && error.message.contains(name), "\(error)")
            }
        }
        for first in 0..<7 {
            for second in 0..<7 where first != second && !(first < 5 && second < 5 && first > 0 && second > 0) {
                let layout = try Layout()
                try put(first, at: 2000, in: layout)
                try put(second, at: 2001, in: layout)
                #expect(try layout.error()?.code == .overlappingMemory, "outputs \(first) and \(second)")
            }
        }
        func put(_ output: Int, at place: Int, in layout: Layout) throws {
            switch output {
            case 0: layout.outputs.hidden = try layout.matrix(at: place, rows: 4, stride: 3)
            case 1: layout.outputs.catalog = .dense(try layout.matrix(at: place, rows: 6, stride: 3))
            case 2: layout.outputs.catalog = .dense(nil, bias: layout.vector(at: place, 6))
            case 3: layout.outputs.catalog = .rows(ids: layout.ids(at: place, 6), rows: nil)
            case 4:
                layout.outputs.catalog = .rows(
                    ids: layout.ids(at: 3000, 6), rows: try layout.matrix(at: place, rows: 6, stride: 3))
            case 5: layout.tokens.losses = layout.vector(at: place, 4)
            default: layout.tokens.logSumExp = layout.vector(at: place, 4)
            }
        }
    }

    @Test("Inputs may share memory: queries that are rows of the catalog")
    func sharedInputs() throws {
        let layout = try Layout()
        layout.hidden = try MatrixView(layout.items.base, rows: 4, columns: 3)
        layout.outputs.hidden = try layout.matrix(at: 2000, rows: 4, stride: 3)
        #expect(try layout.error() == nil)
    }

    @Test("The scale gradient is held against the rest, too")
    func scale() throws {
        let layout = try Layout()
        layout.outputs.scale = UnsafeMutableRawPointer(layout.base + 1004).assumingMemoryBound(to: Double.self)
        #expect(try layout.error()?.message.contains("scale gradient overlaps the catalog") == true)
    }

    @Test("Results of a retrieval may not overlap its queries, its catalog or what was seen")
    func retrieval() throws {
        let layout = try Layout()
        let evaluator = try evaluator(PlainBackend())
        let catalog = try Catalog(items: layout.items, on: evaluator.stream)
        let offsets = [0, 1, 1, 2, 2]
        layout.ids(at: 500, 2)[0] = 3
        layout.ids(at: 500, 2)[1] = 4
        let queries = try MatrixView(layout.base, rows: 4, columns: 3)
        func topK(ids place: Int, scores: Int) -> ShortlistError.Code? {
            offsets.withUnsafeBufferPointer { offsets in
                code { () throws(ShortlistError) in
                    let request = RetrievalRequest(
                        queries: queries,
                        seen: RaggedIndices(offsets: offsets, ids: UnsafeBufferPointer(layout.ids(at: 500, 2))))
                    _ = try evaluator.topK(
                        request, catalog, k: 2, ids: layout.ids(at: place, 8), scores: layout.vector(at: scores, 8))
                }
            }
        }
        #expect(topK(ids: 502, scores: 510) == nil)
        #expect(topK(ids: 501, scores: 600) == .overlappingMemory)
        #expect(topK(ids: 11, scores: 600) == .overlappingMemory)
        #expect(topK(ids: 600, scores: 1017) == .overlappingMemory)
        #expect(topK(ids: 600, scores: 607) == .overlappingMemory)
        #expect(topK(ids: 600, scores: 608) == nil)
    }
}
