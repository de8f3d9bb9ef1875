import ArgumentParser
import ExampleSupport

struct DataOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file of interactions: lines of \"user item item …\" or \"user item\", CSV or RecBole with a header.",
            valueName: "file"))
    var data: String?

    @Option(help: "Users to invent when there is no file.")
    var users = 12_000

    @Option(help: "Items to invent when there is no file.")
    var items = 20_000

    func load(seed: UInt64) throws -> Interactions {
        if let data { return try Interactions(contentsOf: data) }
        return SyntheticData(users: users, items: items, seed: seed).generate()
    }

    func validate() throws {
        for (option, value) in [("--users", users), ("--items", items)] where !(1...100_000_000).contains(value) {
            throw ValidationError("\(option) must be from 1 to 100 million, not \(value)")
        }
    }
}

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
    @Option(help: "Worker threads (default: one per core).")
    var threads: Int?

    @Option(help: ArgumentHelp("Most workspace a call may use, such as 64MB or 1000000.", valueName: "bytes"))
    var workspaceLimit: ByteCount?

    @Option(help: ArgumentHelp("Also write the results here.", valueName: "file"))
    var json: String?

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1, not \(threads)") }
        // Said now rather than after the training.
        do { try json.map(WritableFile.init)?.check() } catch { throw ValidationError("--json: \(error)") }
    }
}

/// A number of bytes, with kB, MB or GB behind it or nothing.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        let units = [
            ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1000), ("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10),
        ]
        let text = argument.lowercased()
        let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Int(text.dropLast(unit.0.count)), number > 0,
            case let product = number.multipliedReportingOverflow(by: unit.1), !product.overflow
        else { return nil }
        bytes = product.partialValue
    }
}
