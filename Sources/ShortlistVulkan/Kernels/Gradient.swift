import ShortlistCore

/// The candidates' gradients: keepWinners.comp, blockHidden.comp, blockCatalog.comp, addPlaces.comp, addRuns.comp, and
/// fill.comp. All but the last add.
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
        let wanted = BlockGradientShape(
            hidden: targets.hidden != nil, catalog: targets.catalog != nil, bias: targets.bias != nil,
            scale: targets.scale != nil, tokensAreExclusive: blocks.tokensAreExclusive)
        let plan = GradientPlan(blocks.shape, wanted, limit: try opened().scratchLimit, sweep)
        try withScratchVectors { () throws(ShortlistError) in
            var call = GradientCall(
                blocks: blocks, tokens: tokens, items: items, scale: scale, state: state, coefficients: coefficients,
                targets: targets, plan: plan)
            if case .lists = blocks.arrangement, blocks.combination == .max { try keepWinners(&call) }
            let sortCount = max(call.sharedTokens?.count ?? 0, call.sharedItems?.count ?? 0)
            if sortCount > 0 {
                call.order = try reserve(Int32.self, count: sortCount)
                call.sortRoom = try SortRoom(sortCount, on: self)
                call.shares = try reserve(
                    Float.self, count: SegmentPlan.shares(sortCount, columns: items.matrix.columns + 1))
            }
            let parts = wanted.scale ? try reserve(Double.self, count: plan.partCount) : nil
            let columns = items.matrix.columns
            let rows = max(wanted.hidden ? plan.hiddenRows : 0, wanted.catalog ? plan.catalogRows : 0)
            if rows > 0 { call.slab = try reserve(Float.self, count: rows * columns) }
            if wanted.bias, plan.catalogRows > 0 {
                call.biasSlab = try reserve(Float.self, count: plan.catalogRows)
            }
            if wanted.hidden || wanted.scale { try addHidden(call, parts) }
            if wanted.catalog || wanted.bias { try addCatalog(call) }
        }
    }

    /// Lists each block's winning slots, so that the others take no part in what follows.
    private func keepWinners(_ call: inout GradientCall) throws(ShortlistError) {
        guard let slots = call.blocks.tokens else { return }
        let kept = try reserve(Int32.self, count: slots.count)
        let counts = try reserve(Int32.self, count: call.blocks.ranges.count)
        // An invocation scans a block, 256 slots at a time.
        guard divided(call.blocks.shape.maxTokens, 256) * 9 <= max(sweep.iterations, 50_000) else {
            throw ShortlistError(
                .unsupported, "the Vulkan backend has no blocks of \(call.blocks.shape.maxTokens) tokens on this device"
            )
        }
        try run("keepWinners", groups: counts.count) { (a) throws(ShortlistError) in
            a.address(try reads(call.blocks.ranges))
            a.address(try reads(slots))
            a.address(try reads(call.state.winners))
            a.address(try reads(call.coefficients))
            a.address(try writes(kept, discards: true))
            a.address(try writes(counts, discards: true))
        }
        call.kept = (kept, counts)
    }

    /// GRADIENT_MEMBERS of common/gradient.glsl, after BLOCK_MEMBERS.
    private func describe(
        _ call: GradientCall, _ grid: BlockGrid, sweep: Range<Int>, _ matrix: DeviceMatrix?, _ output: GradientOutput,
        runs: Int, isAdded: Bool, _ a: inout Arguments
    ) throws(ShortlistError) {
        try describe(call.blocks, call.tokens, call.items, scale: call.scale, grid, &a)
        a.address(try reads(call.state.logSumExp))
        a.address(try reads(call.coefficients))
        a.address(try reads(call.kept?.slots))
        a.address(try reads(call.kept?.counts))
        let columns = call.items.matrix.columns
        var (stride, first, rows) = (columns, 0, 0)
        switch output {
        case .target:
            a.address(try writes(matrix))
            a.address(0)
            stride = matrix?.rowStride ?? 0
        case .runs(let count):
            a.address(0)
            a.address(matrix == nil ? 0 : try writes(call.slab))
            rows = count
        case .places(let range):
            a.address(0)
            a.address(matrix == nil ? 0 : try writes(call.slab))
            first = range.lowerBound
        }
        for value in [stride, first, rows] { try a.word(value) }
        a.flag(isAdded)
        for value in [matrix == nil ? 0 : divided(columns, 64), runs, sweep.lowerBound, sweep.upperBound] {
            try a.word(value)
        }
    }

    private func addHidden(_ call: GradientCall, _ parts: Vector<Double>?) throws(ShortlistError) {
        let (plan, hidden) = (call.plan, call.targets.hidden)
        let tiles = divided(call.blocks.shape.maxTokens, plan.tile.size)
        let runs = plan.hiddenRuns
        if let parts { try fill(parts, with: 0) }
        let ids = call.sharedTokens
        if let ids { try sort(ids, keyBound: call.tokens.count, call) }
        for (blocks, output) in try tokenSets(call) {
            let grid = BlockGrid(first: blocks.first, step: blocks.step, count: blocks.count, tiles: tiles)
            let most = runs * sweep.tiles(width: call.items.matrix.columns, extra: call.tileSteps)
            let passes = Sweep.runs(divided(call.blocks.shape.maxItems, plan.tile.size), most: most)
            for tilesOfRun in passes {
                try run(
                    "blockHidden", plan.tile, groups: grid.groups * runs,
                    work: call.work(blocks: blocks.count, of: call.blocks.shape.maxItems, tilesOfRun)
                ) { (a) throws(ShortlistError) in
                    try describe(
                        call, grid, sweep: tilesOfRun, hidden, output, runs: runs,
                        isAdded: tilesOfRun.lowerBound > 0, &a)
                    a.address(try writes(parts))
                }
            }
            guard let hidden else { continue }
            let rows = RowTarget(matrix: hidden, bias: nil, rowList: call.tokens.hidden.rows, map: nil)
            switch output {
            case .target: break
            case .runs(let count):
                try addRuns(call, count: count, runs: runs, into: rows)
            case .places(let range):
                guard let ids else { continue }
                try addPlaces(call, ids: ids, range, into: rows)
            }
        }
        if let parts, let scale = call.targets.scale {
            try sum(parts, rows: parts.count, width: 1, into: scale, adding: true)
        }
    }

    private func addCatalog(_ call: GradientCall) throws(ShortlistError) {
        let (plan, catalog, bias) = (call.plan, call.targets.catalog, call.targets.bias)
        let tiles = divided(call.blocks.shape.maxItems, plan.tile.size)
        let runs = plan.catalogRuns
        let ids = call.sharedItems
        if let ids { try sort(ids, keyBound: call.items.count, call) }
        for (blocks, output) in try itemSets(call) {
            let grid = BlockGrid(first: blocks.first, step: blocks.step, count: blocks.count, tiles: tiles)
            let most = runs * sweep.tiles(width: call.items.matrix.columns, extra: call.tileSteps)
            let passes = Sweep.runs(divided(call.blocks.shape.maxTokens, plan.tile.size), most: most)
            for tilesOfRun in passes {
                try run(
                    "blockCatalog", plan.tile, groups: grid.groups * runs,
                    work: call.work(blocks: blocks.count, of: call.blocks.shape.maxTokens, tilesOfRun)
                ) { (a) throws(ShortlistError) in
                    try describe(
                        call, grid, sweep: tilesOfRun, catalog, output, runs: runs,
                        isAdded: tilesOfRun.lowerBound > 0, &a)
                    var isDirect = false
                    if case .target = output { isDirect = true }
                    a.address(isDirect ? try writes(bias) : 0)
                    a.address(isDirect || bias == nil ? 0 : try writes(call.biasSlab))
                    a.address(try reads(call.targets.rows?.bits))
                    a.address(try reads(call.targets.rows?.before))
                }
            }
            let rows = RowTarget(matrix: catalog, bias: bias, rowList: nil, map: call.targets.rows)
            switch output {
            case .target: break
            case .runs(let count): try addRuns(call, count: count, runs: runs, into: rows)
            case .places(let range):
                guard let ids else { continue }
                try addPlaces(call, ids: ids, range, into: rows)
            }
        }
    }

    private func sort(_ ids: Vector<Int32>, keyBound: Int, _ call: GradientCall) throws(ShortlistError) {
        guard let order = call.order, let room = call.sortRoom else { return }
        try sort(ids, keyBound: keyBound, into: order.slice(0..<ids.count), in: room)
    }
}
