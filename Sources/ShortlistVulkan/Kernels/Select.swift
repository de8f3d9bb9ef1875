import ShortlistCore

/// Top-k without the scores in between: projectAppend.comp, mergeTop.comp, unpackTop.comp.
///
/// A chunk of rows at a time: what stands above a query's threshold is appended to its list, and the list is merged
/// into the best so far, which raises the threshold. The k-th largest of any part is a lower bound, so that the result
/// is exact; a list has room for a whole chunk, so that no order of rows overflows it.
extension VulkanStream {
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        if isComposed(.projectAndSelect) { return try composedProjectAndSelect(request, into: top) }
        try open(.projectAndSelect)
        let (queries, k) = (request.queries.count, request.k)
        guard queries > 0, k > 0 else { return }
        let plan = SelectPlan(
            queries: queries, items: request.rows.count, k: k, limit: try opened().scratchLimit)
        for range in Sweep.runs(queries, most: plan.queries) {
            try withScratchVectors { () throws(ShortlistError) in
                var best = try reserve(UInt64.self, count: plan.queries * k)
                var next = try reserve(UInt64.self, count: plan.queries * k)
                let thresholds = try reserve(UInt64.self, count: plan.queries)
                let counts = try reserve(Int32.self, count: plan.queries)
                let lists = try reserve(UInt64.self, count: plan.queries * plan.chunk)
                try clear(best)
                try clear(thresholds)
                try fill(counts, withBits: 0)
                for chunk in Sweep.runs(request.rows.count, most: plan.chunk) {
                    try append(request, range, chunk, thresholds, counts, lists, plan)
                    try merge(best, lists, counts, thresholds, into: next, rows: range.count, k, plan)
                    swap(&best, &next)
                }
                let place = range.lowerBound * k..<range.upperBound * k
                try unpackTop(
                    best, k: k, order: request.order,
                    into: TopOutput(ids: top.ids.slice(place), scores: top.scores?.slice(place)))
            }
        }
    }

    private func append(
        _ request: TopRequest, _ queries: Range<Int>, _ rows: Range<Int>, _ thresholds: Vector<UInt64>,
        _ counts: Vector<Int32>, _ lists: Vector<UInt64>, _ plan: SelectPlan
    ) throws(ShortlistError) {
        let groups = divided(queries.count, 64) * divided(rows.count, 64)
        let flops = 2 * Double(queries.count) * Double(rows.count) * Double(request.queries.width + 10)
        let exclusions = request.exclusions
        try run("projectAppend", groups: groups, work: flops) { (a) throws(ShortlistError) in
            a.address(try reads(request.queries.matrix))
            a.address(try reads(request.queries.rows))
            a.address(try reads(request.rows.matrix))
            a.address(try reads(request.rows.rows))
            a.address(try reads(thresholds))
            a.address(try writes(counts))
            a.address(try writes(lists))
            a.address(try reads(exclusions.forAll))
            a.address(try reads(exclusions.offsets))
            a.address(try reads(exclusions.ids))
            a.address(try reads(exclusions.bias))
            for value in [
                request.queries.matrix.rowStride, request.rows.matrix.rowStride, queries.lowerBound, queries.count,
                rows.lowerBound, rows.count, request.queries.width, plan.chunk, exclusions.forAll?.count ?? 0,
            ] { try a.word(value) }
        }
    }

    private func merge(
        _ best: Vector<UInt64>, _ lists: Vector<UInt64>, _ counts: Vector<Int32>, _ thresholds: Vector<UInt64>,
        into next: Vector<UInt64>, rows: Int, _ k: Int, _ plan: SelectPlan
    ) throws(ShortlistError) {
        try run("mergeTop", groups: rows, work: 40 * Double(rows) * Double(k)) { (a) throws(ShortlistError) in
            a.address(try reads(best))
            a.address(try reads(lists))
            a.address(try writes(counts))
            a.address(try writes(thresholds))
            a.address(try writes(next))
            try a.word(k)
            try a.word(plan.chunk)
        }
    }
}

/// How many queries, and how many rows of the catalog, a projection works on at a time.
struct SelectPlan {
    let queries: Int
    let chunk: Int

    /// Bytes of lists that are enough: more would not be faster.
    private static let enough = 64 << 20
    private static let leastChunk = 256
    private static let leastQueries = 64

    init(queries: Int, items: Int, k: Int, limit: Int) {
        var group = min(queries, 4096)
        let least = min(queries, SelectPlan.leastQueries)
        while group > least, SelectPlan.bytes(group, min(items, 4096), k) > min(limit, 4 * SelectPlan.enough) {
            group = max(least, group / 2)
        }
        // A list of a first chunk is as long as the chunk: no point in one much longer than what is kept of it.
        var chunk = max(4096, min(65_536, SelectPlan.enough / (8 * max(group, 1)) / 64 * 64))
        while chunk > SelectPlan.leastChunk, SelectPlan.bytes(group, min(items, chunk), k) > limit { chunk /= 2 }
        self.queries = group
        self.chunk = max(1, min(items, chunk))
    }

    private static func bytes(_ queries: Int, _ chunk: Int, _ k: Int) -> Int {
        let (kept, keptOverflow) = queries.multipliedReportingOverflow(by: k)
        let (lists, listsOverflow) = queries.multipliedReportingOverflow(by: max(1, chunk))
        guard !keptOverflow, !listsOverflow, kept < 1 << 56, lists < 1 << 56 else { return Int.max / 4096 }
        return 2 * padded(kept * 8) + padded(queries * 8) + padded(queries * 4) + padded(lists * 8)
    }

    static func scratch(queries: Int, items: Int, k: Int, limit: Int) -> ScratchNeed {
        guard queries > 0, k > 0 else { return .none }
        let plan = SelectPlan(queries: queries, items: items, k: k, limit: limit)
        return ScratchNeed(
            least: bytes(min(queries, leastQueries), min(items, leastChunk), k),
            planned: bytes(plan.queries, plan.chunk, k))
    }
}
