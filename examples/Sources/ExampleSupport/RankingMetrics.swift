import Foundation

/// How well rankings put each user's one right item near the top.
public struct RankingMetrics: Sendable, Equatable, Codable {
    /// Mean of 1 / log₂(1 + rank), counting ranks up to 10 only: with one right item the ideal ranking scores 1.
    public let ndcg10: Double
    /// Share of the rankings with the right item among the first ten.
    public let hitRate10: Double
    /// Mean of 1 / rank over the whole catalog.
    public let reciprocalRank: Double
    public let rankings: Int

    /// - Parameter ranks: one rank per user, 1 for the top. With none, every metric is 0.
    public init(ranks: [Int]) {
        let hits = ranks.filter { $0 <= 10 }
        let count = Double(max(1, ranks.count))
        ndcg10 = hits.reduce(0) { $0 + 1 / log2(1 + Double($1)) } / count
        hitRate10 = Double(hits.count) / count
        reciprocalRank = ranks.reduce(0) { $0 + 1 / Double($1) } / count
        rankings = ranks.count
    }
}
