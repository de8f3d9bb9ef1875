import CShortlistKernels
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
        fixed.add(Float.self, shape.gradients.hidden ? layout.runs * layout.group * width : 0)
        fixed.add(Double.self, layout.runs)
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
        let slabs = shared.take(Float.self, output.hidden == nil ? 0 : layout.runs * layout.group * width)
        let scales = shared.take(Double.self, layout.runs)
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
            let count = loaded.count
            first = group.upperBound
            guard count > 0 else { continue }
            try parallel(layout.runs, workers: area.workers) { run, worker in
                var cutter = area.worker(worker)
                let mine = loaded.sharing(&cutter)
                let dots = cutter.take(Double.self, layout.group)
                let rows = cutter.take(Float.self, output.catalog == nil ? 0 : layout.size.items * width)
                let task = DenseRun(
                    scorer: mine, lse: rowLSE, coefficient: rowCoefficient, output: output, dots: dots,
                    catalogRows: rows, slab: slabs + run * layout.group * width)
                scales[run] = task.compute(
                    run * host.catalog.rows / layout.runs..<(run + 1) * host.catalog.rows / layout.runs)
            }
            if let hidden = output.hidden {
                try parallelRanges(count, grain: 64) { range, _ in
                    for row in range {
                        let token = Int(loaded.ordinals[row])
                        let target = hidden.row(host.hidden.rows.map { Int($0[token]) } ?? token)
                        for run in 0..<layout.runs {
                            sl_axpy(1, slabs + (run * layout.group + row) * width, target, width)
                        }
                    }
                }
            }
            if let scale = output.scale { for run in 0..<layout.runs { scale.pointee += scales[run] } }
        }
    }
}

/// One run of items against a loaded group of tokens.
private struct DenseRun {
    let scorer: BlockScorer
    let lse: UnsafePointer<Float>
    let coefficient: UnsafePointer<Float>
    let output: HostGradients
    let dots: UnsafeMutablePointer<Double>
    let catalogRows: UnsafeMutablePointer<Float>
    let slab: UnsafeMutablePointer<Float>

    /// Returns the run's part of dL/ds.
    func compute(_ run: Range<Int>) -> Double {
        let width = scorer.width
        let count = scorer.count
        dots.update(repeating: 0, count: count)
        if output.hidden != nil { slab.update(repeating: 0, count: count * width) }
        let step = scorer.size.tileRows(count)
        var start = run.lowerBound
        while start < run.upperBound {
            let tile = start..<min(run.upperBound, start + scorer.size.items)
            let cleaned = scorer.withoutExcluded(tile)
            let (packed, items) = cleaned ?? scorer.packedAndRows(tile)
            let bias = scorer.bias(tile)
            // Rows of dY in place where they follow one another; else through the worker's own rows.
            let inPlace = output.rows == nil && cleaned == nil
            if output.catalog != nil && !inPlace { catalogRows.update(repeating: 0, count: tile.count * width) }
            var first = 0
            while first < count {
                let rows = first..<min(count, first + step)
                scorer.score(rows, tile, packed)
                sl_softmax_rows(
                    scorer.logits, scorer.size.stride, rows.count, tile.count, bias, lse + first, coefficient + first,
                    output.scale == nil ? nil : dots + first)
                scorer.addProducts(
                    rows, tile, items, hidden: output.hidden == nil ? nil : slab,
                    catalog: output.catalog.map { inPlace ? $0.row(start) : catalogRows },
                    catalogStride: inPlace ? output.catalog?.stride ?? width : width)
                if let biases = output.bias { addBias(biases, rows, tile) }
                first = rows.upperBound
            }
            if let catalog = output.catalog, !inPlace { addRows(tile, bias, to: catalog) }
            start = tile.upperBound
        }
        var sum = 0.0
        if output.scale != nil { for row in 0..<count { sum += dots[row] / Double(scorer.scale) } }
        return sum
    }

    private func isExcluded(_ bias: UnsafePointer<Float>?, _ column: Int) -> Bool {
        bias.map { $0[column] <= -.greatestFiniteMagnitude } ?? false
    }

    private func addRows(_ tile: Range<Int>, _ bias: UnsafePointer<Float>?, to catalog: HostMatrix) {
        let width = scorer.width
        for column in 0..<tile.count where !isExcluded(bias, column) {
            sl_axpy(1, catalogRows + column * width, catalog.row(output.row(of: tile.lowerBound + column)), width)
        }
    }

    private func addBias(_ biases: UnsafeMutablePointer<Float>, _ rows: Range<Int>, _ tile: Range<Int>) {
        guard output.rows != nil else {
            return sl_add_column_sums(
                scorer.logits, scorer.size.stride, rows.count, tile.count, biases + tile.lowerBound)
        }
        for column in 0..<tile.count {
            var sum: Float = 0
            for row in 0..<rows.count { sum += scorer.logits[row * scorer.size.stride + column] }
            // An excluded item has no row; its probabilities are zero.
            if sum != 0 { biases[output.row(of: tile.lowerBound + column)] += sum }
        }
    }
}
