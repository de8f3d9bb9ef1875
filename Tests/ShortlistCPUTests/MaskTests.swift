import CShortlistKernels
import Testing

@Suite("Pairs of earlier rounds")
struct MaskTests {
    @Test(
        "are hidden where chunks are near in one of the rounds, and nothing else is",
        arguments: 0...sl_best_level(), [1, 31, 32, 33, 100, 128, 361])
    func near(level: Int32, columns: Int) {
        sl_force_level(level)
        defer { sl_force_level(sl_best_level()) }
        // Chunks up to the last that two bytes count, so that differences wrap around.
        for (chunkCount, neighbours) in [(9, 0), (40, 1), (1000, 40), (65_535, 1), (65_000, 536)] {
            check(columns, chunkCount, neighbours)
        }
    }

    private func check(_ columns: Int, _ chunkCount: Int, _ neighbours: Int) {
        let rows = 7
        let rounds = 5
        let stride = (columns + 31) / 32 * 32
        let chunks: [Int] = (0..<rounds * stride).map { $0 * 7_919 % chunkCount }
        var tokens: [Int] = (0..<rows * rounds).map { $0 * 104_729 % chunkCount }
        // The ends, and pairs at the edge of what is near.
        tokens[0] = 0
        tokens[1] = chunkCount - 1
        tokens[2] = max(0, chunks[2 * stride] - neighbours)
        tokens[3] = max(0, chunks[3 * stride] - neighbours - 1)
        tokens[4] = chunks[4 * stride]
        var logits = [Float](repeating: 1, count: rows * stride)
        let halves: [UInt16] = chunks.map { UInt16($0) }
        let first: [UInt16] = tokens.map { UInt16(truncatingIfNeeded: $0 - neighbours) }
        sl_mask_near(
            &logits, stride, rows, columns, rounds, halves, stride, first, rounds, UInt16(2 * neighbours))
        for row in 0..<rows {
            for column in 0..<columns {
                var isNear = false
                for round in 0..<rounds {
                    let apart = chunks[round * stride + column] - tokens[row * rounds + round]
                    if abs(apart) <= neighbours { isNear = true }
                }
                let expected: Float = isNear ? -.greatestFiniteMagnitude : 1
                #expect(logits[row * stride + column] == expected, "\(chunkCount), \(row), \(column)")
            }
        }
    }
}
