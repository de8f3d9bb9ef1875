import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import NeuralLayers

struct TrainingOptions: ParsableArguments {
    @Option(help: "Seeds the generated data, the start of the model, the order of the batches and the losses.")
    var seed: UInt64 = 1

    @Option(help: "Most passes over the training data.")
    var epochs = 20

    @Option(help: "Stop after this many epochs without a better validation NDCG@10.")
    var patience = 3

    @Option(help: "Predictions per training step (default: 1024, less where that makes under 50 steps an epoch).")
    var batch: Int?

    @Option(
        help: ArgumentHelp(
            "adam moves every row at every step; lazy-adam only those with a gradient, which is another optimiser."))
    var optimizer: Optimizer = .adam

    @Option(help: "Step size.")
    var learningRate: Float = 0.004

    @Option(help: "Length of an embedding.")
    var dimension = 64

    @Option(help: "How many of the last items the hidden state mixes.")
    var window = 5

    enum Optimizer: String, CaseIterable, ExpressibleByArgument {
        case adam
        case lazyAdam = "lazy-adam"
    }

    /// - Parameter examples: how many there are to train on, at least one.
    func settings(examples: Int) -> TrainingSettings {
        TrainingSettings(
            epochs: epochs, batch: min(examples, batch ?? min(1024, max(64, examples / 50))), patience: patience,
            dimension: dimension, window: window, seed: seed,
            adam: AdamSettings(learningRate: learningRate, isLazy: optimizer == .lazyAdam))
    }

    func validate() throws {
        let positive = [
            ("--epochs", epochs), ("--patience", patience), ("--batch", batch ?? 1), ("--dimension", dimension),
            ("--window", window),
        ]
        for (option, value) in positive where value < 1 {
            throw ValidationError("\(option) must be at least 1, not \(value)")
        }
        guard learningRate > 0, learningRate.isFinite else {
            throw ValidationError("--learning-rate must be a positive number")
        }
    }
}

struct RunningOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Also write the results here.", valueName: "file"))
    var json: String?

    func validate() throws {
        // Said now rather than after the training.
        do { try json.map(WritableFile.init)?.check() } catch { throw ValidationError("--json: \(error)") }
    }
}

struct LossOptions: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Losses to train with, one or several (default: all).")
    var loss: [LossName] = LossName.allCases

    /// Each loss once, in the order of its first mention.
    var chosen: [LossName] {
        loss.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
