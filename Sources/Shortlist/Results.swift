import ShortlistCore

/// Which gradients the allocating form makes.
public struct Gradients: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// dX, N × d.
    public static let hidden = Gradients(rawValue: 1)
    /// dY, dense: C × d.
    public static let catalog = Gradients(rawValue: 2)
    /// dY, row-sparse: the touched items and their rows. Not together with `catalog`.
    public static let catalogRows = Gradients(rawValue: 4)
    /// db: dense, or row-sparse beside `catalogRows`.
    public static let bias = Gradients(rawValue: 8)
    /// dL/ds.
    public static let scale = Gradients(rawValue: 16)
}

/// Per-token results of the allocating form.
public struct TokenResults: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// ℓ_i (for reduction none w_i ℓ_i): N numbers, 0 for tokens that do not count.
    public static let losses = TokenResults(rawValue: 1)
    /// The log-sum-exp over target and shortlist: N numbers, 0 for tokens that do not count.
    public static let logSumExp = TokenResults(rawValue: 2)
    /// The selection as candidate lists: memory for the lists, and nothing is computed again. An error (`unsupported`)
    /// for exact cross-entropy.
    public static let selection = TokenResults(rawValue: 4)
}

/// A row-sparse gradient: ascending distinct item ids and one row each.
public struct RowSparse: Sendable {
    public let ids: [Int32]
    /// As many rows as ids, d columns. There whenever `Context` makes the value.
    public let rows: Matrix?
    /// db of the same items, where it was asked for.
    public let bias: [Float]?
}

/// What the allocating form returns.
public struct Evaluation: Sendable {
    /// The gradients that were asked for; nil for the others.
    public struct GradientResults: Sendable {
        /// dX, N × d; zero rows for tokens that do not count.
        public var hidden: Matrix?
        /// dY, C × d.
        public var catalog: Matrix?
        /// dY, row-sparse, with db beside it where that was asked for too.
        public var catalogRows: RowSparse?
        /// db, C numbers; nil beside `catalogRows`.
        public var bias: [Float]?
        /// dL/ds.
        public var scale: Double?
    }
    /// The reduced loss; for reduction none the sum of the vector.
    public var loss: Double
    public var gradients = GradientResults()
    /// N numbers, where `TokenResults.losses` was asked for.
    public var tokenLosses: [Float]?
    /// N numbers, where `TokenResults.logSumExp` was asked for.
    public var logSumExp: [Float]?
    /// Where `TokenResults.selection` was asked for.
    public var selection: CandidateLists?
    /// What the call did.
    public var report: Report
}

/// The k best items of Q queries, row after row.
public struct TopK: Sendable {
    public let queryCount: Int
    /// Places a query, as asked for; `report.topK` says how many could be filled.
    public let k: Int
    /// Q × k, −1 for a missing place.
    public let ids: [Int32]
    /// Q × k, −∞ for a missing place.
    public let scores: [Float]
    public let report: Report

    /// Ids of one query, best first; missing places are −1.
    public func ids(of query: Int) -> ArraySlice<Int32> { ids[query * k..<(query + 1) * k] }
}

/// A matrix or a view of one.
public protocol MatrixReadable {
    /// Valid while the matrix lives.
    var view: MatrixView { get }
}
extension Matrix: MatrixReadable {}
extension MatrixView: MatrixReadable {
    public var view: MatrixView { self }
}

/// Integers that targets may be.
public protocol TargetElement: FixedWidthInteger, BitwiseCopyable {
    /// The values as `Targets`, valid while the buffer is.
    static func targets(_ values: UnsafeBufferPointer<Self>) -> Targets
}
extension Int32: TargetElement {
    public static func targets(_ values: UnsafeBufferPointer<Int32>) -> Targets { .int32(values) }
}
extension Int64: TargetElement {
    public static func targets(_ values: UnsafeBufferPointer<Int64>) -> Targets { .int64(values) }
}

/// Everything about a batch but hidden states and targets, for the allocating form. The fields mean what those of
/// `Batch` mean.
public struct BatchOptions: Sendable {
    /// N finite weights ≥ 0; nil: each 1.
    public var weights: [Float]?
    /// The target value of tokens to leave out; nil for none.
    public var ignoreIndex: Int64?
    /// Never candidates; as a target an error.
    public var excludedItems: [Int32]
    /// s of z = s·⟨x, y⟩ + b, > 0.
    public var scale: Float
    /// How token losses become the result; mean unless said otherwise.
    public var reduction: Reduction
    /// For mean: instead of Σ w.
    public var denominator: Double?

    public init(
        weights: [Float]? = nil, ignoreIndex: Int64? = -100, excludedItems: [Int32] = [], scale: Float = 1,
        reduction: Reduction = .mean, denominator: Double? = nil
    ) {
        self.weights = weights
        self.ignoreIndex = ignoreIndex
        self.excludedItems = excludedItems
        self.scale = scale
        self.reduction = reduction
        self.denominator = denominator
    }
}

/// Items each query has seen, as lists: that of query q is `ids[offsets[q] ..< offsets[q + 1]]`.
public struct SeenItems: Sendable {
    /// Q + 1 places in `ids`: from 0 to `ids.count`, never decreasing.
    public var offsets: [Int]
    /// In any order within a list, repeats allowed.
    public var ids: [Int32]

    public init(offsets: [Int], ids: [Int32]) {
        self.offsets = offsets
        self.ids = ids
    }

    /// One list a query.
    public init(_ lists: [[Int32]]) {
        offsets = [0]
        ids = []
        for list in lists {
            ids += list
            offsets.append(ids.count)
        }
    }
}
