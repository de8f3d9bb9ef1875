import ShortlistCore

/// Queries against a catalog, streaming: nothing of size queries × items is stored.
public struct RetrievalRequest {
    /// Q × d. The score of item j is ⟨query, y_j⟩ + b_j: a model with a scale multiplies its queries by it.
    public var queries: MatrixView
    /// Items left out for every query; any order, repeats allowed.
    public var excludedItems: UnsafeBufferPointer<Int32>
    /// Items left out for each query (what the user has seen); any order, repeats allowed. Q + 1 offsets.
    public var seen: RaggedIndices?

    public init(
        queries: MatrixView, excludedItems: UnsafeBufferPointer<Int32> = .init(start: nil, count: 0),
        seen: RaggedIndices? = nil
    ) {
        self.queries = queries
        self.excludedItems = excludedItems
        self.seen = seen
    }
}

extension Evaluator {
    /// The k items of largest score of each query, largest first, ties to the lower id. `ids` (and `scores`) have
    /// Q × k places; a place that no item fills is −1 with a score of −∞.
    ///
    /// Cost: 2·Q·C·d flops. Memory: tiles, with about 8·(2k + 128) bytes of keys for each query of a tile and each
    /// thread. k above the number of selectable items is capped and reported. NaN scores stand below all others.
    ///
    /// - Throws: `invalidArgument` for shapes and for k < 1, `indexOutOfRange` for an excluded or seen item,
    ///   `overlappingMemory`, `workspaceLimit`, `outOfMemory`, `unsupported`, `forked`, `cancelled`.
    public func topK(
        _ request: RetrievalRequest, _ catalog: Catalog, k: Int, ids: UnsafeMutableBufferPointer<Int32>,
        scores: UnsafeMutableBufferPointer<Float>? = nil, limits: CallLimits = .init()
    ) throws(ShortlistError) -> Report {
        let start = monotonicSeconds()
        guard k > 0 else { throw ShortlistError(.invalidArgument, "k is \(k); it must be at least 1") }
        let places = try request.queries.rows.multiplied(by: k, for: "top-k results")
        guard ids.count == places, scores?.count ?? places == places else {
            throw ShortlistError(
                .invalidArgument, "room for \(ids.count) ids; \(request.queries.rows) queries × \(k) need \(places)")
        }
        try request.check(catalog)
        var outputs = [Region("the ids", ids.baseAddress, byteCount: 4 * ids.count)]
        if let scores { outputs.append(Region("the scores", scores.baseAddress, byteCount: 4 * scores.count)) }
        try checkOverlap(outputs: outputs, inputs: request.regions(catalog))
        try exclusions.load(request.excludedItems, catalog)
        var report = Report()
        let used = min(k, catalog.itemCount - exclusions.count)
        report.topK = used
        if used < k { report.notes.insert(.optionCapped) }
        guard request.queries.rows > 0, used > 0 else {
            ids.update(repeating: -1)
            scores?.update(repeating: -.infinity)
            return report
        }

        let capped = used < k
        let shape = KernelShape.projectAndSelect(
            queries: request.queries.rows, items: catalog.itemCount, width: catalog.width, k: used)
        try run(request, catalog, [shape], report: &report, since: start, limits) { (source) throws(ShortlistError) in
            _ = capped ? try source.reserve(Int32.self, count: request.queries.rows * used) : nil
            _ = capped ? try source.reserve(Float.self, count: request.queries.rows * used) : nil
        } body: { (loaded) throws(ShortlistError) in
            let top = TopOutput(
                ids: capped
                    ? try stream.reserve(Int32.self, count: request.queries.rows * used) : try stream.bindOutput(ids),
                scores: capped
                    ? try stream.reserve(Float.self, count: request.queries.rows * used)
                    : try scores.map { (buffer) throws(ShortlistError) in try stream.bindOutput(buffer) })
            try stream.projectAndSelect(
                TopRequest(
                    queries: loaded.queries, rows: RowSource(loaded.items.matrix), exclusions: loaded.exclusions,
                    k: used, order: .byScore),
                into: top)
            if capped {
                ids.update(repeating: -1)
                scores?.update(repeating: -.infinity)
                try spread(top, used, k, ids, scores)
            }
        }
        return report
    }

