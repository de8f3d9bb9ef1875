import ShortlistCore

/// Logits reduced to log-sum-exps: targetLogits.comp, blockLogSumExp.comp, joinRuns.comp.
extension VulkanStream {
    func targetLogits(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, into result: Vector<Float>
    ) throws(ShortlistError) {
        try open(.targetLogits)
        let work = 2 * Double(tokens.count) * Double(items.matrix.columns)
        try run("targetLogits", groups: divided(result.count, 64), work: work) { (a) throws(ShortlistError) in
            a.address(try reads(tokens.hidden.matrix))
            a.address(try reads(tokens.hidden.rows))
            a.address(try reads(tokens.targets))
            a.address(try reads(items.matrix))
            a.address(try reads(items.bias))
            a.address(try writes(result, discards: true))
            for value in [
                tokens.hidden.matrix.rowStride, items.matrix.rowStride, items.matrix.columns, result.count,
            ] { try a.word(value) }
            a.float(scale)
        }
    }

    func blockLogSumExp(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, into slots: Vector<Float>
    ) throws(ShortlistError) {
        try open(.blockLogSumExp)
        let plan = ScorePlan(blocks.shape, limit: try opened().scratchLimit, sweep)
        let runs = plan.runs
        try withScratchVectors { () throws(ShortlistError) in
            let parts = runs == 1 ? slots : try reserve(Float.self, count: slots.count * runs * 2)
            let tiles = divided(blocks.shape.maxTokens, plan.tile.size)
            let grid = BlockGrid(first: 0, step: 1, count: blocks.ranges.count, tiles: tiles)
            try run("blockLogSumExp", plan.tile, groups: grid.groups * runs, work: ScorePlan.work(blocks.shape)) {
                (a) throws(ShortlistError) in
                try describe(blocks, tokens, items, scale: scale, grid, &a)
                try a.word(runs)
                a.address(try writes(parts, discards: true))
            }
            guard runs > 1 else { return }
            try run("joinRuns", groups: divided(slots.count, 256)) { (a) throws(ShortlistError) in
                a.address(try reads(parts))
                a.address(try writes(slots, discards: true))
                try a.word(slots.count)
                try a.word(runs)
            }
        }
    }

    /// BLOCK_MEMBERS of common/pairs.glsl.
    func describe(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, _ grid: BlockGrid,
        _ a: inout Arguments
    ) throws(ShortlistError) {
        var places: Vector<Int32>?
        var (chunks, selectable) = (1, 0)
        var isDense = false
        switch blocks.arrangement {
        case .dense: isDense = true
        case .lists: break
        case .rounds(let count, let chunkCount, _, let vector):
            places = vector
            chunks = chunkCount
            selectable = (blocks.items?.count ?? 0) / count
        }
        a.address(try reads(blocks.ranges))
        a.address(try reads(blocks.tokens))
        a.address(try reads(blocks.items))
        a.address(try reads(blocks.logWeights))
        a.address(try reads(blocks.previousSlot))
        a.address(try reads(blocks.blockOfSlot))
        a.address(try reads(blocks.previousPlace))
        a.address(try reads(blocks.blockOfPlace))
        a.address(try reads(places))
        a.address(try reads(tokens.hidden.matrix))
        a.address(try reads(tokens.hidden.rows))
        a.address(try reads(tokens.targets))
        a.address(try reads(items.matrix))
        a.address(try reads(items.bias))
        a.address(try reads(items.excluded))
        for value in [
            tokens.hidden.matrix.rowStride, items.matrix.rowStride, items.matrix.columns, items.count,
            items.excluded?.count ?? 0, tokens.count, isDense ? 1 : 0, blocks.shape.onceOnly ? 1 : 0, chunks,
            selectable, grid.first, grid.step, grid.tiles,
        ] { try a.word(value) }
        a.float(scale)
    }
}

/// Which blocks a dispatch works on, and how many tiles each is cut into.
struct BlockGrid {
    let first: Int
    let step: Int
    let count: Int
    let tiles: Int
    var groups: Int { count * tiles }
}

/// The tile of a forward pass, and into how many runs the items of a block are cut, so that a few blocks, or one, keep a
/// device busy: pairs of f32 for each slot and run.
struct ScorePlan {
    let tile: Tile
    let runs: Int
    private let least: Int
    private let shape: BlockShape

    init(_ shape: BlockShape, limit: Int, _ sweep: Sweep) {
        self.shape = shape
        tile = sweep.tile(
            rows: shape.maxTokens, columns: shape.maxItems, count: shape.blockCount * (shape.isDense ? 16 : 1),
            sweepsColumns: true)
        let tiles = divided(shape.maxItems, tile.size)
        // Runs that one invocation each can sweep.
        least = max(1, divided(tiles, sweep.tiles(width: shape.width, extra: 48 + shape.pairSteps(tile))))
        let groups = max(1, shape.blockCount * divided(shape.maxTokens, tile.size))
        // Runs of 1024 items at least.
        let wanted = min(64, divided(shape.maxItems, 1024), max(1, 1024 / groups))
        var runs = max(least, wanted)
        while runs > least, ScorePlan.bytes(shape, runs) > limit { runs = max(least, runs / 2) }
        self.runs = runs
    }

    private static func bytes(_ shape: BlockShape, _ runs: Int) -> Int {
        guard runs > 1 else { return 0 }
        let (bytes, overflow) = shape.slotCount.multipliedReportingOverflow(by: runs * 8)
        return overflow ? .max : padded(bytes)
    }

    var scratch: ScratchNeed {
        ScratchNeed(least: ScorePlan.bytes(shape, least), planned: ScorePlan.bytes(shape, runs))
    }

    static func work(_ shape: BlockShape) -> Double {
        2 * Double(shape.slotCount) * Double(shape.maxItems) * Double(shape.width + 10)
    }
}

extension BlockShape {
    /// Iterations in which an invocation looks for earlier meetings of a tile's pairs: chains hold no more than a place
    /// a round, or a place a block on either side.
    func pairSteps(_ tile: Tile) -> Int {
        guard onceOnly else { return 0 }
        return tile.products * (1 + (rounds > 0 ? rounds : 2 * blockCount))
    }
}
