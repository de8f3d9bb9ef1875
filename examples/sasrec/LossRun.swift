import ExampleCommandLine
import ExampleSupport
import NeuralLayers
import Shortlist

/// When a run ends, and how often it saves: what may differ when it is resumed.
struct RunLimits: Sendable {
    var epochs = 300
    /// Epochs without a better validation NDCG@10 after which training stops.
    var patience = 50
    /// Least seconds between two checkpoints.
    var secondsBetweenCheckpoints = 10.0
}

/// Trains one model with one loss until validation stops improving, and tests the best epoch.
///
/// Everything random is a function of the seed, the epoch and the step, so that a run resumed from a checkpoint takes
/// the very steps that the uninterrupted run would have taken.
final class LossRun {
    let settings: RunSettings
    let limits: RunLimits
    let data: Interactions
    let split: Split
    let state: TrainingState
    let checkpoint: CheckpointFile?
    private(set) var progress = RunProgress()
    /// The parameters of the best epoch.
    private(set) var best: ModelSnapshot?

    private let log: ProgressLog
    private let context: Context
    private let ranker: Ranker
    private let trainedUsers: [Int]

    /// - Parameter checkpoint: where to save; nil saves nothing.
    init(
        _ settings: RunSettings, _ limits: RunLimits, _ data: Interactions, _ split: Split, _ context: Context,
        checkpoint: CheckpointFile?, _ log: ProgressLog
    ) throws {
        self.settings = settings
        self.limits = limits
        self.data = data
        self.split = split
        self.context = context
        self.checkpoint = checkpoint
        self.log = log
        let model = try SASRecModel(settings.shape)
        model.initialize(settings.initialization, seed: settings.step.seed)
        state = try TrainingState(settings.step, model, context)
        ranker = try Ranker(model, threads: context.hostThreads)
        trainedUsers = split.trainedLengths.indices.filter { split.trainedLengths[$0] > 1 }
    }

    /// Goes on from the checkpoint instead of from the start.
    ///
    /// - Throws: `ResumeError` when the checkpoint is of another run, `SafetensorsError` when the file is damaged.
    func resume() throws {
        guard let checkpoint else { return }
        (progress, best) = try checkpoint.load(into: state, settings)
        try state.catalog.update()
    }

    var isFinished: Bool {
        progress.epochs.count >= limits.epochs || progress.epochs.count - progress.bestEpoch >= limits.patience
    }

    /// Trains to the end. A Control-C, or any failure after the first step, leaves a checkpoint of the last whole step.
    func run() throws {
        var saved = Stopwatch()
        func saveNow() throws {
            try checkpoint?.save(state, progress, best, settings, items: data.itemNames)
            saved = Stopwatch()
        }
        do {
            while !isFinished {
                try trainEpoch {
                    if saved.seconds >= limits.secondsBetweenCheckpoints { try saveNow() }
                }
                try closeEpoch()
                if saved.seconds >= limits.secondsBetweenCheckpoints { try saveNow() }
            }
            if progress.test == nil {
                try takeTest()
            }
        } catch let error as FileWriteError {
            throw error  // the checkpoint is what failed
        } catch {
            try saveNow()
            throw Interrupt.isRequested ? Interrupted() : error
        }
        try saveNow()
    }

    /// The steps of an epoch that are not done yet.
    private func trainEpoch(afterStep: () throws -> Void) throws {
        let epoch = progress.epochs.count + 1
        var order = trainedUsers
        var generator = SeededGenerator(seed: settings.step.seed, stream: 1000 + UInt64(epoch))
        generator.shuffle(&order)
        let size = settings.batchSequences
        let batches = (order.count + size - 1) / size
        while progress.batchesDone < batches {
            try Interrupt.check()
            let clock = Stopwatch()
            let first = progress.batchesDone * size
            let histories = order[first..<min(order.count, first + size)].map { user in
                data.histories[user].prefix(split.trainedLengths[user])
            }
            let batch = TrainingBatch(
                histories, maximumLength: settings.shape.maximumLength, positions: settings.shape.positions)
            progress.lossSum += try state.step(batch) * Double(batch.inputs.rows)
            progress.rowsDone += batch.inputs.rows
            progress.batchesDone += 1
            progress.steps = state.steps
            progress.peakWorkspace = max(progress.peakWorkspace, state.peakWorkspace)
            progress.epochSeconds += clock.seconds
            log.passing { line(" \(100 * progress.batchesDone / batches)%") }
            try afterStep()
        }
    }

