import ShortlistCore

/// An item map in memory.
struct HostItemMap {
    let bits: UnsafeMutablePointer<UInt64>
    let before: UnsafeMutablePointer<Int32>
    let words: Int

    /// The row of an item that is in the map.
    func row(of item: Int32) -> Int {
        let word = Int(item) >> 6
        let below = bits[word] & (1 << UInt64(item & 63) - 1)
        return Int(before[word]) + below.nonzeroBitCount
    }
}

extension CPUStream {
    func resolve(_ map: ItemMap) throws(ShortlistError) -> HostItemMap {
        HostItemMap(bits: try pointer(map.bits), before: try pointer(map.before), words: map.bits.count)
    }

    func touchedItems(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, items: ItemSet, into map: ItemMap
    ) throws(ShortlistError) -> Int {
        telemetry.native.insert(KernelSet(.touchedItems))
        let host = try resolve(map)
        if case .lists = blocks.arrangement {
            try markListed(blocks, tokens, into: host)
        } else {
            try markSelectable(items, into: host)
        }
        var sum: Int32 = 0
        for word in 0..<host.words {
            host.before[word] = sum
            sum += Int32(host.bits[word].nonzeroBitCount)
        }
        return Int(sum)
    }

    /// Each worker owns a part of the map and looks at every place: no two write to one word.
    private func markListed(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, into map: HostItemMap
    ) throws(ShortlistError) {
        let listed = try optionalPointer(blocks.items)
        let count = blocks.items?.count ?? 0
        let targets = try pointer(tokens.targets)
        let parts = threads
        try parallel(parts, workers: threads) { part, _ in
            let words = part * map.words / parts..<(part + 1) * map.words / parts
            for word in words { map.bits[word] = 0 }
            func mark(_ id: Int32) {
                let word = Int(id) >> 6
                if words.contains(word) { map.bits[word] |= 1 << UInt64(id & 63) }
            }
            if let listed { for place in 0..<count { mark(listed[place]) } }
            for token in 0..<tokens.count { mark(targets[token]) }
        }
    }

    private func markSelectable(_ items: ItemSet, into map: HostItemMap) throws(ShortlistError) {
        map.bits.update(repeating: .max, count: map.words)
        if items.count & 63 != 0 { map.bits[map.words - 1] = 1 << UInt64(items.count & 63) - 1 }
        if let excluded = items.excluded {
            let ids = try pointer(excluded)
            for place in 0..<excluded.count { map.bits[Int(ids[place]) >> 6] &= ~(1 << UInt64(ids[place] & 63)) }
        }
    }

    func listItems(_ map: ItemMap, into ids: Vector<Int32>) throws(ShortlistError) {
        let host = try resolve(map)
        let ids = try pointer(ids)
        try parallelRanges(host.words, grain: 1 << 14) { range, _ in
            for word in range {
                var rest = host.bits[word]
                var next = Int(host.before[word])
                while rest != 0 {
                    ids[next] = Int32(word << 6 + rest.trailingZeroBitCount)
                    next += 1
                    rest &= rest - 1
                }
            }
        }
    }
}
