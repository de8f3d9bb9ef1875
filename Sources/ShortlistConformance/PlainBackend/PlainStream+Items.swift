import ShortlistCore

/// A set of items, resolved to memory.
struct PlainItemMap {
    let bits: UnsafeMutableBufferPointer<UInt64>
    let before: UnsafeMutableBufferPointer<Int32>

    func contains(_ item: Int) -> Bool { bits[item / 64] >> UInt64(item % 64) & 1 == 1 }

    func insert(_ item: Int) { bits[item / 64] |= 1 << UInt64(item % 64) }

    /// The row of an item that is in the set: how many of the set stand before it.
    func row(of item: Int) -> Int {
        let below = bits[item / 64] & (1 << UInt64(item % 64) - 1)
        return Int(before[item / 64]) + below.nonzeroBitCount
    }
}

extension PlainStream {
    func resolve(_ map: ItemMap) throws(ShortlistError) -> PlainItemMap {
        PlainItemMap(bits: try elements(map.bits), before: try elements(map.before))
    }

    func touchedItems(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, items: ItemSet, into map: ItemMap
    ) throws(ShortlistError) -> Int {
        try open(.touchedItems)
        let map = try resolve(map)
        map.bits.update(repeating: 0)
        if case .lists = blocks.arrangement {
            if let listed = try optionalElements(blocks.items) { for item in listed { map.insert(Int(item)) } }
            for item in try elements(tokens.targets) { map.insert(Int(item)) }
        } else {
            let excluded = try optionalElements(items.excluded)
            for item in 0..<items.count where !(excluded.map { isListed(item, in: $0[...]) } ?? false) {
                map.insert(item)
            }
        }
        var count = 0
        for word in map.bits.indices {
            map.before[word] = Int32(count)
            count += map.bits[word].nonzeroBitCount
        }
        return count
    }

    func listItems(_ map: ItemMap, into ids: Vector<Int32>) throws(ShortlistError) {
        let (map, ids) = (try resolve(map), try elements(ids))
        var next = 0
        for item in 0..<map.bits.count * 64 where map.contains(item) {
            ids[next] = Int32(item)
            next += 1
        }
    }
}
