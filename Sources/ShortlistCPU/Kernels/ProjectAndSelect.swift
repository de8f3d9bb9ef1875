import CShortlistKernels
import ShortlistCore

/// Tiles of the projection: `queries` × `rows` scores at a time, and per query a buffer of candidate keys.
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
        ProjectTiling(queries: 512, rows: 512), ProjectTiling(queries: 256, rows: 256),
        ProjectTiling(queries: 64, rows: 128), ProjectTiling(queries: 16, rows: 64),
        ProjectTiling(queries: 1, rows: 64),
    ]

    /// Candidate keys kept per query: once full they are cut back to the k best, which tightens the threshold.
    static func capacity(k: Int) -> Int { 2 * k + 128 }

    func scratch(for shape: Shape) -> TileScratch {
        let group = min(queries, max(shape.queries, 1))
        var fixed = ScratchSize()
        fixed.add(Float.self, group * shape.width)
        fixed.add(Float.self, group)
        var worker = ScratchSize()
        worker.add(Float.self, group * rows)
        worker.add(Float.self, rows * shape.width)
        worker.add(UInt64.self, group * ProjectTiling.capacity(k: shape.k))
        worker.add(Int.self, group)
        worker.add(Float.self, group)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

/// One worker's running top-k of each query of a group.
private struct RunningTop {
    let keys: UnsafeMutablePointer<UInt64>
    let counts: UnsafeMutablePointer<Int>
    let thresholds: UnsafeMutablePointer<Float>
    /// The highest threshold that any worker has found, by query: a bound for all.
    let shared: UnsafeMutablePointer<Float>
    let capacity: Int
    let k: Int

    func reset(_ queries: Int) {
        for query in 0..<queries {
            counts[query] = 0
            thresholds[query] = -.infinity
        }
    }

    /// Keeps the k best and lets nothing below the k-th in from now on.
    func prune(_ query: Int) {
        let mine = keys + query * capacity
        guard counts[query] > k else { return }
        sl_select_largest(mine, counts[query], k)
        counts[query] = k
        var least = mine[0]
        for place in 1..<max(k, 1) where mine[place] < least { least = mine[place] }
        let score = TopKey.score(least)
        thresholds[query] = score.isNaN ? -.infinity : score
        if thresholds[query] > sl_load(shared + query) { sl_store(shared + query, thresholds[query]) }
    }

    func append(_ query: Int, _ scores: UnsafePointer<Float>, _ count: Int, first: Int32) {
        var done = 0
        thresholds[query] = max(thresholds[query], sl_load(shared + query))
        while true {
            done += sl_append_above(
                scores + done, count - done, thresholds[query], first + Int32(done), keys + query * capacity, capacity,
                &counts[query])
            if done == count { return }
            prune(query)
        }
    }
}

extension CPUStream {
    /// Scores a tile of rows against a group of queries and lets through what can still be among the k best: the k-th
    /// best of any subset is a lower bound, so the result is exact. Cost 2·queries·rows·width flops, and about
    /// k·ln(rows/k) appended keys a query.
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        if isComposed(.projectAndSelect) { return try composedProjectAndSelect(request, into: top) }
        let shape = ProjectTiling.Shape(
            queries: request.queries.count, items: request.rows.count, width: request.rows.width, k: request.k)
        let (tiling, need) = ProjectTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.projectAndSelect, need)
        var start = 0
        while start < shape.queries {
            let group = start..<min(start + min(tiling.queries, shape.queries), shape.queries)
            try project(group, request, tiling: tiling, area: area, into: top)
            start = group.upperBound
        }
    }

    private func project(
        _ group: Range<Int>, _ request: TopRequest, tiling: ProjectTiling, area: ScratchArea, into top: TopOutput
    ) throws(ShortlistError) {
        let rows = try source(request.rows)
        let exclusions = try resolve(request.exclusions)
        let width = request.rows.width
        let k = request.k
        var shared = area.shared()
        let capacity = min(tiling.queries, request.queries.count)
        let queries = try source(request.queries).tile(group, scratch: shared.take(Float.self, capacity * width))
        let bounds = shared.take(Float.self, capacity)
        bounds.update(repeating: -.infinity, count: group.count)

        typealias Floats = UnsafeMutablePointer<Float>
        func running(_ worker: Int) -> (RunningTop, scores: Floats, tile: Floats) {
            var cutter = area.worker(worker)
            let scores = cutter.take(Float.self, capacity * tiling.rows)
            let tile = cutter.take(Float.self, tiling.rows * width)
            let room = ProjectTiling.capacity(k: k)
            let top = RunningTop(
                keys: cutter.take(UInt64.self, capacity * room), counts: cutter.take(Int.self, capacity),
                thresholds: cutter.take(Float.self, capacity), shared: bounds, capacity: room, k: k)
            return (top, scores, tile)
        }

        for worker in 0..<area.workers { running(worker).0.reset(group.count) }
        let tiles = (rows.count + tiling.rows - 1) / tiling.rows
        try parallel(tiles, workers: area.workers) { task, worker in
            let (best, scores, gathered) = running(worker)
            let range = task * tiling.rows..<min(rows.count, (task + 1) * tiling.rows)
            let tile = rows.tile(range, scratch: gathered)
            BLAS.multiplyTransposed(
                group.count, range.count, width, queries.base, queries.stride, tile.base, tile.stride, scores,
                tiling.rows)
            for query in 0..<group.count {
                let line = scores + query * tiling.rows
                if let bias = exclusions.bias {
                    for column in 0..<range.count { line[column] += bias[range.lowerBound + column] }
                }
                let own = exclusions.own(group.lowerBound + query)
                if exclusions.forAll == nil && own.ids == nil {
                    best.append(query, line, range.count, first: Int32(range.lowerBound))
                    continue
                }
                forEachKeptRun(
                    columns: range.count, first: range.lowerBound, excluded: exclusions.forAll,
                    excludedCount: exclusions.forAllCount, also: own.ids, ownCount: own.count
                ) { run in
                    best.append(
                        query, line + run.lowerBound, run.count, first: Int32(range.lowerBound + run.lowerBound))
                }
            }
        }
        let ids = try pointer(top.ids)
        let scores = try optionalPointer(top.scores)
        // Joins the workers' buffers: whichever worker saw a row, the k best are the same.
        try parallel(group.count, workers: threads) { query, _ in
            let (first, _, _) = running(0)
            first.prune(query)
            for worker in 1..<max(area.workers, 1) {
                let (other, _, _) = running(worker)
                other.prune(query)
                let target = first.keys + query * first.capacity
                for place in 0..<other.counts[query] {
                    target[first.counts[query] + place] = other.keys[query * other.capacity + place]
                }
                first.counts[query] += other.counts[query]
                first.prune(query)
            }
            let place = (group.lowerBound + query) * k
            unpack(
                first.keys + query * first.capacity, count: first.counts[query], k: k, order: request.order,
                ids: ids + place, scores: scores.map { $0 + place })
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
