import CShortlistKernels
import ShortlistCore

/// Tasks of the projection: `rows` rows scored against a group of `queries` queries, and per query a buffer of
/// candidate keys.
struct ProjectTiling: KernelTiling {
    struct Shape {
        var queries: Int
        var items: Int
        var width: Int
        var k: Int
    }
    var queries: Int
    var rows: Int

    static let levels = [
        ProjectTiling(queries: 1024, rows: 240), ProjectTiling(queries: 256, rows: 240),
        ProjectTiling(queries: 64, rows: 120), ProjectTiling(queries: 16, rows: 60),
        ProjectTiling(queries: 1, rows: 60),
    ]

    /// Candidate keys kept per query: once full they are cut back to the k best, which tightens the threshold.
    static func capacity(k: Int) -> Int { 2 * k + 128 }

    /// Queries of a group as the strips of any instruction set hold them.
    func columns(_ shape: Shape) -> Int { (min(queries, max(shape.queries, 1)) + 31) / 32 * 32 }

    /// A set of buffers for `columns` queries: keys, counts, thresholds.
    private func add(_ columns: Int, _ shape: Shape, to size: inout ScratchSize) {
        size.add(UInt64.self, columns * ProjectTiling.capacity(k: shape.k))
        size.add(Int.self, columns)
        size.add(Float.self, columns)
    }

    /// One set of buffers serves all workers while each has queries of its own. With more workers than strips of
    /// queries, some share queries and split the rows, and each further share has a set: 32 queries' worth a worker
    /// always suffices.
    func scratch(for shape: Shape) -> TileScratch {
        let columns = columns(shape)
        var fixed = ScratchSize()
        fixed.add(Float.self, columns * shape.width)
        fixed.add(Float.self, columns)
        add(columns, shape, to: &fixed)
        var worker = ScratchSize()
        add(32, shape, to: &worker)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

extension CPUStream {
    /// Scores rows against a group of queries in registers and lets through what can still be among the k best: the
    /// k-th best of any subset is a lower bound, so the result is exact. No score is stored. Cost 2·queries·rows·width
    /// flops, and about k·ln(rows/k) appended keys a query.
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        if isComposed(.projectAndSelect) { return try composedProjectAndSelect(request, into: top) }
        let shape = ProjectTiling.Shape(
            queries: request.queries.count, items: request.rows.count, width: request.rows.width, k: request.k)
        let (tiling, need) = ProjectTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.projectAndSelect, need)
        var start = 0
        while start < shape.queries {
            let group = start..<min(start + min(tiling.queries, shape.queries), shape.queries)
            try project(group, request, shape, tiling: tiling, area: area, into: top)
            start = group.upperBound
        }
    }

    /// One group of queries. Workers share the queries, so that none learns a threshold that another knows; where there
    /// are more workers than strips of queries, several have the same queries and a share of the rows each.
    private func project(
        _ group: Range<Int>, _ request: TopRequest, _ shape: ProjectTiling.Shape, tiling: ProjectTiling,
        area: ScratchArea, into top: TopOutput
    ) throws(ShortlistError) {
        let rows = try source(request.rows)
        let job = ProjectJob(
            group: group, columns: tiling.columns(shape), shape: shape, area: area,
            exclusions: try resolve(request.exclusions))
        let queries = try source(request.queries)
        sl_pack_strips(
            queries.matrix.row(0), queries.matrix.stride, queries.rows, group.lowerBound, group.count, shape.width,
            job.strips)
        for unit in 0..<job.units { job.reset(unit) }
        // In runs, so that a stop is heard of between them.
        let run = 256 * tiling.rows
        var start = 0
        while start < rows.count {
            let end = min(rows.count, start + run)
            try parallel(job.units, workers: area.workers) { unit, _ in
                job.project(unit, rows, start..<end, step: tiling.rows)
            }
            start = end
        }
        let ids = try pointer(top.ids)
        let scores = try optionalPointer(top.scores)
        try parallel(group.count, workers: threads) { query, _ in
            let (keys, count) = job.join(query)
            let place = (group.lowerBound + query) * shape.k
            unpack(
                keys, count: count, k: shape.k, order: request.order, ids: ids + place,
                scores: scores.map { $0 + place })
        }
    }
}

/// What the workers of a projection share. A unit is a run of the group's queries with a share of the rows.
private struct ProjectJob {
    let group: Range<Int>
    let shape: ProjectTiling.Shape
    let exclusions: HostExclusions
    let strips: UnsafeMutablePointer<Float>
    private let bounds: UnsafeMutablePointer<Float>
    private let own: Buffers
    private let area: ScratchArea
    private let stripCount: Int
    /// Runs of queries, and units that have the same queries.
    private let runs: Int
    private let shares: Int
    var units: Int { runs * shares }

    private struct Buffers {
        let keys: UnsafeMutablePointer<UInt64>
        let counts: UnsafeMutablePointer<Int>
        let thresholds: UnsafeMutablePointer<Float>

