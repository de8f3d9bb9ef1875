import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import NeuralLayers

extension Arrangement: ExpressibleByArgument {
    /// The names, for messages.
    static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
extension TextSource: ExpressibleByArgument {}

/// The frozen model and where the library computes.
struct FrozenModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the frozen model in the Hugging Face layout: config.json, model.safetensors, tokenizer.json. "
                + "`lm train` makes one.", valueName: "folder"))
    var model: String

    @OptionGroup var context: ContextSettings

    func load(_ log: ProgressLog) throws -> FrozenModel {
        let model = try FrozenModel(folder: model, context: try context.makeContext())
        log.line("\(model.summary)\nBackend \(model.context.backend.name), \(model.context.hostThreads) threads")
        return model
    }
}

/// The file that texts are drawn from.
struct TextFileOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A text file that passages and words are drawn from.", valueName: "file"))
    var text: String?

    func read() throws -> String {
        guard let text else { throw ValidationError("--text FILE is needed: passages and words are drawn from it") }
        return try TextContents(path: text).text()
    }
}

/// The texts to reconstruct.
struct TextOptions: ParsableArguments {
    @OptionGroup var file: TextFileOptions

    @Option(
        help: """
            natural: passages of --text; continuation: the model's own words after such passages; random-words: words of \
            --text in random order.
            """)
    var source = TextSource.natural

    @Option(help: "How many texts are fitted side by side.")
    var texts = 8

    func validate() throws {
        guard (1...100_000).contains(texts) else {
            throw ValidationError("--texts must be from 1 to 100,000, not \(texts)")
        }
    }

    func load(length: Int, model: FrozenModel, seed: UInt64) throws -> [[Int32]] {
        try source.texts(texts, length: length, from: file.read(), model: model, seed: seed)
    }
}

/// How vectors are trained.
struct FitOptions: ParsableArguments {
    @Option(help: "The loss over the vocabulary: ce (exact), sce or rece.")
    var loss = LossName.ce

    @OptionGroup(title: "Losses") var lossOptions: LossParameterOptions

    @Option(help: "Most steps of one attempt.")
    var steps = 5000

    @Option(help: "Attempts from other random vectors; the best is kept.")
    var attempts = 1

    @Option(help: "AdamW's learning rate.")
    var learningRate: Float = 0.01

    @Option(help: "AdamW's β1.")
    var beta1: Float = 0.9

    @Option(help: "AdamW's β2.")
    var beta2: Float = 0.9

    @Option(help: "AdamW's decoupled weight decay.")
    var weightDecay: Float = 0.01

    @Option(
        help: ArgumentHelp(
            "A text's attempt ends when its accuracy has not risen for so many steps (default: never).",
            valueName: "steps"))
    var patience: Int?

    @Option(help: "Steps between two looks at the accuracy, each a pass over the vocabulary.")
    var checkEvery = 10

    @Option(help: "Seed of the vectors, the losses' directions and the choice of texts.")
    var seed: UInt64 = 1

    func validate() throws {
        let positive = [
            ("--steps", steps), ("--attempts", attempts), ("--check-every", checkEvery), ("--patience", patience ?? 1),
        ]
        for (option, value) in positive where value < 1 {
            throw ValidationError("\(option) must be at least 1, not \(value)")
        }
        guard learningRate > 0, learningRate.isFinite else { throw ValidationError("--learning-rate must be positive") }
        for (option, value) in [("--beta1", beta1), ("--beta2", beta2)] where !(value >= 0 && value < 1) {
            throw ValidationError("\(option) must be at least 0 and below 1, not \(value)")
        }
        guard weightDecay >= 0, weightDecay.isFinite else {
            throw ValidationError("--weight-decay must not be negative")
        }
    }

    var settings: FitSettings {
        var settings = FitSettings()
        settings.loss = loss
        settings.lossParameters = lossOptions.parameters.only(for: loss)
        settings.adam = AdamSettings(
            learningRate: learningRate, beta1: beta1, beta2: beta2, weightDecay: weightDecay)
        settings.steps = steps
        settings.attempts = attempts
        settings.stepsBetweenChecks = checkEvery
        settings.patience = patience
        settings.seed = seed
        return settings
    }
}

/// Where tables and pictures go.
struct ResultOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder for the table (JSON) and the picture (SVG).", valueName: "folder"))
    var out: String?

    /// Finds out before the work whether the folder can be written.
    func folder() throws -> ResultFolder? { try out.map(ResultFolder.init) }
}

struct ResultFolder {
    let path: String

    init(_ path: String) throws {
        self.path = path
        try makeOutputFolder(path)
        try file("table.json").check()
    }

    private func file(_ name: String) -> WritableFile { WritableFile((path as NSString).appendingPathComponent(name)) }

    /// Writes NAME.json and, where there is one, the picture NAME.svg.
    func write(_ name: String, _ table: some Encodable, _ picture: ChartGrid?) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try file("\(name).json").write(try encoder.encode(table) + Data("\n".utf8))
        if let picture { try file("\(name).svg").write(picture.svg) }
    }
}

/// A list of lengths such as 4,8,16.
struct LengthList: ExpressibleByArgument, Codable {
    let lengths: [Int]

    /// - Parameter lengths: ascending, positive, not empty.
    init(_ lengths: [Int]) { self.lengths = lengths }

    init?(argument: String) {
        let lengths = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard !lengths.isEmpty, lengths.allSatisfy({ $0 > 0 }),
            zip(lengths, lengths.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        self.init(lengths)
    }

    /// 4, 5, 8, 11, 16, 22, … : two lengths an octave, to `longest`.
    static func ladder(to longest: Int) -> [Int] {
        var lengths: [Int] = []
        var exponent = 4
        while true {
            let length = Int(exp2(Double(exponent) / 2))
            if length > longest { return lengths }
            lengths.append(length)
            exponent += 1
        }
    }
}