    /// Results of `used` places a query into rows of `k`.
    private func spread(
        _ top: TopOutput, _ used: Int, _ k: Int, _ ids: UnsafeMutableBufferPointer<Int32>,
        _ scores: UnsafeMutableBufferPointer<Float>?
    ) throws(ShortlistError) {
        try stream.read(top.ids) { (values) throws(ShortlistError) in
            for (place, id) in values.enumerated() { ids[place / used * k + place % used] = id }
        }
        guard let scores, let from = top.scores else { return }
        try stream.read(from) { (values) throws(ShortlistError) in
            for (place, score) in values.enumerated() { scores[place / used * k + place % used] = score }
        }
    }

    /// The rank of each query's target among all items, from 1: 1 + items with a greater score + items with an equal
    /// score and a lower id (the order of `topK`). Excluded and seen items do not count, the target itself always
    /// stands, seen or not. Equal rows may differ by a rounding error, because products are blocked. A target whose
    /// score is NaN ranks behind every number.
    ///
    /// Cost: 2·Q·C·d flops. HR, NDCG and MRR follow from ranks alone; no matrix of scores and no list is stored.
    ///
    /// - Throws: `targetOutOfRange`, `excludedTarget`, and what `topK` throws.
    public func targetRanks(
        _ request: RetrievalRequest, _ catalog: Catalog, targets: Targets, ranks: UnsafeMutableBufferPointer<Int64>,
        limits: CallLimits = .init()
    ) throws(ShortlistError) -> Report {
        let start = monotonicSeconds()
        let queries = request.queries.rows
        guard targets.count == queries, ranks.count == queries else {
            throw ShortlistError(
                .invalidArgument,
                "\(targets.count) targets and room for \(ranks.count) ranks; there are \(queries) queries")
        }
        try request.check(catalog)
        try exclusions.load(request.excludedItems, catalog)
        for query in 0..<queries {
            let target = targets[query]
            guard target >= 0, target < Int64(catalog.itemCount) else {
                throw ShortlistError(
                    .targetOutOfRange, "target \(target) of query \(query); items are 0 to \(catalog.itemCount - 1)")
            }
            guard !exclusions.contains(Int32(target)) else {
                throw ShortlistError(.excludedTarget, "target \(target) of query \(query) is excluded")
            }
        }
        try checkOverlap(
            outputs: [Region("the ranks", ranks.baseAddress, byteCount: 8 * ranks.count)],
            inputs: request.regions(catalog) + [targets.region])
        var report = Report()
        report.tokensValid = queries
        report.tokensCounted = queries
        guard queries > 0 else { return report }
        let shape = KernelShape.targetRanks(queries: queries, items: catalog.itemCount, width: catalog.width)
        try run(request, catalog, [shape], report: &report, since: start, limits) { (source) throws(ShortlistError) in
            _ = try source.reserve(Int32.self, count: queries)
            _ = try source.reserve(Float.self, count: queries)
        } body: { (loaded) throws(ShortlistError) in
            let ids = try stream.reserve(Int32.self, count: queries)
            let scores = try stream.reserve(Float.self, count: queries)
            try stream.write(ids) { (values) throws(ShortlistError) in
                for query in 0..<queries { values[query] = Int32(truncatingIfNeeded: targets[query]) }
            }
            let tokens = TokenSet(hidden: loaded.queries, targets: ids, weights: nil)
            try stream.targetLogits(tokens, loaded.items, scale: 1, into: scores)
            let counts = try stream.bindOutput(ranks)
            try stream.targetRanks(
                loaded.queries, loaded.items, targets: ids, targetScores: scores, exclusions: loaded.exclusions,
                counts: counts)
            try stream.write(counts) { (values) throws(ShortlistError) in
                for query in 0..<queries { values[query] += 1 }
            }
        }
        return report
    }

    private struct Loaded {
        let queries: RowSource
        let items: ItemSet
        let exclusions: Exclusions
    }

