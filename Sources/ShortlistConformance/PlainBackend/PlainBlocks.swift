import ShortlistCore

/// A call's candidate blocks, tokens and items resolved to memory, and the two questions that scoring asks of them:
/// what is the logit of a pair, and does the pair count.
struct PlainBlocks {
    let blocks: CandidateBlocks
    let ranges: UnsafeMutableBufferPointer<BlockRange>
    let tokens: UnsafeMutableBufferPointer<Int32>?
    let items: UnsafeMutableBufferPointer<Int32>?
    let logWeights: UnsafeMutableBufferPointer<Float>?
    let previousSlot: UnsafeMutableBufferPointer<Int32>?
    /// RECE's places of items in each round's order.
    let places: UnsafeMutableBufferPointer<Int32>?

    let hidden: PlainRows
    let targets: UnsafeMutableBufferPointer<Int32>
    let catalog: PlainRows
    let bias: UnsafeMutableBufferPointer<Float>?
    let excluded: UnsafeMutableBufferPointer<Int32>?
    let scale: Double

    /// The token's ordinal.
    func token(_ slot: Int) -> Int { tokens.map { Int($0[slot]) } ?? slot }
    /// The item's id.
    func item(_ place: Int) -> Int { items.map { Int($0[place]) } ?? place }

    /// ⟨x, y⟩ of the token at a slot and the item at a place.
    func product(_ slot: Int, _ place: Int) -> Double {
        dot(hidden[token(slot)], catalog[item(place)], catalog.width)
    }

    /// z of a pair whose product is known, with the candidate's log-weight.
    func logit(_ product: Double, _ place: Int) -> Double {
        scale * product + Double(bias?[item(place)] ?? 0) + Double(logWeights?[place] ?? 0)
    }

    /// Whether a pair of block `block` is in the token's shortlist: not its own target, not excluded, and (where each
    /// item is to count once) in no earlier block.
    func isCandidate(_ slot: Int, _ place: Int) -> Bool {
        let item = item(place)
        if item == Int(targets[token(slot)]) { return false }
        // Listed blocks hold no excluded item; the dense one lists nothing.
        if let excluded, items == nil, isListed(item, in: excluded[...]) { return false }
        guard blocks.shape.onceOnly, let previousSlot else { return true }
        var earlier = previousSlot[slot]
        while earlier >= 0 {
            if holds(block(of: Int(earlier)), item) { return false }
            earlier = previousSlot[Int(earlier)]
        }
        return true
    }

    /// The block of a slot: token runs follow one another, so it is the last that begins at or before the slot.
    private func block(of slot: Int) -> Int {
        var (low, high) = (0, ranges.count)
        while low + 1 < high {
            let middle = (low + high) / 2
            if ranges[middle].tokenStart <= slot { low = middle } else { high = middle }
        }
        return low
    }

    private func holds(_ block: Int, _ item: Int) -> Bool {
        let range = ranges[block]
        let run = range.itemStart..<range.itemStart + range.itemCount
        switch blocks.arrangement {
        case .dense:
            return true
        case .lists:
            // Ascending within a block.
            return items.map { isListed(item, in: $0[run]) } ?? false
        case .rounds(let count, let chunkCount, _, _):
            guard let places, let items else { return false }
            let round = block / chunkCount
            let place = Int(places[round * catalog.count + item])
            // Each round's order of the selectable items follows the one before.
            return place >= 0 && run.contains(round * (items.count / count) + place)
        }
    }
}

extension PlainStream {
    func resolve(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float
    ) throws(ShortlistError) -> PlainBlocks {
        var places: Vector<Int32>?
        if case .rounds(_, _, _, let vector) = blocks.arrangement { places = vector }
        return PlainBlocks(
            blocks: blocks, ranges: try elements(blocks.ranges), tokens: try optionalElements(blocks.tokens),
            items: try optionalElements(blocks.items), logWeights: try optionalElements(blocks.logWeights),
            previousSlot: try optionalElements(blocks.previousSlot), places: try optionalElements(places),
            hidden: try rows(tokens.hidden), targets: try elements(tokens.targets), catalog: try rows(items.matrix),
            bias: try optionalElements(items.bias), excluded: try optionalElements(items.excluded), scale: Double(scale)
        )
    }
}

extension BlockRange {
    var slots: Range<Int> { tokenStart..<tokenStart + tokenCount }
    var places: Range<Int> { itemStart..<itemStart + itemCount }
}
