import Foundation
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

    @Test func `each cutoff counts the ranks up to it`() {
        let metrics = RankingMetrics(ranks: [1, 2, 5, 6, 20, 21, 50, 51])
        #expect(metrics.cutoffs.map(\.k) == [1, 5, 10, 20, 50])
        #expect(metrics.cutoffs.map { $0.hitRate * 8 } == [1, 3, 4, 5, 7])
        let reciprocals = [1, 1.7, 1.7 + 1.0 / 6, 1.75 + 1.0 / 6, 1.75 + 1.0 / 6 + 1.0 / 21 + 0.02]
        for (cutoff, wanted) in zip(metrics.cutoffs, reciprocals) {
            #expect(abs(cutoff.reciprocalRank - wanted / 8) < 1e-12)
        }
        // 1 + 1 / log₂ 3 + 1 / log₂ 6
        #expect(abs(metrics.at(5).ndcg - (1 + 0.630929753571 + 0.386852807235) / 8) < 1e-9)
        #expect(metrics.at(1).ndcg == metrics.at(1).hitRate)
        #expect(metrics.cutoffs.allSatisfy { $0.coverage == nil })
    }

    @Test func `no rankings score zero`() {
        let none = RankingMetrics(ranks: [])
        #expect(none.reciprocalRank == 0 && none.rankings == 0)
        #expect(none.cutoffs.allSatisfy { $0.ndcg == 0 && $0.hitRate == 0 && $0.reciprocalRank == 0 })
    }

    @Test func `coverage counts each item once, at its best place`() {
        var coverage = CatalogCoverage(itemCount: 10)
        coverage.add([3, 1, 4, 1, 5, 9])
        coverage.add([2, 3, -1])
        #expect([1, 2, 3, 5, 6].map(coverage.share) == [0.2, 0.3, 0.4, 0.5, 0.6])
        #expect(CatalogCoverage(itemCount: 0).share(at: 5) == 0)
    }

    @Test func `metrics are written and read as JSON`() throws {
        var coverage = CatalogCoverage(itemCount: 4)
        coverage.add([0, 1])
        for metrics in [RankingMetrics(ranks: [1, 7]), RankingMetrics(ranks: [1, 7], coverage: coverage)] {
            let json = try JSONEncoder().encode(metrics)
            #expect(try JSONDecoder().decode(RankingMetrics.self, from: json) == metrics)
        }
    }

    @Test func `metrics over batches agree with every score sorted, seen items left out of lists and ranks`() throws {
        // More examples than one batch holds, more items than the longest list.
        let data = SyntheticData(users: 4200, items: 90, seed: 5).generate()
        let split = try Split.leaveOneOut(data)
        var random = SeededGenerator(seed: 9)
        let items = try Matrix(rows: 90, columns: 4, (0..<360).map { _ in Float(random.uniform() - 0.5) })
        func hidden(_ example: Example) -> [Float] { (0..<4).map { Float((Int(example.user) * 7 + $0 * 13) % 11 - 5) } }
        let context = try Context()
        let catalog = try context.catalog(items)
        let metrics = try context.metrics(of: split.test, in: data, catalog: catalog) { some in
            try Matrix(rows: some.count, columns: 4, some.flatMap(hidden))
        }

        var ranks: [Int] = []
        var shown = [Int: Set<Int>]()
        for example in split.test {
            let state = hidden(example)
            let seen = Set(data.history(before: example).map(Int.init))
            let target = Int(data.target(of: example))
            let scores = (0..<90).map { item in (0..<4).reduce(Float(0)) { $0 + state[$1] * items[item, $1] } }
            let order = (0..<90).filter { !seen.contains($0) }.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
            ranks.append(order.firstIndex(of: target)! + 1)
            for k in RankingMetrics.cutoffs { shown[k, default: []].formUnion(order.prefix(k)) }
        }
        #expect(metrics.rankings == ranks.count)
        // Scores that differ in the last bit may change places here and there.
        let wanted = RankingMetrics(ranks: ranks)
        for k in RankingMetrics.cutoffs {
            #expect(abs(metrics.at(k).ndcg - wanted.at(k).ndcg) < 2e-3)
            #expect(abs(metrics.at(k).hitRate - wanted.at(k).hitRate) < 2e-3)
            #expect(abs(metrics.at(k).coverage! - Double(shown[k]!.count) / 90) < 0.012)
        }
        #expect(abs(metrics.reciprocalRank - wanted.reciprocalRank) < 2e-3)
        #expect(
            try context.ranks(of: split.test, in: data, catalog: catalog) { some in
                try Matrix(rows: some.count, columns: 4, some.flatMap(hidden))
            }.count == ranks.count)
    }

    @Test func `popularity shows everyone the same items but those they had`() throws {
        let data = Interactions(
            histories: [[0, 1, 3, 2], [0, 2, 4, 3]], itemNames: ["a", "b", "c", "d", "e"])
        let split = try Split.leaveOneOut(data)
        let metrics = try Context().popularityMetrics(of: split.test, in: data, split)
        // Counts 2 1 1 0 0. User 0 is left 2 and 4, user 1 is left 1 and 3: in the first place 2 and 1.
        #expect(metrics.at(1).coverage == 0.4)
        #expect(metrics.at(50).coverage == 0.8)
        #expect(metrics.at(1).hitRate == 0.5 && metrics.at(5).hitRate == 1)
    }

    @Test func `popularity ranks by count, without what the user had, ties to the lower item`() throws {
        // Trained on: item 0 twice, item 1 once, item 2 once, items 3 and 4 never.
        let data = Interactions(
            histories: [[0, 1, 3, 2], [0, 2, 4, 3]], itemNames: ["a", "b", "c", "d", "e"])
        let context = try Context()
        let split = try Split.leaveOneOut(data)
        // Validation asks user 0 for item 3: 0 and 1 are seen, 2 is above. User 1 for item 4: 1 and 3 are above.
        #expect(try context.popularityRanks(of: split.validation, in: data, split) == [2, 3])
        // Test: user 0 has seen all but 2 and 4, and wants 2. User 1 has seen 0, 2, 4, and wants 3, below 1.
        #expect(try context.popularityRanks(of: split.test, in: data, split) == [1, 2])
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
