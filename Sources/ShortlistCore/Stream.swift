/// Memory for one call: planned before work starts, handed out piece by piece, kept by a saved state or returned.
public protocol Workspace: AnyObject, Sendable {
    /// Bytes handed out so far, at most.
    var usedBytes: Int { get }
}

/// What a call will need, known before anything is computed.
public struct WorkspacePlan {
    /// Bytes of the vectors that the call reserves, each rounded up to `Memory.alignment`.
    public private(set) var reservedBytes = 0
    /// Bytes that a resumed workspace holds already: they count against the limit, and no room is made for them.
    public var heldBytes = 0
    /// The kernels that the call will run, as far as they need scratch. They run one after the other, so that the call
    /// needs the largest of their scratches beside `reservedBytes`.
    public var kernels: [KernelShape] = []
    /// The caller's limit in bytes, `Int.max` for none.
    public var limit: Int
    /// Polled between tiles; true ends the call with `cancelled`.
    public var shouldStop: (@Sendable () -> Bool)?

    public init(limit: Int?, shouldStop: (@Sendable () -> Bool)? = nil) {
        self.limit = limit ?? .max
        self.shouldStop = shouldStop
    }

    /// Accounts for a vector that `Stream.reserve` will hand out; what comes back stands for it and names no memory.
    public mutating func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        let bytes = try count.multiplied(by: MemoryLayout<E>.stride, for: "workspace")
        let room = Int.max - reservedBytes
        guard bytes >= 0, bytes <= room - min(room, Memory.alignment) else {
            throw ShortlistError(.overflow, "workspace: \(count) elements beside \(reservedBytes) bytes")
        }
        reservedBytes += (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
        return Vector(buffer: BufferID(rawValue: -1), offset: 0, count: count)
    }
}

/// Hands out vectors: a plan, which only counts them, or a stream, which makes them. Code that describes its memory
/// once, against this, cannot plan one thing and reserve another.
public protocol VectorSource {
    /// A vector of `count` elements, whose contents are undefined. - Throws: `overflow`, `internalError` when a stream
    /// is asked for more than was planned.
    mutating func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E>
}

extension WorkspacePlan: VectorSource {}

extension WorkspacePlan {
    /// What counts against the limit before any scratch.
    public var committedBytes: Int {
        let (sum, overflow) = reservedBytes.addingReportingOverflow(heldBytes)
        return overflow ? .max : sum
    }

    /// What is left for kernels' scratch.
    public var scratchLimit: Int { limit - min(limit, committedBytes) }
}

/// A stream as a source of vectors.
public struct StreamVectors: VectorSource {
    let stream: any Stream
    public init(_ stream: any Stream) { self.stream = stream }
    public func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        try stream.reserve(E.self, count: count)
    }
}

/// Runs kernels in order, on buffers it alone can look into. One thread at a time.
///
/// Every kernel is a requirement, so that a backend's own version is the one that runs; those of `Kernel.optional`
/// have default implementations composed of the others. Nothing is read back between kernels but what a signature
/// returns. All kernels obey losses.md: same bits for any number of threads, ties to the lower index, NaN below
/// everything in an order, an error rather than a trap.
public protocol Stream: AnyObject {
    /// Worker threads, the calling one included.
    var threads: Int { get }
    /// Kernels, bytes and memory of the current call, and of the last one after `finish`.
    var telemetry: Telemetry { get }
    /// Whether `kernel` runs natively.
    func supports(_ kernel: Kernel) -> Bool

    // MARK: Memory

    /// Scratch of one kernel under `limit` bytes (`WorkspacePlan.scratchLimit`). The tile grid that follows from it
    /// depends on shape and limit only, never on the number of threads. `least` depends on the shape alone: the smallest
    /// tiling, for one worker. For a kernel left to its default implementation: `composedScratch`.
    func scratch(for kernel: KernelShape, limit: Int) -> ScratchNeed
    /// Makes room for a plan: `reservedBytes` and the scratch that `scratch(of:)` comes to, which also begins the
    /// telemetry anew. Until `finish`, this workspace is the one that kernels run
    /// in.
    ///
    /// - Throws: before anything is touched: `workspaceLimit` with the least that works, `outOfMemory`, `forked`.
    func begin(_ plan: WorkspacePlan) throws(ShortlistError) -> any Workspace
    /// Goes on with a workspace that an earlier call kept: its vectors are there, `plan` makes room for scratch and for
    /// new vectors, which are gone after `finish`. Throws what `begin` throws, and `invalidHandle` for a foreign
    /// workspace.
    func resume(_ workspace: any Workspace, plan: WorkspacePlan) throws(ShortlistError)
    /// Ends the call, a failed one too: waits for everything and puts results where `bindOutput` said. Scratch goes
    /// back to the stream; the workspace's vectors stay with its holder.
    func finish() throws(ShortlistError)
    /// The holder needs the workspace no more. Any thread, also while another is inside a call.
    func recycle(_ workspace: any Workspace)

