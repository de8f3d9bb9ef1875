import ShortlistCore

/// What a block gradient is asked for, and its scratch.
struct GradientCall {
    let blocks: CandidateBlocks
    let tokens: TokenSet
    let items: ItemSet
    let scale: Float
    let state: TokenState
    let coefficients: Vector<Float>
    let targets: GradientTargets
    let plan: GradientPlan
    /// Winning slots, block by block, and how many each block has; nil where every slot passes a gradient.
    var kept: (slots: Vector<Int32>, counts: Vector<Int32>)?
    /// Slots or places, sorted by their tokens or items.
    var order: Vector<Int32>?
    var sortRoom: SortRoom?
    var slab: Vector<Float>?
    var biasSlab: Vector<Float>?
    /// Of runs of slots or places that several workgroups add up.
    var shares: Vector<Float>?

    /// The tokens of slots, where blocks share rows of dX.
    var sharedTokens: Vector<Int32>? {
        guard case .lists = blocks.arrangement, !blocks.tokensAreExclusive, targets.hidden != nil else { return nil }
        return blocks.tokens
    }

    /// The items of places, where blocks share rows of dY.
    var sharedItems: Vector<Int32>? {
        guard case .lists = blocks.arrangement, targets.catalog != nil || targets.bias != nil else { return nil }
        return blocks.items
    }

    /// Iterations of one tile beside those of its first product.
    var tileSteps: Int {
        let width = items.matrix.columns
        return 64 + 4 * plan.tile.rawValue * 18 * divided(width, 64) + blocks.shape.pairSteps(plan.tile)
    }

    /// Of `blocks` blocks, a sweep of what has `length` rows.
    func work(blocks count: Int, of length: Int, _ sweep: Range<Int>) -> Double {
        let share =
            Double(count) / Double(max(blocks.ranges.count, 1)) * Double(sweep.count * plan.tile.size) / Double(length)
        return 2 * ScorePlan.work(blocks.shape) * min(share, 1)
    }
}

/// Blocks that run together: `count` of them, every `step`-th from `first` on.
struct BlockSet {
    let first: Int
    let step: Int
    let count: Int
}

/// Where the rows of one dispatch go.
enum GradientOutput {
    case target
    /// A slab of so many rows for each run.
    case runs(Int)
    /// A slab of these slots or places.
    case places(Range<Int>)
}

/// The rows that a slab is added to.
struct RowTarget {
    let matrix: DeviceMatrix?
    let bias: Vector<Float>?
    let rowList: Vector<Int32>?
    let map: ItemMap?
}

/// Which blocks run together, and how the rows that they share are added up: addRuns.comp, addPlaces.comp.
extension VulkanStream {
    /// Sets of blocks that may run together because no two of one set add to the same row of dX.
    func tokenSets(_ call: GradientCall) throws(ShortlistError) -> [(BlockSet, GradientOutput)] {
        let count = call.blocks.ranges.count
        let all = BlockSet(first: 0, step: 1, count: count)
        switch call.blocks.arrangement {
        case .dense: return [(all, call.plan.hiddenRuns > 1 ? .runs(call.tokens.count) : .target)]
        case .rounds(let count, let chunkCount, _, _):
            return (0..<count).map { (BlockSet(first: $0 * chunkCount, step: 1, count: chunkCount), .target) }
        case .lists:
            guard call.sharedTokens != nil else { return [(all, .target)] }
            return try sets(call.blocks.ranges, most: call.plan.hiddenRows) {
                $0.tokenStart..<$0.tokenStart + $0.tokenCount
            }
        }
    }

