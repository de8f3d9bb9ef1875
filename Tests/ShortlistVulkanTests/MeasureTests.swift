import Glibc
import ShortlistCore
import ShortlistLosses
import ShortlistVulkan
import Testing

/// One call on generated numbers, and what it came to.
private struct MeasuredCall {
    let report: Report
    let measures: CallMeasures
    let bits: [UInt32]

    /// The second call of a loss with gradients of X and of all items: the first compiles and uploads.
    init(
        _ loss: some Loss, tokens: Int, items: Int, width: Int = 16, sparse: Bool = false,
        _ options: VulkanOptions = VulkanOptions()
    ) throws {
        let hidden = try Matrix(rows: tokens, columns: width)
        let matrix = try Matrix(rows: items, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(matrix.mutableView, seed: 2, step: 0, stream: 9)
        let targets = (0..<tokens).map { Int32($0 * 31 % items) }
        let stream = try VulkanBackend(options).makeStream(device: 0, options: StreamOptions())
        let evaluator = Evaluator(stream: stream)
        let catalog = try Catalog(items: matrix.view, on: stream)
        let ofHidden = try Matrix(rows: tokens, columns: width)
        let ofItems = try Matrix(rows: items, columns: width)
        var report = Report()
        for _ in 0..<2 {
            report = try targets.withUnsafeBufferPointer { targets in
                try evaluator.evaluate(
                    loss, Batch(hidden: hidden.view, targets: .int32(targets)), catalog,
                    into: GradientOutputs(
                        hidden: ofHidden.mutableView,
                        catalog: .dense(ofItems.mutableView, bias: nil, accumulate: false))
                ).report
            }
        }
        self.report = report
        measures = try #require(stream as? any MeasuredStream).measures
        bits = (Array(ofHidden.elements) + Array(ofItems.elements)).map(\.bitPattern)
    }
}

@Suite("What a Vulkan call comes to", .serialized)
struct MeasureTests {
    @Test("the dispatches of SCE do not grow with its blocks", arguments: [Combination.max, .union])
    func dispatches(combination: Combination) throws {
        func call(_ buckets: Int) throws -> MeasuredCall {
            try MeasuredCall(
                SCE(bucketCount: buckets, tokensPerBucket: 20, itemsPerBucket: 30, seed: 1, combination: combination),
                tokens: 200, items: 900)
        }
        let (few, many) = (try call(8), try call(64))
        // Sorting more places takes no more passes; the key's bits decide on those.
        #expect(many.measures.dispatches <= few.measures.dispatches + 8)
        #expect(many.measures.dispatches < 130)
        #expect(many.measures.barriers < many.measures.dispatches)
    }

