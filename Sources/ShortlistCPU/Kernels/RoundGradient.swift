import CShortlistKernels
import ShortlistCore

/// The block gradient of RECE's chunks: each tile of items meets the tokens that see it, and its sums go to dY at once.
///
/// Runs that touch have tokens in common, runs two apart do not: the even runs of a round are worked off first, then
/// the odd ones. So nobody else writes a row of dX meanwhile, and each row is summed in one order.
extension CPUStream {
    func roundGradient(
        _ host: HostBlocks, _ walk: RoundWalk, scale: Float, layout: BlockGradientTiling.Layout,
        _ earlierChunks: EarlierChunks?, area: ScratchArea, _ shared: inout ScratchCutter, output: HostGradients,
        logSumExp: UnsafePointer<Float>, coefficients: UnsafePointer<Float>
    ) throws(ShortlistError) {
        let job = RoundGradientJob(
            blocks: host, walk: walk, scale: scale, size: layout.size, earlierChunks: earlierChunks, area: area,
            output: output, logSumExp: logSumExp, coefficients: coefficients,
            scales: shared.take(Double.self, walk.runs))
        for round in 0..<host.shape.rounds {
            for phase in 0..<2 {
                try parallelTurns((walk.runs - phase + 1) / 2, workers: area.workers) { task, turn in
                    job.work(round: round, run: 2 * task + phase, worker: turn.worker) {
                        turn.following().map { 2 * $0 + phase }
                    }
                }
            }
            if let scale = output.scale { for run in 0..<walk.runs { scale.pointee += job.scales[run] } }
        }
    }
}

extension BlockGradientTiling {
    /// What a worker of `roundGradient` takes, in the order in which it takes it.
    static func roundScratch(_ size: ScorerSize, _ shape: Shape) -> Int {
        var worker = ScratchSize()
        size.add(to: &worker, shape.blocks)
        worker.add(Float.self, shape.gradients.bias ? size.items : 0)
        worker.add(Float.self, size.segment)
        worker.add(Float.self, size.segment)
        worker.add(Double.self, size.segment)
        worker.add(Int32.self, size.segment)
        worker.add(Int32.self, size.items)
        return worker.bytes
    }
}

/// What the workers of a round gradient share.
private struct RoundGradientJob {
    let blocks: HostBlocks
    let walk: RoundWalk
    let scale: Float
    let size: ScorerSize
    let earlierChunks: EarlierChunks?
    let area: ScratchArea
    let output: HostGradients
    let logSumExp: UnsafePointer<Float>
    let coefficients: UnsafePointer<Float>
    /// dL/ds by run.
    let scales: UnsafeMutablePointer<Double>

    private var width: Int { blocks.catalog.columns }

    /// One worker's memory.
    private struct Scratch {
        var scorer: BlockScorer
        /// By loaded row; the last is its row of dX.
        let logSumExp: UnsafeMutablePointer<Float>
        let coefficient: UnsafeMutablePointer<Float>
        let dots: UnsafeMutablePointer<Double>?
        let hiddenRows: UnsafeMutablePointer<Int32>
        /// By item of a tile: its row of dY where that is not its id, and its part of db.
        let catalogRows: UnsafeMutablePointer<Int32>
        let bias: UnsafeMutablePointer<Float>?

        /// Rows of dY, and places of db, of a tile's items.
        func rows(of tile: Range<Int>, _ blocks: HostBlocks, _ output: HostGradients) -> UnsafePointer<Int32> {
            if output.rows == nil, let items = blocks.items { return items + tile.lowerBound }
            for place in tile {
                catalogRows[place - tile.lowerBound] = Int32(truncatingIfNeeded: output.row(of: blocks.item(place)))
            }
            return UnsafePointer(catalogRows)
        }
    }

