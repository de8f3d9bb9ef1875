import ExampleSupport
import Foundation
import LanguageModel
import NeuralLayers
import Shortlist
import Tokenization

/// A language model whose weights stand still, with its tokenizer, its head as the library's catalog, and threads.
///
/// One thread at a time. Nothing is ever computed for the weights' gradients.
final class FrozenModel {
    let folder: String
    let model: CausalLanguageModel
    let context: Context
    let catalog: Catalog
    private let tokenizer: Tokenizer?
    private let passes: BatchPass

    /// - Throws: what is wrong with the folder, by file, tensor and reason.
    convenience init(folder: String, context: Context) throws {
        let (model, tokenizer) = try CausalLanguageModel.withTokenizer(folder: folder)
        try self.init(model, tokenizer: tokenizer, folder: folder, context: context)
    }

    init(_ model: CausalLanguageModel, tokenizer: Tokenizer?, folder: String, context: Context) throws {
        self.folder = folder
        self.model = model
        self.tokenizer = tokenizer
        self.context = context
        catalog = try context.catalog(model.outputEmbeddings)
        passes = BatchPass(model, workers: Workers(context.hostThreads))
    }

    var width: Int { model.configuration.width }
    var vocabularySize: Int { model.configuration.vocabularySize }

    var summary: String {
        let shape = model.configuration
        return
            "\(folder): \(shape.family.architecture), \(shape.layers) layers, width \(shape.width), \(shape.heads) heads, "
            + "\(grouped(shape.vocabularySize)) tokens, \(grouped(model.parameterCount)) parameters"
    }

    func embedding(of token: Int32) -> UnsafeMutableBufferPointer<Float> { model.embeddings.row(Int(token)) }

    /// Tells models apart: FNV-1a over shape, embeddings and weights.
    private(set) lazy var fingerprint: String = {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for matrix in [model.embeddings, model.outputEmbeddings, model.parameters] {
            for value in [UInt32(matrix.rows), UInt32(matrix.columns)] {
                hash = (hash ^ UInt64(value)) &* 0x100_0000_01B3
            }
            for value in matrix.elements { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01B3 }
        }
        return String(hash, radix: 16)
    }()

    // MARK: Passes

    /// Rows of a chunk of work.
    static let rowsPerChunk = 64

    /// The hidden states of `sequences`, whose rows lie end to end in `inputs`, which must stay until the backward pass
    /// is done.
    func forward(_ inputs: Matrix, _ sequences: PackedSequences, into hidden: Matrix) {
        passes.forward(inputs, sequences, into: hidden)
    }

    /// dL/d inputs of the last forward pass in place of dL/d hidden; once for each forward pass.
    func backward(_ gradient: Matrix) throws { try passes.backward(gradient, into: gradient) }

    /// The hidden states of sequences of `lengths` rows that lie end to end in `inputs`.
    func hidden(_ inputs: Matrix, lengths: [Int]) throws -> Matrix {
        let hidden = try Matrix(rows: inputs.rows, columns: width)
        forward(inputs, PackedSequences(lengths: lengths, rowsPerChunk: Self.rowsPerChunk), into: hidden)
        return hidden
    }

    // MARK: Text

    /// - Throws: `NoTokenizer` for a model that was made without one.
    func encode(_ text: String) throws -> [Int32] {
        guard let tokenizer else { throw NoTokenizer() }
        return tokenizer.encode(text, addingSpecialTokens: false)
    }

    func decode(_ tokens: [Int32]) throws -> String {
        guard let tokenizer else { throw NoTokenizer() }
        // A model may have more rows than its tokenizer has tokens.
        return tokenizer.decode(tokens.filter { $0 < tokenizer.vocabularySize })
    }

    // MARK: One token after the other

    /// The model's first choices from a first input row on, each the next input: with cached keys and values.
    func greedy(from first: [Float], count: Int) throws -> [Int32] {
        let state = try DecodingState(model, capacity: max(1, count))
        defer { withExtendedLifetime(state) {} }  // hidden states lie in its memory
        let input = try Matrix(rows: 1, columns: width, first)
        var tokens: [Int32] = []
        while tokens.count < count {
            let rows = Tile(input.elements.baseAddress!, rows: 1, columns: width)
            let hidden = tokens.last.map { state.step(token: $0) } ?? state.step(rows)
            let query = try MatrixView(UnsafePointer(hidden.base), rows: 1, columns: width)
            tokens.append(try context.topK(query, in: catalog, k: 1).ids[0])
        }
        return tokens
    }

    /// Draws `count` tokens from the model, temperature 1, after `prompt`.
    func sample(after prompt: [Int32], count: Int, seed: UInt64) throws -> [Int32] {
        let sampler = try TextSampler(
            model, prompt: prompt, window: prompt.count + max(1, count),
            TextSampler.Settings(temperature: 1, topK: 0, seed: seed, stream: 0x5A3B), context, catalog: catalog)
        return try (0..<count).map { _ in
            try Interrupt.check()
            return try sampler.next()
        }
    }

    /// H_LM: the bits that the model needs for `tokens`, each given those before it. The first token, with nothing before
    /// it, counts as one of the vocabulary like any other: log₂ of its size.
    func bits(_ tokens: [Int32]) throws -> Double {
        let first = log2(Double(vocabularySize))
        guard tokens.count > 1 else { return tokens.isEmpty ? 0 : first }
        let inputs = try Matrix(rows: tokens.count - 1, columns: width)
        for (row, token) in tokens.dropLast().enumerated() {
            _ = inputs.row(row).update(fromContentsOf: embedding(of: token))
        }
        let hidden = try hidden(inputs, lengths: [inputs.rows])
        let loss = try context.evaluate(
            CrossEntropy(), hidden: hidden, targets: Array(tokens.dropFirst()), catalog: catalog,
            options: BatchOptions(reduction: .sum)
        ).loss
        return first + loss * log2(M_E)
    }
}

struct NoTokenizer: Error, CustomStringConvertible {
    var description: String { "the model has no tokenizer, so text means nothing to it" }
}
