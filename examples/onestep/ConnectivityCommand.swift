import ArgumentParser
import ExampleSupport
import NeuralLayers

struct ConnectivityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connectivity",
        abstract: "Whether two solutions for one text are joined: by a straight line, by a trained Bézier curve.",
        discussion:
            "Each text is trained twice, from different random vectors; texts that fail either time are left out.")

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions
    @OptionGroup(title: "Texts") var textOptions: TextOptions

    @Option(help: "Tokens of each text.")
    var length = 32

    @Option(help: "Steps that a text goes on after it came out, so that its ends are no narrow escapes.")
    var settlingSteps = 500

    @Option(help: "Steps of training each curve.")
    var curveSteps = 1000

    @Option(help: "Places of the curve that each step looks at.")
    var curvePoints = 8

    @Option(help: "Places at which line and curve are measured, both ends included.")
    var places = 21

    @OptionGroup(title: "Training") var fitOptions: FitOptions
    @OptionGroup(title: "Results") var resultOptions: ResultOptions

    func validate() throws {
        for (option, value) in [("--length", length), ("--curve-steps", curveSteps), ("--curve-points", curvePoints)]
        where value < 1 { throw ValidationError("\(option) must be at least 1, not \(value)") }
        guard settlingSteps >= 0 else { throw ValidationError("--settling-steps must not be negative") }
        guard places >= 3 else { throw ValidationError("--places must be at least 3, not \(places)") }
    }

    struct Row: Codable {
        let text: Int
        let t: [Float]
        let line: [Double]
        let curve: [Double]
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try resultOptions.folder()
        let model = try modelOptions.load(log)
        let texts = try textOptions.load(length: length, model: model, seed: fitOptions.seed)
        let ends = try [0, 1].map { end in
            var settings = fitOptions.settings
            settings.seed = settings.seed &+ UInt64(1000 * end)
            settings.settlingSteps = settlingSteps
            let objective = Objective(model, texts: texts, arrangement: .leading)
            return try Fitter(objective: objective, settings: settings, log: log, name: "end \(end + 1) of 2").run()
        }
        let solved = texts.indices.filter { text in ends.allSatisfy { $0.texts[text].accuracy >= 0.99 } }
        log.line("\(solved.count) of \(texts.count) texts came out with accuracy 0.99 or more both times")
        let ts = (0..<places).map { Float($0) / Float(places - 1) }
        var rows: [Row] = []
        for text in solved {
            func vectors(_ end: Int) -> [[Float]] {
                ends[end].vectors.rows(of: text).map { Array(ends[end].vectors.table.row($0)) }
            }
            let connection = Connection(
                model: model, text: texts[text], arrangement: .leading, a: vectors(0), b: vectors(1))
            let middle = try connection.trainedMiddle(
                steps: curveSteps, points: curvePoints, adam: fitOptions.settings.adam, seed: fitOptions.seed, log: log)
            let row = Row(
                text: text, t: ts, line: try connection.accuracies(at: ts, through: nil),
                curve: try connection.accuracies(at: ts, through: middle))
            rows.append(row)
            log.line(
                "text \(text)   least accuracy on the line \(fixed(row.line.min() ?? 0, 3)), on the curve "
                    + "\(fixed(row.curve.min() ?? 0, 3))")
        }
        guard !rows.isEmpty else {
            throw NothingToConnect(length: length)
        }
        func mean(_ values: (Row) -> [Double]) -> [Double] {
            ts.indices.map { place in rows.reduce(0) { $0 + values($1)[place] } / Double(rows.count) }
        }
        func least(_ values: (Row) -> [Double]) -> Double {
            rows.reduce(0) { $0 + (values($1).min() ?? 0) } / Double(rows.count)
        }
        var table = TextTable(header: [
            "way", "mean accuracy", "at t = ½", "least on the way, mean", "texts ≥ 0.99 all along",
        ])
        for (name, values) in [("straight line", \Row.line), ("Bézier curve", \Row.curve)] {
            let along = mean { $0[keyPath: values] }
            table.append([
                name, fixed(along.reduce(0, +) / Double(places), 3), fixed(along[places / 2], 3),
                fixed(least { $0[keyPath: values] }, 3),
                "\(rows.count { ($0[keyPath: values].min() ?? 0) >= 0.99 })/\(rows.count)",
            ])
        }
        print("\n\(table)\n\n\(rows.count) texts of \(length) tokens.")
        func series(_ name: String, _ values: [Double]) -> LineChart.Series {
            LineChart.Series(name, zip(ts, values).map { LineChart.Point(Double($0), $1) })
        }
        let chart = LineChart(
            title: "Accuracy on the way between two solutions", xLabel: "t", yLabel: "mean accuracy",
            series: [series("straight line", mean(\.line)), series("trained Bézier curve", mean(\.curve))])
        try folder?.write("connectivity", rows, ChartGrid([chart], columns: 1))
    }
}

struct NothingToConnect: Error, CustomStringConvertible {
    let length: Int
    var description: String {
        "no text of \(length) tokens came out both times, so there is nothing to connect; try a shorter --length or more "
            + "--steps"
    }
}
