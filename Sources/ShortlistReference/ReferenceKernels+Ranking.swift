import Glibc

extension ReferenceKernels {
    /// The 1-based rank of each query's target among the items it could be shown.
    ///
    /// `1 + #(items of greater score) + #(items of equal score and lower index)`, in the order of `topK`: NaN below
    /// everything, −0 equal to +0. Excluded and seen items are removed first, the query's own target never.
    ///
    /// - Parameters:
    ///   - scores: queries × columns.
    ///   - targets: one column a query.
    ///   - excluded: columns removed for every query (put items of bias −∞ here).
    ///   - seen: columns removed per query; may repeat columns.
    public static func targetRanks(
        _ scores: [Double], columns: Int, targets: [Int], excluded: Set<Int> = [], seen: [[Int]]? = nil
    ) -> [Int] {
        targets.enumerated().map { q, target in
            let removed = excluded.union(seen?[q] ?? [])
            let row = Array(scores[q * columns..<(q + 1) * columns])
            return 1
                + (0..<columns).count { item in
                    !removed.contains(item) && outranks(row[item], item, row[target], target)
                }
        }
    }

    /// HR@k, the share of queries whose target stands in the first k; 0 for no queries.
    public static func hitRate(ranks: [Int], k: Int) -> Double {
        meanGain(ranks, k) { _ in 1 }
    }

    /// NDCG@k with one relevant item a query: the mean of `1/log2(1 + rank)` where rank ≤ k, else 0; 0 for no queries.
    public static func ndcg(ranks: [Int], k: Int) -> Double {
        meanGain(ranks, k) { 1 / log2(1 + Double($0)) }
    }

    /// MRR@k: the mean of `1/rank` where rank ≤ k, else 0; 0 for no queries.
    public static func reciprocalRank(ranks: [Int], k: Int) -> Double {
        meanGain(ranks, k) { 1 / Double($0) }
    }

    private static func meanGain(_ ranks: [Int], _ k: Int, gain: (Int) -> Double) -> Double {
        var sum = 0.0
        for rank in ranks {
            precondition(rank >= 1, "ranks begin at 1")
            if rank <= k { sum += gain(rank) }
        }
        return ranks.isEmpty ? 0 : sum / Double(ranks.count)
    }
}
