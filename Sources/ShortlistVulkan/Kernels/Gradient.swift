import ShortlistCore

/// Gradients: fill.comp, blockHidden.comp, blockCatalog.comp, targetHidden.comp, targetItems.comp. All of them add.
extension VulkanStream {
    func fill(_ matrix: DeviceMatrix, with value: Float) throws(ShortlistError) {
        try open(.fill)
        try run("fill", groups: divided(matrix.rows * matrix.columns, 4096)) { (a) throws(ShortlistError) in
            a.address(try writes(matrix, discards: true))
            for number in [matrix.rows, matrix.columns, matrix.rowStride] { try a.word(number) }
            a.float(value)
        }
    }

    func fill(_ vector: Vector<Float>, with value: Float) throws(ShortlistError) {
        try open(.fill)
        try run("fill", groups: divided(vector.count, 4096)) { (a) throws(ShortlistError) in
            a.address(try writes(vector, discards: true))
            for number in [1, vector.count, vector.count] { try a.word(number) }
            a.float(value)
        }
    }

    func fill(_ vector: Vector<Double>, with value: Double) throws(ShortlistError) {
        try open(.fill)
        try run("fillDouble", groups: divided(vector.count, 256)) { (a) throws(ShortlistError) in
            a.address(try writes(vector, discards: true))
            a.double(value)
            try a.word(vector.count)
        }
    }

    func blockGradient(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState,
        coefficients: Vector<Float>, into targets: GradientTargets
    ) throws(ShortlistError) {
        try open(.blockGradient)
        let call = GradientCall(
            blocks: blocks, tokens: tokens, items: items, scale: scale, state: state, coefficients: coefficients,
            targets: targets)
        if targets.hidden != nil || targets.scale != nil { try addHidden(call) }
        if targets.catalog != nil || targets.bias != nil { try addCatalog(call) }
    }

    /// GRADIENT_MEMBERS of common/gradient.glsl, after BLOCK_MEMBERS.
    private func describe(
        _ call: GradientCall, _ grid: BlockGrid, sweep: Range<Int>, output: DeviceMatrix?, _ a: inout Arguments
    ) throws(ShortlistError) {
        try describe(call.blocks, call.tokens, call.items, scale: call.scale, grid, &a)
        a.address(try reads(call.state.logSumExp))
        a.address(try reads(call.coefficients))
        a.address(call.blocks.combination == .max ? try reads(call.state.winners) : 0)
        try a.word(call.chunks(output))
        try a.word(output?.rowStride ?? 0)
        try a.word(sweep.lowerBound)
        try a.word(sweep.upperBound)
        a.address(try writes(output))
    }

    private func addHidden(_ call: GradientCall) throws(ShortlistError) {
        let tiles = divided(call.blocks.shape.maxTokens, 64)
        let count = call.blocks.ranges.count
        try withScratchVectors { () throws(ShortlistError) in
            var parts: Vector<Double>?
            if call.targets.scale != nil {
                let vector = try reserve(Double.self, count: count * tiles)
                try fill(vector, with: 0)
                parts = vector
            }
            for (first, step, size) in call.blocks.tokenSets {
                let grid = BlockGrid(first: first, step: step, count: size, tiles: tiles)
                let most = sweep.tiles(width: call.items.matrix.columns, extra: 128)
                for tilesOfRun in Sweep.runs(divided(call.blocks.shape.maxItems, 64), most: most) {
                    try run(
                        "blockHidden", groups: grid.groups * call.chunks(call.targets.hidden),
                        work: call.work(blocks: size, of: call.blocks.shape.maxItems, tilesOfRun)
                    ) { (a) throws(ShortlistError) in
                        try describe(call, grid, sweep: tilesOfRun, output: call.targets.hidden, &a)
                        a.address(try writes(parts))
                    }
                }
            }
            if let parts, let scale = call.targets.scale {
                try sum(parts, rows: parts.count, width: 1, into: scale, adding: true)
            }
        }
    }

    private func addCatalog(_ call: GradientCall) throws(ShortlistError) {
        let tiles = divided(call.blocks.shape.maxItems, 64)
        for (first, step, size) in call.blocks.itemSets {
            let grid = BlockGrid(first: first, step: step, count: size, tiles: tiles)
            let most = sweep.tiles(width: call.items.matrix.columns, extra: 272)
            for tilesOfRun in Sweep.runs(divided(call.blocks.shape.maxTokens, 64), most: most) {
                try run(
                    "blockCatalog", groups: grid.groups * call.chunks(call.targets.catalog),
                    work: call.work(blocks: size, of: call.blocks.shape.maxTokens, tilesOfRun)
                ) { (a) throws(ShortlistError) in
                    try describe(call, grid, sweep: tilesOfRun, output: call.targets.catalog, &a)
                    a.address(try writes(call.targets.bias))
                    a.address(try reads(call.targets.rows?.bits))
                    a.address(try reads(call.targets.rows?.before))
                }
            }
        }
    }

