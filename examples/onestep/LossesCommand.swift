import ArgumentParser
import ExampleCommandLine
import ExampleSupport

struct LossesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "losses",
        abstract: "The same fit with exact cross-entropy, SCE and RECE over the vocabulary.",
        discussion: "Accuracy always ranks the whole vocabulary, whatever the loss was.")

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions
    @OptionGroup(title: "Texts") var textOptions: TextOptions

    @Option(help: "Tokens of each text.")
    var length = 32

    @OptionGroup(title: "Training (--loss is not used)") var fitOptions: FitOptions
    @OptionGroup(title: "Results") var resultOptions: ResultOptions

    func validate() throws {
        guard length > 0 else { throw ValidationError("--length must be at least 1, not \(length)") }
        guard fitOptions.loss == .ce else { throw ValidationError("--loss: this command runs all three losses") }
    }

    struct Row: Codable {
        let loss: LossName
        let accuracies: [Double]
        let stepsOfEachText: [Int]
        let seconds: Double
        let steps: Int
        let lossWorkspaceBytes: Int
        var mean: Double { accuracies.mean }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try resultOptions.folder()
        let model = try modelOptions.load(log)
        let texts = try textOptions.load(length: length, model: model, seed: fitOptions.seed)
        var rows: [Row] = []
        for loss in LossName.allCases {
            var settings = fitOptions.settings
            settings.loss = loss
            settings.lossParameters = fitOptions.lossOptions.parameters.only(for: loss)
            let objective = Objective(model, texts: texts, arrangement: .leading)
            let result = try Fitter(objective: objective, settings: settings, log: log, name: loss.rawValue).run()
            rows.append(
                Row(
                    loss: loss, accuracies: result.texts.map(\.accuracy), stepsOfEachText: result.texts.map(\.steps),
                    seconds: result.seconds, steps: result.steps, lossWorkspaceBytes: result.lossWorkspaceBytes))
            log.line(
                "\(loss.rawValue)   mean accuracy \(fixed(result.meanAccuracy, 3))   \(fixed(result.seconds, 1)) s")
        }
        var table = TextTable(header: ["loss", "mean accuracy", "texts done", "median steps", "seconds", "loss memory"])
        for row in rows {
            table.append([
                row.loss.rawValue, fixed(row.mean, 3), "\(row.accuracies.count { $0 >= 1 })/\(row.accuracies.count)",
                "\(row.stepsOfEachText.sorted()[row.stepsOfEachText.count / 2])", fixed(row.seconds, 1),
                readable(bytes: row.lossWorkspaceBytes),
            ])
        }
        print(
            "\n\(table)\n\n\(texts.count) texts of \(length) tokens; a vocabulary of \(grouped(model.vocabularySize)).")
        try folder?.write("losses", rows, nil)
    }
}
