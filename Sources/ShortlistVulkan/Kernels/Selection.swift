import ShortlistCore

/// Top-k of scores and ranks: selectTop.comp, unpackTop.comp, countAbove.comp.
extension VulkanStream {
    private func exclude(_ exclusions: Exclusions, _ a: inout Arguments) throws(ShortlistError) {
        a.address(try reads(exclusions.forAll))
        a.address(try reads(exclusions.offsets))
        a.address(try reads(exclusions.ids))
        a.address(try reads(exclusions.bias))
    }

    func selectTop(
        _ scores: DeviceMatrix, first: Int, exclusions: Exclusions, k: Int, best: Vector<UInt64>
    ) throws(ShortlistError) {
        try open(.selectTop)
        guard k > 0 else { return }
        try run("selectTop", groups: scores.rows, work: 20 * Double(scores.rows) * Double(scores.columns + k)) {
            (a) throws(ShortlistError) in
            a.address(try reads(scores))
            a.address(try writes(best))
            try exclude(exclusions, &a)
            for value in [scores.rowStride, scores.columns, first, k, exclusions.forAll?.count ?? 0] {
                try a.word(value)
            }
        }
    }

    func unpackTop(
        _ best: Vector<UInt64>, k: Int, order: TopOrder, into top: TopOutput
    ) throws(ShortlistError) {
        try checkStop()
        guard k > 0 else { return }
        guard k <= 65_536 else { return try unpackOnHost(best, k: k, order: order, into: top) }
        try run("unpackTop", groups: top.ids.count / k, work: 100 * Double(top.ids.count)) {
            (a) throws(ShortlistError) in
            a.address(try writes(best))
            a.address(try writes(top.ids, discards: true))
            a.address(try writes(top.scores))
            try a.word(k)
            a.flag(order == .byIndex)
        }
    }

    /// One workgroup would sort for too long: so many keys go through the host.
    private func unpackOnHost(
        _ best: Vector<UInt64>, k: Int, order: TopOrder, into top: TopOutput
    ) throws(ShortlistError) {
        func forEachRow(_ body: (Range<Int>) throws(ShortlistError) -> Void) throws(ShortlistError) {
            for query in 0..<best.count / k { try body(query * k..<(query + 1) * k) }
        }
        try write(best) { (keys) throws(ShortlistError) in
            try forEachRow { (row) in
                var mine = UnsafeMutableBufferPointer(rebasing: keys[row])
                // In both orders the larger number comes first: halves change places where ids decide.
                func turn() {
                    if order == .byIndex { for at in mine.indices { mine[at] = mine[at] << 32 | mine[at] >> 32 } }
                }
                turn()
                sortInPlace(mine)
                turn()
                mine.reverse()
            }
            try write(top.ids) { (ids) throws(ShortlistError) in
                for at in ids.indices { ids[at] = keys[at] == 0 ? -1 : TopKey.id(keys[at]) }
            }
            guard let scores = top.scores else { return }
            try write(scores) { (scores) throws(ShortlistError) in
                for at in scores.indices { scores[at] = keys[at] == 0 ? -.infinity : TopKey.score(keys[at]) }
            }
        }
    }

    func countAbove(
        _ scores: DeviceMatrix, first: Int, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        try open(.countAbove)
        try run("countAbove", groups: scores.rows, work: 4 * Double(scores.rows) * Double(scores.columns)) {
            (a) throws(ShortlistError) in
            a.address(try reads(scores))
            a.address(try reads(targets))
            a.address(try reads(targetScores))
            a.address(try writes(counts))
            try exclude(exclusions, &a)
            for value in [scores.rowStride, scores.columns, first, exclusions.forAll?.count ?? 0] { try a.word(value) }
        }
    }
}
