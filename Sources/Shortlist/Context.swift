import ShortlistCore
import ShortlistLosses
import Synchronization

/// How a context is made. The defaults are the best device, all cores, and no limit.
public struct ContextOptions: Sendable {
    /// A backend by name ("cpu"); nil for the best device of all. Asking by name never falls back.
    public var backend: String?
    /// A device of that backend by index; nil for its best.
    public var device: Int?
    /// Threads from 1 to 1024, the calling one included; nil for one a core that this process may run on. Results do
    /// not depend on it.
    public var threads: Int?
    /// Bytes of workspace that a call may use beside inputs and outputs; nil for no limit. Calls work in smaller
    /// tiles to obey it, and say the least they need when even that does not fit (`workspaceLimit`). The last bits of a
    /// result can depend on it, because tiles do.
    public var workspaceLimit: Int?

    public init(backend: String? = nil, device: Int? = nil, threads: Int? = nil, workspaceLimit: Int? = nil) {
        self.backend = backend
        self.device = device
        self.threads = threads
        self.workspaceLimit = workspaceLimit
    }
}

/// A device ready to work: evaluates losses, makes gradients, retrieves and ranks.
///
/// One thread at a time: a second one gets the error `busy` at once. Use one context a thread; contexts work in
/// parallel. A context keeps its worker threads and its workspace between calls: a call like the one before allocates
/// nothing large but the results you ask it to allocate. In a child process after `fork`, a context is `forked`; make a
/// new one.
public final class Context: @unchecked Sendable {
    // Sendable: `inUse` lets one thread in at a time.
    /// Which backend and device, and why.
    public let backend: BackendChoice
    /// What the context was made with.
    public let options: ContextOptions
    /// Polled between tiles during a call, by the thread that made it; true ends the call with `cancelled`. It may not
    /// use the context (`busy`). A change is seen by the next call.
    public var shouldStop: (@Sendable () -> Bool)? {
        get { stop.withLock { $0.ask } }
        set { stop.withLock { $0.ask = newValue } }
    }

    private let evaluator: Evaluator
    private let inUse = Atomic<Bool>(false)
    private let stop = Mutex(StopQuestion())

    /// A closure that stands in generic storage by itself is wrapped once more each time it is read.
    private struct StopQuestion: Sendable { var ask: (@Sendable () -> Bool)? }

    /// Opens the best device, or the one that the options name.
    ///
    /// - Throws: `unknownBackend`, `backendUnavailable` with the reason, `invalidArgument` for a thread count, a device
    ///   or a negative limit, `outOfMemory`, also when the system refuses a thread.
    public init(
        _ options: ContextOptions = .init(), registry: BackendRegistry = .standard
    ) throws(ShortlistError) {
        if let limit = options.workspaceLimit, limit < 0 {
            throw ShortlistError(.invalidArgument, "a workspace limit of \(limit) bytes")
        }
        backend = try registry.choose(backend: options.backend, device: options.device)
        self.options = options
        evaluator = Evaluator(
            stream: try backend.backend.makeStream(
                device: backend.device.index, options: StreamOptions(threads: options.threads)))
    }

    /// Threads that calls may use.
    public var threads: Int { evaluator.stream.threads }

    private var limits: CallLimits { CallLimits(workspace: options.workspaceLimit, shouldStop: shouldStop) }

