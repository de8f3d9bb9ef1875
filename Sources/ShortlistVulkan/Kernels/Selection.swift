import ShortlistCore

/// Top-k of scores and ranks: selectTop.comp, sortStep.comp, unpackTop.comp, countAbove.comp.
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
        let queries = top.ids.count / k
        // A workgroup would sort for too long: then it takes the whole device, a step of the network at a time.
        let isSorted = k > 65_536
        if isSorted { try sortKeys(best, queries: queries, k: k, order: order) }
        try run("unpackTop", groups: queries, work: 100 * Double(top.ids.count)) { (a) throws(ShortlistError) in
            a.address(try writes(best))
            a.address(try writes(top.ids, discards: true))
            a.address(try writes(top.scores))
            try a.word(k)
            a.flag(order == .byIndex)
            a.flag(isSorted)
        }
    }

    private func sortKeys(
        _ best: Vector<UInt64>, queries: Int, k: Int, order: TopOrder
    ) throws(ShortlistError) {
        var padded = 1
        while padded < k { padded *= 2 }
        guard padded <= 1 << 31 else { throw ShortlistError(.unsupported, "top-\(k) on a Vulkan device") }
        var size = 2
        while size <= padded {
            var distance = size / 2
            while distance > 0 {
                try run("sortStep", groups: divided(queries * padded / 2, 256), work: 10 * Double(queries * padded)) {
                    (a) throws(ShortlistError) in
                    a.address(try writes(best))
                    for value in [queries, k, padded / 2, size, distance] { try a.word(value) }
                    a.flag(order == .byIndex)
                }
                distance /= 2
            }
            size *= 2
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
