import ShortlistCPU
import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import ShortlistReference
import Testing

@Suite("Retrieval through a backend of required kernels alone")
struct PlainRetrievalTests {
    fileprivate struct Retrieved {
        var ids: [Int32]
        var scores: [Float]
        var ranks: [Int64]
        var report: Report
        var ranksReport: Report
    }

    private static let queryCount = 300
    private static let catalog = LossProblem.integers(tokens: queryCount, items: 2100, width: 3, seed: 12)
    private static let seen: [[Int32]] = {
        var dice = Dice(77)
        return (0..<queryCount).map { query in
            query % 3 == 0 ? [] : (0..<dice.integer(0...40)).map { _ in Int32(dice.integer(0...2099)) }
        }
    }()

    private func retrieval(_ evaluator: Evaluator, k: Int, limits: CallLimits = .init()) throws -> Retrieved {
        let problem = PlainRetrievalTests.catalog
        let seen = PlainRetrievalTests.seen
        var result = Retrieved(
            ids: Array(repeating: -7, count: problem.tokenCount * k),
            scores: Array(repeating: .nan, count: problem.tokenCount * k),
            ranks: Array(repeating: -7, count: problem.tokenCount), report: Report(), ranksReport: Report())
        let offsets = seen.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        try problem.lend(on: evaluator) { (batch, catalog, _) throws(ShortlistError) in
            let outcome: Result<Void, ShortlistError> = offsets.withUnsafeBufferPointer { offsets in
                Array(seen.joined()).withUnsafeBufferPointer { ids in
                    Result { () throws(ShortlistError) in
                        let request = RetrievalRequest(
                            queries: batch.hidden, excludedItems: batch.excludedItems,
                            seen: RaggedIndices(offsets: offsets, ids: ids))
                        try result.run(evaluator, request, catalog, batch.targets, k: k, limits)
                    }
                }
            }
            try outcome.get()
        }
        return result
    }

    @Test(
        "Top-k lists and target ranks are the oracle's exactly on small integers, over several tiles of queries and items",
        arguments: [1, 10, 2150])
    func retrieval(_ k: Int) throws {
        let problem = PlainRetrievalTests.catalog
        let reference = problem.reference
        var scores = ReferenceKernels.logits(
            reference.hidden, reference.catalog, dimension: 3, bias: reference.itemBias)
        let top = ReferenceKernels.topK(
            scores, rows: problem.tokenCount, columns: problem.itemCount, k: k, excluded: [2099],
            seen: PlainRetrievalTests.seen.map { $0.map(Int.init) })
        let ranks = ReferenceKernels.targetRanks(
            scores, columns: problem.itemCount, targets: problem.targets.map(Int.init), excluded: [2099],
            seen: PlainRetrievalTests.seen.map { $0.map(Int.init) })
        scores = []
        for backend in backends {
            let found = try retrieval(try evaluator(backend), k: k)
            #expect(found.ids.map(Int.init) == top.ids)
            #expect(found.scores.map(Double.init) == top.scores)
            #expect(found.ranks.map(Int.init) == ranks)
            #expect(found.report.topK == min(k, 2099))
            #expect(found.report.composedKernels.contains(KernelSet(.projectAndSelect)) == !(isNative(backend)))
            #expect(found.ranksReport.composedKernels.contains(KernelSet(.targetRanks)) == !(isNative(backend)))
        }
    }

    private func isNative(_ backend: any Backend) -> Bool { (backend as? CPUBackend)?.composed.isEmpty ?? false }

    @Test("A retrieval's least workspace works, a byte less is refused")
    func retrievalLimit() throws {
        for backend in backends where !isNative(backend) {
            let evaluator = try evaluator(backend)
            let free = try retrieval(evaluator, k: 10)
            // Ranks need no more than the list here, so that one limit serves both.
            let least = free.report.workspaceLeast
            #expect(free.ranksReport.workspaceLeast <= least)
            let tight = try retrieval(evaluator, k: 10, limits: CallLimits(workspace: least))
            #expect(tight.ids == free.ids && tight.ranks == free.ranks)
            #expect(throws: ShortlistError.self) {
                try retrieval(evaluator, k: 10, limits: CallLimits(workspace: least - 1))
            }
        }
    }
}

extension PlainRetrievalTests.Retrieved {
    /// Both calls of one request, into the arrays.
    fileprivate mutating func run(
        _ evaluator: Evaluator, _ request: RetrievalRequest, _ catalog: Catalog, _ targets: Targets, k: Int,
        _ limits: CallLimits
    ) throws(ShortlistError) {
        let outcome: Result<(Report, Report), ShortlistError> = ids.withUnsafeMutableBufferPointer { ids in
            scores.withUnsafeMutableBufferPointer { scores in
                ranks.withUnsafeMutableBufferPointer { ranks in
                    Result { () throws(ShortlistError) in
                        (
                            try evaluator.topK(request, catalog, k: k, ids: ids, scores: scores, limits: limits),
                            try evaluator.targetRanks(request, catalog, targets: targets, ranks: ranks, limits: limits)
                        )
                    }
                }
            }
        }
        (report, ranksReport) = try outcome.get()
    }
}
