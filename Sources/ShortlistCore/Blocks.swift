/// A run of elements in a stream's memory; the backend alone knows where it is.
public struct Vector<Element: BitwiseCopyable>: Sendable {
    public let buffer: BufferID
    /// In elements.
    public let offset: Int
    public let count: Int

    public init(buffer: BufferID, offset: Int, count: Int) {
        self.buffer = buffer
        self.offset = offset
        self.count = count
    }

    /// The elements `range`, in the same memory.
    public func slice(_ range: Range<Int>) -> Vector {
        Vector(buffer: buffer, offset: offset + range.lowerBound, count: range.count)
    }
}

/// An opaque name for a buffer of a workspace.
public struct BufferID: Sendable, Hashable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
}

/// A row-major f32 matrix in a stream's memory.
public struct DeviceMatrix: Sendable {
    public let buffer: BufferID
    /// In elements.
    public let offset: Int
    public let rows: Int
    public let columns: Int
    /// Elements from one row's start to the next.
    public let rowStride: Int

    public init(buffer: BufferID, offset: Int, rows: Int, columns: Int, rowStride: Int) {
        self.buffer = buffer
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }

    /// The rows `range`, in the same memory.
    public func rowRange(_ range: Range<Int>) -> DeviceMatrix {
        DeviceMatrix(
            buffer: buffer, offset: offset + range.lowerBound * rowStride, rows: range.count, columns: columns,
            rowStride: rowStride)
    }
}

/// Rows of a matrix, all of them or those that `rows` lists: tokens left out by `ignoreIndex` never enter a product,
/// and no compacted copy of X is kept.
public struct RowSource: Sendable {
    public let matrix: DeviceMatrix
    /// Ascending row numbers of `matrix`; nil for all its rows.
    public let rows: Vector<Int32>?
    public var count: Int { rows?.count ?? matrix.rows }
    public var width: Int { matrix.columns }

    public init(_ matrix: DeviceMatrix, rows: Vector<Int32>? = nil) {
        self.matrix = matrix
        self.rows = rows
    }
}

/// The valid tokens of a call. A token's *ordinal* is its place among the valid ones; everything that a call keeps per
/// token is indexed by ordinal, and `hidden.rows` (where present) leads back to rows of X. What the caller gave is
/// indexed by row of X.
public struct TokenSet: Sendable {
    public let hidden: RowSource
    /// By ordinal.
    public let targets: Vector<Int32>
    /// By row of X: the caller's.
    public let weights: Vector<Float>?
    public var count: Int { hidden.count }

    public init(hidden: RowSource, targets: Vector<Int32>, weights: Vector<Float>?) {
        self.hidden = hidden
        self.targets = targets
        self.weights = weights
    }
}

/// The catalog of a call: Y, its bias, and the items that are never candidates.
public struct ItemSet: Sendable {
    /// Y, C × d.
    public let matrix: DeviceMatrix
    /// C values.
    public let bias: Vector<Float>?
    /// Ascending distinct ids, items with a bias of −∞ among them; nil where nothing is excluded.
    public let excluded: Vector<Int32>?
    public var count: Int { matrix.rows }
    /// Items that can be candidates.
    public var selectableCount: Int { count - (excluded?.count ?? 0) }

    public init(matrix: DeviceMatrix, bias: Vector<Float>?, excluded: Vector<Int32>?) {
        self.matrix = matrix
        self.bias = bias
        self.excluded = excluded
    }
}

/// One candidate block: a run of `tokens` × a run of `items` of its `CandidateBlocks`.
public struct BlockRange: Sendable, BitwiseCopyable {
    /// The first token slot, and how many.
    public var tokenStart: Int
    public var tokenCount: Int
    /// The first item place, and how many.
    public var itemStart: Int
    public var itemCount: Int
    /// 0 switches the block off for dY and db.
    public var contributesToCatalogGradient: Int

    public init(tokens: Range<Int>, items: Range<Int>, contributesToCatalogGradient: Bool = true) {
        tokenStart = tokens.lowerBound
        tokenCount = tokens.count
        itemStart = items.lowerBound
        itemCount = items.count
        self.contributesToCatalogGradient = contributesToCatalogGradient ? 1 : 0
    }
}

/// How blocks that share a token are joined.
public enum Combination: Int32, Sendable, CaseIterable {
    /// ℓ = max over the blocks that hold the token (the SCE paper); the gradient flows through the winner alone.
    case max = 0
    /// The shortlist is the union of the blocks', each item once.
    case union = 1
}

