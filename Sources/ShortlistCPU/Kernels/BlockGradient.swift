import CShortlistKernels
import Glibc
import ShortlistCore

/// A unit is one run of a block's tokens × one run of its items. Units are computed in waves: each leaves its part of
/// dY (and of dX where tokens meet again) in the wave's buffer, and after a barrier the parts are added in the order
/// of units, every row by one worker. So the sums have one order, whatever the number of threads and of units a wave.
struct BlockGradientTiling: KernelTiling {
    struct Shape {
        var blocks: BlockShape
        var gradients: BlockGradientShape
    }
    var size: ScorerSize
    /// Items of a unit.
    var items: Int
    /// Bytes that a wave's buffer may take.
    var waveBytes: Int
    var holdsEarlierChunks = false

    static let levels = [
        BlockGradientTiling(
            size: .init(segment: 1024, tokens: 128, items: 512), items: 1024, waveBytes: 6 << 20,
            holdsEarlierChunks: true),
        BlockGradientTiling(size: .init(segment: 1024, tokens: 128, items: 512), items: 1024, waveBytes: 6 << 20),
        BlockGradientTiling(size: .init(segment: 256, tokens: 128, items: 256), items: 256, waveBytes: 2 << 20),
        BlockGradientTiling(size: .init(segment: 64, tokens: 64, items: 128), items: 128, waveBytes: 1 << 18),
        BlockGradientTiling(size: .init(segment: 16, tokens: 16, items: 64), items: 64, waveBytes: 1 << 15),
        BlockGradientTiling(size: .init(segment: 1, tokens: 1, items: 16), items: 16, waveBytes: 1),
    ]

    struct Layout {
        var size: ScorerSize
        var unitItems: Int
        var segments: Int
        var itemRuns: Int
        /// dX rows are unique to a unit of the wave and are added in place.
        var hiddenInPlace: Bool
        var hiddenFloats: Int
        var catalogFloats: Int
        var biasFloats: Int
        var wave: Int
        var unitFloats: Int { hiddenFloats + catalogFloats + biasFloats }
    }

    func layout(_ shape: Shape) -> Layout {
        let blocks = shape.blocks
        let size = size.clipped(to: blocks)
        let unitItems = min(items, max(1, blocks.maxItems))
        let itemRuns = max(1, (blocks.maxItems + unitItems - 1) / unitItems)
        let segments = max(1, (blocks.maxTokens + size.segment - 1) / size.segment)
        let inPlace = shape.gradients.tokensAreExclusive && itemRuns == 1
        var layout = Layout(
            size: size, unitItems: unitItems, segments: segments, itemRuns: itemRuns, hiddenInPlace: inPlace,
            hiddenFloats: shape.gradients.hidden && !inPlace ? size.segment * blocks.width : 0,
            catalogFloats: shape.gradients.catalog ? unitItems * blocks.width : 0,
            biasFloats: shape.gradients.bias ? unitItems : 0, wave: 1)
        let units = max(1, blocks.blockCount * segments * itemRuns)
        layout.wave = max(1, min(units, min(256, waveBytes / max(1, 4 * layout.unitFloats + 4 * size.segment))))
        return layout
    }

