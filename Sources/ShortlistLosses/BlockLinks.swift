import ShortlistCore

/// The chains that lead from a slot to the same token's slot in an earlier block, and (for `union` over lists) from an
/// item's place to its place in an earlier block.
public struct BlockLinks {
    let lastSlot: Vector<Int32>
    let previousSlot: Vector<Int32>
    let lastPlace: Vector<Int32>
    let previousPlace: Vector<Int32>
    let blockOfSlot: Vector<Int32>
    let blockOfPlace: Vector<Int32>

    init(_ shape: BlockShape, places: Int, from source: inout some VectorSource) throws(ShortlistError) {
        let listed = shape.onceOnly && shape.rounds == 0
        lastSlot = try source.reserve(Int32.self, count: shape.tokenCount)
        previousSlot = try source.reserve(Int32.self, count: shape.slotCount)
        // Distinct items of blocks and targets: no more than there are items, nor than places and tokens.
        lastPlace = try source.reserve(
            Int32.self, count: listed ? min(shape.itemCount, places + shape.tokenCount) : 0)
        previousPlace = try source.reserve(Int32.self, count: listed ? places : 0)
        blockOfSlot = try source.reserve(Int32.self, count: listed ? shape.slotCount : 0)
        blockOfPlace = try source.reserve(Int32.self, count: listed ? places : 0)
    }

    /// Links the slots of `blocks`; with the once-only rule over lists also its places (the map is filled on the way).
    func connect(
        _ blocks: inout CandidateBlocks, _ problem: Problem, on stream: any Stream
    ) throws(ShortlistError) {
        guard let tokens = blocks.tokens else { return }
        let previous = previousSlot.slice(0..<tokens.count)
        try stream.link(tokens, last: lastSlot, previous: previous)
        blocks.previousSlot = previous
        blocks.lastSlot = lastSlot
        guard blocks.shape.onceOnly, blocks.shape.rounds == 0, let items = blocks.items else { return }
        _ = try stream.touchedItems(blocks, problem.tokens, items: problem.items, into: problem.itemMap)
        let places = previousPlace.slice(0..<items.count)
        try stream.linkItems(items, map: problem.itemMap, last: lastPlace, previous: places)
        blocks.previousPlace = places
        blocks.blockOfSlot = blockOfSlot.slice(0..<tokens.count)
        blocks.blockOfPlace = blockOfPlace.slice(0..<items.count)
    }
}
