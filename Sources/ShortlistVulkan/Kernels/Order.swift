import ShortlistCore

/// Sorting by key, its inverse, and chains: sort*.comp, scan.comp, invert.comp, link*.comp.
extension VulkanStream {
    func sortByKey(
        _ keys: Vector<Int32>, keyBound: Int, excluding excluded: Vector<Int32>?, into order: Vector<Int32>
    ) throws(ShortlistError) {
        try open(.sortByKey)
        try withScratchVectors { () throws(ShortlistError) in
            let room = try SortRoom(order.count, on: self)
            try sort(keys, keyBound: keyBound, excluding: excluded, into: order, in: room)
        }
    }

    /// The same inside another kernel's scratch.
    func sort(
        _ keys: Vector<Int32>, keyBound: Int, excluding excluded: Vector<Int32>? = nil, into order: Vector<Int32>,
        in room: SortRoom
    ) throws(ShortlistError) {
        guard order.count > 0 else { return }
        let groups = SortPlan.groups(order.count)
        let passes = SortPlan.passes(keyBound)
        let other = room.other.slice(0..<order.count)
        let counts = room.counts.slice(0..<16 * groups)
        // So begun that the last pass ends in `order`.
        var (from, to) = passes % 2 == 0 ? (order, other) : (other, order)
        try run("sortStart", groups: divided(keys.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(excluded))
            a.address(try writes(from, discards: true))
            try a.word(keys.count)
            try a.word(excluded?.count ?? 0)
        }
        for pass in 0..<passes {
            try run("sortCount", groups: groups) { (a) throws(ShortlistError) in
                a.address(try reads(keys))
                a.address(try reads(from))
                a.address(try writes(counts, discards: true))
                for value in [order.count, 4 * pass, groups] { try a.word(value) }
            }
            // A scatter's table holds the counts of 64 workgroups.
            let isScanned = groups > 64 || options.scansCounts
            if isScanned { try scan(counts, total: nil) }
            try run("sortScatter", groups: groups, work: 200 * Double(order.count)) { (a) throws(ShortlistError) in
                a.address(try reads(keys))
                a.address(try reads(from))
                a.address(try writes(to, discards: true))
                a.address(try reads(counts))
                for value in [order.count, 4 * pass, groups] { try a.word(value) }
                a.flag(isScanned)
            }
            swap(&from, &to)
        }
    }

    /// Exclusive sums in place, and their total.
    func scan<E: BitwiseCopyable>(_ values: Vector<E>, total: Vector<Int32>?) throws(ShortlistError) {
        try run("scan", groups: 1) { (a) throws(ShortlistError) in
            a.address(try writes(values))
            a.address(try writes(total))
            try a.word(values.count)
        }
    }

    func fill(_ vector: Vector<Int32>, withBits value: UInt32) throws(ShortlistError) {
        try run("fillInt", groups: divided(vector.count, 4096)) { (a) throws(ShortlistError) in
            a.address(try writes(vector, discards: true))
            try a.word(vector.count)
            try a.word(Int(value))
        }
    }

    func invert(_ order: Vector<Int32>, into places: Vector<Int32>) throws(ShortlistError) {
        try open(.invert)
        try fill(places, withBits: .max)
        try run("invert", groups: divided(order.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(order))
            a.address(try writes(places))
            try a.word(order.count)
        }
    }

    func link(
        _ ids: Vector<Int32>, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        try chain(ids, map: nil, last, previous)
    }

    func linkItems(
        _ ids: Vector<Int32>, map: ItemMap, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        try chain(ids, map: map, last, previous)
    }

    private func chain(
        _ ids: Vector<Int32>, map: ItemMap?, _ last: Vector<Int32>, _ previous: Vector<Int32>
    ) throws(ShortlistError) {
        try open(.linkTokens)
        try fill(last, withBits: .max)
        try run("linkInsert", groups: divided(ids.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(ids))
            a.address(try reads(map?.bits))
            a.address(try reads(map?.before))
            a.address(try writes(last))
            a.address(try writes(previous, discards: true))
            try a.word(ids.count)
        }
        // No chain is longer than there are places, of which a level takes three looks at each. Most chains are short and
        // done at once.
        let steps = device.info.isProcessor || options.sweepIterations != nil ? sweep.iterations : 1 << 24
        let levels = max(1, steps / max(1, 3 * ids.count))
        var sorted = 0
        while sorted < 32, 1 << sorted < ids.count {
            try run("linkSort", groups: divided(last.count, 64), work: 10 * Double(ids.count)) {
                (a) throws(ShortlistError) in
                a.address(try writes(last))
                a.address(try writes(previous))
                try a.word(last.count)
                try a.word(levels)
            }
            sorted += levels
        }
    }
}

/// What a sort of up to `count` places needs beside its order: `SortPlan.bytes`.
struct SortRoom {
    let other: Vector<Int32>
    let counts: Vector<UInt32>

    init(_ count: Int, on stream: VulkanStream) throws(ShortlistError) {
        other = try stream.reserve(Int32.self, count: count)
        counts = try stream.reserve(UInt32.self, count: 16 * SortPlan.groups(count))
    }
}

/// The radix sort's passes of four bits, and its workgroups of 4096 places.
enum SortPlan {
    static func passes(_ keyBound: Int) -> Int {
        var passes = 0
        while passes < 8, (keyBound - 1) >> (4 * passes) > 0 { passes += 1 }
        return passes
    }

    static func groups(_ count: Int) -> Int { divided(count, 4096) }

    static func bytes(_ count: Int) -> Int { padded(count * 4) + padded(16 * groups(count) * 4) }

    static func scratch(_ count: Int) -> ScratchNeed { ScratchNeed(least: bytes(count), planned: bytes(count)) }
}
