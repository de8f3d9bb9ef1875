import CShortlistKernels
import ShortlistCore

/// One run of items against a loaded group of tokens: their part of the gradients of a dense block.
struct DenseRun {
    let scorer: BlockScorer
    /// The logits of the loaded tokens, where they were kept; else they are made here.
    var kept: KeptLogits?
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
            let packed = kept == nil ? cleaned?.packed ?? scorer.packed(tile) : nil
            let items = cleaned?.rows ?? scorer.denseRows(tile)
            let bias = scorer.bias(tile)
            // Rows of dY in place where they follow one another; else through the worker's own rows.
            let inPlace = output.rows == nil && cleaned == nil
            if output.catalog != nil && !inPlace { catalogRows.update(repeating: 0, count: tile.count * width) }
            var first = 0
            while first < count {
                let rows = first..<min(count, first + step)
                var logits = UnsafePointer(scorer.logits)
                var stride = scorer.size.stride
                if let kept { (logits, stride) = kept.tile(tile, row: first) }
                if let packed { scorer.score(rows, tile, packed) }
                sl_softmax_rows(
                    logits, stride, rows.count, tile.count, bias, lse + first, coefficient + first, scorer.logits,
                    scorer.size.stride, output.scale == nil ? nil : dots + first)
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

/// What the runs of a group leave to be joined in order: a slab of dX and a part of dL/ds each.
struct DenseSums {
    let runs: Int
    let scales: UnsafeMutablePointer<Double>
    private let slabs: UnsafeMutablePointer<Float>
    private let slabSize: Int

    init(runs: Int, group: Int, width: Int, hidden: Bool, _ cutter: inout ScratchCutter) {
        self.runs = runs
        slabSize = group * width
        slabs = cutter.take(Float.self, hidden ? runs * slabSize : 0)
        scales = cutter.take(Double.self, runs)
    }

    static func add(to size: inout ScratchSize, runs: Int, group: Int, width: Int, hidden: Bool) {
        size.add(Float.self, hidden ? runs * group * width : 0)
        size.add(Double.self, runs)
    }

    func slab(_ run: Int) -> UnsafeMutablePointer<Float> { slabs + run * slabSize }
}

extension CPUStream {
    /// Joins the sums of a loaded group's runs, in order, to the outputs. A row whose coefficient is 0 has none: what an
    /// item holds (a NaN) is not to reach it.
    func add(
        _ sums: DenseSums, of loaded: BlockScorer, _ coefficient: UnsafePointer<Float>, to output: HostGradients
    ) throws(ShortlistError) {
        if let hidden = output.hidden {
            let width = loaded.width
            try parallelRanges(loaded.count, grain: 64) { range, _ in
                for row in range where coefficient[row] != 0 {
                    let token = Int(loaded.ordinals[row])
                    let target = hidden.row(loaded.blocks.hidden.rows.map { Int($0[token]) } ?? token)
                    for run in 0..<sums.runs { sl_axpy(1, sums.slab(run) + row * width, target, width) }
                }
            }
        }
        if let scale = output.scale { for run in 0..<sums.runs { scale.pointee += sums.scales[run] } }
    }
}