    /// A vector of the workspace, its contents undefined. - Throws: `internalError` when it was not planned.
    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E>
    /// Runs `body`, in which `reserve` takes from the scratch of the kernel that is running; those vectors are gone
    /// when it returns. Where composed kernels keep their tiles. Not nested.
    func withScratchVectors(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError)
    /// The caller's memory as an input of this call: on the CPU a name for it, on a device a copy.
    func bind(_ view: MatrixView) throws(ShortlistError) -> DeviceMatrix
    func bind<E: BitwiseCopyable>(_ values: UnsafeBufferPointer<E>) throws(ShortlistError) -> Vector<E>
    /// A catalog's items and bias, from its resident copy where the stream keeps one.
    func bind(_ catalog: Catalog) throws(ShortlistError) -> (items: DeviceMatrix, bias: Vector<Float>?)
    /// A copy on the device that outlives calls; nil where kernels read the caller's memory.
    func makeResident(
        _ items: MatrixView, bias: UnsafeBufferPointer<Float>?
    ) throws(ShortlistError) -> (any ResidentCatalog)?
    /// The caller's memory as an output: kernels see what it holds, and what they leave is there after `finish`.
    func bindOutput(_ view: MutableMatrixView) throws(ShortlistError) -> DeviceMatrix
    func bindOutput<E: BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<E>
    ) throws(ShortlistError) -> Vector<E>
    /// Runs `body` on parts of 0 ..< `count`, in any order, at once on the stream's threads where it has some: for what
    /// the host computes in a call, where no part depends on another. By default all of it on the calling thread.
    func share(_ count: Int, _ body: (Range<Int>) -> Void) throws(ShortlistError)
    /// Host memory that stands for the vector until `body` returns: written by it, then visible to kernels.
    func write<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeMutableBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError)
    /// The vector's contents after all kernels so far.
    func read<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError)

    // MARK: Select

    /// X^T X (d × d, row-major, both triangles) of the rows, accumulated in Double or as well as that.
    func gram(_ rows: RowSource, into result: Vector<Double>) throws(ShortlistError)
    /// result (columns of `left` × d) += leftᵀ · rows: Mix's Ω^T X, a tile of Ω at a time.
    func addProduct(
        transposed left: DeviceMatrix, _ rows: RowSource, into result: DeviceMatrix
    ) throws(ShortlistError)
    /// scores[q, j] = ⟨query q, row range.lowerBound + j of items⟩; `scores` has as many rows as queries and as many
    /// columns as `range`. No bias, no scale.
    func logits(
        _ queries: RowSource, _ items: RowSource, range: Range<Int>, into scores: DeviceMatrix
    ) throws(ShortlistError)
    /// Merges a tile of scores, whose first column is row `first`, into the best `k` so far of each query: `best` holds
    /// q × k keys in any order, 0 for an empty place (`TopKey`). The bias of `exclusions` is added first; excluded
    /// columns never enter.
    func selectTop(
        _ scores: DeviceMatrix, first: Int, exclusions: Exclusions, k: Int, best: Vector<UInt64>
    ) throws(ShortlistError)
    /// Keys to ids and scores in the order asked for.
    func unpackTop(_ best: Vector<UInt64>, k: Int, order: TopOrder, into top: TopOutput) throws(ShortlistError)
    /// The k rows of largest ⟨query, row⟩ + bias of each query, nothing of size queries × rows stored. Ties go to the
    /// lower id. Where `request.rows` lists rows, ids are places in that list.
    func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError)
    /// keys[i] = argmax over directions of ⟨direction, row i⟩, ties to the lower direction, NaN below everything.
    func hash(_ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>) throws(ShortlistError)
    /// order = the ids 0, 1, … without those in `excluded` (ascending), in stable ascending order of keys[id]; it has
    /// as many places as ids are left. Keys are in `0 ..< keyBound`.
    func sortByKey(
        _ keys: Vector<Int32>, keyBound: Int, excluding excluded: Vector<Int32>?, into order: Vector<Int32>
    ) throws(ShortlistError)
    /// places[order[p]] = p; −1 for ids that `order` does not hold.
    func invert(_ order: Vector<Int32>, into places: Vector<Int32>) throws(ShortlistError)
    /// Fills `previous` and `last` (bound ids) from `ids`: see `CandidateBlocks.previousSlot`.
    func link(_ ids: Vector<Int32>, last: Vector<Int32>, previous: Vector<Int32>) throws(ShortlistError)
    /// The same for item places, through an item map so that nothing of size C is needed but its bits.
    func linkItems(
        _ ids: Vector<Int32>, map: ItemMap, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError)
    /// Marks the blocks' items and the tokens' targets, and counts the bits before each word; returns how many distinct
    /// items there are. For a dense block and for rounds: every item that is not excluded.
    func touchedItems(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, items: ItemSet, into map: ItemMap
    ) throws(ShortlistError) -> Int
    /// The ids of a map, ascending.
    func listItems(_ map: ItemMap, into ids: Vector<Int32>) throws(ShortlistError)

    // MARK: Score

    /// result[i] = s·⟨x_i, y_t⟩ + b_t for each valid token.
    func targetLogits(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, into result: Vector<Float>
    ) throws(ShortlistError)
    /// Log-sum-exp of each token slot over its block's items, its own target and (with `onceOnly`) pairs of earlier
    /// blocks left out. −∞ for none, NaN where a logit is not finite.
    func blockLogSumExp(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, into slots: Vector<Float>
    ) throws(ShortlistError)

    // MARK: Combine

    /// Slots to tokens, ℓ, and the totals (sums over tokens in Double, in a fixed tree).
    func combine(
        _ slots: Vector<Float>, _ blocks: CandidateBlocks, _ tokens: TokenSet, into state: TokenState
    ) throws(ShortlistError)
    /// g_i of losses.md, 0 for tokens that do not count or whose weight is 0.
    func coefficients(
        _ state: TokenState, _ tokens: TokenSet, _ reduction: ReducedUpstream, into result: Vector<Float>
    ) throws(ShortlistError)

    // MARK: Gradient

    /// Every element of the matrix; what lies between its rows is left alone.
    func fill(_ matrix: DeviceMatrix, with value: Float) throws(ShortlistError)
    func fill(_ vector: Vector<Float>, with value: Float) throws(ShortlistError)
    func fill(_ vector: Vector<Double>, with value: Double) throws(ShortlistError)
    /// The candidates' part: dX += s·g Σ p y, dY += s·g·p x, db += g·p, ds += g Σ p ⟨x, y⟩, with p = e^(z − lse). With
    /// `max` only through each token's winning slot. Blocks that are switched off for dY add nothing to dY and db.
    func blockGradient(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState,
        coefficients: Vector<Float>, into targets: GradientTargets
    ) throws(ShortlistError)
    /// The target's part: the same with p_t − 1 = e^(−ℓ) − 1.
    func targetGradient(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState, coefficients: Vector<Float>,
        into targets: GradientTargets
    ) throws(ShortlistError)

    /// A dense block in one: what `blockLogSumExp`, `combine`, `coefficients` and `blockGradient` leave, one after the
    /// other. Where scratch holds the logits of a group of tokens they need be made only once: three products in place
    /// of four. Returns the seconds of its stages.
    func evaluateDense(
        _ request: DenseRequest, state: TokenState, into targets: GradientTargets
    ) throws(ShortlistError) -> StageSeconds

    // MARK: Rank

    /// counts[q] += columns of the tile that stand above target q: a greater score, or an equal one and a lower id. The
    /// bias of `exclusions` is added to the tile first; excluded columns and the target's own do not count.
    func countAbove(
        _ scores: DeviceMatrix, first: Int, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError)
    /// counts[q] = items that stand above target q in the whole catalog (rank − 1). `targetScores` are from
    /// `targetLogits` with scale 1.
    func targetRanks(
        _ queries: RowSource, _ items: ItemSet, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError)
}

