import ShortlistCore

/// Candidate blocks, tokens and items resolved to memory.
struct HostBlocks {
    let ranges: UnsafePointer<BlockRange>
    let tokens: UnsafePointer<Int32>?
    let items: UnsafePointer<Int32>?
    let logWeights: UnsafePointer<Float>?
    let previousSlot: UnsafePointer<Int32>?
    let previousPlace: UnsafePointer<Int32>?
    let blockOfSlot: UnsafePointer<Int32>?
    let blockOfPlace: UnsafePointer<Int32>?
    let arrangement: CandidateBlocks.Arrangement
    let places: UnsafePointer<Int32>?
    let shape: BlockShape

    let hidden: HostRows
    let targets: UnsafePointer<Int32>
    let catalog: HostMatrix
    let bias: UnsafePointer<Float>?
    let excluded: UnsafePointer<Int32>?
    let excludedCount: Int
    var selectableCount: Int { catalog.rows - excludedCount }

    /// The token (ordinal) of a slot.
    func token(_ slot: Int) -> Int { tokens.map { Int($0[slot]) } ?? slot }
    /// The item at a place.
    func item(_ place: Int) -> Int { items.map { Int($0[place]) } ?? place }

    /// Where `item` stands in block `block`, counted from the block's first place; −1 when it is not in it.
    func place(of item: Int32, in block: Int) -> Int {
        let range = ranges[block]
        let place: Int
        switch arrangement {
        case .dense:
            place = Int(item)
        case .lists:
            guard let items else { return -1 }
            let mine = items + range.itemStart
            let found = lowerBound(mine, range.itemCount, item)
            return found < range.itemCount && mine[found] == item ? found : -1
        case .rounds(_, let chunkCount, _, _):
            guard let places else { return -1 }
            let round = block / chunkCount
            let inRound = Int(places[round * catalog.rows + Int(item)])
            guard inRound >= 0 else { return -1 }
            place = round * selectableCount + inRound
        }
        let found = place - range.itemStart
        return found >= 0 && found < range.itemCount ? found : -1
    }
}

extension CPUStream {
    func resolve(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet
    ) throws(ShortlistError) -> HostBlocks {
        var places: UnsafePointer<Int32>?
        if case .rounds(_, _, _, let vector) = blocks.arrangement { places = UnsafePointer(try pointer(vector)) }
        return HostBlocks(
            ranges: try pointer(blocks.ranges), tokens: try optionalPointer(blocks.tokens),
            items: try optionalPointer(blocks.items), logWeights: try optionalPointer(blocks.logWeights),
            previousSlot: try optionalPointer(blocks.previousSlot),
            previousPlace: try optionalPointer(blocks.previousPlace),
            blockOfSlot: try optionalPointer(blocks.blockOfSlot),
            blockOfPlace: try optionalPointer(blocks.blockOfPlace), arrangement: blocks.arrangement, places: places,
            shape: blocks.shape, hidden: try source(tokens.hidden), targets: try pointer(tokens.targets),
            catalog: try matrix(items.matrix), bias: try optionalPointer(items.bias),
            excluded: try optionalPointer(items.excluded), excludedCount: items.excluded?.count ?? 0)
    }
}
