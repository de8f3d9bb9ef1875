import ExampleSupport
import Foundation
import NeuralLayers
import Shortlist

/// Draws tokens one after the other. One thread at a time.
public final class TextSampler {
    public struct Settings: Sendable {
        /// Divides the logits; 0 takes the most probable token.
        public var temperature: Double
        /// Draws among this many most probable tokens; 0 among all.
        public var topK: Int
        public var seed: UInt64
        /// Draws with the same seed and another stream are others.
        public var stream: UInt64

        public init(temperature: Double = 0.8, topK: Int = 40, seed: UInt64 = 1, stream: UInt64 = 5) {
            self.temperature = temperature
            self.topK = topK
            self.seed = seed
            self.stream = stream
        }
    }

    private let model: CausalLanguageModel
    private let settings: Settings
    private let library: Context
    private let catalog: Catalog
    private let window: Int
    private var state: DecodingState
    private var tokens: [Int32]
    private var hidden: Matrix
    private var generator: SeededGenerator

    /// - Parameters:
    ///   - prompt: one token or more.
    ///   - window: tokens that the model sees at most. When it is full, the sequence starts again from its last half.
    ///   - catalog: the model's output embeddings, where `library` has them already.
    public init(
        _ model: CausalLanguageModel, prompt: [Int32], window: Int, _ settings: Settings, _ library: Context,
        catalog: Catalog? = nil
    ) throws {
        precondition(!prompt.isEmpty && window > 1, "a prompt of \(prompt.count) tokens, a window of \(window)")
        self.model = model
        self.settings = settings
        self.library = library
        self.window = window
        self.catalog = try catalog ?? library.catalog(model.outputEmbeddings)
        tokens = prompt
        generator = SeededGenerator(seed: settings.seed, stream: settings.stream)
        hidden = try Matrix(rows: 1, columns: model.configuration.width)
        state = try DecodingState(model, capacity: window)
        take(prompt.suffix(window))
    }

    /// The next token, which is from then on part of the text.
    public func next() throws -> Int32 {
        if state.position == 0 { take(tokens.suffix(max(1, window / 2))) }
        let token = try draw()
        tokens.append(token)
        if state.position == window {
            state.truncate(to: 0)
        } else {
            take([token])
        }
        return token
    }

    private func take(_ new: some Collection<Int32>) {
        let rows = state.step(tokens: new)
        hidden.elements.baseAddress!.update(from: rows.row(rows.rows - 1), count: rows.columns)
    }

    private func draw() throws -> Int32 {
        let count = model.configuration.vocabularySize
        let k = settings.temperature == 0 ? 1 : settings.topK == 0 ? count : min(count, settings.topK)
        let top = try library.topK(hidden, in: catalog, k: k)
        guard k > 1 else { return top.ids[0] }
        let best = Double(top.scores[0])
        let choice = WeightedChoice(top.scores.map { exp((Double($0) - best) / settings.temperature) })
        return top.ids[choice.draw(&generator)]
    }
}
