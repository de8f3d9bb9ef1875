import Shortlist
import Testing

@testable import ExampleSupport

@Suite struct RankingTests {
    @Test func `metrics agree with hand values`() {
        let metrics = RankingMetrics(ranks: [1, 3, 10, 11])
        // 1 / log₂ 2 = 1, 1 / log₂ 4 = 0.5, 1 / log₂ 11 = 0.28906…
        #expect(abs(metrics.ndcg10 - (1 + 0.5 + 0.289064826) / 4) < 1e-9)
        #expect(metrics.hitRate10 == 0.75)
        #expect(abs(metrics.reciprocalRank - (1 + 1.0 / 3 + 0.1 + 1.0 / 11) / 4) < 1e-12)
        #expect(metrics.rankings == 4)
    }

    @Test func `no rankings score zero`() {
        #expect(RankingMetrics(ranks: []) == RankingMetrics(ranks: [99, 99].filter { $0 < 0 }))
        #expect(RankingMetrics(ranks: []).ndcg10 == 0)
    }

    @Test func `popularity ranks by count, without what the user had, ties to the lower item`() throws {
        // Trained on: item 0 twice, item 1 once, item 2 once, items 3 and 4 never.
        let data = Interactions(
            histories: [[0, 1, 3, 2], [0, 2, 4, 3]], itemNames: ["a", "b", "c", "d", "e"])
        let context = try Context()
        let split = try LeaveOneOut(data)
        // Validation asks user 0 for item 3: 0 and 1 are seen, 2 is above. User 1 for item 4: 1 and 3 are above.
        #expect(try context.popularityRanks(of: split.validation, in: data) == [2, 3])
        // Test: user 0 has seen all but 2 and 4, and wants 2. User 1 has seen 0, 2, 4, and wants 3, below 1.
        #expect(try context.popularityRanks(of: split.test, in: data) == [1, 2])
    }

    @Test func `ranking asks for hidden states in pieces and joins the ranks`() throws {
        let items = 3
        let data = Interactions(
            histories: (0..<5000).map { [Int32($0 % items)] }, itemNames: ["a", "b", "c"])
        let examples = (0..<5000).map { Example(user: $0, position: 0) }
        let context = try Context()
        let catalog = try context.catalog(Matrix(rows: items, columns: 1, [1, 2, 3]))
        var asked: [Int] = []
        let ranks = try context.ranks(of: examples, in: data, catalog: catalog) { some in
            asked.append(some.count)
            return try Matrix(rows: some.count, columns: 1, [Float](repeating: 1, count: some.count))
        }
        #expect(ranks == (0..<5000).map { 3 - $0 % items })
        #expect(asked.reduce(0, +) == 5000)
    }
}
