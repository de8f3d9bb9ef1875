@_exported import ShortlistCore

/// A loss is a selection and a combination: it chooses candidate blocks and says how blocks that share a token are
/// joined. Scoring, reduction and gradients are written once, in `Evaluation/`. To add a loss, write this and no more.
///
/// A loss is a value that any thread may use. To plan, a call asks it for `parameters`, `blockShape`, `reserve` against
/// a plan, and `kernels`; to run, for `parameters` again, `reserve` against the stream, and `select`. An empty batch is
/// planned as one token and not run.
public protocol Loss: Sendable {
    /// The parameters after capping, with defaults filled in.
    associatedtype Parameters: Sendable
    /// The vectors that the selection keeps.
    associatedtype Vectors

    /// Fills defaults, caps what the sizes do not allow, and notes the values in the report. All that can be refused is
    /// refused here, before memory is taken.
    func parameters(for shape: ProblemShape, report: inout Report) throws(ShortlistError) -> Parameters
    /// Sizes of the blocks that `select` will make.
    func blockShape(_ parameters: Parameters, _ shape: ProblemShape) throws(ShortlistError) -> BlockShape
    /// Describes the selection's memory, to a plan or to a stream.
    func reserve(
        _ parameters: Parameters, _ shape: ProblemShape, from source: inout some VectorSource
    ) throws(ShortlistError) -> Vectors
    /// The kernels that `select` runs, as far as they need scratch.
    func kernels(_ parameters: Parameters, _ shape: ProblemShape) -> [KernelShape]
    /// Chooses the blocks: excluded items are in none. Runs kernels on the stream; `problem.itemMap` is its to
    /// overwrite.
    func select(
        _ parameters: Parameters, _ problem: Problem, _ vectors: Vectors, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> CandidateBlocks
    /// Joins blocks that share a token.
    var combination: Combination { get }
}

/// The sizes a selection is planned from.
public struct ProblemShape: Sendable {
    /// N: rows of X.
    public var rows: Int
    /// n: valid tokens.
    public var tokens: Int
    /// C.
    public var items: Int
    /// Items that may be candidates.
    public var selectable: Int
    /// d.
    public var width: Int

    public init(rows: Int, tokens: Int, items: Int, selectable: Int, width: Int) {
        self.rows = rows
        self.tokens = tokens
        self.items = items
        self.selectable = selectable
        self.width = width
    }
}

/// One call's tokens and items in a stream's memory.
public struct Problem {
    public var shape: ProblemShape
    /// The valid tokens.
    public var tokens: TokenSet
    public var items: ItemSet
    /// Marks the distinct items of blocks and targets.
    public var itemMap: ItemMap
}

/// Fills `ranges` with blocks.
func writeRanges(
    _ ranges: Vector<BlockRange>, on stream: any Stream, _ block: (Int) -> BlockRange
) throws(ShortlistError) {
    try stream.write(ranges) { (values) throws(ShortlistError) in
        for index in 0..<values.count { values[index] = block(index) }
    }
}

/// Fills `values` with the block of each slot or place, for blocks of equal size.
func writeOwners(_ owners: Vector<Int32>, each size: Int, on stream: any Stream) throws(ShortlistError) {
    try stream.write(owners) { (values) throws(ShortlistError) in
        for index in 0..<values.count { values[index] = Int32(index / max(size, 1)) }
    }
}

/// ⌊√value⌋, exact.
func integerSquareRoot(_ value: Int) -> Int {
    var root = Int(Double(max(value, 0)).squareRoot())
    while root * root > value { root -= 1 }
    while (root + 1) * (root + 1) <= value { root += 1 }
    return root
}