    private func scratch(_ worker: Int) -> Scratch {
        var cutter = area.worker(worker)
        let scorer = BlockScorer(blocks, scale: scale, size: size, earlierChunks: earlierChunks, &cutter)
        let bias = output.bias == nil ? nil : cutter.take(Float.self, size.items)
        let logSumExp = cutter.take(Float.self, size.segment)
        let coefficient = cutter.take(Float.self, size.segment)
        let dots = cutter.take(Double.self, size.segment)
        let hiddenRows = cutter.take(Int32.self, size.segment)
        let catalogRows = cutter.take(Int32.self, size.items)
        return Scratch(
            scorer: scorer, logSumExp: logSumExp, coefficient: coefficient, dots: output.scale == nil ? nil : dots,
            hiddenRows: hiddenRows, catalogRows: catalogRows, bias: bias)
    }

    func work(round: Int, run: Int, worker: Int, following: () -> Int?) {
        var mine = scratch(worker)
        var sum = 0.0
        walk.forEachVisit(round: round, run: run, of: blocks, following: following) { visit in
            var first = visit.slots.lowerBound
            while first < visit.slots.upperBound {
                let segment = first..<min(visit.slots.upperBound, first + size.segment)
                mine.scorer.load(round: round, slots: segment) { _, token in coefficients[token] != 0 }
                if mine.scorer.count > 0 { sum += compute(visit, mine) }
                first = segment.upperBound
            }
        }
        scales[run] = sum
    }

    /// The loaded tokens against a chunk of items. Returns their part of dL/ds.
    private func compute(_ visit: RoundWalk.Visit, _ mine: Scratch) -> Double {
        let scorer = mine.scorer
        for row in 0..<scorer.count {
            let token = Int(scorer.ordinals[row])
            mine.logSumExp[row] = logSumExp[token]
            mine.coefficient[row] = coefficients[token]
            mine.hiddenRows[row] = blocks.hidden.rows?[token] ?? Int32(token)
            mine.dots?[row] = 0
        }
        let step = size.tileRows(scorer.count)
        var start = visit.places.lowerBound
        while start < visit.places.upperBound {
            let tile = start..<min(visit.places.upperBound, start + size.items)
            let (packed, items) = scorer.packedAndRows(tile)
            let bias = scorer.bias(tile)
            let catalogRows = mine.rows(of: tile, blocks, output)
            mine.bias?.update(repeating: 0, count: tile.count)
            // Rows of dY are wanted two products from now, the next items after that.
            var sums = output.catalog?.ahead(catalogRows, tile.count) ?? sl_ahead()
            var next = scorer.ahead(of: tile, in: visit.places, next: visit.next)
            var first = 0
            while first < scorer.count {
                let rows = first..<min(scorer.count, first + step)
                scorer.score(rows, tile, packed, ahead: &sums)
                sl_softmax_rows(
                    scorer.logits, size.stride, rows.count, tile.count, bias, mine.logSumExp + first,
                    mine.coefficient + first, scorer.logits, size.stride, mine.dots.map { $0 + first })
                if let hidden = output.hidden {
                    sl_add_product(
                        rows.count, width, tile.count, scale, scorer.logits, size.stride, 1, items.base, items.stride,
                        hidden.base, hidden.stride, mine.hiddenRows + first, &next)
                }
                if let catalog = output.catalog {
                    sl_add_product(
                        tile.count, width, rows.count, scale, scorer.logits, 1, size.stride,
                        scorer.hidden + first * width, width, catalog.base, catalog.stride, catalogRows, &next)
                }
                if let bias = mine.bias {
                    sl_add_column_sums(scorer.logits, size.stride, rows.count, tile.count, bias)
                }
                first = rows.upperBound
            }
            if let bias = output.bias, let mine = mine.bias {
                for index in 0..<tile.count { bias[Int(catalogRows[index])] += mine[index] }
            }
            start = tile.upperBound
        }
        // The tile's logits carry the scale: dL/ds = Σ g p ⟨x, y⟩.
        guard let dots = mine.dots else { return 0 }
        return (0..<scorer.count).reduce(0) { $0 + dots[$1] } / Double(scale)
    }
}
