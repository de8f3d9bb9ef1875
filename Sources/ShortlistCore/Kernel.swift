/// The kernels of a stream, by name, for reports and for `supports`.
public enum Kernel: Int, Sendable, CaseIterable {
    case fill, gram, addProduct, logits, selectTop, sortByKey, invert, linkTokens, targetLogits
    case blockLogSumExp, combine, coefficients, blockGradient, targetGradient, touchedItems, countAbove
    // Optional: composed from the others where a backend has none of its own.
    case projectAndSelect, hash, targetRanks, evaluateDense

    /// The kernels that every backend must have; the rest have default implementations composed of these.
    public static let required: Set<Kernel> = Set(allCases).subtracting(optional)
    /// The kernels that a backend may leave to their default implementations (`ComposedKernels.swift`).
    public static let optional: Set<Kernel> = [.projectAndSelect, .hash, .targetRanks, .evaluateDense]
}

/// A set of kernels.
public struct KernelSet: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// The set of one kernel.
    public init(_ kernel: Kernel) { rawValue = 1 << UInt32(kernel.rawValue) }

    /// The names of its kernels, in the order of `Kernel`.
    public var names: [String] { Kernel.allCases.filter { contains(KernelSet($0)) }.map { "\($0)" } }
}

/// What a kernel is about to run on, so that a backend can say how much scratch it needs before anything starts.
/// Kernels without a shape here get no scratch.
public enum KernelShape: Sendable {
    /// `queries` directions against `items` rows of width `width`, keeping `k`.
    case projectAndSelect(queries: Int, items: Int, width: Int, k: Int)
    case hash(rows: Int, directions: Int, width: Int)
    /// Keys are in `0 ..< keyBound`.
    case sortByKey(count: Int, keyBound: Int)
    case gram(rows: Int, width: Int)
    /// `rows` is the largest tile of Ω.
    case addProduct(rows: Int, width: Int)
    case combine(tokens: Int)
    case blockLogSumExp(BlockShape)
    case blockGradient(BlockShape, BlockGradientShape)
    case targetGradient(tokens: Int, width: Int, itemCount: Int)
    case targetRanks(queries: Int, items: Int, width: Int)
    case touchedItems(itemCount: Int)
    case evaluateDense(BlockShape, BlockGradientShape)
}

/// Sizes of a set of candidate blocks.
public struct BlockShape: Sendable {
    public var blockCount: Int
    /// Tokens of the largest block.
    public var maxTokens: Int
    /// Items of the largest block.
    public var maxItems: Int
    /// Token slots of all blocks together.
    public var slotCount: Int
    /// Item places of all blocks together, as far as blocks list them; an upper bound will do.
    public var placeCount: Int
    /// n: valid tokens.
    public var tokenCount: Int
    /// C.
    public var itemCount: Int
    /// d.
    public var width: Int
    /// One implicit block of all tokens × all items.
    public var isDense: Bool
    /// Pairs that an earlier block holds are skipped.
    public var onceOnly: Bool
    /// Rounds of sorted chunks (RECE), 0 for listed blocks.
    public var rounds: Int
    /// Chunks that a block of a round sees on each side of its own.
    public var neighbours: Int

    public init(
        blockCount: Int, maxTokens: Int, maxItems: Int, slotCount: Int, tokenCount: Int, itemCount: Int, width: Int,
        isDense: Bool, onceOnly: Bool, rounds: Int, neighbours: Int = 0, placeCount: Int? = nil
    ) {
        self.blockCount = blockCount
        self.maxTokens = maxTokens
        self.maxItems = maxItems
        self.slotCount = slotCount
        let (places, overflow) = blockCount.multipliedReportingOverflow(by: maxItems)
        self.placeCount = placeCount ?? (overflow ? .max : places)
        self.tokenCount = tokenCount
        self.itemCount = itemCount
        self.width = width
        self.isDense = isDense
        self.onceOnly = onceOnly
        self.rounds = rounds
        self.neighbours = neighbours
    }
}

/// Which gradients a block-gradient kernel is to make.
public struct BlockGradientShape: Sendable {
    /// dX.
    public var hidden: Bool
    /// dY, dense or row-sparse.
    public var catalog: Bool
    /// db.
    public var bias: Bool
    /// dL/ds.
    public var scale: Bool
    /// Each token is in one block of a group at most, so that dX rows can be written without joining.
    public var tokensAreExclusive: Bool

    public init(hidden: Bool, catalog: Bool, bias: Bool, scale: Bool, tokensAreExclusive: Bool) {
        self.hidden = hidden
        self.catalog = catalog
        self.bias = bias
        self.scale = scale
        self.tokensAreExclusive = tokensAreExclusive
    }
}

/// Scratch for one kernel in bytes: the least it can work in, and what it will use under the limit that was named.
public struct ScratchNeed: Sendable, Equatable {
    public var least: Int
    public var planned: Int
    public init(least: Int, planned: Int) {
        self.least = least
        self.planned = planned
    }
    public static let none = ScratchNeed(least: 0, planned: 0)
}