    func scratch(for shape: Shape) -> TileScratch {
        let layout = layout(shape)
        var fixed = ScratchSize()
        if holdsEarlierChunks { EarlierChunks.add(to: &fixed, shape.blocks) }
        if let walk = RoundWalk(shape.blocks) {
            fixed.add(Double.self, walk.runs)
            return TileScratch(fixed: fixed.bytes, perWorker: Self.roundScratch(layout.size, shape))
        }
        fixed.add(Float.self, layout.wave * layout.unitFloats)
        fixed.add(Int32.self, layout.wave * layout.size.segment)
        fixed.add(Int32.self, layout.wave)
        fixed.add(Double.self, layout.wave)
        var worker = ScratchSize()
        layout.size.add(to: &worker, shape.blocks)
        worker.add(Float.self, layout.size.segment)
        worker.add(Float.self, layout.size.segment)
        worker.add(Double.self, layout.size.segment)
        let ownRows = layout.hiddenInPlace && shape.gradients.hidden
        worker.add(Float.self, ownRows ? layout.size.segment * shape.blocks.width : 0)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

/// Where gradients go, resolved.
struct HostGradients {
    let hidden: HostMatrix?
    let catalog: HostMatrix?
    let bias: UnsafeMutablePointer<Float>?
    let rows: HostItemMap?
    let scale: UnsafeMutablePointer<Double>?
    /// Row of dY (and place of db) of an item.
    func row(of item: Int) -> Int { rows?.row(of: Int32(item)) ?? item }
}

extension CPUStream {
    func resolve(_ targets: GradientTargets) throws(ShortlistError) -> HostGradients {
        var hidden: HostMatrix?
        var catalog: HostMatrix?
        var rows: HostItemMap?
        if let target = targets.hidden { hidden = try matrix(target) }
        if let target = targets.catalog { catalog = try matrix(target) }
        if let map = targets.rows { rows = try resolve(map) }
        return HostGradients(
            hidden: hidden, catalog: catalog, bias: try optionalPointer(targets.bias), rows: rows,
            scale: try optionalPointer(targets.scale))
    }

    func blockGradient(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState,
        coefficients: Vector<Float>, into targets: GradientTargets
    ) throws(ShortlistError) {
        let gradients = blocks.gradientShape(targets)
        if blocks.shape.isDense {
            return try denseGradient(
                blocks, tokens, items, scale: scale, state: state, coefficients: coefficients, into: targets)
        }
        let shape = BlockGradientTiling.Shape(blocks: blocks.shape, gradients: gradients)
        let (tiling, need) = BlockGradientTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.blockGradient, need)
        let host = try resolve(blocks, tokens, items)
        let output = try resolve(targets)
        let layout = tiling.layout(shape)
        var shared = area.shared()
        let earlierChunks = tiling.holdsEarlierChunks ? EarlierChunks(blocks.shape, &shared) : nil
        try earlierChunks?.fill(host, on: self)
        BlockScorer.prepare(host, size: layout.size, area)
        if let walk = RoundWalk(blocks.shape) {
            return try roundGradient(
                host, walk, scale: scale, layout: layout, earlierChunks, area: area, &shared, output: output,
                logSumExp: try pointer(state.logSumExp), coefficients: try pointer(coefficients))
        }
        let job = BlockGradientJob(
            blocks: host, scale: scale, layout: layout, earlierChunks: earlierChunks, area: area, &shared,
            output: output,
            logSumExp: try pointer(state.logSumExp), coefficients: try pointer(coefficients),
            winners: blocks.combination == .max ? try pointer(state.winners) : nil)
        // A wave that adds to dX in place must not hold a token twice: it stays within a round.
        let unitsPerBlock = layout.segments * layout.itemRuns
        let total = blocks.shape.blockCount * unitsPerBlock
        let period = blocks.shape.rounds > 0 ? max(1, total / blocks.shape.rounds) : max(1, total)
        var first = 0
        while first < total {
            let wave = first..<min(min(total, first + layout.wave), (first / period + 1) * period)
            try parallelTurns(wave.count, workers: area.workers) { unit, turn in
                job.compute(unit: wave.lowerBound + unit, place: unit, worker: turn.worker) {
                    turn.following().map { wave.lowerBound + $0 }
                }
            }
            let parts = max(1, min(threads, area.workers))
            try parallel(parts, workers: parts) { part, _ in
                job.addCatalogRows(wave, part: part, of: parts)
                job.addHiddenRows(wave, part: part, of: parts)
            }
            job.addScale(wave.count)
            first = wave.upperBound
        }
    }
}

extension CandidateBlocks {
    func gradientShape(_ targets: GradientTargets) -> BlockGradientShape {
        BlockGradientShape(
            hidden: targets.hidden != nil, catalog: targets.catalog != nil, bias: targets.bias != nil,
            scale: targets.scale != nil, tokensAreExclusive: tokensAreExclusive)
    }
}

/// What the workers of a block gradient share.
private struct BlockGradientJob {
    let blocks: HostBlocks
    let scale: Float
    let layout: BlockGradientTiling.Layout
    let earlierChunks: EarlierChunks?
    let area: ScratchArea
    let output: HostGradients
    let logSumExp: UnsafePointer<Float>
    let coefficients: UnsafePointer<Float>
    let winners: UnsafePointer<Int32>?

