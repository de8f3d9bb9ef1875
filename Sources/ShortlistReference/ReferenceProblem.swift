/// How the per-token losses become one number (or stay a vector).
public enum ReferenceReduction: Sendable, Hashable {
    /// `Σ w_i ℓ_i / Σ w_i` over the tokens that count, or over the caller's denominator.
    case mean
    /// `Σ w_i ℓ_i`.
    case sum
    /// The vector `w_i ℓ_i`, 0 for tokens that do not count.
    case none
}

/// One batch of softmax cross-entropy, in plain Double arrays.
///
/// The logit of token `i` and item `j` is `z_ij = s·⟨x_i, y_j⟩ + b_j`.
///
/// The oracle does not report bad input, it traps on it: refusing a target out of range, an excluded target, a negative
/// weight or a scale that is not positive, with an error code and no output written, is the library's duty.
public struct ReferenceProblem: Sendable {
    /// X, the tokens: N × d, row-major, no padding between rows.
    public var hidden: [Double]
    /// Y, the items: C × d, row-major.
    public var catalog: [Double]
    /// d.
    public var dimension: Int
    /// b, one number an item; −∞ leaves the item out, as if it were excluded. (A token whose *target* has it is not refused
    /// here: its own logit is not finite, and so is not its loss.)
    public var itemBias: [Double]?
    /// t, one item a token.
    public var targets: [Int]
    /// The target that marks a padding token. A token with it takes part in nothing.
    public var ignoreIndex: Int?
    /// w, one number ≥ 0 a token; nil means 1 for all.
    public var weights: [Double]?
    /// s > 0, the inverse temperature.
    public var scale: Double
    /// Items that are never a candidate (a padding row). None of them may be a target.
    public var excludedItems: Set<Int>
    public var reduction: ReferenceReduction
    /// Replaces `Σ w_i` in `mean`, for gradient accumulation; positive. Not used by the other reductions.
    public var denominator: Double?
    /// dObjective/dLoss: one number for `mean` and `sum`, N numbers for `none`.
    public var upstream: [Double]

    /// `upstream` nil means 1, or N ones for the reduction `none`.
    public init(
        hidden: [Double], catalog: [Double], dimension: Int, targets: [Int],
        itemBias: [Double]? = nil, ignoreIndex: Int? = nil, weights: [Double]? = nil, scale: Double = 1,
        excludedItems: Set<Int> = [], reduction: ReferenceReduction = .mean, denominator: Double? = nil,
        upstream: [Double]? = nil
    ) {
        self.hidden = hidden
        self.catalog = catalog
        self.dimension = dimension
        self.targets = targets
        self.itemBias = itemBias
        self.ignoreIndex = ignoreIndex
        self.weights = weights
        self.scale = scale
        self.excludedItems = excludedItems
        self.reduction = reduction
        self.denominator = denominator
        self.upstream = upstream ?? [Double](repeating: 1, count: reduction == .none ? targets.count : 1)
    }

    /// N.
    public var tokenCount: Int { targets.count }
    /// C.
    public var itemCount: Int { catalog.count / dimension }

    /// V, the tokens whose target is not `ignoreIndex`, ascending; n of them.
    public var validTokens: [Int] {
        targets.indices.filter { targets[$0] != ignoreIndex }
    }

    /// Whether item `j` may be a candidate: it is not excluded and its bias is not −∞.
    public func isSelectable(_ j: Int) -> Bool {
        !excludedItems.contains(j) && itemBias?[j] != -.infinity
    }

    /// The items that may be a candidate, ascending.
    public var selectableItems: [Int] {
        (0..<itemCount).filter(isSelectable)
    }

    /// x_i.
    public func token(_ i: Int) -> [Double] { Array(hidden[i * dimension..<(i + 1) * dimension]) }
    /// y_j.
    public func item(_ j: Int) -> [Double] { Array(catalog[j * dimension..<(j + 1) * dimension]) }

    /// `⟨x_i, y_j⟩`, without scale and bias.
    public func innerProduct(_ i: Int, _ j: Int) -> Double {
        var sum = 0.0
        for k in 0..<dimension { sum += hidden[i * dimension + k] * catalog[j * dimension + k] }
        return sum
    }

    /// `z_ij = s·⟨x_i, y_j⟩ + b_j`.
    public func logit(_ i: Int, _ j: Int) -> Double {
        scale * innerProduct(i, j) + (itemBias?[j] ?? 0)
    }

    /// w_i.
    public func weight(_ i: Int) -> Double { weights?[i] ?? 1 }

    /// Traps on what the library must refuse with an error.
    func checkInput() {
        precondition(dimension > 0 && catalog.count % dimension == 0, "the catalog is not C x d")
        precondition(hidden.count == tokenCount * dimension, "the hidden states are not N x d")
        precondition(itemBias == nil || itemBias!.count == itemCount, "the bias needs one number an item")
        precondition(weights == nil || weights!.count == tokenCount, "the weights need one number a token")
        precondition(weights?.allSatisfy { $0 >= 0 } ?? true, "a weight is negative or NaN")
        precondition(scale > 0, "the scale must be positive")
        precondition(denominator.map { $0 > 0 } ?? true, "the denominator must be positive")
        precondition(upstream.count == (reduction == .none ? tokenCount : 1), "wrong number of upstream gradients")
        for i in validTokens {
            precondition((0..<itemCount).contains(targets[i]), "target \(targets[i]) at \(i) is out of range")
            precondition(!excludedItems.contains(targets[i]), "target \(targets[i]) at \(i) is excluded")
        }
    }
}
