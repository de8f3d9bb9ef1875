import ExampleCommandLine
import ExampleSupport
import Foundation

/// What a training leaves: one table, one JSON file, one picture.
struct Report: Codable {
    struct Run: Codable {
        let loss: LossName
        let settings: RunSettings
        let progress: RunProgress
        /// Training alone, without validation.
        let trainingSeconds: Double
        /// The median over the epochs.
        let secondsPerEpoch: Double
        /// Bytes the loss used beside its inputs and outputs, at most.
        let lossWorkspaceBytes: Int
    }

    let data: String
    let summary: DataSummary
    let popularity: RankingMetrics
    let threads: Int
    private(set) var runs: [Run] = []

    init(data: String, summary: DataSummary, popularity: RankingMetrics, threads: Int) {
        self.data = data
        self.summary = summary
        self.popularity = popularity
        self.threads = threads
    }

    /// Adds what a run has come to; nothing for one that has no epoch yet.
    mutating func append(_ run: LossRun) {
        let epochs = run.progress.epochs
        guard let last = epochs.last else { return }
        runs.append(
            Run(
                loss: run.settings.step.loss, settings: run.settings, progress: run.progress,
                trainingSeconds: last.trainingSecondsSoFar,
                secondsPerEpoch: epochs.map(\.trainingSeconds).sorted()[epochs.count / 2],
                lossWorkspaceBytes: run.progress.peakWorkspace))
    }

    // MARK: The table

    var table: String {
        var table = TextTable(header: [
            "loss", "NDCG@10", "HR@10", "MRR", "COV@10", "valid NDCG@10", "best epoch", "s/epoch", "seconds",
            "loss memory",
        ])
        func scores(_ metrics: RankingMetrics?) -> [String] {
            guard let metrics else { return ["not ended", "", "", ""] }
            return [
                fixed(metrics.ndcg10, 4), fixed(metrics.hitRate10, 4), fixed(metrics.reciprocalRank, 4),
                metrics.at(10).coverage.map { fixed($0, 3) } ?? "",
            ]
        }
        for run in runs {
            table.append(
                [run.loss.rawValue] + scores(run.progress.test) + [
                    fixed(run.progress.best?.validationNDCG10 ?? 0, 4),
                    "\(run.progress.bestEpoch)/\(run.progress.epochs.count)", fixed(run.secondsPerEpoch, 2),
                    fixed(run.trainingSeconds, 1), readable(bytes: run.lossWorkspaceBytes),
                ])
        }
        table.append(["popularity"] + scores(popularity) + ["", "", "", "", ""])
        return """

            \(table)

            \(grouped(popularity.rankings)) test items, each ranked among all \(grouped(summary.items)) but those its \
            user had; the epoch that validates best is tested.
            Seconds are those of training alone on \(threads) thread\(threads == 1 ? "" : "s"). Loss memory, in the picture \
            beside the loss's name, is what the loss used beside its inputs and outputs.
            """
    }

    /// Every metric at every cutoff, for one loss; nil before its test.
    func cutoffTable(_ run: Run) -> String? {
        guard let test = run.progress.test else { return nil }
        var table = TextTable(header: ["k", "HR@k", "NDCG@k", "MRR@k", "COV@k"])
        for cutoff in test.cutoffs {
            table.append([
                "\(cutoff.k)", fixed(cutoff.hitRate, 4), fixed(cutoff.ndcg, 4), fixed(cutoff.reciprocalRank, 4),
                cutoff.coverage.map { fixed($0, 3) } ?? "",
            ])
        }
        return "\n\(table)"
    }

    // MARK: Files

    func write(to folder: OutputFolder?) throws {
        guard let folder else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try folder.report.write(try encoder.encode(self) + Data("\n".utf8))
        try folder.curves.write(curves.svg)
    }

    /// Quality against seconds and against epochs. The test curve has a point for each epoch that validated better than
    /// all before: what a training stopped there would have given.
    var curves: ChartGrid {
        func series(_ points: (Run) -> [(EpochRecord, LineChart.Point)]) -> [LineChart.Series] {
            runs.map { run in
                let all = points(run)
                return LineChart.Series(
                    "\(run.loss.rawValue), \(readable(bytes: run.lossWorkspaceBytes))", all.map(\.1),
                    best: all.firstIndex { $0.0.epoch == run.progress.bestEpoch })
            }
        }
        return ChartGrid([
            LineChart(
                title: "Test NDCG@10 of the best epoch so far", xLabel: "seconds of training", yLabel: "NDCG@10",
                bestLabel: "epoch that is tested",
                series: series { run in
                    run.progress.epochs.compactMap { epoch in
                        epoch.testNDCG10.map { (epoch, LineChart.Point(epoch.trainingSecondsSoFar, $0)) }
                    }
                }),
            LineChart(
                title: "Validation NDCG@10", xLabel: "epoch", yLabel: "NDCG@10", bestLabel: "epoch that is tested",
                series: series { run in
                    run.progress.epochs.map { ($0, LineChart.Point(Double($0.epoch), $0.validationNDCG10)) }
                }),
        ])
    }
}