        init(_ columns: Int, _ capacity: Int, _ cutter: inout ScratchCutter) {
            keys = cutter.take(UInt64.self, columns * capacity)
            counts = cutter.take(Int.self, columns)
            thresholds = cutter.take(Float.self, columns)
        }
    }

    init(group: Range<Int>, columns: Int, shape: ProjectTiling.Shape, area: ScratchArea, exclusions: HostExclusions) {
        self.group = group
        self.shape = shape
        self.area = area
        self.exclusions = exclusions
        stripCount = (group.count + 31) / 32
        runs = max(1, min(stripCount, area.workers))
        // More than one only where a run is one strip: see `ProjectTiling.scratch`.
        shares = max(1, (area.workers + runs - 1) / runs)
        var shared = area.shared()
        strips = shared.take(Float.self, columns * shape.width)
        bounds = shared.take(Float.self, columns)
        own = Buffers(columns, ProjectTiling.capacity(k: shape.k), &shared)
        bounds.update(repeating: -.infinity, count: columns)
    }

    /// Columns of a unit's queries in the group, 32 to a strip.
    private func columns(_ run: Int) -> Range<Int> {
        32 * (run * stripCount / runs)..<32 * ((run + 1) * stripCount / runs)
    }

    private func top(_ unit: Int) -> sl_top {
        let (share, run) = unit.quotientAndRemainder(dividingBy: runs)
        let columns = columns(run)
        let first = columns.lowerBound
        let capacity = ProjectTiling.capacity(k: shape.k)
        var buffers = own
        var offset = first
        if share > 0 {
            var cutter = area.worker((share - 1) * runs + run)
            buffers = Buffers(32, capacity, &cutter)
            offset = 0
        }
        return sl_top(
            strips: strips + first * shape.width, queries: min(group.count, columns.upperBound) - first,
            width: shape.width, keys: buffers.keys + offset * capacity, counts: buffers.counts + offset,
            thresholds: buffers.thresholds + offset, shared: bounds + first, capacity: capacity, k: shape.k,
            bias: exclusions.bias, excluded: exclusions.forAll, excluded_count: exclusions.forAllCount,
            own_offsets: exclusions.offsets.map { $0 + group.lowerBound + first }, own: exclusions.ids)
    }

    func reset(_ unit: Int) {
        let mine = top(unit)
        let columns = (mine.queries + 31) / 32 * 32
        mine.counts.update(repeating: 0, count: columns)
        mine.thresholds.update(repeating: -.infinity, count: columns)
    }

    /// Scores the unit's share of `range`, `step` rows at a time.
    func project(_ unit: Int, _ rows: HostRows, _ range: Range<Int>, step: Int) {
        var mine = top(unit)
        let share = unit / runs
        let part =
            range.lowerBound + share * range.count / shares..<range.lowerBound + (share + 1) * range.count / shares
        var first = part.lowerBound
        while first < part.upperBound {
            if shares > 1 {
                for query in 0..<mine.queries {
                    mine.thresholds[query] = max(mine.thresholds[query], sl_load(mine.shared + query))
                }
            }
            let count = min(step, part.upperBound - first)
            sl_project_top(&mine, rows.matrix.row(0), rows.matrix.stride, rows.rows, first, count)
            first += count
        }
    }

    /// Joins the shares of a query: whoever saw a row, the k best are the same.
    func join(_ query: Int) -> (keys: UnsafeMutablePointer<UInt64>, count: Int) {
        let run = part(of: query / 32, among: stripCount, runs)
        let place = query - columns(run).lowerBound
        var first = top(run)
        sl_top_prune(&first, place)
        let target = first.keys + place * first.capacity
        for share in 1..<max(shares, 1) {
            var other = top(share * runs + run)
            sl_top_prune(&other, place)
            let count = other.counts[place]
            (target + first.counts[place]).update(from: other.keys + place * other.capacity, count: count)
            first.counts[place] += count
            sl_top_prune(&first, place)
        }
        return (target, first.counts[place])
    }
}

/// Sorts the keys and writes ids (−1 for missing places) and scores (−∞).
func unpack(
    _ keys: UnsafeMutablePointer<UInt64>, count: Int, k: Int, order: TopOrder, ids: UnsafeMutablePointer<Int32>,
    scores: UnsafeMutablePointer<Float>?
) {
    switch order {
    case .byScore:
        sl_sort_u64(keys, count)
        for place in 0..<count {
            let key = keys[count - 1 - place]
            ids[place] = TopKey.id(key)
            scores?[place] = TopKey.score(key)
        }
    case .byIndex:
        // Rotated halves: the id above the score sorts by id and keeps the score at hand.
        for place in 0..<count {
            let key = keys[place]
            keys[place] = UInt64(UInt32(bitPattern: TopKey.id(key))) << 32 | key >> 32
        }
        sl_sort_u64(keys, count)
        for place in 0..<count {
            ids[place] = Int32(bitPattern: UInt32(truncatingIfNeeded: keys[place] >> 32))
            scores?[place] = TopKey.score(keys[place] << 32)
        }
    }
    for place in count..<max(k, count) {
        ids[place] = -1
        scores?[place] = -.infinity
    }
}
