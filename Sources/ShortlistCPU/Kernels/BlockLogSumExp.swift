import CShortlistKernels
import Glibc
import ShortlistCore

/// Tiles of the scoring pass. A dense block is also split along its items, so that few tokens still make many tasks.
struct ScoreTiling: KernelTiling {
    var size: ScorerSize
    static let levels = [
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

    func scratch(for shape: BlockShape) -> TileScratch {
        let size = size(for: shape)
        let splits = splits(shape)
        var fixed = ScratchSize()
        if splits > 1 {
            fixed.add(Float.self, splits * shape.slotCount)
            fixed.add(Double.self, splits * shape.slotCount)
        }
        var worker = ScratchSize()
        size.add(to: &worker, shape)
        let rows = RoundWalk(shape)?.mostTokens ?? size.segment
        worker.add(Float.self, rows)
        worker.add(Double.self, rows)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
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
        let splits = tiling.splits(shape)
        var shared = area.shared()
        let partialMax = shared.take(Float.self, splits > 1 ? splits * shape.slotCount : 0)
        let partialSum = shared.take(Double.self, splits > 1 ? splits * shape.slotCount : 0)
        let segments = (shape.maxTokens + size.segment - 1) / size.segment
        BlockScorer.prepare(host, size: size, area)
        if let walk = RoundWalk(shape) {
            return try roundLogSumExp(host, walk, scale: scale, size: size, area: area, into: result)
        }

        try parallel(shape.blockCount * segments * splits, workers: area.workers) { task, worker in
            let block = task / (segments * splits)
            let segment = task / splits % segments
            let split = task % splits
            let range = host.ranges[block]
            // Blocks are ragged: a small one ends before the last segment.
            guard segment * size.segment < range.tokenCount else { return }
            let places = segment * size.segment..<min(range.tokenCount, (segment + 1) * size.segment)
            var cutter = area.worker(worker)
            var scorer = BlockScorer(host, scale: scale, size: size, &cutter)
            let max = cutter.take(Float.self, size.segment)
            let sum = cutter.take(Double.self, size.segment)
            scorer.load(block: block, segment: places) { _, _ in true }
            max.update(repeating: -.greatestFiniteMagnitude, count: scorer.count)
            sum.update(repeating: 0, count: scorer.count)
            let part = split * range.itemCount / splits..<(split + 1) * range.itemCount / splits
            scorer.fold(part, max, sum)

            let first = range.tokenStart + places.lowerBound
            for row in 0..<scorer.count {
                if splits > 1 {
                    partialMax[split * shape.slotCount + first + row] = max[row]
                    partialSum[split * shape.slotCount + first + row] = sum[row]
                } else {
                    result[first + row] = logSumExp(max[row], sum[row])
                }
            }
        }
        guard splits > 1 else { return }
        try parallelRanges(shape.slotCount, grain: 4096) { range, _ in
            for slot in range {
                var max = -Float.greatestFiniteMagnitude
                for split in 0..<splits { max = Swift.max(max, partialMax[split * shape.slotCount + slot]) }
                var sum = 0.0
                for split in 0..<splits {
                    let part = partialSum[split * shape.slotCount + slot]
                    if part != 0 { sum += part * exp(Double(partialMax[split * shape.slotCount + slot]) - Double(max)) }
                }
                result[slot] = logSumExp(max, sum)
            }
        }
    }
}

extension CPUStream {
    /// The same for RECE's chunks.
    private func roundLogSumExp(
        _ host: HostBlocks, _ walk: RoundWalk, scale: Float, size: ScorerSize, area: ScratchArea,
        into result: UnsafeMutablePointer<Float>
    ) throws(ShortlistError) {
        try parallel(host.shape.rounds * walk.runs, workers: area.workers) { task, worker in
            var cutter = area.worker(worker)
            var scorer = BlockScorer(host, scale: scale, size: size, &cutter)
            let (round, run) = task.quotientAndRemainder(dividingBy: walk.runs)
            let mine = walk.slots(round: round, run: run)
            let max = cutter.take(Float.self, mine.count)
            let sum = cutter.take(Double.self, mine.count)
            max.update(repeating: -.greatestFiniteMagnitude, count: mine.count)
            sum.update(repeating: 0, count: mine.count)
            walk.forEachVisit(round: round, run: run, of: host) { visit in
                var first = visit.slots.lowerBound
                while first < visit.slots.upperBound {
                    let segment = first..<min(visit.slots.upperBound, first + size.segment)
                    scorer.load(round: round, slots: segment) { _, _ in true }
                    scorer.fold(visit.places, max + (first - mine.lowerBound), sum + (first - mine.lowerBound))
                    first = segment.upperBound
                }
            }
            for slot in mine {
                result[slot] = logSumExp(max[slot - mine.lowerBound], sum[slot - mine.lowerBound])
            }
        }
    }
}

/// −∞ for nothing, NaN where a logit was not finite.
private func logSumExp(_ max: Float, _ sum: Double) -> Float {
    sum == 0 ? -.infinity : Float(Double(max) + log(sum))
}

extension BlockScorer {
    /// Folds the items `part` of the loaded block into running log-sum-exps of the loaded rows.
    fileprivate func fold(
        _ part: Range<Int>, _ max: UnsafeMutablePointer<Float>, _ sum: UnsafeMutablePointer<Double>
    ) {
        let step = size.tileRows(count)
        var start = part.lowerBound
        while start < part.upperBound {
            let tile = start..<min(part.upperBound, start + size.items)
            let items = packed(tile)
            let bias = bias(tile)
            var row = 0
            while row < count {
                let rows = row..<min(count, row + step)
                score(rows, tile, items)
                sl_lse_rows(logits, size.stride, rows.count, tile.count, bias, max + row, sum + row)
                row = rows.upperBound
            }
            start = tile.upperBound
        }
    }
}