    func targetGradient(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState, coefficients: Vector<Float>,
        into targets: GradientTargets
    ) throws(ShortlistError) {
        try open(.targetGradient)
        let call = TargetCall(
            tokens: tokens, items: items, scale: scale, state: state, coefficients: coefficients, targets: targets)
        let count = coefficients.count
        let work = 4 * Double(count) * Double(items.matrix.columns)
        if targets.hidden != nil || targets.scale != nil {
            try withScratchVectors { () throws(ShortlistError) in
                let parts = targets.scale == nil ? nil : try reserve(Double.self, count: count)
                try run("targetHidden", groups: count, work: work) { (a) throws(ShortlistError) in
                    try describe(call, output: targets.hidden, &a)
                    a.address(try writes(parts))
                }
                if let parts, let scale = targets.scale {
                    try sum(parts, rows: count, width: 1, into: scale, adding: true)
                }
            }
        }
        guard targets.catalog != nil || targets.bias != nil else { return }
        let owners = min(512, max(1, count / 16))
        // All tokens of a run may have one target.
        let most = max(256, sweep.iterations / (2 + divided(items.matrix.columns, 256)))
        for tokens in Sweep.runs(count, most: most) {
            try run("targetItems", groups: owners, work: work + Double(owners * tokens.count)) {
                (a) throws(ShortlistError) in
                try describe(call, output: targets.catalog, end: tokens.upperBound, &a)
                a.address(try writes(targets.bias))
                a.address(try reads(targets.rows?.bits))
                a.address(try reads(targets.rows?.before))
                try a.word(owners)
                try a.word(tokens.lowerBound)
            }
        }
    }

    /// TARGET_MEMBERS of common/target.glsl.
    private func describe(
        _ call: TargetCall, output: DeviceMatrix?, end: Int? = nil, _ a: inout Arguments
    ) throws(ShortlistError) {
        a.address(try reads(call.tokens.hidden.matrix))
        a.address(try reads(call.tokens.hidden.rows))
        a.address(try reads(call.tokens.targets))
        a.address(try reads(call.items.matrix))
        a.address(try reads(call.state.losses))
        a.address(try reads(call.coefficients))
        a.address(try writes(output))
        for value in [
            call.tokens.hidden.matrix.rowStride, call.items.matrix.rowStride, output?.rowStride ?? 0,
            call.items.matrix.columns, end ?? call.coefficients.count,
        ] { try a.word(value) }
        a.float(call.scale)
    }
}

/// What a block gradient is asked for.
private struct GradientCall {
    let blocks: CandidateBlocks
    let tokens: TokenSet
    let items: ItemSet
    let scale: Float
    let state: TokenState
    let coefficients: Vector<Float>
    let targets: GradientTargets

    /// Workgroups that share a tile's columns, 64 each; one where no rows are wanted.
    func chunks(_ output: DeviceMatrix?) -> Int { output == nil ? 1 : divided(items.matrix.columns, 64) }

    /// Of `blocks` blocks, a sweep of what has `length` rows.
    func work(blocks count: Int, of length: Int, _ sweep: Range<Int>) -> Double {
        let share = Double(count) / Double(max(blocks.ranges.count, 1)) * Double(sweep.count * 64) / Double(length)
        return ScorePlan.work(blocks.shape) * Double(1 + divided(items.matrix.columns, 64)) * min(share, 1)
    }
}

private struct TargetCall {
    let tokens: TokenSet
    let items: ItemSet
    let scale: Float
    let state: TokenState
    let coefficients: Vector<Float>
    let targets: GradientTargets
}

extension CandidateBlocks {
    /// Sets of blocks that may run together because no two of one set hold the same token that passes a gradient.
    fileprivate var tokenSets: [(first: Int, step: Int, count: Int)] {
        switch arrangement {
        case .dense: return [(0, 1, ranges.count)]
        case .rounds(let count, let chunkCount, _, _): return (0..<count).map { ($0 * chunkCount, 1, chunkCount) }
        case .lists:
            // With `max` a token's winner alone passes one.
            return combination == .max ? [(0, 1, ranges.count)] : (0..<ranges.count).map { ($0, 1, 1) }
        }
    }

    /// The same for items. Within a round, chunks that are far enough from one another see different items.
    fileprivate var itemSets: [(first: Int, step: Int, count: Int)] {
        switch arrangement {
        case .dense: return [(0, 1, ranges.count)]
        case .lists: return (0..<ranges.count).map { ($0, 1, 1) }
        case .rounds(let count, let chunkCount, let neighbours, _):
            let apart = min(2 * neighbours + 1, chunkCount)
            return (0..<count).flatMap { round in
                (0..<apart).map { (round * chunkCount + $0, apart, divided(chunkCount - $0, apart)) }
            }
        }
    }
}
