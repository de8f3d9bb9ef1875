import ShortlistCore

/// Top-k without the scores in between: projectAppend.comp, mergeTop.comp, unpackTop.comp.
///
/// A chunk of rows at a time: what stands above a query's threshold is appended to its list, and the list is merged
/// into the best so far, which raises the threshold. The k-th largest of any part is a lower bound, so that the result
/// is exact. Chunks grow with what was seen, so that about half a list is filled, and take their rows from all over the
/// catalog. Where a list overflows all the same, the queries are done again in chunks that fit the lists.
extension VulkanStream {
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        if isComposed(.projectAndSelect) { return try composedProjectAndSelect(request, into: top) }
        try open(.projectAndSelect)
        let (queries, k) = (request.queries.count, request.k)
        guard queries > 0, k > 0 else { return }
        let plan = SelectPlan(
            queries: queries, items: request.rows.count, k: k, limit: try opened().scratchLimit, sweep,
            forced: options.listCapacity)
        for range in Sweep.runs(queries, most: plan.queries) {
            try withScratchVectors { () throws(ShortlistError) in
                var lists = try SelectLists(plan, k: k, on: self)
                let growing = plan.chunks(k: k, growing: true)
                try select(request, range, growing, plan, &lists)
                if growing.contains(where: { $0.count > plan.listTiles }), try overflowed(lists) {
                    recorder.noteRetry()
                    try select(request, range, plan.chunks(k: k, growing: false), plan, &lists)
                }
                let place = range.lowerBound * k..<range.upperBound * k
                try unpackTop(
                    lists.best, k: k, order: request.order,
                    into: TopOutput(ids: top.ids.slice(place), scores: top.scores?.slice(place)))
            }
        }
    }

    private func overflowed(_ lists: SelectLists) throws(ShortlistError) -> Bool {
        var count: Int32 = 0
        try read(lists.overflows) { count = $0[0] }
        return count > 0
    }

    /// The best keys of `queries`, over chunks of tiles of rows.
    private func select(
        _ request: TopRequest, _ queries: Range<Int>, _ chunks: [Range<Int>], _ plan: SelectPlan,
        _ lists: inout SelectLists
    ) throws(ShortlistError) {
        try fill(lists.counts, withBits: 0)
        for (number, chunk) in chunks.enumerated() {
            try append(request, queries, chunk, lists, plan, isFirst: number == 0)
            try merge(request, queries, lists, plan, isFirst: number == 0)
            swap(&lists.best, &lists.next)
        }
    }

    private func append(
        _ request: TopRequest, _ queries: Range<Int>, _ tiles: Range<Int>, _ lists: SelectLists, _ plan: SelectPlan,
        isFirst: Bool
    ) throws(ShortlistError) {
        let groups = divided(queries.count, plan.tile.size) * tiles.count
        let flops = 2 * Double(groups * plan.tile.size * plan.tile.size) * Double(request.queries.width + 10)
        try run("projectAppend", plan.tile, groups: groups, work: flops) { (a) throws(ShortlistError) in
            a.address(try reads(request.queries.matrix))
            a.address(try reads(request.queries.rows))
            a.address(try reads(request.rows.matrix))
            a.address(try reads(request.rows.rows))
            a.address(try reads(lists.thresholds))
            a.address(try writes(lists.counts))
            a.address(try writes(lists.keys))
            a.address(try reads(request.exclusions.bias))
            for value in [
                request.queries.matrix.rowStride, request.rows.matrix.rowStride, queries.lowerBound, queries.count,
                tiles.lowerBound, tiles.upperBound, plan.tileStep, plan.tileCount, request.rows.count,
                request.queries.width, plan.capacity,
            ] { try a.word(value) }
            a.flag(isFirst)
        }
    }

    private func merge(
        _ request: TopRequest, _ queries: Range<Int>, _ lists: SelectLists, _ plan: SelectPlan, isFirst: Bool
    ) throws(ShortlistError) {
        let (k, exclusions) = (request.k, request.exclusions)
        try run("mergeTop", groups: queries.count, work: 40 * Double(queries.count) * Double(k + plan.capacity / 2)) {
            (a) throws(ShortlistError) in
            a.address(try reads(lists.best))
            a.address(try writes(lists.keys))
            a.address(try writes(lists.counts))
            a.address(try writes(lists.thresholds))
            a.address(try writes(lists.next))
            a.address(try writes(lists.overflows))
            a.address(try reads(exclusions.forAll))
            a.address(try reads(exclusions.offsets))
            a.address(try reads(exclusions.ids))
            try a.word(k)
            try a.word(plan.capacity)
            a.flag(isFirst)
            try a.word(exclusions.forAll?.count ?? 0)
            try a.word(queries.lowerBound)
        }
    }
}