    let parts: UnsafeMutablePointer<Float>
    /// Rows of dX of the units' tokens, and how many.
    let partRows: UnsafeMutablePointer<Int32>
    let partCounts: UnsafeMutablePointer<Int32>
    let partScales: UnsafeMutablePointer<Double>

    init(
        blocks: HostBlocks, scale: Float, layout: BlockGradientTiling.Layout, earlierChunks: EarlierChunks?,
        area: ScratchArea, _ cutter: inout ScratchCutter, output: HostGradients, logSumExp: UnsafePointer<Float>,
        coefficients: UnsafePointer<Float>, winners: UnsafePointer<Int32>?
    ) {
        self.blocks = blocks
        self.scale = scale
        self.layout = layout
        self.earlierChunks = earlierChunks
        self.area = area
        self.output = output
        self.logSumExp = logSumExp
        self.coefficients = coefficients
        self.winners = winners
        parts = cutter.take(Float.self, layout.wave * layout.unitFloats)
        partRows = cutter.take(Int32.self, layout.wave * layout.size.segment)
        partCounts = cutter.take(Int32.self, layout.wave)
        partScales = cutter.take(Double.self, layout.wave)
    }

    private struct Unit {
        let block: Int
        let tokens: Range<Int>
        let items: Range<Int>
    }

    private func unit(_ index: Int) -> Unit? {
        let perBlock = layout.segments * layout.itemRuns
        let block = index / perBlock
        let segment = index / layout.itemRuns % layout.segments
        let run = index % layout.itemRuns
        let range = blocks.ranges[block]
        let size = layout.size.segment
        guard segment * size < range.tokenCount, run * layout.unitItems < range.itemCount else { return nil }
        return Unit(
            block: block, tokens: segment * size..<min(range.tokenCount, (segment + 1) * size),
            items: run * layout.unitItems..<min(range.itemCount, (run + 1) * layout.unitItems))
    }

    private func hiddenPart(_ place: Int) -> UnsafeMutablePointer<Float> { parts + place * layout.unitFloats }
    private func catalogPart(_ place: Int) -> UnsafeMutablePointer<Float> { hiddenPart(place) + layout.hiddenFloats }
    private func biasPart(_ place: Int) -> UnsafeMutablePointer<Float> {
        catalogPart(place) + layout.catalogFloats
    }

