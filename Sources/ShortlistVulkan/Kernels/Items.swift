import ShortlistCore

/// The set of items that a call touches: markItems.comp, markAll.comp, countItems.comp, listItems.comp.
extension VulkanStream {
    func touchedItems(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, items: ItemSet, into map: ItemMap
    ) throws(ShortlistError) -> Int {
        try open(.touchedItems)
        let words = map.bits.count
        if case .lists = blocks.arrangement {
            try clear(map.bits)
            if let listed = blocks.items { try mark(listed, map) }
            try mark(tokens.targets, map)
        } else {
            try run("markAll", groups: divided(words * 2, 256)) { (a) throws(ShortlistError) in
                a.address(try writes(map.bits, discards: true))
                a.address(try reads(items.excluded))
                for value in [words * 2, items.count, items.excluded?.count ?? 0] { try a.word(value) }
            }
        }
        try run("countItems", groups: divided(words, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(map.bits))
            a.address(try writes(map.before, discards: true))
            try a.word(words)
        }
        var count = 0
        try withScratchVectors { () throws(ShortlistError) in
            let total = try reserve(Int32.self, count: 1)
            try scan(map.before, total: total)
            try read(total) { count = Int($0[0]) }
        }
        return count
    }

    /// Zeroes 64-bit numbers.
    func clear<E: FixedWidthInteger & BitwiseCopyable>(_ numbers: Vector<E>) throws(ShortlistError) {
        let words = numbers.count * MemoryLayout<E>.stride / 4
        try run("fillInt", groups: divided(words, 4096)) { (a) throws(ShortlistError) in
            a.address(try writes(numbers, discards: true))
            try a.word(words)
            try a.word(0)
        }
    }

    private func mark(_ ids: Vector<Int32>, _ map: ItemMap) throws(ShortlistError) {
        try run("markItems", groups: divided(ids.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(ids))
            a.address(try writes(map.bits))
            try a.word(ids.count)
        }
    }

    func listItems(_ map: ItemMap, into ids: Vector<Int32>) throws(ShortlistError) {
        try checkStop()
        try run("listItems", groups: divided(map.bits.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(map.bits))
            a.address(try reads(map.before))
            a.address(try writes(ids, discards: true))
            try a.word(map.bits.count)
            try a.word(ids.count)
        }
    }
}