/// The scratch of a selection: `SelectPlan.bytes`.
private struct SelectLists {
    var best: Vector<UInt64>
    var next: Vector<UInt64>
    let thresholds: Vector<UInt64>
    let counts: Vector<Int32>
    let overflows: Vector<Int32>
    let keys: Vector<UInt64>

    init(_ plan: SelectPlan, k: Int, on stream: VulkanStream) throws(ShortlistError) {
        best = try stream.reserve(UInt64.self, count: plan.queries * k)
        next = try stream.reserve(UInt64.self, count: plan.queries * k)
        thresholds = try stream.reserve(UInt64.self, count: plan.queries)
        counts = try stream.reserve(Int32.self, count: plan.queries)
        overflows = try stream.reserve(Int32.self, count: 1)
        keys = try stream.reserve(UInt64.self, count: plan.queries * plan.capacity)
        try stream.fill(overflows, withBits: 0)
    }
}

/// How many queries a projection works on at a time, and how long their lists are.
struct SelectPlan {
    let queries: Int
    let tile: Tile
    /// Keys of a list.
    let capacity: Int
    /// Tiles of rows, visited in the order t·tileStep mod tileCount.
    let tileCount: Int
    let tileStep: Int
    /// Tiles whose every row has room in a list.
    var listTiles: Int { max(1, capacity / tile.size) }

    private static let enough = 256 << 20
    private static let leastCapacity = 256
    private static let leastQueries = 64

    init(queries: Int, items: Int, k: Int, limit: Int, _ sweep: Sweep, forced: Int?) {
        let least = min(queries, SelectPlan.leastQueries)
        // Twice as many again as are expected, and room where k is small and numbers vary.
        var capacity = forced.map { max($0, SelectPlan.leastCapacity) } ?? SelectPlan.capacity(k)
        capacity = min(capacity, max(divided(items, 128) * 128, SelectPlan.leastCapacity))
        var group = min(queries, 4096)
        while group > least, SelectPlan.bytes(group, capacity, k) > min(limit, SelectPlan.enough) {
            group = max(least, group / 2)
        }
        while capacity > SelectPlan.leastCapacity, SelectPlan.bytes(group, capacity, k) > limit {
            capacity = max(SelectPlan.leastCapacity, capacity / 2)
        }
        self.queries = group
        self.capacity = capacity
        tile = sweep.tile(rows: group, columns: items)
        tileCount = max(1, divided(items, tile.size))
        tileStep = SelectPlan.step(tileCount)
    }

    private static func capacity(_ k: Int) -> Int { k > 1 << 40 ? .max : 4 * k + 2048 }

    /// About the golden section of `count`, and prime to it: any run of its multiples is spread evenly.
    private static func step(_ count: Int) -> Int {
        func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a : gcd(b, a % b) }
        var step = max(1, Int(Double(count) * 0.6180339887))
        while gcd(step, count) != 1 { step += 1 }
        return step
    }

    /// Tiles of rows, chunk by chunk. Growing, a chunk is so large that about half a list of k·(chunk / rows before it)
    /// keys is filled, and at most eight times what came before; else every row of a chunk has room.
    func chunks(k: Int, growing: Bool) -> [Range<Int>] {
        var chunks: [Range<Int>] = []
        let growth = growing ? min(8, Double(capacity) / Double(2 * k)) : 0
        var seen = 0
        while seen < tileCount {
            let size = max(listTiles, Int(Double(seen) * growth))
            // What little would be left joins the last chunk.
            let takesRest = growing && seen > 0 && tileCount - seen <= size + size / 4
            let end = takesRest ? tileCount : min(tileCount, seen + size)
            chunks.append(seen..<end)
            seen = end
        }
        return chunks
    }

    private static func bytes(_ queries: Int, _ capacity: Int, _ k: Int) -> Int {
        let (kept, keptOverflow) = queries.multipliedReportingOverflow(by: k)
        let (lists, listsOverflow) = queries.multipliedReportingOverflow(by: max(1, capacity))
        guard !keptOverflow, !listsOverflow, kept < 1 << 56, lists < 1 << 56 else { return Int.max / 4096 }
        return 2 * padded(kept * 8) + padded(queries * 8) + padded(queries * 4) + padded(4) + padded(lists * 8)
    }

    static func scratch(
        queries: Int, items: Int, k: Int, limit: Int, _ sweep: Sweep, forced: Int?
    ) -> ScratchNeed {
        guard queries > 0, k > 0 else { return .none }
        let plan = SelectPlan(queries: queries, items: items, k: k, limit: limit, sweep, forced: forced)
        return ScratchNeed(
            least: bytes(min(queries, leastQueries), leastCapacity, k), planned: bytes(plan.queries, plan.capacity, k))
    }
}