    @Test("device seconds of the stages are there, and no more than the wall clock's of the whole call")
    func stages() throws {
        let seconds = try MeasuredCall(SCE(seed: 1), tokens: 600, items: 3000).report.seconds
        for stage in [seconds.select, seconds.score, seconds.combine, seconds.gradient] { #expect(stage > 0) }
        #expect(seconds.select + seconds.score + seconds.combine + seconds.gradient <= seconds.total)
    }

    @Test("kernels' times add up to the stages', every dispatch counted, and timing them changes no bit")
    func kernelTimes() throws {
        var options = VulkanOptions()
        let plain = try MeasuredCall(SCE(seed: 1), tokens: 600, items: 3000, options)
        if getenv("SHORTLIST_VULKAN_TIMES") == nil { #expect(plain.measures.kernels.isEmpty) }
        options.timesKernels = true
        let timed = try MeasuredCall(SCE(seed: 1), tokens: 600, items: 3000, options)
        #expect(timed.bits == plain.bits)
        let seconds = timed.report.seconds
        let stages = seconds.select + seconds.score + seconds.combine + seconds.gradient
        let kernels = timed.measures.kernels.values.reduce(0) { $0 + $1.seconds }
        #expect(abs(kernels - stages) < 1e-6 + 1e-3 * stages)
        let named = timed.measures.kernels.filter { !["upload", "download"].contains($0.key) }
        #expect(named["blockLogSumExp"] != nil && named["projectAppend"] != nil)
        #expect(named.values.reduce(0) { $0 + $1.dispatches } >= timed.measures.dispatches)
    }

    @Test("the large and the small tile each give the same bits again")
    func tiles() throws {
        for tile in Tile.allCases {
            var options = VulkanOptions()
            options.tile = tile
            let first = try MeasuredCall(RECE(seed: 1), tokens: 300, items: 700, options)
            let second = try MeasuredCall(RECE(seed: 1), tokens: 300, items: 700, options)
            #expect(first.bits == second.bits)
        }
    }
}

@Suite("Top-k on a Vulkan device")
struct TopKTests {
    /// Ids and scores of one query, whose scores are `scores`, among so many items of width 1.
    private func top(_ scores: [Float], k: Int, _ options: VulkanOptions) throws -> ([Int32], CallMeasures) {
        let items = try Matrix(rows: scores.count, columns: 1)
        for (row, score) in scores.enumerated() { items[row, 0] = score }
        let query = try Matrix(rows: 1, columns: 1)
        query[0, 0] = 1
        let stream = try VulkanBackend(options).makeStream(device: 0, options: StreamOptions())
        let evaluator = Evaluator(stream: stream)
        let catalog = try Catalog(items: items.view, on: stream)
        var ids = [Int32](repeating: -7, count: k)
        _ = try ids.withUnsafeMutableBufferPointer {
            try evaluator.topK(RetrievalRequest(queries: query.view), catalog, k: k, ids: $0)
        }
        return (ids, try #require(stream as? any MeasuredStream).measures)
    }

    private func expected(_ scores: [Float], k: Int) -> [Int32] {
        scores.indices.sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }.prefix(k).map(
            Int32.init)
    }

    @Test("a list that overflows is noticed, and the query done again: the result is exact")
    func overflow() throws {
        var short = VulkanOptions()
        short.listCapacity = 256
        short.tile = .small
        // Of 94 tiles of 64 items these are visited first: what comes after them rises above whatever was seen.
        let scores = (0..<6000).map { Float([0, 59, 24, 83].contains($0 / 64) ? $0 : 10_000 + $0) }
        let (ids, measures) = try top(scores, k: 40, short)
        #expect(ids == expected(scores, k: 40))
        #expect(measures.retries == 1)
        // Without a forced length the lists have room for it all.
        #expect(try top(scores, k: 40, VulkanOptions()).1.retries == 0)
        let (equal, _) = try top([Float](repeating: 1, count: 6000), k: 40, short)
        #expect(equal == (0..<40).map(Int32.init), "equal scores go to the lower ids")
    }

    @Test("more keys than a workgroup sorts alone come in order, ties to the lower id")
    func manyKeys() throws {
        let scores = (0..<90_000).map { Float(($0 * 7919) % 5003) }
        let (ids, _) = try top(scores, k: 70_001, VulkanOptions())
        #expect(ids == expected(scores, k: 70_001))
    }
}

@Suite("Barriers")
struct HazardTests {
    private func access(_ range: Range<UInt64>, _ isWritten: Bool) -> [Hazards.Access] {
        [Hazards.Access(memory: range, isWritten: isWritten)]
    }

    @Test("reading or writing what was written, and writing what was read, waits; nothing else does")
    func conflicts() {
        var hazards = Hazards()
        hazards.add(access(100..<200, true))
        hazards.add(access(300..<400, false))
        #expect(hazards.conflict(with: access(199..<201, false)))
        #expect(hazards.conflict(with: access(0..<101, true)))
        #expect(hazards.conflict(with: access(350..<351, true)))
        #expect(!hazards.conflict(with: access(350..<351, false)))
        #expect(!hazards.conflict(with: access(200..<300, true)))
        hazards.removeAll()
        #expect(!hazards.conflict(with: access(100..<400, true)))
    }
}
