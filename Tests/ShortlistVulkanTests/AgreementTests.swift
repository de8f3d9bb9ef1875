import ShortlistCPU
import ShortlistCore
import ShortlistLosses
import ShortlistVulkan
import Testing

/// Whole-number data and directions: every product and sum of a selection is exact in f32, so that both backends must
/// choose the very same tokens and items, ties included.
@Suite("The Vulkan backend and the CPU backend agree on the same directions", .serialized)
struct AgreementTests {
    private static func directions(_ rows: Int, _ width: Int) throws -> Matrix {
        let matrix = try Matrix(rows: rows, columns: width)
        Philox.fillNormal(matrix.mutableView, seed: 5, step: 0, stream: 9)
        round(matrix)
        return matrix
    }

    /// A selection as lists.
    private struct Selection: Equatable {
        var offsets: [[Int]]
        var ids: [[Int32]]
        var winners: [Int32]

        init(_ state: SavedState, tokens: Int, winners wanted: Bool) throws {
            let size = try state.selectionSize()
            var tokenOffsets = [Int](repeating: 0, count: size.blocks + 1)
            var itemOffsets = tokenOffsets
            var tokenIds = [Int32](repeating: 0, count: size.tokens)
            var itemIds = [Int32](repeating: 0, count: size.items)
            var winners = [Int32](repeating: 0, count: tokens)
            try tokenOffsets.withUnsafeMutableBufferPointer { tokenOffsets in
                try itemOffsets.withUnsafeMutableBufferPointer { itemOffsets in
                    try tokenIds.withUnsafeMutableBufferPointer { tokenIds in
                        try itemIds.withUnsafeMutableBufferPointer { itemIds in
                            try state.copySelection(
                                tokenOffsets: tokenOffsets, tokens: tokenIds, itemOffsets: itemOffsets, items: itemIds)
                        }
                    }
                }
            }
            if wanted { try winners.withUnsafeMutableBufferPointer { try state.copyWinners($0) } }
            offsets = [tokenOffsets, itemOffsets]
            ids = [tokenIds, itemIds]
            self.winners = winners
        }
    }

    @Test("the same selection, and losses and gradients within rounding", arguments: 0..<4)
    func losses(kind: Int) throws {
        let problem = try Problem(tokens: 300, items: 1500, width: 20).rounded()
        let buckets = try AgreementTests.directions(25, 20)
        let chunks = try AgreementTests.directions(60, 20)
        let loss: any Loss = [
            CrossEntropy(), SCE(tokensPerBucket: 40, itemsPerBucket: 130, directions: .given(buckets.view)),
            SCE(tokensPerBucket: 40, itemsPerBucket: 130, directions: .given(buckets.view), combination: .union),
            RECE(bucketCount: 30, rounds: 2, directions: .given(chunks.view)),
        ][kind]
        let vulkan = try evaluator(VulkanBackend())
        let cpu = Evaluator(stream: try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: 2)))
        let onDevice = try Catalog(items: problem.items.view, on: vulkan.stream)
        let onHost = try Catalog(items: problem.items.view, on: cpu.stream)
        let mine = try problem.evaluate(loss, vulkan, onDevice)
        let theirs = try problem.evaluate(loss, cpu, onHost)
        #expect(abs(mine.loss - theirs.loss) <= 1e-5 * abs(theirs.loss), "\(mine.loss) and \(theirs.loss)")
        #expect(mine.report.tokensCounted == theirs.report.tokensCounted)
        #expect(mine.report.distinctItemsTouched == theirs.report.distinctItemsTouched)
        #expect(mine.report.candidateLogits == theirs.report.candidateLogits)
        for (one, other) in [(mine.hidden, theirs.hidden), (mine.items, theirs.items)] {
            let error = zip(one, other).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
            let size = other.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(size > 0 && error <= 1e-9 * size, "\(error / size)")
        }
        guard kind > 0 else { return }
        try problem.withBatch { (batch) throws(ShortlistError) in
            let states = [try vulkan.forward(loss, batch, onDevice), try cpu.forward(loss, batch, onHost)]
            do {
                let lists = try states.map { try Selection($0, tokens: 300, winners: kind < 3) }
                #expect(lists[0] == lists[1])
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test("the same ids and the same ranks")
    func retrieval() throws {
        let problem = try Problem(tokens: 120, items: 3000, width: 20).rounded()
        let vulkan = try evaluator(VulkanBackend())
        let cpu = Evaluator(stream: try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: 2)))
        let mine = try problem.retrieve(vulkan, try Catalog(items: problem.items.view, on: vulkan.stream))
        #expect(try mine == problem.retrieve(cpu, try Catalog(items: problem.items.view, on: cpu.stream)))
    }
}