    /// The same for dY. Within a round, chunks that are far enough from one another see different items.
    func itemSets(_ call: GradientCall) throws(ShortlistError) -> [(BlockSet, GradientOutput)] {
        let count = call.blocks.ranges.count
        switch call.blocks.arrangement {
        case .dense:
            let all = BlockSet(first: 0, step: 1, count: count)
            return [(all, call.plan.catalogRuns > 1 ? .runs(call.items.count) : .target)]
        case .lists:
            return try sets(call.blocks.ranges, most: call.plan.catalogRows) {
                $0.itemStart..<$0.itemStart + $0.itemCount
            }
        case .rounds(let count, let chunkCount, let neighbours, _):
            let apart = min(2 * neighbours + 1, chunkCount)
            return (0..<count).flatMap { round in
                (0..<apart).map {
                    let count = divided(chunkCount - $0, apart)
                    return (BlockSet(first: round * chunkCount + $0, step: apart, count: count), .target)
                }
            }
        }
    }

    /// Listed blocks, one after the other, as many at a time as a slab of `most` rows has room for.
    private func sets(
        _ ranges: Vector<BlockRange>, most: Int, _ rows: (BlockRange) -> Range<Int>
    ) throws(ShortlistError) -> [(BlockSet, GradientOutput)] {
        var result: [(BlockSet, GradientOutput)] = []
        try read(ranges) { (ranges) throws(ShortlistError) in
            var first = 0
            while first < ranges.count {
                let start = rows(ranges[first]).lowerBound
                var end = first + 1
                while end < ranges.count, rows(ranges[end]).upperBound - start <= most { end += 1 }
                let places = start..<rows(ranges[end - 1]).upperBound
                guard places.count <= most else {
                    throw ShortlistError(
                        .internalError, "a block of \(places.count) rows; \(most) were planned")
                }
                result.append((BlockSet(first: first, step: 1, count: end - first), .places(places)))
                first = end
            }
        }
        return result
    }

    /// Adds the runs of a slab of `count` rows each.
    func addRuns(
        _ call: GradientCall, count: Int, runs: Int, into target: RowTarget
    ) throws(ShortlistError) {
        let columns = target.matrix == nil ? 0 : call.items.matrix.columns
        let elements = count * (columns + (target.bias == nil ? 0 : 1))
        try run("addRuns", groups: divided(elements, 256), work: Double(elements * runs)) {
            (a) throws(ShortlistError) in
            try describe(call, target, &a)
            for value in [count, runs, call.items.matrix.columns, target.matrix?.rowStride ?? 0] { try a.word(value) }
        }
    }

    /// Adds the rows of a slab that has the slots or places `range`, sorted by the ids of their rows.
    func addPlaces(
        _ call: GradientCall, ids: Vector<Int32>, _ range: Range<Int>, into target: RowTarget
    ) throws(ShortlistError) {
        guard let order = call.order, let shares = call.shares else { return }
        let width = call.items.matrix.columns
        let columns = (target.matrix == nil ? 0 : width) + (target.bias == nil ? 0 : 1)
        for isSecond in [false, true] {
            try run("addPlaces", groups: divided(ids.count, 4 * SegmentPlan.places), work: Double(range.count * width))
            {
                (a) throws(ShortlistError) in
                a.address(try reads(order))
                a.address(try reads(ids))
                try describe(call, target, &a)
                a.address(try writes(shares))
                try a.word(ids.count)
                try a.word(columns)
                a.flag(isSecond)
                for value in [range.lowerBound, range.upperBound, width, target.matrix?.rowStride ?? 0] {
                    try a.word(value)
                }
            }
        }
    }

    /// The slabs and the rows that they are added to.
    private func describe(
        _ call: GradientCall, _ target: RowTarget, _ a: inout Arguments
    ) throws(ShortlistError) {
        a.address(target.matrix == nil ? 0 : try reads(call.slab))
        a.address(target.bias == nil ? 0 : try reads(call.biasSlab))
        a.address(try writes(target.matrix))
        a.address(try writes(target.bias))
        a.address(try reads(target.rowList))
        a.address(try reads(target.map?.bits))
        a.address(try reads(target.map?.before))
    }
}

/// Sums over runs of a sorted order, common/segments.glsl: two shares of a row for each 32 places.
enum SegmentPlan {
    static let places = 32

    static func shares(_ count: Int, columns: Int) -> Int { 2 * divided(count, places) * columns }
}
