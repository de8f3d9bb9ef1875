import ExampleSupport
import NeuralLayers
import Shortlist

/// A decoder-only language model between its embeddings and its head: from rows of input embeddings to the hidden
/// states whose products with `outputEmbeddings` are the logits. The logits themselves are left to the library's losses.
///
/// Parameters may be read by several threads at once; who changes them sees to it that no pass is under way.
public final class CausalLanguageModel {
    public let configuration: ModelConfiguration
    /// Where the parameters other than embeddings stand. Matrices and vectors have the names that Hugging Face's files
    /// give them, without `model.` or `gpt_neox.`, except for GPT-NeoX's query, key and value, which are apart here.
    public let layout: ParameterLayout
    /// Input embeddings, vocabulary × width.
    public let embeddings: Matrix
    /// The head: vocabulary × width, which the losses call the catalog. With tied embeddings the same object as
    /// `embeddings`.
    public let outputEmbeddings: Matrix
    /// Every other parameter, 1 × layout.count.
    public let parameters: Matrix

    let blocks: [DecoderBlock]
    let finalNorm: Normalization

    /// A model whose parameters are all 0.
    init(zeros configuration: ModelConfiguration) throws {
        try configuration.validate()
        self.configuration = configuration
        var layout = ParameterLayout()
        var blocks: [DecoderBlock] = []
        for index in 0..<configuration.layers {
            blocks.append(DecoderBlock("layers.\(index)", configuration, in: &layout))
        }
        self.blocks = blocks
        finalNorm = Normalization(
            configuration.family == .llama ? "norm" : "final_layer_norm", configuration, in: &layout)
        self.layout = layout
        embeddings = try Matrix(rows: configuration.vocabularySize, columns: configuration.width)
        outputEmbeddings =
            configuration.tiedEmbeddings
            ? embeddings : try Matrix(rows: configuration.vocabularySize, columns: configuration.width)
        parameters = try Matrix(rows: 1, columns: layout.count)
    }

    /// A new model: matrices from N(0, `initialDeviation`²), gains 1, biases 0.
    ///
    /// - Throws: `ConfigurationError`, or what `Matrix` throws when there is no memory.
    public convenience init(configuration: ModelConfiguration, seed: UInt64) throws {
        try self.init(zeros: configuration)
        var generator = SeededGenerator(seed: seed, stream: 3)
        func fill(_ values: UnsafeMutableBufferPointer<Float>) {
            for index in values.indices {
                values[index] = Float(generator.normal() * configuration.initialDeviation)
            }
        }
        fill(embeddings.elements)
        if !configuration.tiedEmbeddings { fill(outputEmbeddings.elements) }
        for entry in layout.entries {
            let values = UnsafeMutableBufferPointer(rebasing: parameters.elements[entry.range])
            if entry.name.hasSuffix(".bias") {
                values.update(repeating: 0)
            } else if entry.name.hasSuffix("norm.weight") {
                values.update(repeating: 1)
            } else {
                fill(values)
            }
        }
    }

    /// All parameters, tied embeddings counted once.
    public var parameterCount: Int {
        let tables = configuration.tiedEmbeddings ? 1 : 2
        return tables * configuration.vocabularySize * configuration.width
            + layout.entries.reduce(0) { $0 + $1.count }
    }

    // MARK: Embeddings

    /// Writes the embedding of each id to its row of `rows`, ids.count × width. An id outside the vocabulary stops the
    /// program.
    public func embed(_ ids: some Collection<Int32>, into rows: Tile) {
        precondition(rows.rows == ids.count && rows.columns == configuration.width, "rows of another shape")
        let table = embeddings.elements.baseAddress!
        for (row, id) in ids.enumerated() {
            precondition(id >= 0 && id < configuration.vocabularySize, "token \(id) is outside the vocabulary")
            rows.row(row).update(from: table + Int(id) * rows.columns, count: rows.columns)
        }
    }

    // MARK: Forward and backward

    /// What forward leaves for backward. It points into the arena that forward was given.
    public struct Saved {
        /// Rows × width: the final norm's output, whose products with `outputEmbeddings` are the logits.
        public let hidden: Tile
        let rows: SelfAttention.Rows
        let blocks: [DecoderBlock.Saved]
        let finalNorm: Normalization.Saved
    }

    /// The hidden states of sequences that lie end to end. All the work is done on the calling thread; different threads
    /// may run passes of one model at the same time, each with an arena and work memory of its own. `BatchPass` shares a
    /// batch out between threads in this way.
    ///
    /// - Parameters:
    ///   - input: rows × width, input embeddings: must stay as they are until backward is done.
    ///   - starts: for every row the first row of its sequence, which is where its positions count from.
    ///   - arena: holds what backward needs, rows × some (8 + 3·innerWidth/width) × width × layers numbers. The caller
    ///     resets it when it no longer needs what was saved.
    public func forward(_ input: Tile, starts: [Int32], arena: Arena, work: WorkMemory) -> Saved {
        precondition(input.columns == configuration.width, "\(input.columns) columns where the width is wanted")
        precondition(starts.count == input.rows, "\(starts.count) starts of \(input.rows) rows")
        var longest = 0
        for (row, start) in starts.enumerated() {
            precondition(start >= 0 && start <= row, "row \(row) of a sequence that starts at row \(start)")
            longest = max(longest, row - Int(start) + 1)
        }
        let values = parameters.elements.baseAddress!
        let rows = SelfAttention.Rows(
            starts: starts, angles: configuration.rotaryEmbedding.angles(at: 0..<longest, in: arena))
        var x = input
        var saved: [DecoderBlock.Saved] = []
        saved.reserveCapacity(blocks.count)
        for block in blocks {
            saved.append(block.forward(x, rows, values, arena, scores: work.scores))
            x = saved[saved.count - 1].result
        }
        let hidden = arena.take(input.rows, input.columns)
        let finalNorm = finalNorm.forward(x, values, into: hidden, arena)
        return Saved(hidden: hidden, rows: rows, blocks: saved, finalNorm: finalNorm)
    }

    /// dL/d input, and with `gradients` also dL/d parameters. Threads: as `forward`.
    ///
    /// - Parameters:
    ///   - dHidden: dL/d hidden, rows × width.
    ///   - gradients: layout.count numbers, to which the gradients of `parameters` are added; nil leaves them out, and with
    ///     them a third of a training step's products. The embeddings' gradients are the caller's: the rows that are
    ///     returned, by the tokens that were looked up, and what the loss gives for `outputEmbeddings`.
    ///   - arena: gets the result; may be the one that `saved` points into.
    /// - Returns: rows × width.
    public func backward(
        _ dHidden: Tile, _ saved: Saved, gradients: UnsafeMutablePointer<Float>? = nil, arena: Arena, work: WorkMemory
    ) -> Tile {
        precondition(
            dHidden.rows == saved.hidden.rows && dHidden.columns == saved.hidden.columns,
            "a gradient of another shape than the hidden states")
        let parameterBlocks = ParameterBlocks(values: parameters.elements.baseAddress!, gradients: gradients)
        let gradient = arena.take(dHidden.rows, dHidden.columns)
        finalNorm.backward(dHidden, saved.finalNorm, parameterBlocks, into: gradient)
        for index in blocks.indices.reversed() {
            blocks[index].backward(
                gradient, saved.blocks[index], saved.rows, parameterBlocks, work.temporary, scores: work.scores)
        }
        return gradient
    }
}

/// Memory that a pass uses while it runs and another may use after it: one for each thread that runs passes.
public final class WorkMemory {
    let temporary = Arena()
    let scores = Arena()

    public init() {}
}