    /// Plans, loads and runs one retrieval.
    private func run(
        _ request: RetrievalRequest, _ catalog: Catalog, _ kernels: [KernelShape], report: inout Report,
        since start: Double, _ limits: CallLimits,
        reserving extra: (inout WorkspacePlan) throws(ShortlistError) -> Void,
        body: (Loaded) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        var plan = WorkspacePlan(limit: limits.workspace, shouldStop: limits.shouldStop)
        try extra(&plan)
        _ = try plan.reserve(Int32.self, count: exclusions.count)
        _ = try plan.reserve(Int32.self, count: request.seen?.ids.count ?? 0)
        plan.kernels = kernels
        let workspace = try stream.begin(plan)
        do {
            try body(try load(request, catalog))
            try stream.finish(noting: &report, of: workspace, since: start)
            report.seconds.select = report.seconds.total
            stream.recycle(workspace)
        } catch {
            throw stream.abandon(workspace, after: error)
        }
    }

    private func load(_ request: RetrievalRequest, _ catalog: Catalog) throws(ShortlistError) -> Loaded {
        var exclusions = Exclusions()
        if self.exclusions.count > 0 {
            let ids = try stream.reserve(Int32.self, count: self.exclusions.count)
            try stream.write(ids) { (values) throws(ShortlistError) in
                for (place, id) in self.exclusions.values.enumerated() { values[place] = id }
            }
            exclusions.forAll = ids
        }
        if let seen = request.seen {
            let ids = try stream.reserve(Int32.self, count: seen.ids.count)
            try stream.write(ids) { (values) throws(ShortlistError) in
                for (place, id) in seen.ids.enumerated() { values[place] = id }
                for query in 0..<request.queries.rows {
                    sortInPlace(
                        UnsafeMutableBufferPointer(rebasing: values[seen.offsets[query]..<seen.offsets[query + 1]]))
                }
            }
            exclusions.ids = ids
            exclusions.offsets = try stream.bind(seen.offsets)
        }
        let bound = try stream.bind(catalog)
        exclusions.bias = bound.bias
        return Loaded(
            queries: RowSource(try stream.bind(request.queries)),
            items: ItemSet(
                matrix: bound.items, bias: bound.bias, excluded: exclusions.forAll),
            exclusions: exclusions)
    }
}

extension RetrievalRequest {
    fileprivate func check(_ catalog: Catalog) throws(ShortlistError) {
        guard queries.columns == catalog.width else {
            throw ShortlistError(
                .invalidArgument, "queries have \(queries.columns) columns, the catalog's items have \(catalog.width)")
        }
        guard queries.rows < Int(Int32.max) else {
            throw ShortlistError(.unsupported, "\(queries.rows) queries; a call takes fewer than 2147483647")
        }
        guard let seen else { return }
        guard seen.offsets.count == queries.rows + 1, seen.offsets[0] == 0,
            seen.offsets[queries.rows] == seen.ids.count
        else {
            throw ShortlistError(
                .invalidArgument,
                "seen items need \(queries.rows + 1) offsets from 0 to the number of ids, \(seen.ids.count)")
        }
        for query in 0..<queries.rows where seen.offsets[query] > seen.offsets[query + 1] {
            throw ShortlistError(.invalidArgument, "seen-item offsets decrease at query \(query)")
        }
        try checkIds(seen.ids, below: catalog.itemCount, what: "seen item")
    }

    fileprivate func regions(_ catalog: Catalog) -> [Region] {
        var regions = [Region("the queries", queries), Region("the catalog", catalog.items)]
        if let bias = catalog.bias { regions.append(Region("the bias", bias.baseAddress, byteCount: 4 * bias.count)) }
        if let seen {
            regions.append(Region("the seen items", seen.ids.baseAddress, byteCount: 4 * seen.ids.count))
            regions.append(
                Region("the seen items' offsets", seen.offsets.baseAddress, byteCount: 8 * seen.offsets.count))
        }
        regions.append(Region("the excluded items", excludedItems.baseAddress, byteCount: 4 * excludedItems.count))
        return regions
    }
}
