import ArgumentParser
import ExampleSupport
import Foundation

struct FitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fit", abstract: "Train vectors that make the model say given texts in one pass.",
        discussion:
            "With --save the vectors go to a safetensors file, from which `onestep decode` makes the text again.")

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions
    @OptionGroup(title: "Texts") var textOptions: TextOptions

    @Option(help: "Tokens of each text.")
    var length = 32

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A text of your own, whole, in place of those of --text; may be given again.", valueName: "text"))
    var say: [String] = []

    @Option(
        help: "What stands at the input's positions: \(Arrangement.onePass.map(\.rawValue).joined(separator: ", ")).")
    var arrangement = Arrangement.leading

    @Flag(help: "One m for all texts, instead of one each.")
    var shareM = false

    @OptionGroup(title: "Training") var fitOptions: FitOptions

    @Option(help: ArgumentHelp("File for the vectors.", valueName: "file"))
    var save: String?

    func validate() throws {
        guard length > 0 else { throw ValidationError("--length must be at least 1, not \(length)") }
        guard Arrangement.onePass.contains(arrangement) else {
            throw ValidationError(
                "--arrangement \(arrangement.rawValue) decodes token by token; see `onestep autoregression`")
        }
        guard say.isEmpty || textOptions.file.text == nil else {
            throw ValidationError("--say and --text exclude each other")
        }
        guard say.allSatisfy({ !$0.isEmpty }) else { throw ValidationError("--say is empty; there is nothing to say") }
        guard !shareM || arrangement.vectorCount == 2 else {
            throw ValidationError("--share-m: the arrangement \(arrangement.rawValue) has no m")
        }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        if let save { try WritableFile(save).check() }
        let model = try modelOptions.load(log)
        let texts =
            try say.isEmpty
            ? textOptions.load(length: length, model: model, seed: fitOptions.seed) : say.map(model.encode)
        var settings = fitOptions.settings
        settings.sharesSecond = shareM
        let objective = Objective(model, texts: texts, arrangement: arrangement)
        let result = try Fitter(objective: objective, settings: settings, log: log).run()

        var table = TextTable(header: ["text", "tokens", "accuracy", "loss a token", "steps", "attempt", "begins"])
        for (number, fit) in result.texts.enumerated() {
            let start = try model.decode(Array(texts[number].prefix(8)))
            table.append([
                "\(number)", "\(fit.tokens)", fixed(fit.accuracy, 3), fixed(fit.loss / Double(fit.tokens), 4),
                "\(fit.steps)", "\(fit.attempt)", start.debugDescription,
            ])
        }
        print(
            """
            \(table)

            Mean accuracy \(fixed(result.meanAccuracy, 4)) with \(arrangement.notation); \(grouped(result.steps)) steps in \
            \(fixed(result.seconds, 1)) s, \(readable(bytes: result.lossWorkspaceBytes)) beside the loss's inputs and outputs.
            """)
        if let save {
            try Solution(vectors: result.vectors, texts: texts).write(to: save, model: model)
            print("The vectors are in \(save).")
        }
    }
}

struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Turn saved vectors back into text, in one pass each.")

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions

    @Argument(help: "The file that `onestep fit --save` wrote.")
    var file: String

    @Option(help: "Only the text of this number.")
    var index: Int?

    func run() throws {
        let model = try modelOptions.load(ProgressLog())
        let solution = try Solution(contentsOf: file, model: model)
        if let index, !solution.texts.indices.contains(index) {
            throw ValidationError("--index \(index): \(file) has the texts 0 to \(solution.texts.count - 1)")
        }
        let objective = Objective(model, texts: solution.texts, arrangement: solution.vectors.arrangement)
        for text in index.map({ [$0] }) ?? Array(solution.texts.indices) {
            let tokens = try objective.decode(text: text, solution.vectors)
            let right = zip(tokens, solution.texts[text]).count { $0 == $1 }
            print("--- text \(text): \(right) of \(tokens.count) tokens as they were trained")
            print(try model.decode(tokens))
        }
    }
}
