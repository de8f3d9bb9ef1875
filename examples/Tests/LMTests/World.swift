import ExampleCommandLine
import ExampleSupport
import LanguageModel
import NeuralLayers
import Shortlist
import Tokenization

@testable import lm

/// A small text, and settings under which it is learnt in seconds.
enum World {
    static let source: TextSource = {
        var grammar = StoryGrammar(seed: 4)
        return TextSource(grammar.documents(bytes: 30_000))
    }()
    static let tokenizer = try! Tokenizer.train(
        on: source.documents.map(\.text), vocabularySize: 400, specialTokens: [endOfText])

    static func stream(context: Int = 24) throws -> TokenStream {
        try TokenStream(source, tokenizer, separator: 0, context: context, share: 0.05)
    }

    static func settings(_ loss: LossName = .ce, _ change: (inout RunSettings) -> Void = { _ in }) throws -> RunSettings
    {
        var parameters = LossParameters()
        parameters.sceItems = 64
        var settings = RunSettings(
            shape: ModelShape(
                vocabularySize: tokenizer.vocabularySize, width: 32, layers: 2, heads: 2, keyHeads: 1, innerWidth: 64,
                context: 24),
            step: StepSettings(
                loss: loss, lossParameters: parameters.only(for: loss), batchSequences: 8,
                adam: AdamSettings(learningRate: 1e-2, beta2: 0.95, weightDecay: 0.01), warmUpSteps: 5, clipNorm: 1,
                seed: 3),
            textFingerprint: try stream().fingerprint)
        change(&settings)
        return settings
    }

    static func run(
        _ settings: RunSettings, steps: Int, threads: Int = 2, evaluateEvery: Int? = nil, folder: ModelFolder? = nil
    ) throws -> TrainingRun {
        try TrainingRun(
            settings, RunLimits(steps: steps, evaluateEvery: evaluateEvery, secondsBetweenCheckpoints: 0), stream(),
            tokenizer, Context(ContextOptions(threads: threads)), folder: folder, ProgressLog())
    }

    static func numbers(_ run: TrainingRun) -> [[Float]] {
        run.state.tables.flatMap { [$0.values, $0.optimizer.first, $0.optimizer.second] }.map { Array($0.elements) }
    }
}
