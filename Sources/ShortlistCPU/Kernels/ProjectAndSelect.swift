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

    func scratch(for shape: Shape) -> TileScratch {
        let group = min(queries, max(shape.queries, 1))
        let columns = columns(shape)
        var fixed = ScratchSize()
        fixed.add(Float.self, columns * shape.width)
        fixed.add(Float.self, columns)
        var worker = ScratchSize()
        worker.add(UInt64.self, group * ProjectTiling.capacity(k: shape.k))
        worker.add(Int.self, group)
        worker.add(Float.self, columns)
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

    private func project(
        _ group: Range<Int>, _ request: TopRequest, _ shape: ProjectTiling.Shape, tiling: ProjectTiling,
        area: ScratchArea, into top: TopOutput
    ) throws(ShortlistError) {
        let rows = try source(request.rows)
        let exclusions = try resolve(request.exclusions)
        let k = request.k
        let columns = tiling.columns(shape)
        let capacity = ProjectTiling.capacity(k: k)
        let queries = try source(request.queries)
        var shared = area.shared()
        let strips = shared.take(Float.self, columns * shape.width)
        let bounds = shared.take(Float.self, columns)
        queries.pack(group, into: strips)
        bounds.update(repeating: -.infinity, count: columns)

        /// One worker's running top-k of each query of the group.
        func running(_ worker: Int) -> sl_top {
            var cutter = area.worker(worker)
            return sl_top(
                strips: strips, queries: group.count, width: shape.width,
                keys: cutter.take(UInt64.self, min(tiling.queries, shape.queries) * capacity),
                counts: cutter.take(Int.self, min(tiling.queries, shape.queries)),
                thresholds: cutter.take(Float.self, columns), shared: bounds, capacity: capacity, k: k,
                bias: exclusions.bias, excluded: exclusions.forAll, excluded_count: exclusions.forAllCount,
                own_offsets: exclusions.offsets.map { $0 + group.lowerBound }, own: exclusions.ids)
        }

        for worker in 0..<area.workers {
            let mine = running(worker)
            mine.counts.update(repeating: 0, count: group.count)
            mine.thresholds.update(repeating: -.infinity, count: columns)
        }
        let tasks = (rows.count + tiling.rows - 1) / tiling.rows
        try parallel(tasks, workers: area.workers) { task, worker in
            var mine = running(worker)
            for query in 0..<group.count {
                mine.thresholds[query] = max(mine.thresholds[query], sl_load(bounds + query))
            }
            let first = task * tiling.rows
            sl_project_top(
                &mine, rows.matrix.row(0), rows.matrix.stride, rows.rows, first, min(tiling.rows, rows.count - first))
        }
        let ids = try pointer(top.ids)
        let scores = try optionalPointer(top.scores)
        // Joins the workers' buffers: whichever worker saw a row, the k best are the same.
        try parallel(group.count, workers: threads) { query, _ in
            var first = running(0)
            sl_top_prune(&first, query)
            let target = first.keys + query * capacity
            for worker in 1..<max(area.workers, 1) {
                var other = running(worker)
                sl_top_prune(&other, query)
                let count = other.counts[query]
                (target + first.counts[query]).update(from: other.keys + query * capacity, count: count)
                first.counts[query] += count
                sl_top_prune(&first, query)
            }
            let place = (group.lowerBound + query) * k
            unpack(
                target, count: first.counts[query], k: k, order: request.order, ids: ids + place,
                scores: scores.map { $0 + place })
        }
    }
}

extension HostRows {
    /// Rows `range` as strips of columns: see `sl_pack_strips`.
    func pack(_ range: Range<Int>, into strips: UnsafeMutablePointer<Float>) {
        let (width, step) = (matrix.columns, sl_strip_columns())
        guard let rows else {
            return sl_pack_strips(matrix.row(range.lowerBound), matrix.stride, range.count, width, strips)
        }
        // Listed rows go in one by one: the strips' columns are what a row becomes.
        let columns = (range.count + step - 1) / step * step
        for column in 0..<columns {
            let strip = strips + column / step * step * width + column % step
            let row = column < range.count ? matrix.row(Int(rows[range.lowerBound + column])) : nil
            for k in 0..<width { strip[k * step] = row?[k] ?? 0 }
        }
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
