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

/// What the workers of a projection share. Strip after strip, each with all rows, is cut into as many equal units as
/// there are workers: a unit has the rest of a strip's rows, then whole strips, then the first rows of one more.
private struct ProjectJob {
    /// Rows that are scored, and what is kept of them.
    struct Part {
        let rows: Int
        let count: Int
        let k: Int
        let limit: Int
    }

    let group: Range<Int>
    let shape: ProjectTiling.Shape
    let exclusions: HostExclusions
    let strips: UnsafeMutablePointer<Float>
    let stripCount: Int
    private let bounds: UnsafeMutablePointer<Float>
    /// The least key that the sample kept, by query: a row above it is not missed.
    private let guesses: UnsafeMutablePointer<UInt64>
    private let own: Buffers
    private let area: ScratchArea
    private var units: Int { area.workers }

    private struct Buffers {
        let keys: UnsafeMutablePointer<UInt64>
        let counts: UnsafeMutablePointer<Int>
        let thresholds: UnsafeMutablePointer<Float>

        init(_ columns: Int, _ capacity: Int, _ cutter: inout ScratchCutter) {
            keys = cutter.take(UInt64.self, columns * capacity)
            counts = cutter.take(Int.self, columns)
            thresholds = cutter.take(Float.self, columns)
        }

        /// Columns past the last query let no number through.
        func reset(_ queries: Int) {
            let columns = (queries + 31) / 32 * 32
            counts.update(repeating: 0, count: columns)
            thresholds.update(repeating: -.infinity, count: queries)
            (thresholds + queries).update(repeating: .infinity, count: columns - queries)
        }
    }

    init(group: Range<Int>, columns: Int, shape: ProjectTiling.Shape, area: ScratchArea, exclusions: HostExclusions) {
        self.group = group
        self.shape = shape
        self.area = area
        self.exclusions = exclusions
        stripCount = (group.count + 31) / 32
        var shared = area.shared()
        strips = shared.take(Float.self, columns * shape.width)
        bounds = shared.take(Float.self, columns)
        guesses = shared.take(UInt64.self, columns)
        own = Buffers(columns, ProjectTiling.capacity(k: shape.k), &shared)
    }

    func queries(of strip: Int) -> Range<Int> { 32 * strip..<min(group.count, 32 * (strip + 1)) }

    /// Where a unit begins: a strip, and of its rows as many parts in `units`.
    private func start(of unit: Int) -> (strip: Int, parts: Int) {
        ((unit * stripCount) / units, (unit * stripCount) % units)
    }

    /// Units that begin within a strip, and so have buffers of their own for it.
    private func others(of strip: Int) -> Range<Int> {
        let first = strip * units / stripCount + 1
        return first..<max(first, ((strip + 1) * units + stripCount - 1) / stripCount)
    }

    /// Strips as the kernel sees them, in the shared buffers or, for the one that `unit` begins within, in its own.
    private func top(_ strips: Range<Int>, of unit: Int?, _ part: Part) -> sl_top {
        let first = 32 * strips.lowerBound
        let capacity = ProjectTiling.capacity(k: shape.k)
        var buffers = own
        var offset = first
        if let unit {
            var cutter = area.worker(unit)
            buffers = Buffers(32, capacity, &cutter)
            offset = 0
        }
        return sl_top(
            strips: self.strips + first * shape.width, queries: min(group.count, 32 * strips.upperBound) - first,
            width: shape.width, rows: shape.items, part: Int32(part.rows),
            keys: buffers.keys + offset * capacity, counts: buffers.counts + offset,
            thresholds: buffers.thresholds + offset, shared: bounds + first, capacity: capacity, limit: part.limit,
            k: part.k, bias: exclusions.bias, excluded: exclusions.forAll, excluded_count: exclusions.forAllCount,
            own_offsets: exclusions.offsets.map { $0 + group.lowerBound + first }, own: exclusions.ids)
    }