/// What a selection makes and a scoring kernel takes: candidate blocks in a stream's memory.
///
/// Token slots are the places of `tokens` (or the ordinals themselves where it is nil): slot `tokenStart + p` of block
/// k is its p-th token. Blocks' token runs follow one another without gaps; item runs may overlap (RECE's neighbours).
public struct CandidateBlocks: Sendable {
    /// How a target, and an earlier meeting of a pair, are found.
    public enum Arrangement: Sendable {
        /// One block of all tokens × all items, in order; excluded items are skipped by the kernel.
        case dense
        /// Each block lists its items in ascending order, excluded ones left out.
        case lists
        /// Each round sorts all tokens and all selectable items and cuts both into `chunkCount` equal chunks; block
        /// ρ·chunkCount + c pairs token chunk c with item chunks c ± `neighbours`. `places` (rounds × C) is where each
        /// item stands in a round's order, −1 for an excluded one.
        case rounds(count: Int, chunkCount: Int, neighbours: Int, places: Vector<Int32>)
    }

    public var arrangement: Arrangement
    /// A range for each block.
    public var ranges: Vector<BlockRange>
    /// Token ordinals by slot; nil: slot = ordinal.
    public var tokens: Vector<Int32>?
    /// Item ids by place; nil: place = id.
    public var items: Vector<Int32>?
    /// Added to candidates' logits, parallel to `items`.
    public var logWeights: Vector<Float>?
    /// The slot before this one that holds the same token, −1 for none; and each token's last slot.
    public var previousSlot: Vector<Int32>?
    public var lastSlot: Vector<Int32>?
    /// For `union` over lists: the place in an earlier block that holds the same item, −1 for none; and each place's
    /// block.
    public var previousPlace: Vector<Int32>?
    public var blockOfPlace: Vector<Int32>?
    public var blockOfSlot: Vector<Int32>?
    public var combination: Combination
    /// The sizes that were planned.
    public var shape: BlockShape

    /// Each token has at most one candidate row to add to dX (`max`: its winner; one block; within a round of RECE).
    public var tokensAreExclusive: Bool {
        if case .lists = arrangement { return combination == .max || shape.blockCount <= 1 }
        return true
    }

    public init(
        arrangement: Arrangement, ranges: Vector<BlockRange>, tokens: Vector<Int32>? = nil,
        items: Vector<Int32>? = nil, logWeights: Vector<Float>? = nil, combination: Combination, shape: BlockShape
    ) {
        self.arrangement = arrangement
        self.ranges = ranges
        self.tokens = tokens
        self.items = items
        self.logWeights = logWeights
        self.combination = combination
        self.shape = shape
    }
}

/// What combination leaves per token: ℓ, the log-sum-exp over target and shortlist, and (for `max`) the winning slot.
/// All by ordinal.
public struct TokenState: Sendable {
    /// From `targetLogits`, before combination.
    public var targetLogits: Vector<Float>
    /// ℓ, without the weight; 0 for a token that does not count.
    public var losses: Vector<Float>
    /// 0 for a token that does not count.
    public var logSumExp: Vector<Float>
    /// −1 for a token that does not count; for `union` 0 for one that does.
    public var winners: Vector<Int32>
    /// Σ w ℓ, Σ w, tokens counted, tokens with a non-finite ℓ.
    public var totals: Vector<Double>

    public init(
        targetLogits: Vector<Float>, losses: Vector<Float>, logSumExp: Vector<Float>, winners: Vector<Int32>,
        totals: Vector<Double>
    ) {
        self.targetLogits = targetLogits
        self.losses = losses
        self.logSumExp = logSumExp
        self.winners = winners
        self.totals = totals
    }
}

/// A set of items as a bit map with running counts: the row of an item in a row-sparse gradient is the number of set
/// bits below its own.
public struct ItemMap: Sendable {
    /// ⌈C / 64⌉ words.
    public var bits: Vector<UInt64>
    /// Set bits before each word; as many as words.
    public var before: Vector<Int32>

    public init(bits: Vector<UInt64>, before: Vector<Int32>) {
        self.bits = bits
        self.before = before
    }
}

/// Where gradient kernels add to. All of them add; whoever wants a store fills with zero first.
public struct GradientTargets: Sendable {
    /// N × d, indexed by row of X.
    public var hidden: DeviceMatrix?
    /// C × d, or one row an item of `rows`.
    public var catalog: DeviceMatrix?
    /// C values, or one an item of `rows`.
    public var bias: Vector<Float>?
    /// Present for a row-sparse gradient.
    public var rows: ItemMap?
    /// One element.
    public var scale: Vector<Double>?

    public init() {}
}
