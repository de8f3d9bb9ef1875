import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import Shortlist

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train with one loss, or with several to compare them.",
        discussion: """
            Without --data the program invents interactions. With --out it leaves there a checkpoint for each loss \
            (safetensors, with the best epoch's parameters under model.…), report.json and curves.svg. Control-C ends \
            the run with a checkpoint of the last step; --resume goes on from there as if nothing had happened.
            """)

    @Option(help: "The loss: ce, sce or rece.")
    var loss: LossName?

    @Option(
        help: ArgumentHelp(
            "Losses to train with one after the other and to compare, such as ce,sce,rece.", valueName: "list"))
    var compare: LossList?

    @OptionGroup(title: "Losses")
    var lossOptions: LossParameterOptions

    @OptionGroup(title: "Data")
    var dataOptions: DataOptions

    @OptionGroup(title: "Data")
    var splitOptions: SplitOptions

    @OptionGroup(title: "Model")
    var modelOptions: ModelOptions

    @OptionGroup(title: "Training")
    var training: TrainingOptions

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    @Option(help: ArgumentHelp("Folder for checkpoints, report.json and curves.svg.", valueName: "folder"))
    var out: String?

    @Flag(help: "Go on from the checkpoints in --out.")
    var resume = false

    @Flag(help: "Replace what an earlier run left in --out.")
    var overwrite = false

    @Option(help: ArgumentHelp("Least seconds between two checkpoints.", valueName: "seconds"))
    var saveEvery = 10.0

    func validate() throws {
        guard loss == nil || compare == nil else { throw ValidationError("--loss and --compare exclude each other") }
        guard !resume || !overwrite else { throw ValidationError("--resume and --overwrite exclude each other") }
        guard out != nil || !(resume || overwrite) else {
            throw ValidationError("--\(resume ? "resume" : "overwrite") needs --out, the folder of the earlier run")
        }
        guard saveEvery >= 0 else { throw ValidationError("--save-every must not be negative") }
    }

    private var losses: [LossName] { compare?.losses ?? [loss ?? .sce] }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try out.map { try OutputFolder($0, losses: losses, resume: resume, overwrite: overwrite) }
        var report: Report?
        do {
            try train(log, folder, &report)
        } catch is Interrupted {
            try report?.write(to: folder)
            log.line(folder == nil ? "Interrupted." : "Interrupted; --resume goes on from the checkpoint.")
            if let report, !report.runs.isEmpty { print(report.table) }
            throw ExitCode(130)
        }
        if let report {
            try report.write(to: folder)
            print(report.table)
            if report.runs.count == 1, let cutoffs = report.cutoffTable(report.runs[0]) { print(cutoffs) }
            if let folder { print("\nCheckpoints, report.json and curves.svg are in \(folder.path).") }
        }
    }

    /// Trains with each loss in turn; `report` grows as results come.
    private func train(_ log: ProgressLog, _ folder: OutputFolder?, _ report: inout Report?) throws {
        let data = try dataOptions.load(seed: training.seed)
        let split = try splitOptions.split(data)
        let summary = DataSummary(data, split)
        log.line("\(dataOptions.name)\n\(summary)")

        let context = try contextSettings.makeContext()
        log.line("Backend \(context.backend.name), \(context.hostThreads) threads: \(context.backend.reason)")
        let popularity = try context.popularityMetrics(of: split.test, in: data, split)
        log.line("Popularity alone: test NDCG@10 \(fixed(popularity.ndcg10, 4))")
        report = Report(data: dataOptions.name, summary: summary, popularity: popularity, threads: context.hostThreads)

        let limits = RunLimits(
            epochs: training.epochs, patience: training.patience, secondsBetweenCheckpoints: saveEvery)
        let fingerprint = data.fingerprint(split)
        for loss in losses {
            let settings = RunSettings(
                shape: modelOptions.shape(items: data.itemCount),
                step: training.stepSettings(loss, lossOptions.parameters),
                batchSequences: training.batchSequences(trainedUsers: summary.trainingUsers),
                initialization: modelOptions.initialization, dataFingerprint: fingerprint)
            let run = try LossRun(
                settings, limits, data, split, context, checkpoint: folder?.checkpoint(loss), log)
            if resume, let checkpoint = folder?.checkpoint(loss), checkpoint.exists {
                try run.resume()
                log.line(
                    "\(loss.rawValue)   from the checkpoint: \(run.progress.epochs.count) epochs, "
                        + "\(grouped(run.progress.steps)) steps")
            }
            defer { report?.append(run) }
            try run.run()
        }
    }
}

/// `ce,sce,rece`: each loss once, in the order of its first mention.
struct LossList: ExpressibleByArgument {
    let losses: [LossName]

    init?(argument: String) {
        var losses: [LossName] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let loss = LossName(rawValue: String(name)) else { return nil }
            if !losses.contains(loss) { losses.append(loss) }
        }
        guard !losses.isEmpty else { return nil }
        self.losses = losses
    }
}