    func reset() {
        bounds.update(repeating: -.infinity, count: group.count)
        guesses.update(repeating: 0, count: group.count)
        own.reset(group.count)
        for unit in 0..<units where start(of: unit).parts > 0 {
            var cutter = area.worker(unit)
            Buffers(32, ProjectTiling.capacity(k: shape.k), &cutter).reset(queries(of: start(of: unit).strip).count)
        }
    }

    /// Scores the unit's share of the places in `range`, `step` at a time.
    func project(_ unit: Int, _ rows: HostRows, _ part: Part, _ range: Range<Int>, step: Int) {
        let (start, end) = (start(of: unit), start(of: unit + 1))
        func place(_ parts: Int) -> Int { range.lowerBound + range.count * parts / units }
        let isWithin = start.parts > 0 && start.strip == end.strip
        let head = start.parts > 0 ? place(start.parts)..<(isWithin ? place(end.parts) : range.upperBound) : 0..<0
        let tail = end.parts > 0 && !isWithin ? range.lowerBound..<place(end.parts) : 0..<0
        let firstWhole = start.parts > 0 ? start.strip + 1 : start.strip
        let whole = firstWhole..<max(firstWhole, end.strip)
        var wholeTop = top(whole, of: nil, part)
        var tailTop = top(whole.lowerBound..<whole.upperBound + (tail.isEmpty ? 0 : 1), of: nil, part)
        var headTop = top(start.strip..<start.strip + 1, of: unit, part)
        func score(_ top: inout sl_top, _ places: Range<Int>, shared: Range<Int>) {
            guard !places.isEmpty, top.queries > 0 else { return }
            for query in shared { top.thresholds[query] = max(top.thresholds[query], sl_load(top.shared + query)) }
            sl_project_top(
                &top, rows.matrix.row(0), rows.matrix.stride, rows.rows, places.lowerBound, places.count)
        }
        var first = range.lowerBound
        while first < range.upperBound {
            let chunk = first..<min(range.upperBound, first + step)
            let both = chunk.clamped(to: tail)
            score(&tailTop, both, shared: min(32 * whole.count, tailTop.queries)..<tailTop.queries)
            score(&wholeTop, chunk.lowerBound + both.count..<chunk.upperBound, shared: 0..<0)
            score(&headTop, chunk.clamped(to: head), shared: 0..<headTop.queries)
            first = chunk.upperBound
        }
    }

    /// The part's k best of a query, from all who scored its rows, and the last one's key (0 where there are fewer):
    /// whoever saw a row, they are the same.
    private func join(_ query: Int, _ part: Part) -> (best: sl_top, place: Int, last: UInt64) {
        let strip = query / 32
        let place = query - 32 * strip
        var first = top(strip..<strip + 1, of: nil, part)
        var last = sl_top_prune(&first, place)
        for unit in others(of: strip) {
            var other = top(strip..<strip + 1, of: unit, part)
            _ = sl_top_prune(&other, place)
            let count = other.counts[place]
            (first.keys + place * first.capacity + first.counts[place]).update(
                from: other.keys + place * other.capacity, count: count)
            first.counts[place] += count
            other.counts[place] = 0
            last = sl_top_prune(&first, place)
        }
        return (first, place, last)
    }

    /// After the sample: its last key bounds what is kept of the other rows, though it may be too high.
    func guess(_ query: Int, _ part: Part) {
        let (best, place, last) = join(query, part)
        guesses[query] = last
        for unit in others(of: query / 32) {
            top(query / 32..<query / 32 + 1, of: unit, part).thresholds[place] = best.thresholds[place]
        }
    }

    /// The k best of a query; nil, and `missed`, where one may have been below the guess.
    func best(_ query: Int, _ part: Part) -> (keys: UnsafeMutablePointer<UInt64>, count: Int)? {
        let (best, place, last) = join(query, part)
        guard last >= guesses[query] else {
            best.counts[place] = -1
            return nil
        }
        return (best.keys + place * best.capacity, best.counts[place])
    }

    func missed(_ query: Int) -> Bool { own.counts[query] < 0 }
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
