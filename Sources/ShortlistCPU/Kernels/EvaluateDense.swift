import CShortlistKernels
import ShortlistCore

/// A group of tokens whose logits against all items are kept in scratch.
///
/// The items are cut into runs of whole tiles, each a task that leaves partial sums to be joined in order. Keeping costs
/// a write and a read of every logit, and dY and Y read and dY written once a group: below a width, or for groups of few
/// tokens, that is more than the product it saves.
struct KeptTiling {
    typealias Shape = BlockGradientTiling.Shape
    let shape: Shape
    let group: Int
    let size: ScorerSize
    let runs: Int

    /// Scratch that is used where the caller names no limit: past it a larger group saves next to nothing.
    static let defaultBytes = 256 << 20
    /// Tokens of a group: more would gain nothing, fewer would lose.
    static let tokens = 96...1020
    static let leastWidth = 32

    /// The largest group that has room, nil where logits are better made twice.
    init?(_ shape: Shape, limit: Int) {
        let blocks = shape.blocks
        guard blocks.width >= KeptTiling.leastWidth else { return nil }
        // No limit is Int.max less what the call reserves.
        let bytes = limit > .max / 2 ? KeptTiling.defaultBytes : limit
        // Whole panels of the products, 12 rows, but where all tokens are one group.
        let all = max(1, blocks.maxTokens)
        let least = min(KeptTiling.tokens.lowerBound, all)
        var group = min(KeptTiling.tokens.upperBound, all)
        while group >= least {
            let tiling = KeptTiling(shape, group: group)
            let scratch = tiling.scratch
            if scratch.fixed + 4 * scratch.perWorker <= bytes {
                // Groups alike.
                let groups = (all + group - 1) / group
                self = KeptTiling(shape, group: min(group, ((all + groups - 1) / groups + 11) / 12 * 12))
                return
            }
            group = (group - 1) / 12 * 12
        }
        return nil
    }

    private init(_ shape: Shape, group: Int) {
        self.shape = shape
        self.group = group
        size = ScorerSize(segment: group, tokens: 128, items: 512).clipped(to: shape.blocks)
        runs = max(1, min(64, shape.blocks.maxItems / (4 * size.items)))
    }

    var scratch: TileScratch {
        let blocks = shape.blocks
        var fixed = ScratchSize()
        fixed.add(Float.self, KeptLogits.floats(group: group, items: blocks.maxItems))
        DenseSums.add(to: &fixed, runs: runs, group: group, width: blocks.width, hidden: shape.gradients.hidden)
        PartialSums.add(to: &fixed, (runs, group))
        for _ in 0..<2 { fixed.add(Float.self, group) }
        size.add(to: &fixed, blocks)
        var worker = ScratchSize()
        size.addTile(to: &worker, width: blocks.width)
        worker.add(Double.self, group)
        worker.add(Float.self, shape.gradients.catalog ? size.items * blocks.width : 0)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }

    static func need(for shape: Shape, limit: Int, threads: Int) -> ScratchNeed {
        guard let tiling = KeptTiling(shape, limit: limit) else { return .none }
        let scratch = tiling.scratch
        // Without this room, the stages one after the other: nothing is needed beyond theirs.
        return ScratchNeed(
            least: 0, planned: scratch.fixed + scratch.workers(threads: threads, limit: limit) * scratch.perWorker)
    }

    /// The items of a run: whole tiles.
    func items(_ run: Int, of count: Int) -> Range<Int> {
        let tiles = (count + size.items - 1) / size.items
        return run * tiles / runs * size.items..<min(count, (run + 1) * tiles / runs * size.items)
    }
}

/// Logits of a group of tokens, tile after tile: within a tile a row a token.
struct KeptLogits {
    let base: UnsafeMutablePointer<Float>
    /// Rows of each tile.
    let group: Int

    static func floats(group: Int, items: Int) -> Int { group * ((items + 15) / 16 * 16) }

    /// Where the logits of a tile begin, from the group's token `row` on, and how far rows are apart. All tiles before
    /// it are whole.
    func place(_ tile: Range<Int>, row: Int) -> (UnsafeMutablePointer<Float>, stride: Int) {
        let stride = (tile.count + 15) / 16 * 16
        return (base + tile.lowerBound * group + row * stride, stride)
    }

    func tile(_ tile: Range<Int>, row: Int) -> (UnsafePointer<Float>, Int) {
        let (place, stride) = place(tile, row: row)
        return (UnsafePointer(place), stride)
    }
}

