import ExampleSupport
import LanguageModel
import Shortlist
import Tokenization

@testable import onestep

/// A tiny model with random weights, and texts for it.
enum World {
    static let vocabulary = 60

    static func model(width: Int = 32, tied: Bool = true, threads: Int = 2) throws -> FrozenModel {
        var configuration = ModelConfiguration.llama(
            vocabularySize: vocabulary, width: width, layers: 2, heads: 4, keyHeads: 2, tiedEmbeddings: tied)
        // Weights as large as trained ones, so that what is far along the sequence matters.
        configuration.initialDeviation = 0.2
        return try FrozenModel(
            CausalLanguageModel(configuration: configuration, seed: 3), tokenizer: nil, folder: "tiny",
            context: Context(ContextOptions(threads: threads)))
    }

    /// Random tokens: the same for the same numbers.
    static func texts(_ lengths: [Int], seed: UInt64 = 5) -> [[Int32]] {
        lengths.enumerated().map { number, length in
            var generator = SeededGenerator(seed: seed, stream: UInt64(number))
            return (0..<length).map { _ in Int32(generator.index(below: vocabulary)) }
        }
    }

    static func fit(
        _ model: FrozenModel, _ texts: [[Int32]], _ arrangement: Arrangement = .leading,
        _ change: (inout FitSettings) -> Void = { _ in }
    ) throws -> (objective: Objective, result: FitResult) {
        var settings = FitSettings()
        settings.steps = 1500
        change(&settings)
        let objective = Objective(model, texts: texts, arrangement: arrangement)
        return (objective, try Fitter(objective: objective, settings: settings, log: ProgressLog()).run())
    }
}
