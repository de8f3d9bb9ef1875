import Testing

@testable import sasrec

@Suite struct PackedBatchTests {
    @Test func `sequences lie end to end, cut to the maximum length, with positions from the end or the start`() {
        let histories: [[Int32]] = [[1, 2, 3], [], [4], [5, 6, 7, 8, 9]]
        let end = PackedBatch(histories.map { $0[...] }, maximumLength: 4, positions: .end)
        #expect(end.items == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(end.positions == [1, 2, 3, 3, 0, 1, 2, 3])
        #expect(end.lastRows == [2, 3, 7])
        let start = PackedBatch(histories.map { $0[...] }, maximumLength: 4, positions: .start)
        #expect(start.positions == [0, 1, 2, 0, 0, 1, 2, 3])
    }

    @Test func `chunks cover all rows, cut between sequences, and say where each row's sequence starts`() {
        let histories: [[Int32]] = [[1, 2, 3], [4, 5], [6, 7, 8, 9, 10], [11]]
        let batch = PackedBatch(histories.map { $0[...] }, maximumLength: 10, positions: .end, rowsPerChunk: 4)
        #expect(batch.chunks.map(\.rows) == [0..<3, 3..<5, 5..<10, 10..<11])
        #expect(batch.chunks.map(\.starts) == [[0, 0, 0], [0, 0], [0, 0, 0, 0, 0], [0]])
        let one = PackedBatch(histories.map { $0[...] }, maximumLength: 10, positions: .end)
        #expect(one.chunks.map(\.rows) == [0..<11])
        #expect(one.chunks.map(\.starts) == [[0, 0, 0, 3, 3, 5, 5, 5, 5, 5, 10]])
    }

    @Test func `every row of a training batch has the next item as its target`() {
        let histories: [[Int32]] = [[1, 2, 3, 4], [5], [6, 7]]
        let batch = TrainingBatch(histories.map { $0[...] }, maximumLength: 2, positions: .end)
        #expect(batch.inputs.items == [2, 3, 6])
        #expect(batch.targets == [3, 4, 7])
    }
}
