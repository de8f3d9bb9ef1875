import ExampleCommandLine
import ExampleSupport
import NeuralLayers

/// Everything that decides what a run computes. A checkpoint holds it, and resuming asks for the same.
struct RunSettings: Codable, Sendable, Equatable {
    var shape: ModelShape
    var step: StepSettings
    /// Sequences in a training step.
    var batchSequences = 1024
    var initialization = Initialization.xavier
    /// Tells whether data and split are those of the checkpoint.
    var dataFingerprint: UInt64

    /// What differs from `other`, by the names of the options; empty when nothing does.
    func differences(from other: RunSettings) -> [String] {
        func differs<Value: Equatable>(_ name: String, _ path: KeyPath<RunSettings, Value>) -> String? {
            self[keyPath: path] == other[keyPath: path]
                ? nil : "\(name) (\(self[keyPath: path]), in the checkpoint \(other[keyPath: path]))"
        }
        var found: [String?] = [
            differs("--loss", \.step.loss), differs("items", \.shape.items), differs("--dimension", \.shape.dimension),
            differs("--blocks", \.shape.blocks), differs("--heads", \.shape.heads),
            differs("--feed-forward", \.shape.feedForward), differs("--max-length", \.shape.maximumLength),
            differs("--norm", \.shape.norm), differs("--activation", \.shape.activation),
            differs("--positions", \.shape.positions), differs("--scale-embeddings", \.shape.scalesEmbeddings),
            differs("--initialization", \.initialization), differs("--batch", \.batchSequences),
            differs("--dropout", \.step.dropout), differs("--learning-rate", \.step.adam.learningRate),
            differs("--beta2", \.step.adam.beta2), differs("--weight-decay", \.step.adam.weightDecay),
            differs("--optimizer lazy", \.step.adam.isLazy), differs("--warm-up", \.step.warmUpSteps),
            differs("--clip-norm", \.step.clipNorm), differs("--logit-scale", \.step.logitScale),
            differs("--seed", \.step.seed),
        ]
        if step.lossParameters != other.step.lossParameters { found.append("the loss's parameters") }
        if dataFingerprint != other.dataFingerprint { found.append("the data, their filters or their split") }
        let named = found.compactMap { $0 }
        return named.isEmpty && self != other ? ["settings of another version of this program"] : named
    }
}

extension Interactions {
    /// A number that other histories, or another split of them, do not have (but for one chance in 2⁶⁴).
    func fingerprint(_ split: Split) -> UInt64 {
        // FNV-1a over what training sees.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ value: Int) { hash = (hash ^ UInt64(truncatingIfNeeded: value)) &* 0x100_0000_01B3 }
        add(itemCount)
        for (history, length) in zip(histories, split.trainedLengths) {
            add(length)
            for item in history { add(Int(item)) }
        }
        for example in split.validation + split.test {
            add(Int(example.user))
            add(Int(example.position))
        }
        return hash
    }
}

/// One epoch as the learning curve shows it.
struct EpochRecord: Codable, Sendable, Equatable {
    let epoch: Int
    /// Mean training loss over the epoch, as the loss computes it: losses of different kinds do not compare.
    let loss: Double
    let validationNDCG10: Double
    let validationHR10: Double
    /// Of the model after this epoch, where it was the best so far.
    let testNDCG10: Double?
    let trainingSeconds: Double
    let evaluationSeconds: Double
    /// Training alone, from the start to the end of this epoch.
    let trainingSecondsSoFar: Double
}

/// How far a run is; with the parameters and the optimisers' moments all that a checkpoint needs.
struct RunProgress: Codable, Sendable, Equatable {
    var steps = 0
    /// Epochs completed, validation included.
    var epochs: [EpochRecord] = []
    /// Batches done of the epoch under way, and their sums.
    var batchesDone = 0
    var lossSum = 0.0
    var rowsDone = 0
    var epochSeconds = 0.0
    /// Of `epochs`, counted from 1; 0 for none.
    var bestEpoch = 0
    var peakWorkspace = 0
    /// The test of the best epoch, once the run has ended.
    var test: RankingMetrics?

    var best: EpochRecord? { bestEpoch > 0 ? epochs[bestEpoch - 1] : nil }
}
