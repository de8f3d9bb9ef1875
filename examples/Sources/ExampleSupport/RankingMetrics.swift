import Foundation

/// How well rankings put each user's one right item near the top, and how much of the catalog they show.
public struct RankingMetrics: Sendable, Equatable, Codable {
    /// What the first `k` places of the rankings are worth.
    public struct Cutoff: Sendable, Equatable, Codable {
        public let k: Int
        /// HR@k: share of the rankings with the right item among the first k.
        public let hitRate: Double
        /// NDCG@k: mean of 1 / log₂(1 + rank), counting ranks up to k only: with one right item the ideal ranking scores 1.
        public let ndcg: Double
        /// MRR@k: mean of 1 / rank, counting ranks up to k only.
        public let reciprocalRank: Double
        /// COV@k: share of the catalog's items that are among the first k for some user; nil where it was not measured.
        public let coverage: Double?
    }

    /// The cutoffs that are counted.
    public static let cutoffs = [1, 5, 10, 20, 50]

    public let rankings: Int
    /// MRR: mean of 1 / rank over the whole catalog.
    public let reciprocalRank: Double
    /// One for each of `RankingMetrics.cutoffs`, in that order.
    public let cutoffs: [Cutoff]

    /// - Parameters:
    ///   - ranks: one rank per user, 1 for the top. With none, every metric is 0.
    ///   - coverage: what top-k lists showed, if they were made.
    public init(ranks: [Int], coverage: CatalogCoverage? = nil) {
        let count = Double(max(1, ranks.count))
        rankings = ranks.count
        reciprocalRank = ranks.reduce(0) { $0 + 1 / Double($1) } / count
        cutoffs = Self.cutoffs.map { k in
            let hits = ranks.filter { $0 <= k }
            return Cutoff(
                k: k, hitRate: Double(hits.count) / count,
                ndcg: hits.reduce(0) { $0 + 1 / log2(1 + Double($1)) } / count,
                reciprocalRank: hits.reduce(0) { $0 + 1 / Double($1) } / count, coverage: coverage?.share(at: k))
        }
    }

    /// - Parameter k: one of `RankingMetrics.cutoffs`.
    public func at(_ k: Int) -> Cutoff {
        guard let cutoff = cutoffs.first(where: { $0.k == k }) else {
            preconditionFailure("no metrics were counted at \(k), only at \(Self.cutoffs)")
        }
        return cutoff
    }

    public var ndcg10: Double { at(10).ndcg }
    public var hitRate10: Double { at(10).hitRate }
}

/// Which items of a catalog top-k lists have shown so far: one number an item, whatever the number of lists.
public struct CatalogCoverage: Sendable, Equatable {
    /// The best place that each item had, from 1; `Int32.max` for those not shown.
    private var bestPlace: [Int32]

    public init(itemCount: Int) { bestPlace = [Int32](repeating: .max, count: itemCount) }

    /// Adds one list, best item first; negative ids are missing places.
    public mutating func add(_ list: some Sequence<Int32>) {
        for (place, item) in list.enumerated() where item >= 0 {
            bestPlace[Int(item)] = min(bestPlace[Int(item)], Int32(place + 1))
        }
    }

    /// Share of the items that are among the first `k` of some list; 0 for a catalog without items.
    public func share(at k: Int) -> Double {
        bestPlace.isEmpty ? 0 : Double(bestPlace.count { $0 <= k }) / Double(bestPlace.count)
    }
}
