import CShortlistKernels
import ShortlistCore

/// The block gradient of RECE's chunks: each tile of items meets the tokens that see it, and its sums go to dY at once.
///
/// Runs that touch have tokens in common, runs two apart do not: the even runs of a round are worked off first, then
/// the odd ones. So nobody else writes a row of dX meanwhile, and each row is summed in one order.
extension CPUStream {
    func roundGradient(
        _ host: HostBlocks, _ walk: RoundWalk, scale: Float, layout: BlockGradientTiling.Layout, area: ScratchArea,
        output: HostGradients, logSumExp: UnsafePointer<Float>, coefficients: UnsafePointer<Float>
    ) throws(ShortlistError) {
        var shared = area.shared()
        let job = RoundGradientJob(
            blocks: host, walk: walk, scale: scale, size: layout.size, area: area, output: output,
            logSumExp: logSumExp, coefficients: coefficients, scales: shared.take(Double.self, walk.runs))
        for round in 0..<host.shape.rounds {
            for phase in 0..<2 {
                try parallel((walk.runs - phase + 1) / 2, workers: area.workers) { task, worker in
                    job.work(round: round, run: 2 * task + phase, worker: worker)
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
        worker.add(Float.self, shape.gradients.catalog ? size.items * shape.blocks.width : 0)
        worker.add(Float.self, shape.gradients.bias ? size.items : 0)
        worker.add(Float.self, size.segment)
        worker.add(Float.self, size.segment)
        worker.add(Double.self, size.segment)
        worker.add(Float.self, shape.gradients.hidden ? size.segment * shape.blocks.width : 0)
        return worker.bytes
    }
}

/// What the workers of a round gradient share.
private struct RoundGradientJob {
    let blocks: HostBlocks
    let walk: RoundWalk
    let scale: Float
    let size: ScorerSize
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
        let sums: TileSums
        let logSumExp: UnsafeMutablePointer<Float>
        let coefficient: UnsafeMutablePointer<Float>
    }

    private func scratch(_ worker: Int) -> Scratch {
        var cutter = area.worker(worker)
        let scorer = BlockScorer(blocks, scale: scale, size: size, &cutter)
        let catalog = output.catalog == nil ? nil : cutter.take(Float.self, size.items * width)
        let bias = output.bias == nil ? nil : cutter.take(Float.self, size.items)
        let logSumExp = cutter.take(Float.self, size.segment)
        let coefficient = cutter.take(Float.self, size.segment)
        let dots = cutter.take(Double.self, size.segment)
        let hidden = output.hidden == nil ? nil : cutter.take(Float.self, size.segment * width)
        return Scratch(
            scorer: scorer,
            sums: TileSums(hidden: hidden, catalog: catalog, bias: bias, dots: output.scale == nil ? nil : dots),
            logSumExp: logSumExp, coefficient: coefficient)
    }

    func work(round: Int, run: Int, worker: Int) {
        var mine = scratch(worker)
        var sum = 0.0
        walk.forEachVisit(round: round, run: run, of: blocks) { visit in
            var first = visit.slots.lowerBound
            while first < visit.slots.upperBound {
                let segment = first..<min(visit.slots.upperBound, first + size.segment)
                mine.scorer.load(round: round, slots: segment) { _, token in coefficients[token] != 0 }
                if mine.scorer.count > 0 { sum += compute(visit.places, mine) }
                first = segment.upperBound
            }
        }
        scales[run] = sum
    }

    /// The loaded tokens against the items at `places`. Returns their part of dL/ds.
    private func compute(_ places: Range<Int>, _ mine: Scratch) -> Double {
        let scorer = mine.scorer
        for row in 0..<scorer.count {
            let token = Int(scorer.ordinals[row])
            mine.logSumExp[row] = logSumExp[token]
            mine.coefficient[row] = coefficients[token]
            mine.sums.dots?[row] = 0
        }
        mine.sums.hidden?.update(repeating: 0, count: scorer.count * width)
        let most = min(size.items, places.count)
        mine.sums.catalog?.update(repeating: 0, count: most * width)
        mine.sums.bias?.update(repeating: 0, count: most)
        scorer.addGradients(places, logSumExp: mine.logSumExp, mine.coefficient, into: mine.sums) { _ in
            0
        } done: { tile in
            flush(tile, mine.sums)
        }
        if let hidden = mine.sums.hidden, let target = output.hidden {
            for row in 0..<scorer.count {
                let token = Int(scorer.ordinals[row])
                let at = blocks.hidden.rows.map { Int($0[token]) } ?? token
                sl_axpy(1, hidden + row * width, target.row(at), width)
            }
        }
        // The tile's logits carry the scale: dL/ds = Σ g p ⟨x, y⟩.
        guard let dots = mine.sums.dots else { return 0 }
        return (0..<scorer.count).reduce(0) { $0 + dots[$1] } / Double(scale)
    }

    /// Adds a tile's sums to dY and db, and begins anew.
    private func flush(_ tile: Range<Int>, _ sums: TileSums) {
        for place in tile {
            let index = place - tile.lowerBound
            let row = output.row(of: blocks.item(place))
            if let catalog = output.catalog, let mine = sums.catalog {
                sl_axpy(1, mine + index * width, catalog.row(row), width)
            }
            if let bias = output.bias, let mine = sums.bias { bias[row] += mine[index] }
        }
        sums.catalog?.update(repeating: 0, count: tile.count * width)
        sums.bias?.update(repeating: 0, count: tile.count)
    }
}
