import ExampleSupport
import Foundation
import LanguageModel
import Shortlist
import Tokenization

/// When a run ends and how often it saves.
struct RunLimits: Sendable {
    /// Steps in all; nil for as many as `minutes` has room for.
    var steps: Int?
    var minutes = 14.0
    var evaluateEvery: Int?
    /// Least seconds between two checkpoints.
    var secondsBetweenCheckpoints = 60.0
}

/// Trains one model on one text.
///
/// With the number of steps given, everything is a function of settings and text, so that a run resumed from a checkpoint
/// takes the very steps that the uninterrupted run would have taken. With minutes given, the number of steps is fixed by
/// the first few, and a resumed run keeps it.
final class TrainingRun {
    let settings: RunSettings
    let limits: RunLimits
    let stream: TokenStream
    let tokenizer: Tokenizer
    let state: TrainingState
    /// Where to save; nil saves nothing.
    let folder: ModelFolder?
    private(set) var progress = RunProgress()

    private let library: Context
    private let log: ProgressLog
    private var windows: [Int] = []
    /// Steps by which the time of a step is measured, the first ones left out.
    private static let measuredSteps = 3..<12

    init(
        _ settings: RunSettings, _ limits: RunLimits, _ stream: TokenStream, _ tokenizer: Tokenizer, _ library: Context,
        folder: ModelFolder?, _ log: ProgressLog
    ) throws {
        self.settings = settings
        self.limits = limits
        self.stream = stream
        self.tokenizer = tokenizer
        self.library = library
        self.folder = folder
        self.log = log
        guard let end = tokenizer.id(of: endOfText) else {
            throw TokenizerError(file: "the tokenizer", reason: "it has no token \(endOfText)")
        }
        let model = try CausalLanguageModel(
            configuration: settings.shape.configuration(endOfText: end), seed: settings.step.seed)
        state = try TrainingState(settings.step, model, context: settings.shape.context, library)
        if let steps = limits.steps { progress.plan = Plan(steps: steps, evaluateEvery: limits.evaluateEvery) }
    }

    /// Goes on from the checkpoint instead of from the start.
    ///
    /// - Throws: `ResumeError` when the checkpoint is of another run, `SafetensorsError` when the file is damaged.
    func resume() throws {
        guard let checkpoint = folder?.checkpoint else { return }
        let saved = try checkpoint.load(into: state, settings)
        if let asked = limits.steps, let plan = saved.plan, asked != plan.steps {
            throw ResumeError(
                path: checkpoint.path, reason: "it is of a run of \(plan.steps) steps, and --steps asks for \(asked)")
        }
        let plan = saved.plan ?? progress.plan
        progress = saved
        progress.plan = plan
    }

    /// Trains to the end. A Control-C, or any failure after the first step, leaves a model and a checkpoint of the last
    /// whole step.
    ///
    /// - Parameter last: a step after which to stop before the end, as Control-C does but without an error.
    func run(stoppingAfter last: Int = .max) throws {
        var saved = Stopwatch()
        func save() throws {
            try self.save()
            saved = Stopwatch()
        }
        do {
            while !progress.isFinished, progress.steps < last {
                try Interrupt.check()
                try step()
                if isEvaluationDue { try evaluate() }
                if saved.seconds >= limits.secondsBetweenCheckpoints { try save() }
            }
        } catch let error as FileWriteError {
            throw error  // saving is what failed
        } catch {
            if state.steps > 0 { try save() }
            throw Interrupt.isRequested ? Interrupted() : error
        }
        try save()
    }

    private func step() throws {
        let clock = Stopwatch()
        let context = settings.shape.context
        if windows.isEmpty {
            windows = stream.windows(epoch: progress.epoch, context: context, seed: settings.step.seed)
        }
        let starts = windows[
            progress.windowsDone..<min(windows.count, progress.windowsDone + settings.step.batchSequences)]
        let rate = Plan.rate(step: progress.steps, warmUp: settings.step.warmUpSteps, plan: progress.plan)
        let loss = try state.step(stream.tokens, starts: starts, rate: rate)
        progress.steps = state.steps
        progress.windowsDone += starts.count
        progress.tokensSeen += starts.count * context
        progress.lossSum += loss * Double(starts.count * context)
        progress.lossTokens += starts.count * context
        if progress.windowsDone == windows.count {
            progress.epoch += 1
            progress.windowsDone = 0
            windows = []
        }
        progress.seconds += clock.seconds
        measure(clock.seconds)
        if let plan = progress.plan { progress.isFinished = progress.steps >= plan.steps || isOverTime }
        log.passing { line }
    }

    /// A run by the clock that turns out slower than measured ends a third over its time.
    private var isOverTime: Bool { limits.steps == nil && progress.seconds > limits.minutes * 80 }

    private var measured: [Double] = []

    private func measure(_ seconds: Double) {
        guard progress.plan == nil else { return }
        measured.append(seconds)
        guard measured.count == Self.measuredSteps.upperBound else { return }
        let times = measured[Self.measuredSteps].sorted()
        let left = limits.minutes * 60 - progress.seconds
        // A twentieth is for validation and checkpoints.
        let steps = progress.steps + max(1, Int(0.95 * left / times[times.count / 2]))
        progress.plan = Plan(steps: steps, evaluateEvery: limits.evaluateEvery)
        log.line("\(grouped(steps)) steps fit into \(readable(seconds: limits.minutes * 60))")
    }

    private var isEvaluationDue: Bool {
        guard let plan = progress.plan else { return false }
        return progress.isFinished || progress.steps % plan.evaluateEvery == 0
    }

    private func evaluate() throws {
        let windows = stream.validationWindows(context: settings.shape.context)
        let result = try Evaluation(state.model, stream.tokens, windows: windows, tokenizer, library)
        let isBest = result.loss < progress.best?.loss ?? .infinity
        let shown = line
        progress.validations.append(
            ValidationRecord(
                step: progress.steps, tokensSeen: progress.tokensSeen,
                trainingLoss: progress.lossSum / Double(max(1, progress.lossTokens)), loss: result.loss,
                bitsPerByte: result.bitsPerByte, seconds: progress.seconds))
        progress.lossSum = 0
        progress.lossTokens = 0
        log.line(
            "\(shown)   validation \(fixed(result.loss, 4)), \(fixed(result.bitsPerByte, 3)) bits/byte"
                + (isBest ? "" : " (best \(fixed(progress.best?.bitsPerByte ?? 0, 3)))"))
        if isBest { try folder?.write(state.model) }
    }

    private func save() throws {
        guard let folder else { return }
        // Before the first validation there is no best model: the last one serves.
        if progress.validations.isEmpty { try folder.write(state.model) }
        try folder.checkpoint.save(state, progress, settings)
        try folder.writeReport(settings, progress)
    }

    private var line: String {
        let rate = progress.seconds / Double(max(1, progress.steps))
        let steps = progress.plan.map { "/\(grouped($0.steps))" } ?? ""
        let left = progress.plan.map { "   \(readable(seconds: rate * Double($0.steps - progress.steps))) left" } ?? ""
        return "\(settings.step.loss.rawValue)   step \(grouped(progress.steps))\(steps)"
            + "   loss \(fixed(progress.lossSum / Double(max(1, progress.lossTokens)), 4))"
            + "   \(grouped(Int(Double(progress.tokensSeen) / max(1e-9, progress.seconds)))) tokens/s\(left)"
    }
}
