/// Items left out of a ranking: for all queries, and for each (ascending within a query).
public struct Exclusions: Sendable {
    /// Ascending.
    public var forAll: Vector<Int32>?
    /// Queries + 1 places in `ids`.
    public var offsets: Vector<Int>?
    public var ids: Vector<Int32>?
    /// Added to scores before ranking.
    public var bias: Vector<Float>?

    public init(
        forAll: Vector<Int32>? = nil, offsets: Vector<Int>? = nil, ids: Vector<Int32>? = nil,
        bias: Vector<Float>? = nil
    ) {
        self.forAll = forAll
        self.offsets = offsets
        self.ids = ids
        self.bias = bias
    }

    /// The same for the queries `range`.
    public func queries(_ range: Range<Int>) -> Exclusions {
        var result = self
        if let offsets { result.offsets = offsets.slice(range.lowerBound..<range.upperBound + 1) }
        return result
    }
}

/// Order of a query's results.
public enum TopOrder: Sendable {
    /// Largest score first, ties by lower id.
    case byScore
    /// Ascending ids, which is what a candidate block wants.
    case byIndex
}

/// Where results go: q × k ids (−1 for a missing place) and, on request, their scores (−∞).
public struct TopOutput: Sendable {
    public var ids: Vector<Int32>
    public var scores: Vector<Float>?
    public init(ids: Vector<Int32>, scores: Vector<Float>? = nil) {
        self.ids = ids
        self.scores = scores
    }
}

/// One projection with selection.
public struct TopRequest: Sendable {
    public var queries: RowSource
    public var rows: RowSource
    public var exclusions: Exclusions
    public var k: Int
    public var order: TopOrder
    public init(queries: RowSource, rows: RowSource, exclusions: Exclusions, k: Int, order: TopOrder) {
        self.queries = queries
        self.rows = rows
        self.exclusions = exclusions
        self.k = k
        self.order = order
    }
}

/// A dense block to evaluate, with the vectors that its stages fill.
public struct DenseRequest: Sendable {
    public var blocks: CandidateBlocks
    public var tokens: TokenSet
    public var items: ItemSet
    public var scale: Float
    public var reduction: ReducedUpstream
    /// By ordinal, like `coefficients`.
    public var slots: Vector<Float>
    public var coefficients: Vector<Float>
    public init(
        blocks: CandidateBlocks, tokens: TokenSet, items: ItemSet, scale: Float, reduction: ReducedUpstream,
        slots: Vector<Float>, coefficients: Vector<Float>
    ) {
        self.blocks = blocks
        self.tokens = tokens
        self.items = items
        self.scale = scale
        self.reduction = reduction
        self.slots = slots
        self.coefficients = coefficients
    }
}

/// How coefficients follow from the totals.
public struct ReducedUpstream: Sendable {
    public var reduction: Reduction
    /// For mean: instead of Σ w.
    public var denominator: Double?
    /// The upstream gradient of every token, where `perToken` is nil.
    public var one: Float
    /// By row of X.
    public var perToken: Vector<Float>?
    public init(reduction: Reduction, denominator: Double?, one: Float, perToken: Vector<Float>? = nil) {
        self.reduction = reduction
        self.denominator = denominator
        self.one = one
        self.perToken = perToken
    }
}
