import ArgumentParser
import ExampleSupport
import Foundation

/// The longest prefix of each text that comes out with accuracy ≥ `wanted`, found by going up a ladder of lengths.
struct CapacitySearch {
    let model: FrozenModel
    let arrangement: Arrangement
    let settings: FitSettings
    let lengths: [Int]
    let wanted: Double
    /// A text leaves after so many lengths in a row that it fails.
    let failuresAllowed: Int
    let log: ProgressLog

    struct Step: Codable {
        let length: Int
        let texts: Int
        let accuracies: [Double]
        let steps: Int
        let seconds: Double
    }

    struct Outcome: Codable {
        /// Per text: the longest length reconstructed, 0 if none.
        var capacity: [Int]
        /// Per text: what the model alone would need to say these tokens one by one, in bits (H_LM).
        var bits: [Double]
        var steps: [Step]

        var meanCapacity: Double { Double(capacity.reduce(0, +)) / Double(max(1, capacity.count)) }
        var meanBits: Double { bits.mean }
    }

    /// - Parameter texts: each as long as the longest length.
    func run(_ texts: [[Int32]], name: String) throws -> Outcome {
        var outcome = Outcome(
            capacity: Array(repeating: 0, count: texts.count), bits: Array(repeating: 0, count: texts.count), steps: [])
        var failures = Array(repeating: 0, count: texts.count)
        for length in lengths {
            let open = texts.indices.filter { failures[$0] < failuresAllowed }
            if open.isEmpty { break }
            // An m is shared by all texts to the end, those that failed at a shorter length included: fewer would be easier.
            let fitted = settings.sharesSecond ? Array(texts.indices) : open
            var settings = settings
            settings.wantedAccuracy = wanted
            let objective = Objective(
                model, texts: fitted.map { Array(texts[$0].prefix(length)) }, arrangement: arrangement)
            let result = try Fitter(
                objective: objective, settings: settings, log: log, name: "\(name)   N = \(length)"
            ).run()
            for (text, fit) in zip(fitted, result.texts) where open.contains(text) {
                if fit.accuracy >= wanted {
                    outcome.capacity[text] = length
                    failures[text] = 0
                } else {
                    failures[text] += 1
                }
            }
            let passed = result.texts.count { $0.accuracy >= wanted }
            outcome.steps.append(
                Step(
                    length: length, texts: fitted.count, accuracies: result.texts.map(\.accuracy), steps: result.steps,
                    seconds: result.seconds))
            log.line(
                "\(name)   N = \(length)   \(passed)/\(fitted.count) texts at \(fixed(wanted, 2)) or more   mean accuracy "
                    + "\(fixed(result.meanAccuracy, 3))   \(fixed(result.seconds, 1)) s")
        }
        for (text, capacity) in outcome.capacity.enumerated() where capacity > 0 {
            outcome.bits[text] = try model.bits(Array(texts[text].prefix(capacity)))
        }
        return outcome
    }
}

/// Lengths and what counts as reconstructed.
struct CapacityOptions: ParsableArguments {
    @Option(help: "Lengths to try, ascending, such as 4,8,16 (default: two an octave from 4 to --longest).")
    var lengths: LengthList?

    @Option(help: "Longest length of the default ladder.")
    var longest = 256

    @Option(help: "Share of right tokens from which a text counts as reconstructed.")
    var wanted = 0.99

    @Option(help: "A text is given up after so many lengths in a row that it fails.")
    var failures = 1

    var ladder: [Int] { lengths?.lengths ?? LengthList.ladder(to: longest) }

    func validate() throws {
        guard wanted > 0, wanted <= 1 else { throw ValidationError("--wanted must lie above 0 and at most at 1") }
        guard failures >= 1 else { throw ValidationError("--failures must be at least 1") }
        guard lengths != nil || longest >= 4 else { throw ValidationError("--longest must be at least 4") }
    }

    func search(
        _ model: FrozenModel, _ arrangement: Arrangement, _ settings: FitSettings, _ log: ProgressLog
    ) -> CapacitySearch {
        CapacitySearch(
            model: model, arrangement: arrangement, settings: settings, lengths: ladder, wanted: wanted,
            failuresAllowed: failures, log: log)
    }
}

struct CapacityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capacity",
        abstract: "The longest text that two vectors can hold: C_tokens and H_LM.",
        discussion: """
            For each source of texts, and for an m of each text's own and one that all share, the lengths of the ladder \
            are tried in turn. C_tokens is the longest prefix with accuracy ≥ --wanted, H_LM the bits that the model \
            itself would need for it, token by token; both as means over the texts.
            """)

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions

    @OptionGroup(title: "Texts") var file: TextFileOptions

    @Option(help: "Sources of texts, one after the other.")
    var sources: [TextSource] = TextSource.allCases

    @Option(help: "How many texts of each source.")
    var texts = 8

    @Flag(inversion: .prefixedNo, help: "Also one m for all texts.")
    var shared = true

    @OptionGroup(title: "Lengths") var capacityOptions: CapacityOptions
    @OptionGroup(title: "Training") var fitOptions: FitOptions
    @OptionGroup(title: "Results") var resultOptions: ResultOptions

    struct Row: Codable {
        let source: TextSource
        let sharesM: Bool
        let outcome: CapacitySearch.Outcome
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try resultOptions.folder()
        let model = try modelOptions.load(log)
        let text = try file.read()
        let ladder = capacityOptions.ladder
        guard let longest = ladder.last else { throw ValidationError("there is no length to try") }
        var rows: [Row] = []
        for source in sources {
            let samples = try source.texts(texts, length: longest, from: text, model: model, seed: fitOptions.seed)
            for sharesM in shared ? [false, true] : [false] {
                var settings = fitOptions.settings
                settings.sharesSecond = sharesM
                let outcome = try capacityOptions.search(model, .leading, settings, log).run(
                    samples, name: "\(source.rawValue), \(sharesM ? "shared m" : "own m")")
                rows.append(Row(source: source, sharesM: sharesM, outcome: outcome))
            }
        }
        var table = TextTable(header: ["texts", "m", "C_tokens", "least", "most", "H_LM bits"])
        for row in rows {
            table.append([
                row.source.rawValue, row.sharesM ? "shared" : "own", fixed(row.outcome.meanCapacity, 1),
                "\(row.outcome.capacity.min() ?? 0)", "\(row.outcome.capacity.max() ?? 0)",
                fixed(row.outcome.meanBits, 0),
            ])
        }
        print(
            "\n\(table)\n\nMeans over \(texts) texts; lengths tried: \(ladder.map(String.init).joined(separator: ", "))."
        )
        let chart = LineChart(
            title: "Accuracy against length", xLabel: "tokens, N", yLabel: "mean accuracy", isXLogarithmic: true,
            series: rows.map { row in
                LineChart.Series(
                    "\(row.source.rawValue), \(row.sharesM ? "shared m" : "own m")",
                    row.outcome.steps.map { step in
                        LineChart.Point(
                            Double(step.length), step.accuracies.mean)
                    })
            })
        try folder?.write("capacity", rows, ChartGrid([chart], columns: 1))
    }
}
