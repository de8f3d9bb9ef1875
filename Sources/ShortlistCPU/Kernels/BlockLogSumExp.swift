import CShortlistKernels
import Glibc
import ShortlistCore

/// Tiles of the scoring pass. A dense block is also split along its items, so that few tokens still make many tasks.
struct ScoreTiling: KernelTiling {
    var size: ScorerSize
    var holdsEarlierChunks = false
    static let levels = [
        ScoreTiling(size: .init(segment: 1024, tokens: 128, items: 512), holdsEarlierChunks: true),
        ScoreTiling(size: .init(segment: 1024, tokens: 128, items: 512)),
        ScoreTiling(size: .init(segment: 256, tokens: 128, items: 256)),
        ScoreTiling(size: .init(segment: 64, tokens: 64, items: 128)),
        ScoreTiling(size: .init(segment: 16, tokens: 16, items: 64)),
        ScoreTiling(size: .init(segment: 1, tokens: 1, items: 16)),
    ]

    func size(for shape: BlockShape) -> ScorerSize {
        var size = size
        if shape.isDense { size.segment = min(size.segment, 256) }
        return size.clipped(to: shape)
    }

    /// Parts of the item axis of a dense block, from shapes alone.
    func splits(_ shape: BlockShape) -> Int {
        guard shape.isDense else { return 1 }
        let segments = (shape.maxTokens + size(for: shape).segment - 1) / size(for: shape).segment
        return max(1, min(shape.maxItems / 4096, (64 + segments - 1) / max(1, segments)))
    }

    /// Sums of parts of a token's items that wait to be joined: parts, and tokens of each.
    func partials(_ shape: BlockShape) -> (parts: Int, count: Int) {
        if RoundWalk(shape) != nil { return (2, shape.tokenCount) }
        let splits = splits(shape)
        return splits > 1 ? (splits, shape.slotCount) : (1, 0)
    }