    /// Lets one thread in at a time.
    private func exclusively<R>(
        _ body: (Evaluator, CallLimits) throws(ShortlistError) -> R
    ) throws(ShortlistError) -> R {
        guard inUse.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            throw ShortlistError(.busy, "this context is in use by another thread; make one context a thread")
        }
        defer { inUse.store(false, ordering: .releasing) }
        return try body(evaluator, limits)
    }

    // MARK: Catalogs

    /// A catalog over the caller's memory, which must outlive it.
    ///
    /// - Parameters:
    ///   - items: Y, C × d, f32.
    ///   - bias: C values, or nil; −∞ leaves an item out. Must outlive the catalog too.
    /// - Throws: `invalidArgument` for an empty catalog or a bias of another length, `unsupported` for 2³¹ − 1 items or
    ///   more, `busy`, `outOfMemory`.
    public func catalog(
        _ items: MatrixView, bias: UnsafeBufferPointer<Float>? = nil
    ) throws(ShortlistError) -> Catalog {
        try Catalog(items: items, bias: bias, on: evaluator.stream)
    }

    /// A catalog over a matrix, which it keeps alive and which stays yours to change. `bias` is a C × 1 or 1 × C
    /// matrix. Throws what the form over a view throws.
    public func catalog(_ items: Matrix, bias: Matrix? = nil) throws(ShortlistError) -> Catalog {
        if let bias, bias.rows != 1 && bias.columns != 1 {
            throw ShortlistError(.invalidArgument, "a bias of \(bias.rows) × \(bias.columns); it is one value an item")
        }
        return try Catalog(
            items: items.view, bias: bias.map { UnsafeBufferPointer($0.elements) },
            owner: Owners(items: items, bias: bias), on: evaluator.stream)
    }

    private final class Owners {
        let items: Matrix
        let bias: Matrix?
        init(items: Matrix, bias: Matrix?) {
            self.items = items
            self.bias = bias
        }
    }

    // MARK: Losses, into the caller's memory

    /// The loss, and the gradients that `outputs` has room for, in one call. A call like the one before allocates
    /// nothing large.
    ///
    /// No valid token, or a sum of weights of 0: the loss is 0, gradients are 0 or have no rows, and that is a success.
    /// Tokens with logits that are not finite have a loss that is not finite; the report counts them.
    ///
    /// - Throws: before any output is written, except `cancelled` and `deviceLost`: `invalidArgument` for shapes and
    ///   options, `targetOutOfRange`, `excludedTarget`, `invalidWeight`, `indexOutOfRange`, `overlappingMemory`,
    ///   `roomTooSmall`, `workspaceLimit`, `outOfMemory`, `unsupported`, `overflow`, `numericalFailure` (SCE's Mix),
    ///   `busy`, `forked`.
    public func evaluate(
        _ loss: some Loss, _ batch: Batch, catalog: Catalog, into outputs: GradientOutputs = .init(),
        upstream: Upstream = .one(1), tokenOutputs: TokenOutputs = .init()
    ) throws(ShortlistError) -> CallResult {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.evaluate(
                loss, batch, catalog, into: outputs, upstream: upstream, tokenOutputs: tokenOutputs, limits: limits)
        }
    }

    /// The loss and a saved state for `backward`. What `batch` and `catalog` view must stay valid and unchanged until
    /// the state is gone. Throws what `evaluate` throws.
    public func forward(
        _ loss: some Loss, _ batch: Batch, catalog: Catalog, tokenOutputs: TokenOutputs = .init()
    ) throws(ShortlistError) -> ForwardState {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            ForwardState(
                try evaluator.forward(loss, batch, catalog, tokenOutputs: tokenOutputs, limits: limits), of: self)
        }
    }

    /// Gradients of a saved state, any number of times, each with its own upstream and its own choice of outputs.
    /// Nothing is selected again; the gradients are those of the one call. In the report, memory, threads, kernels and
    /// seconds are those of this call, the rest is the forward call's.
    ///
    /// - Throws: as `evaluate`, and `invalidHandle` for a state of another context.
    public func backward(
        _ state: ForwardState, into outputs: GradientOutputs, upstream: Upstream = .one(1)
    ) throws(ShortlistError) -> CallResult {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.backward(state.saved, into: outputs, upstream: upstream, limits: limits)
        }
    }

    /// Runs `body` on a state's selection while no call is under way.
    fileprivate func withSelection<R>(
        _ state: ForwardState, _ body: (SavedState) throws(ShortlistError) -> R
    ) throws(ShortlistError) -> R {
        try exclusively { (_, _) throws(ShortlistError) in try body(state.saved) }
    }

    // MARK: Retrieval, into the caller's memory

    /// The k best items of each query, largest score first, ties to the lower id: see `Evaluator.topK`.
    /// `ids` has Q × k places, −1 for one that no item fills; `scores` as many, or is nil, −∞ where the id is −1.
    public func topK(
        _ request: RetrievalRequest, in catalog: Catalog, k: Int, ids: UnsafeMutableBufferPointer<Int32>,
        scores: UnsafeMutableBufferPointer<Float>? = nil
    ) throws(ShortlistError) -> Report {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.topK(request, catalog, k: k, ids: ids, scores: scores, limits: limits)
        }
    }

    /// The rank of each query's target, from 1: see `Evaluator.targetRanks`.
    /// There are Q `targets` and Q places in `ranks`.
    public func targetRanks(
        _ request: RetrievalRequest, targets: Targets, in catalog: Catalog, ranks: UnsafeMutableBufferPointer<Int64>
    ) throws(ShortlistError) -> Report {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.targetRanks(request, catalog, targets: targets, ranks: ranks, limits: limits)
        }
    }
}