    /// Validation, and the line that says how the epoch went.
    private func closeEpoch() throws {
        let clock = Stopwatch()
        let metrics = RankingMetrics(ranks: try ranks(of: split.validation))
        let isBest = metrics.ndcg10 > progress.best?.validationNDCG10 ?? -1
        let test = isBest ? RankingMetrics(ranks: try ranks(of: split.test)) : nil
        let shown = line("")
        let epoch = progress.epochs.count + 1
        progress.epochs.append(
            EpochRecord(
                epoch: epoch, loss: progress.lossSum / Double(max(1, progress.rowsDone)),
                validationNDCG10: metrics.ndcg10, validationHR10: metrics.hitRate10, testNDCG10: test?.ndcg10,
                trainingSeconds: progress.epochSeconds, evaluationSeconds: clock.seconds,
                trainingSecondsSoFar: progress.epochSeconds + (progress.epochs.last?.trainingSecondsSoFar ?? 0)))
        progress.batchesDone = 0
        progress.lossSum = 0
        progress.rowsDone = 0
        progress.epochSeconds = 0
        progress.test = nil
        if isBest {
            progress.bestEpoch = epoch
            best = try ModelSnapshot(state.model, into: best)
        }
        let seconds = progress.epochs.reduce(0) { $0 + $1.trainingSeconds + $1.evaluationSeconds }
        let last = min(limits.epochs, progress.bestEpoch + limits.patience)
        let left = seconds / Double(epoch) * Double(last - epoch)
        log.line(
            shown + "   validation NDCG@10 \(fixed(metrics.ndcg10, 4))"
                + (isBest ? " (best)" : " (best \(fixed(progress.best?.validationNDCG10 ?? 0, 4)))")
                + (last > epoch ? "   \(readable(seconds: left)) left unless it improves" : ""))
    }

    private func line(_ share: String) -> String {
        "\(settings.step.loss.rawValue)   epoch \(progress.epochs.count + 1)/\(limits.epochs)\(share)"
            + "   loss \(fixed(progress.lossSum / Double(max(1, progress.rowsDone)), 4))"
            + "   \(grouped(Int(Double(progress.rowsDone) / max(1e-9, progress.epochSeconds)))) tokens/s"
    }

    private func ranks(of examples: [Example]) throws -> [Int] {
        try context.ranks(of: examples, in: data, catalog: state.catalog) { some in
            try ranker.queries(some.map { data.history(before: $0) })
        }
    }

    /// Ranks and coverage of the best epoch; the parameters of the last step come back afterwards.
    private func takeTest() throws {
        guard let best else { return }
        let last = try ModelSnapshot(state.model, into: nil)
        best.restore(state.model)
        try state.catalog.update()
        defer { last.restore(state.model) }
        progress.test = try context.metrics(of: split.test, in: data, catalog: state.catalog) { some in
            try ranker.queries(some.map { data.history(before: $0) })
        }
    }
}

/// A copy of a model's parameters.
final class ModelSnapshot {
    let items: Matrix
    let parameters: Matrix

    /// - Parameter old: a snapshot whose memory may be used again.
    init(_ model: SASRecModel, into old: ModelSnapshot?) throws {
        items = try old?.items ?? Matrix(rows: model.items.rows, columns: model.items.columns)
        parameters = try old?.parameters ?? Matrix(rows: 1, columns: model.layout.count)
        _ = items.elements.update(fromContentsOf: model.items.elements)
        _ = parameters.elements.update(fromContentsOf: model.parameters.elements)
    }

    /// Memory for a model's parameters, to be filled.
    init(like model: SASRecModel) throws {
        items = try Matrix(rows: model.items.rows, columns: model.items.columns)
        parameters = try Matrix(rows: 1, columns: model.layout.count)
    }

    func restore(_ model: SASRecModel) {
        _ = model.items.elements.update(fromContentsOf: items.elements)
        _ = model.parameters.elements.update(fromContentsOf: parameters.elements)
    }
}