    func scratch(for shape: BlockShape) -> TileScratch {
        let size = size(for: shape)
        var fixed = ScratchSize()
        PartialSums.add(to: &fixed, partials(shape))
        if holdsEarlierChunks { EarlierChunks.add(to: &fixed, shape) }
        var worker = ScratchSize()
        size.add(to: &worker, shape)
        worker.add(Float.self, size.segment)
        worker.add(Double.self, size.segment)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

/// Parts of log-sum-exps: the largest term and the sum relative to it, `parts` times `count`.
struct PartialSums {
    let max: UnsafeMutablePointer<Float>
    let sum: UnsafeMutablePointer<Double>
    let count: Int
    let parts: Int

    init(_ size: (parts: Int, count: Int), _ shared: inout ScratchCutter) {
        max = shared.take(Float.self, size.parts * size.count)
        sum = shared.take(Double.self, size.parts * size.count)
        (parts, count) = size
    }

    static func add(to scratch: inout ScratchSize, _ size: (parts: Int, count: Int)) {
        scratch.add(Float.self, size.parts * size.count)
        scratch.add(Double.self, size.parts * size.count)
    }

    func reset() {
        max.update(repeating: -.greatestFiniteMagnitude, count: parts * count)
        sum.update(repeating: 0, count: parts * count)
    }

    func logSumExp(_ index: Int) -> Float {
        var top = -Float.greatestFiniteMagnitude
        for part in 0..<parts { top = Swift.max(top, max[part * count + index]) }
        var total = 0.0
        for part in 0..<parts where sum[part * count + index] != 0 {
            total += sum[part * count + index] * exp(Double(max[part * count + index]) - Double(top))
        }
        return ShortlistCPU.logSumExp(top, total)
    }
}

extension CPUStream {
    /// 2·Σ tokens·items·width flops; logits live in a tile only.
    func blockLogSumExp(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, into slots: Vector<Float>
    ) throws(ShortlistError) {
        let shape = blocks.shape
        let (tiling, need) = ScoreTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.blockLogSumExp, need)
        let host = try resolve(blocks, tokens, items)
        let result = try pointer(slots)
        let size = tiling.size(for: shape)
        var shared = area.shared()
        let partials = PartialSums(tiling.partials(shape), &shared)
        let earlierChunks = tiling.holdsEarlierChunks ? EarlierChunks(shape, &shared) : nil
        try earlierChunks?.fill(host, on: self)
        BlockScorer.prepare(host, size: size, area)
        if let walk = RoundWalk(shape) {
            return try roundLogSumExp(
                host, walk, scale: scale, size: size, earlierChunks, area: area, partials, into: result)
        }

        let splits = tiling.splits(shape)
        let segments = (shape.maxTokens + size.segment - 1) / size.segment
        try parallelTurns(shape.blockCount * segments * splits, workers: area.workers) { task, turn in
            let block = task / (segments * splits)
            let segment = task / splits % segments
            let split = task % splits
            let range = host.ranges[block]
            // Blocks are ragged: a small one ends before the last segment.
            guard segment * size.segment < range.tokenCount else { return }
            let places = segment * size.segment..<min(range.tokenCount, (segment + 1) * size.segment)
            var cutter = area.worker(turn.worker)
            var scorer = BlockScorer(host, scale: scale, size: size, earlierChunks: earlierChunks, &cutter)
            let max = cutter.take(Float.self, size.segment)
            let sum = cutter.take(Double.self, size.segment)
            scorer.load(block: block, segment: places) { _, _ in true }
            max.update(repeating: -.greatestFiniteMagnitude, count: scorer.count)
            sum.update(repeating: 0, count: scorer.count)
            let part = split * range.itemCount / splits..<(split + 1) * range.itemCount / splits
            // Dense tiles lie in order and need no fetching; nor must their large tasks be claimed early.
            let following = host.items == nil ? nil : turn.following().map { host.ranges[$0 / (segments * splits)] }
            let next = following.map { $0.itemStart..<$0.itemStart + $0.itemCount } ?? 0..<0
            scorer.fold(part, next: next, max, sum)

            let first = range.tokenStart + places.lowerBound
            for row in 0..<scorer.count {
                if splits > 1 {
                    partials.max[split * shape.slotCount + first + row] = max[row]
                    partials.sum[split * shape.slotCount + first + row] = sum[row]
                } else {
                    result[first + row] = logSumExp(max[row], sum[row])
                }
            }
        }
        guard splits > 1 else { return }
        try parallelRanges(shape.slotCount, grain: 4096) { range, _ in
            for slot in range { result[slot] = partials.logSumExp(slot) }
        }
    }

    /// The same for RECE's chunks. A token's items are in one run or in two that touch: even runs leave their part in
    /// the first half of the partial sums, odd ones in the second.
    private func roundLogSumExp(
        _ host: HostBlocks, _ walk: RoundWalk, scale: Float, size: ScorerSize, _ earlierChunks: EarlierChunks?,
        area: ScratchArea, _ partials: PartialSums, into result: UnsafeMutablePointer<Float>
    ) throws(ShortlistError) {
        let tokens = partials.count
        for round in 0..<host.shape.rounds {
            partials.reset()
            try parallelTurns(walk.runs, workers: area.workers) { run, turn in
                var cutter = area.worker(turn.worker)
                var scorer = BlockScorer(host, scale: scale, size: size, earlierChunks: earlierChunks, &cutter)
                // From a slot to its place in the run's half.
                let offset = (run % 2 - round) * tokens
                walk.forEachVisit(round: round, run: run, of: host, following: { turn.following() }) { visit in
                    var first = visit.slots.lowerBound
                    while first < visit.slots.upperBound {
                        let segment = first..<min(visit.slots.upperBound, first + size.segment)
                        scorer.load(round: round, slots: segment) { _, _ in true }
                        scorer.fold(
                            visit.places, next: visit.next, partials.max + offset + first,
                            partials.sum + offset + first)
                        first = segment.upperBound
                    }
                }
            }
            try parallelRanges(tokens, grain: 4096) { range, _ in
                for token in range { result[round * tokens + token] = partials.logSumExp(token) }
            }
        }
    }
}

/// −∞ for nothing, NaN where a logit was not finite.
private func logSumExp(_ max: Float, _ sum: Double) -> Float {
    sum == 0 ? -.infinity : Float(Double(max) + log(sum))
}

extension BlockScorer {
    /// Folds the items `part` of the loaded block into running log-sum-exps of the loaded rows. The worker will read
    /// those at the places `next` after them.
    fileprivate func fold(
        _ part: Range<Int>, next: Range<Int>, _ max: UnsafeMutablePointer<Float>,
        _ sum: UnsafeMutablePointer<Double>
    ) {
        let step = size.tileRows(count)
        var start = part.lowerBound
        while start < part.upperBound {
            let tile = start..<min(part.upperBound, start + size.items)
            let items = packed(tile)
            let bias = bias(tile)
            var ahead = ahead(of: tile, in: part, next: next)
            var row = 0
            while row < count {
                let rows = row..<min(count, row + step)
                score(rows, tile, items, ahead: &ahead)
                sl_lse_rows(logits, size.stride, rows.count, tile.count, bias, max + row, sum + row, nil, 0)
                row = rows.upperBound
            }
            start = tile.upperBound
        }
    }
}
