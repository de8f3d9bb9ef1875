/// Targets as the caller holds them: one item id a token, 32 or 64 bits wide.
public enum Targets: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    case int32(UnsafeBufferPointer<Int32>)
    case int64(UnsafeBufferPointer<Int64>)

    public var count: Int {
        switch self {
        case .int32(let values): values.count
        case .int64(let values): values.count
        }
    }

    @inlinable
    public subscript(index: Int) -> Int64 {
        switch self {
        case .int32(let values): Int64(values[index])
        case .int64(let values): values[index]
        }
    }
}

/// How per-token losses become the result.
public enum Reduction: Int32, Sendable, CaseIterable {
    /// Σ w ℓ / Σ w over the tokens that count, or over the caller's denominator.
    case mean = 0
    case sum = 1
    /// The vector w ℓ; the reduced loss is its sum, and the upstream gradient is one number a token.
    case none = 2
}

/// The tokens of one call, in borrowed memory that stays valid and unchanged until the call returns (for `forward`:
/// until its state is released).
public struct Batch: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    /// X: N × d, one row a token.
    public var hidden: MatrixView
    /// N item ids.
    public var targets: Targets
    /// N weights ≥ 0, default 1. A weight of exactly 0 makes every contribution of its token exactly 0.
    public var weights: UnsafeBufferPointer<Float>?
    /// The target value that marks a token to leave out of everything; nil for none.
    public var ignoreIndex: Int64?
    /// Items that are never candidates; as a target, an error. Any order, repeats allowed.
    public var excludedItems: UnsafeBufferPointer<Int32>
    /// s of z = s·⟨x, y⟩ + b: 1/temperature, > 0.
    public var scale: Float
    public var reduction: Reduction
    /// For `.mean`: divide by this instead of Σ w, for gradient accumulation. > 0.
    public var denominator: Double?

    public init(
        hidden: MatrixView, targets: Targets, weights: UnsafeBufferPointer<Float>? = nil, ignoreIndex: Int64? = -100,
        excludedItems: UnsafeBufferPointer<Int32> = .init(start: nil, count: 0), scale: Float = 1,
        reduction: Reduction = .mean, denominator: Double? = nil
    ) {
        self.hidden = hidden
        self.targets = targets
        self.weights = weights
        self.ignoreIndex = ignoreIndex
        self.excludedItems = excludedItems
        self.scale = scale
        self.reduction = reduction
        self.denominator = denominator
    }
}

/// The gradient that comes from above: one number for mean and sum, one a token for none.
public enum Upstream: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    case one(Float)
    case perToken(UnsafeBufferPointer<Float>)
}

/// Where dY and db go.
public enum CatalogGradientOutput {
    case none
    /// Every row of a C × d matrix (and of a C-vector): stored, or added to what is there. Either may be nil.
    case dense(MutableMatrixView?, bias: UnsafeMutableBufferPointer<Float>? = nil, accumulate: Bool = false)
    /// Ascending distinct item ids and their rows. Room for min(C, candidates + tokens) always suffices; the number
    /// used comes back in the result.
    case rows(
        ids: UnsafeMutableBufferPointer<Int32>, rows: MutableMatrixView?, bias: UnsafeMutableBufferPointer<Float>? = nil
    )
}

/// Which gradients a call computes, and where they go. What is not asked for is not computed.
public struct GradientOutputs {
    /// dX: N × d, stored; rows of tokens that do not count become zero.
    public var hidden: MutableMatrixView?
    public var catalog: CatalogGradientOutput
    /// dL/ds.
    public var scale: UnsafeMutablePointer<Double>?

    public init(
        hidden: MutableMatrixView? = nil, catalog: CatalogGradientOutput = .none,
        scale: UnsafeMutablePointer<Double>? = nil
    ) {
        self.hidden = hidden
        self.catalog = catalog
        self.scale = scale
    }

    public var isEmpty: Bool {
        if case .none = catalog { return hidden == nil && scale == nil }
        return false
    }
}

/// Per-token results on request: N values each, 0 for tokens that do not count.
public struct TokenOutputs {
    /// ℓ_i, not weighted (for reduction none: w_i ℓ_i).
    public var losses: UnsafeMutableBufferPointer<Float>?
    /// log( e^{z_it} + Σ_{J_i} e^{z_ij} ).
    public var logSumExp: UnsafeMutableBufferPointer<Float>?

    public init(
        losses: UnsafeMutableBufferPointer<Float>? = nil, logSumExp: UnsafeMutableBufferPointer<Float>? = nil
    ) {
        self.losses = losses
        self.logSumExp = logSumExp
    }
}

/// Ragged lists of item ids in borrowed memory: row r is `ids[offsets[r] ..< offsets[r + 1]]`.
public struct RaggedIndices: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    public var offsets: UnsafeBufferPointer<Int>
    public var ids: UnsafeBufferPointer<Int32>

    public init(offsets: UnsafeBufferPointer<Int>, ids: UnsafeBufferPointer<Int32>) {
        self.offsets = offsets
        self.ids = ids
    }
}
