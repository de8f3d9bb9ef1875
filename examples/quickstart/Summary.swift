import ExampleCommandLine
import ExampleSupport
import Foundation

/// What is printed and written in the end: each loss beside popularity.
struct Summary: CustomStringConvertible {
    let items: Int
    let batch: Int
    let popularity: RankingMetrics
    private var results: [TrainingResult] = []

    init(items: Int, batch: Int, popularity: RankingMetrics) {
        self.items = items
        self.batch = batch
        self.popularity = popularity
    }

    mutating func append(_ result: TrainingResult) { results.append(result) }

    private func gain(_ metrics: RankingMetrics) -> Double? {
        popularity.ndcg10 > 0 ? metrics.ndcg10 / popularity.ndcg10 : nil
    }

    /// Logits of one batch, as f32, had they been stored.
    private var fullLogits: Int { batch * items * MemoryLayout<Float>.size }

    var description: String {
        var table = TextTable(header: [
            "loss", "NDCG@10", "x popularity", "HR@10", "MRR", "best epoch", "seconds", "peak workspace",
        ])
        func scores(_ metrics: RankingMetrics) -> [String] {
            [
                fixed(metrics.ndcg10, 4), gain(metrics).map { fixed($0, 1) } ?? "-", fixed(metrics.hitRate10, 4),
                fixed(metrics.reciprocalRank, 4),
            ]
        }
        for result in results {
            table.append(
                [result.loss.rawValue] + scores(result.test)
                    + ["\(result.bestEpoch)/\(result.epochs)", fixed(result.seconds, 1)]
                    + [readable(bytes: result.peakWorkspace)])
        }
        table.append(["popularity"] + scores(popularity) + ["", "", ""])
        return """

            \(table)

            \(grouped(popularity.rankings)) test items, each ranked among all \(grouped(items)) but those its user had.
            The logits of one batch alone, \(grouped(batch)) x \(grouped(items)) floats, would have taken \
            \(readable(bytes: fullLogits)), and their gradient as much again.
            """
    }

    // MARK: - JSON

    private struct Document: Encodable {
        struct Row: Encodable {
            let loss: String
            let ndcg10, timesPopularity, hitRate10, reciprocalRank, validationNDCG10: Double?
            let bestEpoch, epochs, peakWorkspaceBytes, threads: Int?
            let seconds: Double?
            /// All metrics of the test at every cutoff, the ones above among them.
            let test: RankingMetrics
        }
        let items, testItems, batch, fullLogitsBytes: Int
        let rows: [Row]
    }

    func write(to path: String) throws {
        var rows = results.map { result in
            Document.Row(
                loss: result.loss.rawValue, ndcg10: result.test.ndcg10, timesPopularity: gain(result.test),
                hitRate10: result.test.hitRate10, reciprocalRank: result.test.reciprocalRank,
                validationNDCG10: result.validation.ndcg10, bestEpoch: result.bestEpoch, epochs: result.epochs,
                peakWorkspaceBytes: result.peakWorkspace, threads: result.threads, seconds: result.seconds,
                test: result.test)
        }
        rows.append(
            Document.Row(
                loss: "popularity", ndcg10: popularity.ndcg10, timesPopularity: nil, hitRate10: popularity.hitRate10,
                reciprocalRank: popularity.reciprocalRank, validationNDCG10: nil, bestEpoch: nil, epochs: nil,
                peakWorkspaceBytes: nil, threads: nil, seconds: nil,
                test: popularity))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let document = Document(
            items: items, testItems: popularity.rankings, batch: batch, fullLogitsBytes: fullLogits, rows: rows)
        try WritableFile(path).write(encoder.encode(document))
    }
}
