import ArgumentParser
import ExampleSupport
import Foundation
import Shortlist

/// Trains a next-item recommender once per loss and compares the rankings with plain popularity.
@main
struct Quickstart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quickstart",
        abstract: "Train a next-item recommender with CE, SCE and RECE, and compare.",
        discussion: """
            Without --data the program invents interactions: items of skewed popularity, users with drifting tastes, \
            choices that follow one another. The last item of every history is the test, the one before it validates; \
            both are ranked among the whole catalog, without the items the user had already.
            """)

    @OptionGroup(title: "Losses")
    var losses: LossOptions

    @OptionGroup(title: "Data")
    var dataOptions: DataOptions

    @OptionGroup(title: "Training")
    var training: TrainingOptions

    @OptionGroup(title: "Where and how")
    var running: RunningOptions

    func run() throws {
        Interrupt.watch()
        let progress = Progress()
        let data = try dataOptions.load(seed: training.seed)
        progress.line(
            "\(dataOptions.data ?? "Generated data"): \(grouped(data.histories.count)) users, "
                + "\(grouped(data.itemCount)) items, \(grouped(data.count)) interactions")
        let split = try LeaveOneOut(data)
        let context = try Context(ContextOptions(threads: running.threads, workspaceLimit: running.workspaceLimit?.bytes))
        context.shouldStop = { Interrupt.isRequested }
        progress.line("Backend \(context.backend.name): \(context.backend.reason)")

        let popularity = RankingMetrics(ranks: try context.popularityRanks(of: split.test, in: data))
        let settings = training.settings(examples: split.training.count)
        let trainer = Trainer(
            context: context, data: data, split: split, settings: settings, losses: losses, progress: progress)
        var summary = Summary(
            items: data.itemCount, batch: min(settings.batch, split.training.count), popularity: popularity)
        do {
            for name in losses.chosen { summary.append(try trainer.train(name)) }
        } catch where Interrupt.isRequested {
            progress.line("Interrupted.")
            print(summary)
            throw ExitCode(130)
        }
        print(summary)
        if let json = running.json { try summary.write(to: json) }
    }
}