extension CPUStream {
    /// For a group of tokens at a time: logits, kept, and their log-sum-exps; then, from the same logits, the gradients.
    /// Cost: three products, 6·n·C·d flops with both gradients.
    func evaluateDense(
        _ request: DenseRequest, state: TokenState, into targets: GradientTargets
    ) throws(ShortlistError) -> StageSeconds {
        let (blocks, tokens) = (request.blocks, request.tokens)
        let shape = KeptTiling.Shape(blocks: blocks.shape, gradients: blocks.gradientShape(targets))
        guard !isComposed(.evaluateDense), let tiling = KeptTiling(shape, limit: try opened().scratchLimit) else {
            return try evaluateDenseInStages(request, state: state, into: targets)
        }
        var seconds = StageSeconds()
        try countDense(tokens, into: state)
        try coefficients(state, tokens, request.reduction, into: request.coefficients)

        let area = try openScratch(.evaluateDense, tiling.scratch)
        let host = try resolve(blocks, tokens, request.items)
        let output = try resolve(targets)
        let slots = try pointer(request.slots)
        let targetLogits = try pointer(state.targetLogits)
        let coefficient = try pointer(request.coefficients)
        var shared = area.shared()
        let kept = KeptLogits(
            base: shared.take(Float.self, KeptLogits.floats(group: tiling.group, items: host.catalog.rows)),
            group: tiling.group)
        let sums = DenseSums(
            runs: tiling.runs, group: tiling.group, width: host.catalog.columns, hidden: output.hidden != nil, &shared)
        let partials = PartialSums((tiling.runs, tiling.group), &shared)
        let rowLSE = shared.take(Float.self, tiling.group)
        let rowCoefficient = shared.take(Float.self, tiling.group)
        var scorer = BlockScorer(host, scale: request.scale, size: tiling.size, &shared)

        for first in stride(from: 0, to: tokens.count, by: tiling.group) {
            let start = monotonicSeconds()
            scorer.load(block: 0, segment: first..<min(tokens.count, first + tiling.group)) { _, _ in true }
            let loaded = scorer
            partials.reset()
            try parallel(tiling.runs, workers: area.workers) { run, worker in
                var cutter = area.worker(worker)
                loaded.sharing(&cutter).keep(
                    tiling.items(run, of: host.catalog.rows), in: kept, partials.max + run * tiling.group,
                    partials.sum + run * tiling.group)
            }
            try parallelRanges(loaded.count, grain: 64) { range, _ in
                for row in range {
                    let token = first + row
                    slots[token] = partials.logSumExp(row)
                    rowLSE[row] = tokenLoss(target: targetLogits[token], candidates: Double(slots[token])).logSumExp
                    rowCoefficient[row] = coefficient[token]
                    // It gives nothing to dY, whatever it holds.
                    if coefficient[token] == 0 {
                        (loaded.hidden + row * loaded.width).update(repeating: 0, count: loaded.width)
                    }
                }
            }
            let scored = monotonicSeconds()
            try parallel(tiling.runs, workers: area.workers) { run, worker in
                var cutter = area.worker(worker)
                let mine = loaded.sharing(&cutter)
                let dots = cutter.take(Double.self, tiling.group)
                let rows = cutter.take(Float.self, output.catalog == nil ? 0 : tiling.size.items * mine.width)
                let task = DenseRun(
                    scorer: mine, kept: kept, lse: rowLSE, coefficient: rowCoefficient, output: output, dots: dots,
                    catalogRows: rows, slab: sums.slab(run))
                sums.scales[run] = task.compute(tiling.items(run, of: host.catalog.rows))
            }
            try add(sums, of: loaded, rowCoefficient, to: output)
            seconds.score += scored - start
            seconds.gradient += monotonicSeconds() - scored
        }
        let start = monotonicSeconds()
        try combine(request.slots, blocks, tokens, into: state)
        seconds.combine = monotonicSeconds() - start
        return seconds
    }
}

extension BlockScorer {
    /// Logits of all loaded rows and the items `part`, kept, and folded into running log-sum-exps of the rows.
    fileprivate func keep(
        _ part: Range<Int>, in kept: KeptLogits, _ max: UnsafeMutablePointer<Float>,
        _ sum: UnsafeMutablePointer<Double>
    ) {
        let step = size.tileRows(count)
        for start in stride(from: part.lowerBound, to: part.upperBound, by: size.items) {
            let tile = start..<min(part.upperBound, start + size.items)
            let items = packed(tile)
            let bias = bias(tile)
            for first in stride(from: 0, to: count, by: step) {
                let rows = first..<min(count, first + step)
                let (place, stride) = kept.place(tile, row: first)
                multiply(rows, tile, items, into: logits, stride: size.stride)
                sl_lse_rows(
                    logits, size.stride, rows.count, tile.count, bias, max + first, sum + first, place, stride)
            }
        }
    }
}
