/// Targets as the caller holds them: one item id a token, 32 or 64 bits wide.
public enum Targets: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    case int32(UnsafeBufferPointer<Int32>)
    case int64(UnsafeBufferPointer<Int64>)

    /// N.
    public var count: Int {
        switch self {
        case .int32(let values): values.count
        case .int64(let values): values.count
        }
    }

    /// The target of token `index`, 64 bits wide.
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
    /// Σ w ℓ over the tokens that count.
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
    /// N item ids in `0 ..< C`, or `ignoreIndex`; anything else is `targetOutOfRange`.
    public var targets: Targets
    /// N finite weights ≥ 0, default 1; anything else is `invalidWeight`. A weight of exactly 0 makes every
    /// contribution of its token exactly 0.
    public var weights: UnsafeBufferPointer<Float>?
    /// The target value that marks a token to leave out of everything, selection included; nil for none.
    public var ignoreIndex: Int64?
    /// Items that are never candidates, such as a padding row; as a target, `excludedTarget`. Any order, repeats
    /// allowed.
    public var excludedItems: UnsafeBufferPointer<Int32>
    /// s of z = s·⟨x, y⟩ + b: 1/temperature, finite and > 0, or `invalidWeight`.
    public var scale: Float
    public var reduction: Reduction
    /// For `.mean` (an error with the others): divide by this instead of Σ w, for gradient accumulation. Positive and
    /// finite.
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

/// The gradient that comes from above: what multiplies the gradients of the loss.
public enum Upstream: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    /// One number; with reduction none it serves every token.
    case one(Float)
    /// N numbers by row of X, with reduction none alone (`invalidArgument` else).
    case perToken(UnsafeBufferPointer<Float>)
}

/// Where dY and db go. What lies in excluded items' rows of a stored gradient is zero.
public enum CatalogGradientOutput {
    case none
    /// Every row of a C × d matrix (and of a C-vector): stored, or added to what is there. Either may be nil.
    case dense(MutableMatrixView?, bias: UnsafeMutableBufferPointer<Float>? = nil, accumulate: Bool = false)
    /// Row-sparse, stored: the ascending distinct ids of the items touched, their rows (`ids.count` × d) and their db
    /// (`ids.count`). Room for min(C, candidates + n) always suffices, for SCE min(C, n_b·b_y + n); too little is
    /// `roomTooSmall`, which names the need. The number used comes back as `rowsUsed`; what lies beyond stays as it
    /// was.
    case rows(
        ids: UnsafeMutableBufferPointer<Int32>, rows: MutableMatrixView?, bias: UnsafeMutableBufferPointer<Float>? = nil
    )
}

/// Which gradients a call computes, and where they go. What is not asked for is not computed. Outputs may not overlap
/// inputs or each other (`overlappingMemory`).
public struct GradientOutputs {
    /// dX: N × d, stored; rows of tokens that do not count become zero.
    public var hidden: MutableMatrixView?
    public var catalog: CatalogGradientOutput
    /// dL/ds, one number, stored.
    public var scale: UnsafeMutablePointer<Double>?

    public init(
        hidden: MutableMatrixView? = nil, catalog: CatalogGradientOutput = .none,
        scale: UnsafeMutablePointer<Double>? = nil
    ) {
        self.hidden = hidden
        self.catalog = catalog
        self.scale = scale
    }

    /// Whether no gradient is asked for.
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

/// Ragged lists of item ids in borrowed memory: row r is `ids[offsets[r] ..< offsets[r + 1]]`. Offsets begin at 0,
/// never decrease, and end at `ids.count`.
public struct RaggedIndices: @unchecked Sendable {
    // Sendable: read-only borrowed memory, as `MatrixView`.
    public var offsets: UnsafeBufferPointer<Int>
    public var ids: UnsafeBufferPointer<Int32>

    public init(offsets: UnsafeBufferPointer<Int>, ids: UnsafeBufferPointer<Int32>) {
        self.offsets = offsets
        self.ids = ids
    }
}
