import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import LanguageModel
import Shortlist
import Tokenization

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a tokenizer and a small language model on a text.",
        discussion: """
            Leaves in --out what transformers loads: config.json, model.safetensors (the model that validates best), \
            tokenizer.json, tokenizer_config.json; beside them report.json and training.safetensors, the checkpoint. \
            Control-C ends the run with a model and a checkpoint of the last step; --resume goes on from there.
            """)

    @OptionGroup(title: "Text")
    var text: TextOptions

    @OptionGroup(title: "Model")
    var modelOptions: ModelOptions

    @OptionGroup(title: "Training")
    var training: TrainingOptions

    @OptionGroup(title: "Losses")
    var lossOptions: LossParameterOptions

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    @Option(help: ArgumentHelp("Folder for the model.", valueName: "folder"))
    var out: String

    @Flag(help: "Go on from the checkpoint in --out.")
    var resume = false

    @Flag(help: "Replace what an earlier run left in --out.")
    var overwrite = false

    @Option(help: ArgumentHelp("Least seconds between two checkpoints.", valueName: "seconds"))
    var saveEvery = 60.0

    func validate() throws {
        guard !resume || !overwrite else { throw ValidationError("--resume and --overwrite exclude each other") }
        guard saveEvery >= 0 else { throw ValidationError("--save-every must not be negative") }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try ModelFolder(out, resume: resume, overwrite: overwrite)
        let source = try text.load(seed: training.seed)
        log.line(
            "\(text.name): \(grouped(source.documents.count)) "
                + "document\(source.documents.count == 1 ? "" : "s"), \(readable(bytes: source.byteCount))")

        let tokenizer = try makeTokenizer(source, folder, log)
        guard let separator = tokenizer.id(of: endOfText) else {
            throw TokenizerError(file: folder.path, reason: "its tokenizer has no token \(endOfText)")
        }
        let stream = try TokenStream(
            source, tokenizer, separator: separator, context: modelOptions.context, share: text.validationShare)
        log.line(
            "\(grouped(stream.tokens.count)) tokens of a vocabulary of \(grouped(tokenizer.vocabularySize)), "
                + "\(fixed(Double(source.byteCount) / Double(stream.tokens.count), 2)) bytes a token")

        let library = try contextSettings.makeContext()
        log.line("Backend \(library.backend.name), \(library.hostThreads) threads: \(library.backend.reason)")
        let settings = RunSettings(
            shape: modelOptions.shape(vocabularySize: tokenizer.vocabularySize),
            step: training.stepSettings(lossOptions.parameters), textFingerprint: stream.fingerprint)
        let limits = RunLimits(
            steps: training.steps, minutes: training.minutes, evaluateEvery: training.evaluateEvery,
            secondsBetweenCheckpoints: saveEvery)
        let run = try TrainingRun(settings, limits, stream, tokenizer, library, folder: folder, log)
        log.line("\(grouped(run.state.model.parameterCount)) parameters")
        if resume {
            try run.resume()
            log.line("From the checkpoint: \(grouped(run.progress.steps)) steps")
        }
        do {
            try run.run()
        } catch is Interrupted {
            log.line(
                run.progress.steps > 0 ? "Interrupted; --resume goes on from the checkpoint." : "Interrupted.")
            throw ExitCode(130)
        }
        report(run)
    }

    /// A new one, or for `--resume` the one that the run began with.
    private func makeTokenizer(_ source: TextSource, _ folder: ModelFolder, _ log: ProgressLog) throws -> Tokenizer {
        if resume { return try Tokenizer(folder: folder.path) }
        let clock = Stopwatch()
        let tokenizer = try Tokenizer.train(
            on: source.documents.map(\.text), vocabularySize: modelOptions.vocabulary, specialTokens: [endOfText])
        try folder.write(tokenizer, context: modelOptions.context)
        log.line("Tokenizer trained in \(fixed(clock.seconds, 1)) s")
        return tokenizer
    }

    private func report(_ run: TrainingRun) {
        guard let best = run.progress.best else { return }
        var table = TextTable(
            header: [
                "loss", "validation", "bits/byte", "best step", "tokens seen", "seconds", "tokens/s", "loss memory",
            ])
        let progress = run.progress
        table.append([
            training.loss.rawValue, fixed(best.loss, 4), fixed(best.bitsPerByte, 3),
            "\(grouped(best.step))/\(grouped(progress.steps))", grouped(progress.tokensSeen),
            fixed(progress.seconds, 0),
            grouped(Int(Double(progress.tokensSeen) / max(1e-9, progress.seconds))),
            readable(bytes: run.state.peakWorkspace),
        ])
        print(table)
        if let plan = progress.plan, progress.steps < plan.steps {
            print("\nThe time was over before all of the \(grouped(plan.steps)) steps were taken.")
        }
        print("\nThe model is in \(out).")
    }
}
