import ShortlistCore
import ShortlistReference

extension RetrievalData {
    private var isExact: Bool { options.integers }

    func checkTop(_ found: (Guarded<Int32>, Guarded<Float>, Report), into report: inout ConformanceReport) {
        let (ids, values, call) = found
        let (q, c, k) = (options.queries, options.items, options.k)
        report.expect(ids.isIntact && values.isIntact, "top-k writes its results alone", "a sentinel changed")
        let used = min(k, c - hidden.count)
        report.expect(call.topK == used, "the report has k after capping", "\(call.topK) not \(used)")
        report.expect(
            call.notes.contains(.optionCapped) == (used < k), "a capped k is noted", "\(call.notes.descriptions)")
        if isExact {
            let want = ReferenceKernels.topK(
                scores, rows: q, columns: c, k: k, excluded: hidden, seen: options.seen > 0 ? seen : nil)
            report.expect(
                ids.values.map(Int.init) == want.ids, "top-k ids are exact on small integers, ties to the lower id",
                difference(ids.values.map(Int.init), want.ids))
            report.expect(
                zip(values.values, want.scores).allSatisfy { Double($0) == $1 || ($0.isNaN && $1.isNaN) },
                "top-k scores are exact on small integers")
            return
        }
        for query in 0..<q { checkTop(of: query, ids, values, into: &report) }
    }

    /// Places filled with distinct allowed items in order, missing ones −1, and nothing better left out.
    private func checkTop(
        of query: Int, _ ids: Guarded<Int32>, _ values: Guarded<Float>, into report: inout ConformanceReport
    ) {
        let (c, k) = (options.items, options.k)
        let got = ids.values[query * k..<(query + 1) * k].map(Int.init)
        let value = Array(values.values[query * k..<(query + 1) * k])
        let leftOut = hidden.union(options.seen > 0 ? seen[query] : [])
        let count = min(k, c - leftOut.count)
        let taken = got.prefix(count)
        let sound =
            taken.allSatisfy { $0 >= 0 && $0 < c && !leftOut.contains($0) } && Set(taken).count == count
            && got.dropFirst(count).allSatisfy { $0 == -1 } && value.dropFirst(count).allSatisfy { $0 == -.infinity }
        guard
            report.expect(
                sound, "top-k fills its places with distinct items that are not left out, then −1 and −∞",
                "query \(query): \(got)")
        else { return }
        var last = Float.infinity
        var ordered = true
        var close = true
        for (place, item) in taken.enumerated() {
            let (z, bound) = (scores[query * c + item], room[query * c + item])
            if z.isFinite { close = close && abs(Double(value[place]) - z) <= bound }
            ordered = ordered && (value[place].isNaN || value[place] <= last)
            if !value[place].isNaN { last = value[place] } else { last = -.infinity }
        }
        report.expect(ordered, "top-k comes largest first, NaN last", "query \(query): \(value)")
        report.expect(close, "top-k scores are within the bound of projections", "query \(query): \(value)")
        let mine = Set(taken)
        let least = taken.map { scores[query * c + $0] + room[query * c + $0] }.filter { !$0.isNaN }.min() ?? -.infinity
        let hasNaN = taken.contains { scores[query * c + $0].isNaN }
        let missed = (0..<c).filter { !mine.contains($0) && !leftOut.contains($0) }
        report.expect(
            missed.allSatisfy {
                let z = scores[query * c + $0]
                return z.isNaN || (!hasNaN && z - room[query * c + $0] <= least)
            }, "top-k leaves nothing better out", "query \(query)")
    }

    func checkRanks(_ ranks: Guarded<Int64>, into report: inout ConformanceReport) {
        let (q, c) = (options.queries, options.items)
        let seenLists = options.seen > 0 ? seen : nil
        report.expect(ranks.isIntact, "ranks write their results alone", "a sentinel changed")
        let got = ranks.values.map(Int.init)
        let wanted = targets.values.map(Int.init)
        if isExact {
            let want = ReferenceKernels.targetRanks(
                scores, columns: c, targets: wanted, excluded: hidden, seen: seenLists)
            report.expect(
                got == want, "target ranks are exact on small integers, ties by lower id, the target never removed",
                difference(got, want))
            return
        }
        for query in 0..<q {
            let target = wanted[query]
            let (z, own) = (scores[query * c + target], room[query * c + target])
            guard z.isFinite else { continue }
            let leftOut = hidden.union(options.seen > 0 ? seen[query] : [])
            let others = (0..<c).filter { $0 != target && !leftOut.contains($0) && !scores[query * c + $0].isNaN }
            let certain = others.count { scores[query * c + $0] - room[query * c + $0] > z + own }
            let possible = others.count { scores[query * c + $0] + room[query * c + $0] >= z - own }
            report.expect(
                got[query] >= 1 + certain && got[query] <= 1 + possible,
                "a target's rank counts what stands above it",
                "query \(query): \(got[query]), from \(1 + certain) to \(1 + possible)")
        }
    }

    private func difference(_ got: [Int], _ want: [Int]) -> String {
        guard let place = zip(got, want).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else {
            return "\(got.count) values, the oracle has \(want.count)"
        }
        return "place \(place) is \(got[place]), the oracle has \(want[place])"
    }
}