extension Stream {
    public func bind(_ catalog: Catalog) throws(ShortlistError) -> (items: DeviceMatrix, bias: Vector<Float>?) {
        var bias: Vector<Float>?
        if let values = catalog.bias { bias = try bind(values) }
        return (try bind(catalog.items), bias)
    }

    public func makeResident(
        _ items: MatrixView, bias: UnsafeBufferPointer<Float>?
    ) throws(ShortlistError) -> (any ResidentCatalog)? { nil }
}

/// What a stream notes about the current call.
public final class Telemetry {
    /// Kernels that ran as the backend's own.
    public var native: KernelSet = []
    /// Kernels that ran as their default implementations; these note themselves.
    public var composed: KernelSet = []
    public var bytesUploaded = 0
    public var bytesDownloaded = 0
    /// Bytes of the plan, vectors and scratch, and the least limit under which the call would have worked.
    public var planned = 0
    public var least = 0
    /// Threads that took part in a kernel, at most.
    public var threadsUsed = 1
    /// Whether the workspace limit kept threads out of a kernel.
    public var threadsReduced = false
    /// Seconds that a device spent in each stage, known after `finish`; nil where the caller's clock tells it. `total` is
    /// not used.
    public var deviceSeconds: StageSeconds?
    /// Whether a device cannot tell them.
    public var lacksTimestamps = false

    public init() {}

    /// Back to the beginning; a stream calls it when a call begins.
    public func reset() {
        native = []
        composed = []
        bytesUploaded = 0
        bytesDownloaded = 0
        planned = 0
        least = 0
        threadsUsed = 1
        threadsReduced = false
        deviceSeconds = nil
        lacksTimestamps = false
    }
}
