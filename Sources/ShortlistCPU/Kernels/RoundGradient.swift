import CShortlistKernels
import ShortlistCore

/// The block gradient of RECE's chunks. A task walks through a run of consecutive blocks with a window over their items
/// and adds up dY in a second window of the same shape; a chunk's rows go to dY once, when it leaves.
///
/// Runs that touch see common chunks, runs two apart do not: the even runs of a round are worked off first, then the
/// odd ones. So nobody else writes a row meanwhile, and each row of dY is summed in one order.
extension CPUStream {
    func roundGradient(
        _ host: HostBlocks, _ window: ChunkWindow.Size, scale: Float, layout: BlockGradientTiling.Layout,
        area: ScratchArea, output: HostGradients, logSumExp: UnsafePointer<Float>, coefficients: UnsafePointer<Float>
    ) throws(ShortlistError) {
        let chunkCount = host.shape.blockCount / host.shape.rounds
        let length = ChunkWindow.Size.run(host.shape)
        let runs = (chunkCount + length - 1) / length
        var shared = area.shared()
        let job = RoundGradientJob(
            blocks: host, window: window, scale: scale, size: layout.size, area: area, output: output,
            logSumExp: logSumExp, coefficients: coefficients, scales: shared.take(Double.self, runs))
        for round in 0..<host.shape.rounds {
            for phase in 0..<2 {
                try parallel((runs - phase + 1) / 2, workers: area.workers) { task, worker in
                    let run = 2 * task + phase
                    let blocks = run * length..<min(chunkCount, (run + 1) * length)
                    job.walk(
                        round * chunkCount + blocks.lowerBound..<round * chunkCount + blocks.upperBound, run: run,
                        worker: worker)
                }
            }
            if let scale = output.scale { for run in 0..<runs { scale.pointee += job.scales[run] } }
        }
    }
}

extension BlockGradientTiling {
    /// Adds what a worker of `roundGradient` takes, in the order in which it takes it.
    static func addWindow(
        _ window: ChunkWindow.Size, _ size: ScorerSize, _ shape: Shape, to worker: inout ScratchSize
    ) {
        size.add(to: &worker, shape.blocks)
        worker.add(Float.self, window.places * window.width)
        worker.add(Float.self, shape.gradients.catalog ? window.places * window.width : 0)
        worker.add(Float.self, shape.gradients.bias ? window.places : 0)
        worker.add(Float.self, size.segment)
        worker.add(Float.self, size.segment)
        worker.add(Double.self, size.segment)
        worker.add(Float.self, shape.gradients.hidden ? size.segment * shape.blocks.width : 0)
    }
}

/// What the workers of a round gradient share.
private struct RoundGradientJob {
    let blocks: HostBlocks
    let window: ChunkWindow.Size
    let scale: Float
    let size: ScorerSize
    let area: ScratchArea
    let output: HostGradients
    let logSumExp: UnsafePointer<Float>
    let coefficients: UnsafePointer<Float>
    /// dL/ds by run.
    let scales: UnsafeMutablePointer<Double>

    /// One worker's memory.
    private struct Scratch {
        var scorer: BlockScorer
        /// What the scorer sees, too.
        var window: ChunkWindow
        let catalog: UnsafeMutablePointer<Float>?
        let bias: UnsafeMutablePointer<Float>?
        let logSumExp: UnsafeMutablePointer<Float>
        let coefficient: UnsafeMutablePointer<Float>
        let dots: UnsafeMutablePointer<Double>
        let hidden: UnsafeMutablePointer<Float>?
    }

    private func scratch(_ worker: Int) -> Scratch? {
        var cutter = area.worker(worker)
        let scorer = BlockScorer(blocks, scale: scale, size: size, &cutter)
        guard let gathered = ChunkWindow(blocks, window, &cutter) else { return nil }
        let floats = window.places * window.width
        return Scratch(
            scorer: scorer, window: gathered,
            catalog: output.catalog == nil ? nil : cutter.take(Float.self, floats),
            bias: output.bias == nil ? nil : cutter.take(Float.self, window.places),
            logSumExp: cutter.take(Float.self, size.segment), coefficient: cutter.take(Float.self, size.segment),
            dots: cutter.take(Double.self, size.segment),
            hidden: output.hidden == nil ? nil : cutter.take(Float.self, size.segment * window.width))
    }

    func walk(_ run: Range<Int>, run index: Int, worker: Int) {
        scales[index] = 0
        guard var mine = scratch(worker) else { return }
        for block in run {
            move(to: block, &mine)
            let range = blocks.ranges[block]
            var first = 0
            while first < range.tokenCount {
                let segment = first..<min(range.tokenCount, first + size.segment)
                mine.scorer.load(block: block, segment: segment) { _, token in coefficients[token] != 0 }
                if mine.scorer.count > 0 { scales[index] += compute(range, &mine) }
                first = segment.upperBound
            }
        }
        for chunk in mine.window.held { flush(chunk, mine) }
    }

    /// Takes the window on: sums of chunks that leave go to dY, those of chunks that enter start at zero.
    private func move(to block: Int, _ mine: inout Scratch) {
        let before = mine
        mine.window.move(to: block) { chunk in
            flush(chunk, before)
        } enter: { chunk in
            let (first, count, width) = (before.window.offset(of: chunk), window.rows, window.width)
            before.catalog.map { ($0 + first * width).update(repeating: 0, count: count * width) }
            before.bias.map { ($0 + first).update(repeating: 0, count: count) }
        }
        mine.scorer.window = mine.window
    }

    private func flush(_ chunk: Int, _ mine: Scratch) {
        let window = mine.window
        let first = window.offset(of: chunk)
        for (index, place) in window.places(of: chunk).enumerated() {
            let row = output.row(of: blocks.item(place))
            if let catalog = output.catalog, let sums = mine.catalog {
                sl_axpy(1, sums + (first + index) * window.size.width, catalog.row(row), window.size.width)
            }
            if let bias = output.bias, let sums = mine.bias { bias[row] += sums[first + index] }
        }
    }

    /// The loaded tokens against the block's items: dX at once, dY and db into the window. Returns their part of dL/ds.
    private func compute(_ range: BlockRange, _ mine: inout Scratch) -> Double {
        let scorer = mine.scorer
        let width = window.width
        for row in 0..<scorer.count {
            let token = Int(scorer.ordinals[row])
            mine.logSumExp[row] = logSumExp[token]
            mine.coefficient[row] = coefficients[token]
            mine.dots[row] = 0
        }
        mine.hidden?.update(repeating: 0, count: scorer.count * width)
        let contributes = range.contributesToCatalogGradient != 0
        let sums = TileSums(
            hidden: mine.hidden, catalog: contributes ? mine.catalog : nil, bias: contributes ? mine.bias : nil,
            dots: output.scale == nil ? nil : mine.dots)
        scorer.addGradients(0..<range.itemCount, logSumExp: mine.logSumExp, mine.coefficient, into: sums) { start in
            mine.window.run(from: range.itemStart + start).row
        }
        if let hidden = mine.hidden, let target = output.hidden {
            for row in 0..<scorer.count {
                let token = Int(scorer.ordinals[row])
                let at = blocks.hidden.rows.map { Int($0[token]) } ?? token
                sl_axpy(1, hidden + row * width, target.row(at), width)
            }
        }
        // The tile's logits carry the scale: dL/ds = Σ g p ⟨x, y⟩.
        guard output.scale != nil else { return 0 }
        return (0..<scorer.count).reduce(0) { $0 + mine.dots[$1] } / Double(scale)
    }
}