/// A forward call's saved state; it keeps its context alive and holds workspace until it goes away.
///
/// It shares its context's rule of one thread at a time; the last reference to it may go away on any thread.
public final class ForwardState: @unchecked Sendable {
    // Sendable: used through its context, which lets one thread in at a time; release is safe from any thread.
    /// The context that made it.
    public let context: Context
    let saved: SavedState

    init(_ saved: SavedState, of context: Context) {
        self.saved = saved
        self.context = context
    }

    /// The loss and the report of the forward call.
    public var result: CallResult { saved.result }

    /// Sizes of the selection. - Throws: `unsupported` for exact cross-entropy.
    public func selectionSize() throws(ShortlistError) -> SavedState.SelectionSize {
        try context.withSelection(self) { (state) throws(ShortlistError) in try state.selectionSize() }
    }

    /// The selection as candidate lists, into the caller's memory: see `SavedState.copySelection`.
    public func copySelection(
        tokenOffsets: UnsafeMutableBufferPointer<Int>, tokens: UnsafeMutableBufferPointer<Int32>,
        itemOffsets: UnsafeMutableBufferPointer<Int>, items: UnsafeMutableBufferPointer<Int32>
    ) throws(ShortlistError) {
        try context.withSelection(self) { (state) throws(ShortlistError) in
            try state.copySelection(
                tokenOffsets: tokenOffsets, tokens: tokens, itemOffsets: itemOffsets, items: items)
        }
    }

    /// The block through which each token's gradient flows: see `SavedState.copyWinners`.
    public func copyWinners(_ winners: UnsafeMutableBufferPointer<Int32>) throws(ShortlistError) {
        try context.withSelection(self) { (state) throws(ShortlistError) in try state.copyWinners(winners) }
    }

    /// The selection as candidate lists of their own, for `GivenCandidates` with the same combination.
    ///
    /// - Throws: `unsupported` for exact cross-entropy.
    public func selection() throws(ShortlistError) -> CandidateLists {
        let size = try selectionSize()
        var lists = CandidateLists(
            tokenOffsets: Array(repeating: 0, count: size.blocks + 1), tokens: Array(repeating: 0, count: size.tokens),
            itemOffsets: Array(repeating: 0, count: size.blocks + 1), items: Array(repeating: 0, count: size.items))
        var failure: ShortlistError?
        lists.tokenOffsets.withUnsafeMutableBufferPointer { tokenOffsets in
            lists.tokens.withUnsafeMutableBufferPointer { tokens in
                lists.itemOffsets.withUnsafeMutableBufferPointer { itemOffsets in
                    lists.items.withUnsafeMutableBufferPointer { items in
                        do throws(ShortlistError) {
                            try copySelection(
                                tokenOffsets: tokenOffsets, tokens: tokens, itemOffsets: itemOffsets, items: items)
                        } catch { failure = error }
                    }
                }
            }
        }
        if let failure { throw failure }
        return lists
    }
}
