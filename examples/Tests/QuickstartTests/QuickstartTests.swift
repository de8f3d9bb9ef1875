import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import Shortlist
import Testing

@testable import quickstart

@Suite struct QuickstartTests {
    @Test(arguments: LossName.allCases, ["adam", "lazy-adam"])
    func `each loss learns a small invented world better than popularity`(name: LossName, optimizer: String) throws {
        let result = try train(name, ["--optimizer", optimizer])
        let data = world()
        let split = try Split.leaveOneOut(data)
        let popularity = RankingMetrics(
            ranks: try Context().popularityRanks(of: split.test, in: data, split))
        #expect(result.test.ndcg10 > 2 * popularity.ndcg10)
        #expect(result.peakWorkspace > 0)
    }

    @Test func `the same seed trains the same model`() throws {
        let runs = try (0..<2).map { _ in try train(.sce, ["--epochs", "2"]) }
        #expect(runs[0].test == runs[1].test)
        #expect(runs[0].validation == runs[1].validation)
    }

    @Test func `options are checked before anything runs`() {
        for bad in [
            ["--loss", "mse"], ["--batch", "0"], ["--epochs", "-1"], ["--learning-rate", "nan"], ["--sce-items", "0"],
            ["--rece-neighbours", "-1"], ["--threads", "0"], ["--workspace-limit", "lots"], ["--items", "0"],
            ["--users", "9999999999"],
            ["--json", "/no/such/folder/x.json"],
        ] {
            #expect(throws: (any Error).self, "\(bad)") { try Quickstart.parse(bad) }
        }
    }

    @Test func `losses are one, several or all`() throws {
        #expect(try Quickstart.parse([]).losses.chosen == LossName.allCases)
        #expect(try Quickstart.parse(["--loss", "sce", "ce", "--loss", "sce"]).losses.chosen == [.sce, .ce])
    }

    @Test(arguments: [("1000", 1000), ("64MB", 64_000_000), ("2k", 2048), ("0", nil), ("9999999999G", nil)])
    func `byte counts have units`(text: String, bytes: Int?) {
        #expect(ByteCount(argument: text)?.bytes == bytes)
    }

    private func world() -> Interactions { SyntheticData(users: 600, items: 300, seed: 2).generate() }

    private func train(_ name: LossName, _ arguments: [String]) throws -> TrainingResult {
        let options = try Quickstart.parse(
            ["--epochs", "12", "--dimension", "16", "--learning-rate", "0.02"] + arguments)
        let data = world()
        let split = try Split.leaveOneOut(data)
        return try Trainer(
            context: Context(), data: data, split: split,
            settings: options.training.settings(examples: split.training.count), losses: options.parameters.parameters,
            progress: ProgressLog()
        ).train(name)
    }
}
