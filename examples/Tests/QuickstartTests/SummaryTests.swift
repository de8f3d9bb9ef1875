import ExampleSupport
import Foundation
import Testing

@testable import quickstart

@Suite struct SummaryTests {
    private func summary(popularRanks: [Int]) -> Summary {
        var summary = Summary(items: 1000, batch: 250, popularity: RankingMetrics(ranks: popularRanks))
        summary.append(
            TrainingResult(
                loss: .sce, test: RankingMetrics(ranks: [1, 1, 3, 20]), validation: RankingMetrics(ranks: [1]),
                bestEpoch: 2, epochs: 5, seconds: 12.34, peakWorkspace: 6_400_000, threads: 2))
        return summary
    }

    @Test func `the table shows each loss beside popularity and what full logits would have taken`() {
        let text = summary(popularRanks: [1, 11, 12, 20]).description
        let rows = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows.contains(["sce", "0.6250", "2.5", "0.7500", "0.5958", "2/5", "12.3", "6.4", "MB"]))
        #expect(rows.contains { $0.starts(with: ["popularity", "0.2500", "1.0", "0.2500"]) })
        #expect(text.contains("250 x 1,000 floats, would have taken 1.0 MB"))
    }

    @Test func `popularity that never hits is no division by zero`() throws {
        let summary = summary(popularRanks: [99])
        #expect(summary.description.contains(" - "))
        #expect(try json(summary)["rows"] is [Any])
    }

    @Test func `the JSON file has the same figures`() throws {
        let document = try json(summary(popularRanks: [1, 11, 12, 20]))
        #expect(document["items"] as? Int == 1000)
        #expect(document["fullLogitsBytes"] as? Int == 1_000_000)
        let rows = try #require(document["rows"] as? [[String: Any]])
        #expect(rows.map { $0["loss"] as? String } == ["sce", "popularity"])
        #expect(rows[0]["ndcg10"] as? Double == 0.625)
        #expect(rows[0]["timesPopularity"] as? Double == 2.5)
        #expect(rows[0]["peakWorkspaceBytes"] as? Int == 6_400_000)
        let cutoffs = try #require((rows[0]["test"] as? [String: Any])?["cutoffs"] as? [[String: Any]])
        #expect(cutoffs.map { $0["hitRate"] as? Double } == [0.5, 0.75, 0.75, 1, 1])
    }

    private func json(_ summary: Summary) throws -> [String: Any] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try summary.write(to: file.path)
        return try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }
}
