import ShortlistCore
import ShortlistLosses

extension ConformanceSuite {
    /// What top-k and ranks refuse, without writing.
    func retrievalEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        let options = RetrievalCase(
            queries: 6, items: 9, width: 3, k: 4, seed: 2, integers: false, excluded: 1, seen: 3)
        func refuse(
            _ rule: String, _ code: ShortlistError.Code, _ words: String,
            _ call: (RetrievalData, RetrievalOutputs) throws(ShortlistError) -> Void
        ) {
            edge(rule, into: &report) { (report) throws(ShortlistError) in
                let data = try RetrievalData(options, on: evaluator.stream)
                let outputs = RetrievalOutputs(options)
                expectError(code, words, into: &report) { () throws(ShortlistError) in try call(data, outputs) }
                report.expect(outputs.areUntouched, "a refused call writes nothing")
            }
        }
        func top(
            _ data: RetrievalData, _ outputs: RetrievalOutputs, _ change: (inout RetrievalRequest) -> Void = { _ in },
            k: Int = 4, ids: UnsafeMutableBufferPointer<Int32>? = nil, scores: UnsafeMutableBufferPointer<Float>? = nil
        ) throws(ShortlistError) {
            var request = try data.request()
            change(&request)
            _ = try evaluator.topK(
                request, data.catalog, k: k, ids: ids ?? outputs.ids.buffer, scores: scores ?? outputs.scores.buffer)
        }
        func ranks(
            _ data: RetrievalData, _ outputs: RetrievalOutputs, targets: Targets? = nil,
            into memory: UnsafeMutableBufferPointer<Int64>? = nil
        ) throws(ShortlistError) {
            _ = try evaluator.targetRanks(
                try data.request(), data.catalog, targets: targets ?? .int32(data.targets.readOnly),
                ranks: memory ?? outputs.ranks.buffer)
        }
        func bytes<A, B>(_ memory: UnsafeMutablePointer<A>, as _: B.Type, _ count: Int) -> UnsafeMutableBufferPointer<B>
        {
            UnsafeMutableBufferPointer(
                start: UnsafeMutableRawPointer(memory).assumingMemoryBound(to: B.self), count: count)
        }
        refuse("k of 0 is an error", .invalidArgument, "k is 0") {
            (data, outputs) throws(ShortlistError) in try top(data, outputs, k: 0)
        }
        refuse("room for another number of ids is an error", .invalidArgument, "24 ids") {
            (data, outputs) throws(ShortlistError) in try top(data, outputs, k: 3)
        }
        refuse("more places than a word counts are an error, no trap", .overflow, "top-k") {
            (data, outputs) throws(ShortlistError) in try top(data, outputs, k: .max / 2)
        }
        refuse("ids over scores are an error", .overlappingMemory, "ids overlaps the scores") {
            (data, outputs) throws(ShortlistError) in
            try top(data, outputs, ids: bytes(outputs.scores.base, as: Int32.self, 24))
        }
        refuse("scores over the queries are an error", .overlappingMemory, "queries") {
            (data, outputs) throws(ShortlistError) in
            try top(data, outputs, scores: UnsafeMutableBufferPointer(start: data.queries.base + 17, count: 24))
        }
        refuse("ids over the excluded items are an error", .overlappingMemory, "excluded items") {
            (data, outputs) throws(ShortlistError) in
            try top(data, outputs, ids: UnsafeMutableBufferPointer(start: data.excluded.base, count: 24))
        }
        refuse("ranks over 64-bit targets are an error", .overlappingMemory, "targets") {
            (data, outputs) throws(ShortlistError) in
            let targets = Guarded<Int64>(data.targets.values.map(Int64.init))
            try ranks(data, outputs, targets: .int64(targets.readOnly), into: targets.buffer)
        }
        refuse("a target out of range is an error naming it and its query", .targetOutOfRange, "9 of query 2") {
            (data, outputs) throws(ShortlistError) in
            data.targets.base[2] = 9
            try ranks(data, outputs)
        }
        refuse("an excluded target is an error", .excludedTarget, "of query 3") {
            (data, outputs) throws(ShortlistError) in
            data.targets.base[3] = data.excluded.values[0]
            try ranks(data, outputs)
        }
        refuse("a seen item out of range is an error", .indexOutOfRange, "seen item") {
            (data, outputs) throws(ShortlistError) in
            let ids = Guarded<Int32>(Array(repeating: Int32(9), count: data.seenIds.values.count))
            try top(
                data, outputs, { $0.seen = RaggedIndices(offsets: data.seenOffsets.readOnly, ids: ids.readOnly) })
        }
        for offsets in [[0, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 2, 1, 2, 2, 2, 2]] {
            refuse("seen-item offsets that do not fit are an error (\(offsets))", .invalidArgument, "offsets") {
                (data, outputs) throws(ShortlistError) in
                let bad = Guarded<Int>(offsets)
                let ids = Guarded<Int32>(Array(repeating: Int32(1), count: 2))
                try top(data, outputs, { $0.seen = RaggedIndices(offsets: bad.readOnly, ids: ids.readOnly) })
            }
        }
        edge("no queries are a success that writes nothing", into: &report) { (report) throws(ShortlistError) in
            let none = RetrievalCase(queries: 0, items: 9, width: 3, k: 4, seed: 2, integers: false)
            let data = try RetrievalData(none, on: evaluator.stream)
            let (ids, scores, _) = try data.top(evaluator, CallLimits())
            report.expect(ids.isIntact && scores.isIntact, "nothing is written")
            report.expect(try data.ranks(evaluator, CallLimits()).0.isIntact, "nothing is written")
        }
    }
}

/// Room for results, that knows whether it was written to.
final class RetrievalOutputs {
    let ids: Guarded<Int32>
    let scores: Guarded<Float>
    let ranks: Guarded<Int64>
    private let before: ([Int32], [Int64])

    init(_ options: RetrievalCase) {
        ids = Guarded(count: options.queries * options.k)
        scores = Guarded(columns: options.queries * options.k)
        ranks = Guarded(count: options.queries)
        before = (ids.values, ranks.values)
    }

    var areUntouched: Bool {
        ids.isIntact && ranks.isIntact && scores.isUntouched && ids.values == before.0 && ranks.values == before.1
    }
}
