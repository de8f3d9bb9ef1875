import NeuralLayers
import Shortlist

/// One sequence on its way: keys and values of the rows so far are kept, so that the next row costs what one row costs.
///
/// One thread at a time; states of one model may be used by different threads at once. A model whose parameters change
/// needs a new state.
public final class DecodingState {
    public let model: CausalLanguageModel
    /// The most rows that the sequence can have.
    public let capacity: Int
    /// Rows so far, which is the next row's position.
    public private(set) var position = 0

    private let caches: [KeyValueCache]
    private let arena = Arena()
    private let scores = Arena()
    private let tokenRows = Arena()

    /// A sequence of no rows yet. Takes 2 · capacity · keyHeads · headWidth · layers numbers.
    public init(_ model: CausalLanguageModel, capacity: Int) throws {
        precondition(capacity > 0, "a sequence of at most \(capacity) rows")
        self.model = model
        self.capacity = capacity
        let configuration = model.configuration
        caches = try (0..<configuration.layers).map { _ in
            try KeyValueCache(capacity: capacity, width: configuration.keyHeads * configuration.headWidth)
        }
    }

    /// Appends rows to the sequence, one or a whole prompt.
    ///
    /// - Parameter input: rows × width, input embeddings. More rows than `capacity` has left stop the program.
    /// - Returns: their hidden states, rows × width, valid until the next call.
    public func step(_ input: Tile) -> Tile {
        precondition(input.columns == model.configuration.width, "\(input.columns) columns where the width is wanted")
        precondition(
            position + input.rows <= capacity,
            "\(input.rows) rows more than the \(position) there are, where \(capacity) have room")
        arena.reset()
        let values = model.parameters.elements.baseAddress!
        let rows = SelfAttention.Rows(
            starts: [Int32](repeating: 0, count: input.rows),
            angles: model.configuration.rotaryEmbedding.angles(at: position..<position + input.rows, in: arena))
        var x = input
        for (block, cache) in zip(model.blocks, caches) {
            x = block.forward(x, rows, values, cache: cache, arena, scores: scores)
        }
        position += input.rows
        let hidden = arena.take(input.rows, input.columns)
        _ = model.finalNorm.forward(x, values, into: hidden, arena)
        return hidden
    }

    /// Appends one token. - Returns: its hidden state, 1 × width, valid until the next call.
    public func step(token: Int32) -> Tile { step(tokens: [token]) }

    /// Appends tokens. - Returns: their hidden states, tokens.count × width, valid until the next call.
    public func step(tokens: some Collection<Int32>) -> Tile {
        tokenRows.reset()
        let input = tokenRows.take(tokens.count, model.configuration.width)
        model.embed(tokens, into: input)
        return step(input)
    }

    /// Takes the sequence back to its first `rows` rows.
    public func truncate(to rows: Int) {
        precondition((0...position).contains(rows), "\(rows) of \(position) rows")
        position = rows
        for cache in caches { cache.rows = rows }
    }
}