    /// Recomputes a unit's logits, turns them into g·p, and leaves its parts at `place` of the wave.
    func compute(unit index: Int, place: Int, worker: Int, following: () -> Int?) {
        partCounts[place] = 0
        partScales[place] = 0
        guard let unit = unit(index) else { return }
        var cutter = area.worker(worker)
        var scorer = BlockScorer(blocks, scale: scale, size: layout.size, earlierChunks: earlierChunks, &cutter)
        let lse = cutter.take(Float.self, layout.size.segment)
        let coefficient = cutter.take(Float.self, layout.size.segment)
        let dots = cutter.take(Double.self, layout.size.segment)
        scorer.load(block: unit.block, segment: unit.tokens) { slot, token in
            coefficients[token] != 0 && winners.map { Int($0[token]) == slot } ?? true
        }
        guard scorer.count > 0 else { return }
        for row in 0..<scorer.count {
            let token = Int(scorer.ordinals[row])
            lse[row] = logSumExp[token]
            coefficient[row] = coefficients[token]
            dots[row] = 0
            partRows[place * layout.size.segment + row] = blocks.hidden.rows?[token] ?? Int32(token)
        }
        partCounts[place] = Int32(scorer.count)

        let width = scorer.width
        let contributes = blocks.ranges[unit.block].contributesToCatalogGradient != 0
        let wantsCatalog = output.catalog != nil && contributes
        let wantsBias = output.bias != nil && contributes
        // dX of the unit: in the worker's own rows when no other unit of the wave has these tokens.
        let hidden = layout.hiddenInPlace ? cutter.take(Float.self, layout.size.segment * width) : hiddenPart(place)
        let wantsHidden = output.hidden != nil
        if wantsHidden { hidden.update(repeating: 0, count: scorer.count * width) }
        if wantsCatalog { catalogPart(place).update(repeating: 0, count: unit.items.count * width) }
        if wantsBias { biasPart(place).update(repeating: 0, count: unit.items.count) }

        let sums = TileSums(
            hidden: wantsHidden ? hidden : nil, catalog: wantsCatalog ? catalogPart(place) : nil,
            bias: wantsBias ? biasPart(place) : nil, dots: output.scale == nil ? nil : dots)
        let next = following().flatMap { self.unit($0) }.map { next in
            let first = blocks.ranges[next.block].itemStart
            return first + next.items.lowerBound..<first + next.items.upperBound
        }
        scorer.addGradients(unit.items, logSumExp: lse, coefficient, into: sums, next: next ?? 0..<0) {
            $0 - unit.items.lowerBound
        }
        if layout.hiddenInPlace, let target = output.hidden {
            for row in 0..<scorer.count {
                sl_axpy(
                    1, hidden + row * width, target.row(Int(partRows[place * layout.size.segment + row])), width)
            }
        }
        if output.scale != nil {
            // The tile's logits carry the scale: dL/ds = Σ g p ⟨x, y⟩.
            for row in 0..<scorer.count { partScales[place] += dots[row] / Double(scale) }
        }
    }

    /// Adds the wave's parts of dY and db for the items that worker `part` owns.
    func addCatalogRows(_ wave: Range<Int>, part: Int, of parts: Int) {
        guard output.catalog != nil || output.bias != nil else { return }
        let width = blocks.catalog.columns
        for place in 0..<wave.count where partCounts[place] > 0 {
            guard let unit = unit(wave.lowerBound + place) else { continue }
            let range = blocks.ranges[unit.block]
            guard range.contributesToCatalogGradient != 0 else { continue }
            let rows = catalogPart(place)
            let biases = biasPart(place)
            for index in 0..<unit.items.count {
                let item = blocks.item(range.itemStart + unit.items.lowerBound + index)
                guard parts == 1 || (item >> 4) % parts == part else { continue }
                let row = output.row(of: item)
                if let catalog = output.catalog { sl_axpy(1, rows + index * width, catalog.row(row), width) }
                if let bias = output.bias { bias[row] += biases[index] }
            }
        }
    }

    /// The same for dX, where a wave can hold a token twice.
    func addHiddenRows(_ wave: Range<Int>, part: Int, of parts: Int) {
        guard let hidden = output.hidden, !layout.hiddenInPlace else { return }
        let width = blocks.catalog.columns
        for place in 0..<wave.count {
            let rows = partRows + place * layout.size.segment
            for index in 0..<Int(partCounts[place]) {
                let row = Int(rows[index])
                guard parts == 1 || (row >> 4) % parts == part else { continue }
                sl_axpy(1, hiddenPart(place) + index * width, hidden.row(row), width)
            }
        }
    }

    func addScale(_ count: Int) {
        guard let scale = output.scale else { return }
        for place in 0..<count { scale.pointee += partScales[place] }
    }
}
