import CShortlistKernels
import ShortlistCore

/// What the workers of a projection share. Strip after strip, each with all rows, is cut into as many equal units as
/// there are workers: a unit has the rest of a strip's rows, then whole strips, then the first rows of one more.
struct ProjectJob {
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
