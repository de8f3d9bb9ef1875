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

    /// One set of buffers serves all workers, each of which has queries of its own; a worker that begins in the middle
    /// of a strip's rows has a set for that strip.
    func scratch(for shape: Shape) -> TileScratch {
        let columns = columns(shape)
        var fixed = ScratchSize()
        fixed.add(Float.self, columns * shape.width)
        fixed.add(Float.self, columns)
        fixed.add(UInt64.self, columns)
        add(columns, shape, to: &fixed)
        var worker = ScratchSize()
        add(32, shape, to: &worker)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

/// Thresholds guessed from a sample of the rows: the sample's `k` best are found first, and the last of them is about
/// the last of twice the k best of all. So few keys are appended that need not be, and hardly any cut. A guess that let
/// fewer than k rows through is seen by the keys, and such a query is done again without one.
struct ThresholdSample: Equatable {
    let rows: Int
    let k: Int

    /// Nil where rows are too few to be worth it.
    init?(rows: Int, k: Int) {
        guard rows / 4 >= ProjectTiling.capacity(k: k) else { return nil }
        // How many of the k best are among the sampled rows is about Poisson's: it passes this once in 10⁵ or less.
        let expected = Double(k) / Double(SL_SAMPLED_ONE_IN)
        self.rows = rows / SL_SAMPLED_ONE_IN
        self.k = min(k, Int(expected + 4 * expected.squareRoot()) + 4)
    }
}

extension CPUStream {
    /// Scores rows against a group of queries in registers and lets through what can still be among the k best: the
    /// k-th best of any subset is a lower bound, so the result is exact. No score is stored. Cost 2·queries·rows·width
    /// flops, and with few rows about k·ln(rows/k) appended keys a query, with many (`ThresholdSample`) about
    /// 1.5·k + 50·√k.
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        if isComposed(.projectAndSelect) { return try composedProjectAndSelect(request, into: top) }
        let shape = ProjectTiling.Shape(
            queries: request.queries.count, items: request.rows.count, width: request.rows.width, k: request.k)
        let (tiling, need) = ProjectTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.projectAndSelect, need)
        let sample = ThresholdSample(rows: shape.items, k: shape.k)
        var start = 0
        while start < shape.queries {
            let group = start..<min(start + min(tiling.queries, shape.queries), shape.queries)
            let missed = try project(group, request, shape, sample, tiling: tiling, area: area, into: top)
            for again in missed {
                _ = try project(again, request, shape, nil, tiling: tiling, area: area, into: top)
            }
            start = group.upperBound
        }
    }

    /// One group of queries. Returns the strips of which some query's guessed threshold was too high.
    private func project(
        _ group: Range<Int>, _ request: TopRequest, _ shape: ProjectTiling.Shape, _ sample: ThresholdSample?,
        tiling: ProjectTiling, area: ScratchArea, into top: TopOutput
    ) throws(ShortlistError) -> [Range<Int>] {
        let rows = try source(request.rows)
        let job = ProjectJob(
            group: group, columns: tiling.columns(shape), shape: shape, area: area,
            exclusions: try resolve(request.exclusions))
        let queries = try source(request.queries)
        sl_pack_strips(
            queries.matrix.row(0), queries.matrix.stride, queries.rows, group.lowerBound, group.count, shape.width,
            job.strips)
        // In runs, so that a stop is heard of between them.
        func score(_ part: ProjectJob.Part) throws(ShortlistError) {
            let run = 256 * tiling.rows
            var start = 0
            while start < part.count {
                let end = min(part.count, start + run)
                try parallel(area.workers, workers: area.workers) { unit, _ in
                    job.project(unit, rows, part, start..<end, step: tiling.rows)
                }
                start = end
            }
        }
        job.reset()
        if let sample {
            let part = ProjectJob.Part(
                rows: SL_SAMPLED_ROWS, count: sample.rows, k: sample.k,
                limit: min(ProjectTiling.capacity(k: sample.k), ProjectTiling.capacity(k: shape.k)))
            try score(part)
            try parallel(job.stripCount, workers: threads) { strip, _ in
                for query in job.queries(of: strip) { job.guess(query, part) }
            }
        }
        let part = ProjectJob.Part(
            rows: sample == nil ? SL_ALL_ROWS : SL_OTHER_ROWS, count: rows.count - (sample?.rows ?? 0), k: shape.k,
            limit: ProjectTiling.capacity(k: shape.k))
        try score(part)
        let ids = try pointer(top.ids)
        let scores = try optionalPointer(top.scores)
        try parallel(group.count, workers: threads) { query, _ in
            guard let found = job.best(query, part) else { return }
            let place = (group.lowerBound + query) * shape.k
            unpack(
                found.keys, count: found.count, k: shape.k, order: request.order, ids: ids + place,
                scores: scores.map { $0 + place }, scratch: found.keys + shape.k)
        }
        return (0..<job.stripCount).filter { job.queries(of: $0).contains(where: job.missed) }.map {
            let queries = job.queries(of: $0)
            return group.lowerBound + queries.lowerBound..<group.lowerBound + queries.upperBound
        }
    }
}

/// Sorts the keys and writes ids (−1 for missing places) and scores (−∞). Many keys want `scratch` for as many: without,
/// they are sorted by comparison.
func unpack(
    _ keys: UnsafeMutablePointer<UInt64>, count: Int, k: Int, order: TopOrder, ids: UnsafeMutablePointer<Int32>,
    scores: UnsafeMutablePointer<Float>?, scratch: UnsafeMutablePointer<UInt64>? = nil
) {
    // The best key has the highest score, and the lowest id has the highest complement: both are read from the end.
    var sorted = keys
    if let scratch, count > 64 {
        sorted = sl_radix_sort_u64(keys, scratch, count, order == .byScore ? 64 : 32)
    } else {
        if order == .byIndex { for place in 0..<count { keys[place] = keys[place] << 32 | keys[place] >> 32 } }
        sl_sort_u64(keys, count)
        if order == .byIndex { for place in 0..<count { keys[place] = keys[place] << 32 | keys[place] >> 32 } }
    }
    for place in 0..<count {
        let key = sorted[count - 1 - place]
        ids[place] = TopKey.id(key)
        scores?[place] = TopKey.score(key)
    }
    for place in count..<max(k, count) {
        ids[place] = -1
        scores?[place] = -.infinity
    }
}
