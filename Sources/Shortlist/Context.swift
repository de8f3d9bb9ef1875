import ShortlistCore
import ShortlistLosses
import Synchronization

/// How a context is made. All defaults are good.
public struct ContextOptions: Sendable {
    /// A backend by name ("cpu"); nil for the best device of all. Asking by name never falls back.
    public var backend: String?
    /// A device of that backend by index; nil for its best.
    public var device: Int?
    /// Threads, the calling one included; nil for one a core. Results do not depend on it.
    public var threads: Int?
    /// Bytes of workspace that a call may use beside inputs and outputs; nil for no limit. Calls work in smaller
    /// tiles to obey it, and say the least they need when even that does not fit.
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
/// One thread at a time: a second one gets the error `busy`. Use one context a thread; contexts work in parallel. A
/// context reuses its workspace, so steady calls allocate nothing but the results you ask it to allocate.
public final class Context: @unchecked Sendable {
    // Sendable: `inUse` lets one thread in at a time.
    /// Which backend and device, and why.
    public let backend: BackendChoice
    public let options: ContextOptions
    /// Polled between tiles during a call; true ends the call with `cancelled`.
    public var shouldStop: (@Sendable () -> Bool)? {
        get { stop.withLock { $0 } }
        set { stop.withLock { $0 = newValue } }
    }

    private let evaluator: Evaluator
    private let inUse = Atomic<Bool>(false)
    private let stop = Mutex<(@Sendable () -> Bool)?>(nil)

    /// Opens the best device, or the one that the options name.
    ///
    /// - Throws: `unknownBackend`, `backendUnavailable` with the reason, `invalidArgument`, `outOfMemory`.
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
    /// - Parameter bias: C values, or nil; −∞ leaves an item out. Must outlive the catalog too.
    public func catalog(
        _ items: MatrixView, bias: UnsafeBufferPointer<Float>? = nil
    ) throws(ShortlistError) -> Catalog {
        try Catalog(items: items, bias: bias, on: evaluator.stream)
    }

    /// A catalog over a matrix, which it keeps alive. `bias` is a C × 1 or 1 × C matrix.
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

    /// The loss, and the gradients that `outputs` has room for, in one call. Allocates nothing in steady state.
    ///
    /// - Throws: before any output is written, except `cancelled`.
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
    /// the state is gone.
    public func forward(
        _ loss: some Loss, _ batch: Batch, catalog: Catalog, tokenOutputs: TokenOutputs = .init()
    ) throws(ShortlistError) -> ForwardState {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            ForwardState(
                try evaluator.forward(loss, batch, catalog, tokenOutputs: tokenOutputs, limits: limits), of: self)
        }
    }

    /// Gradients of a saved state, any number of times, each with its own upstream and its own choice of outputs.
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

    /// The k best items of each query: see `Evaluator.topK`.
    public func topK(
        _ request: RetrievalRequest, in catalog: Catalog, k: Int, ids: UnsafeMutableBufferPointer<Int32>,
        scores: UnsafeMutableBufferPointer<Float>? = nil
    ) throws(ShortlistError) -> Report {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.topK(request, catalog, k: k, ids: ids, scores: scores, limits: limits)
        }
    }

    /// The rank of each query's target: see `Evaluator.targetRanks`.
    public func targetRanks(
        _ request: RetrievalRequest, targets: Targets, in catalog: Catalog, ranks: UnsafeMutableBufferPointer<Int64>
    ) throws(ShortlistError) -> Report {
        try exclusively { (evaluator, limits) throws(ShortlistError) in
            try evaluator.targetRanks(request, catalog, targets: targets, ranks: ranks, limits: limits)
        }
    }
}

/// A forward call's saved state; it keeps its context alive and holds workspace until it goes away.
public final class ForwardState: @unchecked Sendable {
    // Sendable: used through its context, which lets one thread in at a time; release is safe from any thread.
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

    /// The selection as candidate lists of their own.
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
