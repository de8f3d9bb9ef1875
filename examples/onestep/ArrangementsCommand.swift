import ArgumentParser
import ExampleSupport

struct ArrangementsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "arrangements",
        abstract: "What the input must look like: one vector or two, and where they stand.",
        discussion: """
            Every arrangement is trained at every length on the same texts. The paper's finding: one vector fails beyond \
            about two tokens, [e] [m] … [m] goes to hundreds.
            """)

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions
    @OptionGroup(title: "Texts") var textOptions: TextOptions

    @Option(help: "Lengths to try, ascending.")
    var lengths = LengthList([1, 2, 4, 16, 64])

    @OptionGroup(title: "Training") var fitOptions: FitOptions
    @OptionGroup(title: "Results") var resultOptions: ResultOptions

    struct Row: Codable {
        let arrangement: Arrangement
        let length: Int
        let accuracies: [Double]
        let steps: Int
        let seconds: Double
        var mean: Double { accuracies.mean }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try resultOptions.folder()
        let model = try modelOptions.load(log)
        let lengths = lengths.lengths
        let texts = try textOptions.load(length: lengths.last ?? 1, model: model, seed: fitOptions.seed)
        var rows: [Row] = []
        for arrangement in Arrangement.onePass {
            for length in lengths {
                let objective = Objective(
                    model, texts: texts.map { Array($0.prefix(length)) }, arrangement: arrangement)
                let name = "\(arrangement.notation)   N = \(length)"
                let result = try Fitter(
                    objective: objective, settings: fitOptions.settings, log: log, name: name
                ).run()
                rows.append(
                    Row(
                        arrangement: arrangement, length: length, accuracies: result.texts.map(\.accuracy),
                        steps: result.steps, seconds: result.seconds))
                log.line(
                    "\(name)   mean accuracy \(fixed(result.meanAccuracy, 3))   \(grouped(result.steps)) steps   "
                        + "\(fixed(result.seconds, 1)) s")
            }
        }
        var table = TextTable(header: ["arrangement"] + lengths.map { "N = \($0)" })
        for arrangement in Arrangement.onePass {
            table.append(
                [arrangement.notation]
                    + rows.filter { $0.arrangement == arrangement }.map { fixed($0.mean, 3) })
        }
        print("\n\(table)\n\nMean accuracy over \(texts.count) texts.")
        let chart = LineChart(
            title: "Accuracy against length", xLabel: "tokens, N", yLabel: "mean accuracy", isXLogarithmic: true,
            series: Arrangement.onePass.map { arrangement in
                LineChart.Series(
                    arrangement.notation,
                    rows.filter { $0.arrangement == arrangement }.map { LineChart.Point(Double($0.length), $0.mean) })
            })
        try folder?.write("arrangements", rows, ChartGrid([chart], columns: 1))
    }
}
