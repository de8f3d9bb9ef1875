import ExampleCommandLine
import Foundation
import LanguageModel
import NeuralLayers

/// The model that is trained, as the options name it.
struct ModelShape: Codable, Sendable, Equatable {
    enum Architecture: String, Codable, Sendable, CaseIterable {
        case llama
        case gptNeoX = "gpt-neox"
    }

    var architecture = Architecture.llama
    var vocabularySize: Int
    var width: Int
    var layers: Int
    var heads: Int
    var keyHeads: Int?
    var innerWidth: Int?
    var context: Int
    var isTied = true

    /// - Parameter endOfText: the token that begins and ends a text.
    func configuration(endOfText: Int32) -> ModelConfiguration {
        var configuration: ModelConfiguration =
            switch architecture {
            case .llama:
                .llama(
                    vocabularySize: vocabularySize, width: width, layers: layers, heads: heads, keyHeads: keyHeads,
                    innerWidth: innerWidth, maximumPositions: context, tiedEmbeddings: isTied)
            case .gptNeoX:
                .gptNeoX(
                    vocabularySize: vocabularySize, width: width, layers: layers, heads: heads, innerWidth: innerWidth,
                    maximumPositions: context, tiedEmbeddings: isTied)
            }
        configuration.beginningToken = Int(endOfText)
        configuration.endTokens = [Int(endOfText)]
        return configuration
    }
}

/// What a training step depends on beside text and model.
struct StepSettings: Codable, Sendable, Equatable {
    var loss: LossName
    var lossParameters: LossParameters
    /// Sequences in a step.
    var batchSequences: Int
    var adam: AdamSettings
    /// Steps over which the learning rate rises to its value.
    var warmUpSteps: Int
    /// Longest the gradient of all parameters together may be.
    var clipNorm: Float
    /// Seeds the model, the order of the text and the losses' directions.
    var seed: UInt64
}

/// Everything that decides what a run computes. A checkpoint holds it, and resuming asks for the same.
struct RunSettings: Codable, Sendable, Equatable {
    var shape: ModelShape
    var step: StepSettings
    /// Tells whether text, tokenizer and split are those of the checkpoint.
    var textFingerprint: UInt64

    /// What differs from `other`, by the names of the options; empty when nothing does.
    func differences(from other: RunSettings) -> [String] {
        func differs<Value: Equatable>(_ name: String, _ path: KeyPath<RunSettings, Value>) -> String? {
            self[keyPath: path] == other[keyPath: path]
                ? nil : "\(name) (\(self[keyPath: path]), in the checkpoint \(other[keyPath: path]))"
        }
        var found: [String?] = [
            differs("--architecture", \.shape.architecture), differs("--vocabulary", \.shape.vocabularySize),
            differs("--width", \.shape.width), differs("--layers", \.shape.layers), differs("--heads", \.shape.heads),
            differs("--key-heads", \.shape.keyHeads), differs("--inner-width", \.shape.innerWidth),
            differs("--context", \.shape.context), differs("--tied", \.shape.isTied), differs("--loss", \.step.loss),
            differs("--batch", \.step.batchSequences), differs("--learning-rate", \.step.adam.learningRate),
            differs("--beta2", \.step.adam.beta2), differs("--weight-decay", \.step.adam.weightDecay),
            differs("--warm-up", \.step.warmUpSteps), differs("--clip-norm", \.step.clipNorm),
            differs("--seed", \.step.seed),
        ]
        if step.lossParameters != other.step.lossParameters { found.append("the loss's parameters") }
        if textFingerprint != other.textFingerprint { found.append("the text or its split") }
        let named = found.compactMap { $0 }
        return named.isEmpty && self != other ? ["settings of another version of this program"] : named
    }
}

/// How long a run goes on. Nil where the steps are not known yet.
struct Plan: Codable, Sendable, Equatable {
    /// Steps in all.
    var steps: Int
    var evaluateEvery: Int

    init(steps: Int, evaluateEvery: Int?) {
        self.steps = steps
        self.evaluateEvery = evaluateEvery ?? max(1, steps / 20)
    }

    /// What multiplies the learning rate at a step: a straight rise, then half a cosine to a tenth.
    static func rate(step: Int, warmUp: Int, plan: Plan?) -> Float {
        if step < warmUp { return Float(step + 1) / Float(warmUp) }
        guard let plan else { return 1 }
        let part = Double(step - warmUp) / Double(max(1, plan.steps - warmUp))
        return Float(0.55 + 0.45 * cos(.pi * min(1, part)))
    }
}

/// A validation: exact cross-entropy, whichever loss trains.
struct ValidationRecord: Codable, Sendable, Equatable {
    let step: Int
    let tokensSeen: Int
    /// Mean training loss since the validation before, as the loss computes it.
    let trainingLoss: Double
    /// Nats a token.
    let loss: Double
    let bitsPerByte: Double
    /// Of training alone, from the start.
    let seconds: Double
}

/// How far a run is; with parameters and moments all that a checkpoint needs.
struct RunProgress: Codable, Sendable, Equatable {
    var steps = 0
    var plan: Plan?
    /// Passes over the text that are complete, and windows done of the one under way.
    var epoch = 0
    var windowsDone = 0
    var tokensSeen = 0
    /// Of training, without validation.
    var seconds = 0.0
    /// Since the last validation.
    var lossSum = 0.0
    var lossTokens = 0
    var validations: [ValidationRecord] = []
    var isFinished = false

    var best: ValidationRecord? { validations.min { $0.loss < $1.loss } }
}
