import ShortlistCore

/// Sorting, and chains from each place to the same thing's place before.
extension PlainStream {
    func sortByKey(
        _ keys: Vector<Int32>, keyBound: Int, excluding excluded: Vector<Int32>?, into order: Vector<Int32>
    ) throws(ShortlistError) {
        try open(.sortByKey)
        let (keys, excluded, order) = (try elements(keys), try optionalElements(excluded), try elements(order))
        func isKept(_ id: Int) -> Bool { !(excluded.map { isListed(id, in: $0[...]) } ?? false) }
        // A counting sort: ids come in ascending order, so equal keys stay in it. There may be more keys than ids kept.
        try withScratchVectors { () throws(ShortlistError) in
            let next = try elements(try reserve(Int32.self, count: keyBound))
            next.update(repeating: 0)
            for id in keys.indices where isKept(id) { next[Int(keys[id])] += 1 }
            var sum: Int32 = 0
            for key in next.indices {
                let count = next[key]
                next[key] = sum
                sum += count
            }
            for id in keys.indices where isKept(id) {
                let key = Int(keys[id])
                order[Int(next[key])] = Int32(id)
                next[key] += 1
            }
        }
    }

    func invert(_ order: Vector<Int32>, into places: Vector<Int32>) throws(ShortlistError) {
        try open(.invert)
        let (order, places) = (try elements(order), try elements(places))
        places.update(repeating: -1)
        for (place, id) in order.enumerated() { places[Int(id)] = Int32(place) }
    }

    func link(
        _ ids: Vector<Int32>, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        try open(.linkTokens)
        let (ids, last, previous) = (try elements(ids), try elements(last), try elements(previous))
        chain(ids, last, previous) { Int($0) }
    }

    func linkItems(
        _ ids: Vector<Int32>, map: ItemMap, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        try open(.linkTokens)
        let (ids, last, previous) = (try elements(ids), try elements(last), try elements(previous))
        let map = try resolve(map)
        chain(ids, last, previous) { map.row(of: Int($0)) }
    }

    /// `last[row]` is the last place seen so far of the thing that has `row`; −1 for none.
    private func chain(
        _ ids: UnsafeMutableBufferPointer<Int32>, _ last: UnsafeMutableBufferPointer<Int32>,
        _ previous: UnsafeMutableBufferPointer<Int32>, row: (Int32) -> Int
    ) {
        last.update(repeating: -1)
        for (place, id) in ids.enumerated() {
            previous[place] = last[row(id)]
            last[row(id)] = Int32(place)
        }
    }
}
