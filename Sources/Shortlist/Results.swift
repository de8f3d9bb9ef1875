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

    public static let losses = TokenResults(rawValue: 1)
    public static let logSumExp = TokenResults(rawValue: 2)
    /// The selection as candidate lists; needs a second pass over nothing, but memory for the lists.
    public static let selection = TokenResults(rawValue: 4)
}

/// A row-sparse gradient: ascending distinct item ids and one row each.
public struct RowSparse: Sendable {
    public let ids: [Int32]
    /// As many rows as ids.
    public let rows: Matrix?
    /// db of the same items, where it was asked for.
    public let bias: [Float]?
}

/// What the allocating form returns.
public struct Evaluation: Sendable {
    public struct GradientResults: Sendable {
        public var hidden: Matrix?
        public var catalog: Matrix?
        public var catalogRows: RowSparse?
        public var bias: [Float]?
        public var scale: Double?
    }
    public var loss: Double
    public var gradients = GradientResults()
    public var tokenLosses: [Float]?
    public var logSumExp: [Float]?
    public var selection: CandidateLists?
    public var report: Report
}

/// The k best items of Q queries, row after row.
public struct TopK: Sendable {
    public let queryCount: Int
    public let k: Int
    /// Q × k, −1 for a missing place.
    public let ids: [Int32]
    /// Q × k, −∞ for a missing place.
    public let scores: [Float]
    public let report: Report

    /// Ids of one query, best first.
    public func ids(of query: Int) -> ArraySlice<Int32> { ids[query * k..<(query + 1) * k] }
}

/// A matrix or a view of one.
public protocol MatrixReadable {
    var view: MatrixView { get }
}
extension Matrix: MatrixReadable {}
extension MatrixView: MatrixReadable {
    public var view: MatrixView { self }
}

/// Integers that targets may be.
public protocol TargetElement: FixedWidthInteger, BitwiseCopyable {
    static func targets(_ values: UnsafeBufferPointer<Self>) -> Targets
}
extension Int32: TargetElement {
    public static func targets(_ values: UnsafeBufferPointer<Int32>) -> Targets { .int32(values) }
}
extension Int64: TargetElement {
    public static func targets(_ values: UnsafeBufferPointer<Int64>) -> Targets { .int64(values) }
}

/// Everything about a batch but its numbers, for the allocating form.
public struct BatchOptions: Sendable {
    /// N weights ≥ 0.
    public var weights: [Float]?
    public var ignoreIndex: Int64?
    public var excludedItems: [Int32]
    public var scale: Float
    public var reduction: Reduction
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

/// Items each query has seen, as lists.
public struct SeenItems: Sendable {
    public var offsets: [Int]
    public var ids: [Int32]

    public init(offsets: [Int], ids: [Int32]) {
        self.offsets = offsets
        self.ids = ids
    }

    public init(_ lists: [[Int32]]) {
        offsets = [0]
        ids = []
        for list in lists {
            ids += list
            offsets.append(ids.count)
        }
    }
}
