import ShortlistCore

/// The gradient of one block of all tokens × all items.
///
/// Tokens are taken in groups; within a group the items are cut into runs, each a task that owns its rows of dY and
/// leaves a slab of dX partial sums, joined in order after the group. Cost: three products (logits again, dX, dY), and
/// dY read and written once a group.
struct DenseGradientTiling: KernelTiling {
    typealias Shape = BlockGradientTiling.Shape
    var group: Int
    var tokens: Int
    var items: Int
    /// Bytes that the slabs of a group may take.
    var slabBytes: Int

    static let levels = [
        DenseGradientTiling(group: 2048, tokens: 128, items: 512, slabBytes: 16 << 20),
        DenseGradientTiling(group: 512, tokens: 128, items: 256, slabBytes: 4 << 20),
        DenseGradientTiling(group: 128, tokens: 64, items: 128, slabBytes: 1 << 18),
        DenseGradientTiling(group: 16, tokens: 16, items: 64, slabBytes: 1 << 13),
        DenseGradientTiling(group: 1, tokens: 1, items: 16, slabBytes: 1),
    ]

    struct Layout {
        var group: Int
        var size: ScorerSize
        var runs: Int
    }

    func layout(_ shape: Shape) -> Layout {
        let blocks = shape.blocks
        let rowBytes = 4 * max(1, blocks.width)
        // At least a few runs, so that threads have something to share, at most what the slabs allow.
        let wanted = max(1, min(64, (blocks.maxItems + 4 * items - 1) / (4 * items)))
        let group = max(1, min(group, blocks.maxTokens, slabBytes / rowBytes / min(wanted, 16)))
        let runs = max(1, min(wanted, slabBytes / rowBytes / group))
        return Layout(
            group: group,
            size: ScorerSize(segment: group, tokens: tokens, items: items).clipped(to: blocks),
            runs: runs)
    }

    func scratch(for shape: Shape) -> TileScratch {
        let layout = layout(shape)
        let width = shape.blocks.width
        var fixed = ScratchSize()
        DenseSums.add(
            to: &fixed, runs: layout.runs, group: layout.group, width: width, hidden: shape.gradients.hidden)
        for _ in 0..<2 { fixed.add(Float.self, layout.group) }
        layout.size.add(to: &fixed, shape.blocks)
        var worker = ScratchSize()
        layout.size.addTile(to: &worker, width: width)
        worker.add(Double.self, layout.group)
        worker.add(Float.self, shape.gradients.catalog ? layout.size.items * width : 0)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

extension CPUStream {
    func denseGradient(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState,
        coefficients: Vector<Float>, into targets: GradientTargets
    ) throws(ShortlistError) {
        let shape = BlockGradientTiling.Shape(blocks: blocks.shape, gradients: blocks.gradientShape(targets))
        let (tiling, need) = DenseGradientTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.blockGradient, need)
        let host = try resolve(blocks, tokens, items)
        let layout = tiling.layout(shape)
        let width = host.catalog.columns
        let output = try resolve(targets)
        let lse = try pointer(state.logSumExp)
        let coefficient = try pointer(coefficients)

        var shared = area.shared()
        let sums = DenseSums(
            runs: layout.runs, group: layout.group, width: width, hidden: output.hidden != nil, &shared)
        let rowLSE = shared.take(Float.self, layout.group)
        let rowCoefficient = shared.take(Float.self, layout.group)
        var scorer = BlockScorer(host, scale: scale, size: layout.size, &shared)

        var first = 0
        while first < tokens.count {
            let group = first..<min(tokens.count, first + layout.group)
            scorer.load(block: 0, segment: group) { _, token in coefficient[token] != 0 }
            for row in 0..<scorer.count {
                rowLSE[row] = lse[Int(scorer.ordinals[row])]
                rowCoefficient[row] = coefficient[Int(scorer.ordinals[row])]
            }
            let loaded = scorer
            first = group.upperBound
            guard loaded.count > 0 else { continue }
            try parallel(layout.runs, workers: area.workers) { run, worker in
                var cutter = area.worker(worker)
                let mine = loaded.sharing(&cutter)
                let dots = cutter.take(Double.self, layout.group)
                let rows = cutter.take(Float.self, output.catalog == nil ? 0 : layout.size.items * width)
                let task = DenseRun(
                    scorer: mine, lse: rowLSE, coefficient: rowCoefficient, output: output, dots: dots,
                    catalogRows: rows, slab: sums.slab(run))
                sums.scales[run] = task.compute(
                    run * host.catalog.rows / layout.runs..<(run + 1) * host.catalog.rows / layout.runs)
            }
            try add(sums, of: loaded, rowCoefficient, to: output)
        }
    }
}
