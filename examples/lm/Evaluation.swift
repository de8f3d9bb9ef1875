import ExampleSupport
import Foundation
import LanguageModel
import NeuralLayers
import Shortlist
import Tokenization

/// Exact cross-entropy of a model over windows of a text.
struct Evaluation {
    /// Nats, summed over the tokens that were predicted.
    var sum = 0.0
    var tokens = 0
    /// What these tokens stand for.
    var bytes = 0

    /// Nats a token.
    var loss: Double { sum / Double(max(1, tokens)) }
    var perplexity: Double { Foundation.exp(loss) }
    var bitsPerByte: Double { sum / Foundation.log(2) / Double(max(1, bytes)) }

    /// - Parameters:
    ///   - windows: the tokens that are read; each predicts the one behind it.
    ///   - rows: tokens that are computed at once.
    init(
        _ model: CausalLanguageModel, _ tokens: [Int32], windows: [Range<Int>], _ tokenizer: Tokenizer,
        _ library: Context, rows: Int = 4096
    ) throws {
        let catalog = try library.catalog(model.outputEmbeddings)
        let pass = BatchPass(model, workers: Workers(library.hostThreads))
        var rest = windows[...]
        while !rest.isEmpty {
            var batch: [Range<Int>] = []
            var count = 0
            while let window = rest.first, batch.isEmpty || count + window.count <= rows {
                batch.append(window)
                count += window.count
                rest.removeFirst()
            }
            let input = try Matrix(rows: count, columns: model.configuration.width)
            let hidden = try Matrix(rows: count, columns: model.configuration.width)
            model.embed(
                batch.flatMap { tokens[$0] },
                into: Tile(input.elements.baseAddress!, rows: count, columns: input.columns))
            pass.forward(input, PackedSequences(lengths: batch.map(\.count)), into: hidden)
            let targets = batch.flatMap { tokens[$0.lowerBound + 1..<$0.upperBound + 1] }
            let result = try library.evaluate(CrossEntropy(), hidden: hidden, targets: targets, catalog: catalog)
            sum += result.loss * Double(count)
            self.tokens += count
            bytes += tokenizer.bytes(of: targets, skippingSpecialTokens: true).count
        }
    }
}
