import ArgumentParser
import ExampleCommandLine
import ExampleSupport
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

    @OptionGroup(title: "Losses")
    var parameters: LossParameterOptions

    @OptionGroup(title: "Data")
    var dataOptions: DataOptions

    @OptionGroup(title: "Training")
    var training: TrainingOptions

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    @OptionGroup(title: "Where and how")
    var running: RunningOptions

    func run() throws {
        Interrupt.watch()
        let progress = ProgressLog()
        var summary: Summary?
        do {
            try compare(progress, &summary)
        } catch {
            guard Interrupt.isRequested else { throw error }
            progress.line("Interrupted.")
            if let summary { print(summary) }
            throw ExitCode(130)
        }
        if let summary {
            print(summary)
            if let json = running.json { try summary.write(to: json) }
        }
    }

    /// Ranks by popularity, then trains and ranks once per loss; `summary` grows as results come.
    private func compare(_ progress: ProgressLog, _ summary: inout Summary?) throws {
        let data = try dataOptions.load(seed: training.seed)
        progress.line(
            "\(dataOptions.data ?? "Generated data"): \(grouped(data.histories.count)) users, "
                + "\(grouped(data.itemCount)) items, \(grouped(data.count)) interactions")
        let split = try Split.leaveOneOut(data)

        let context = try contextSettings.makeContext()
        progress.line("Backend \(context.backend.name): \(context.backend.reason)")

        let settings = training.settings(examples: split.trainingCount)
        let popularity = try context.popularityMetrics(of: split.test, in: data, split)
        progress.line("Popularity alone: test NDCG@10 \(fixed(popularity.ndcg10, 4))")
        summary = Summary(items: data.itemCount, batch: settings.batch, popularity: popularity)
        let trainer = Trainer(
            context: context, data: data, split: split, settings: settings, losses: parameters.parameters,
            progress: progress)
        for name in losses.chosen { summary?.append(try trainer.train(name)) }
    }
}
