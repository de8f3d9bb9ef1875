import ArgumentParser
import ExampleSupport

struct AutoregressionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autoregression",
        abstract: "Against decoding token by token from one trained vector (\"cramming\", arXiv 2502.13063).",
        discussion: """
            Both are trained on the same texts up the same ladder of lengths; then both decode what they hold, and the \
            tokens a second are measured, one text at a time. Cramming decodes with cached keys and values.
            """)

    @OptionGroup(title: "Model") var modelOptions: FrozenModelOptions
    @OptionGroup(title: "Texts") var textOptions: TextOptions
    @OptionGroup(title: "Lengths") var capacityOptions: CapacityOptions

    @Option(help: "Length at which decoding is timed (default: the longest of the ladder).")
    var timedLength: Int?

    @Option(help: "Times that decoding is timed; the median counts.")
    var turns = 11

    @OptionGroup(title: "Training") var fitOptions: FitOptions
    @OptionGroup(title: "Results") var resultOptions: ResultOptions

    func validate() throws {
        guard turns >= 1 else { throw ValidationError("--turns must be at least 1, not \(turns)") }
        guard timedLength ?? 1 >= 1 else { throw ValidationError("--timed-length must be at least 1") }
    }

    struct Row: Codable {
        let arrangement: Arrangement
        let outcome: CapacitySearch.Outcome
        let timedLength: Int
        let secondsToDecode: Double
        var tokensPerSecond: Double { Double(timedLength) / secondsToDecode }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let folder = try resultOptions.folder()
        let model = try modelOptions.load(log)
        guard let longest = capacityOptions.ladder.last else { throw ValidationError("there is no length to try") }
        let texts = try textOptions.load(length: longest, model: model, seed: fitOptions.seed)
        let seconds = try decodingSeconds(model, length: timedLength ?? longest)
        var rows: [Row] = []
        for (arrangement, seconds) in [(Arrangement.leading, seconds.onePass), (.cramming, seconds.oneByOne)] {
            let name = arrangement == .leading ? "one pass" : "one by one"
            let outcome = try capacityOptions.search(model, arrangement, fitOptions.settings, log).run(
                texts, name: name)
            rows.append(
                Row(
                    arrangement: arrangement, outcome: outcome, timedLength: timedLength ?? longest,
                    secondsToDecode: seconds))
        }
        var table = TextTable(header: ["decoding", "vectors", "C_tokens", "most", "H_LM bits", "tokens/s"])
        for row in rows {
            table.append([
                row.arrangement == .leading ? "one pass" : "one by one", "\(row.arrangement.vectorCount)",
                fixed(row.outcome.meanCapacity, 1), "\(row.outcome.capacity.max() ?? 0)",
                fixed(row.outcome.meanBits, 0),
                grouped(Int(row.tokensPerSecond.rounded())),
            ])
        }
        print(
            """

            \(table)

            Means over \(texts.count) texts. Tokens a second at N = \(timedLength ?? longest), median of \(turns): one pass is \
            \(fixed(seconds.oneByOne / seconds.onePass, 1)) times as fast.
            """)
        try folder?.write("autoregression", rows, nil)
    }

    /// Decoding costs the same whatever the vectors, so it is timed with random ones; the two take turns.
    private func decodingSeconds(
        _ model: FrozenModel, length: Int
    ) throws -> (onePass: Double, oneByOne: Double) {
        let objective = Objective(model, texts: [Array(repeating: 0, count: length)], arrangement: .leading)
        let two = try ProtoTokens(.leading, texts: 1, sharesSecond: false, width: model.width)
        two.draw(text: 0, seed: fitOptions.seed)
        let first = Array(two.table.row(0))
        var onePass: [Double] = []
        var oneByOne: [Double] = []
        for turn in 0...turns {
            var clock = Stopwatch()
            _ = try objective.decode(text: 0, two)
            let pass = clock.seconds
            clock = Stopwatch()
            _ = try model.greedy(from: first, count: length)
            guard turn > 0 else { continue }  // the first makes room
            onePass.append(pass)
            oneByOne.append(clock.seconds)
        }
        return (onePass.sorted()[turns / 2], oneByOne.sorted()[turns / 2])
    }
}
