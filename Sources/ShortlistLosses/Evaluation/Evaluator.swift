import ShortlistCore

/// What bounds a call.
public struct CallLimits: Sendable {
    /// Bytes of workspace that one call may plan, nil for no limit. What a saved state holds is not counted again when
    /// a `backward` uses it.
    public var workspace: Int?
    /// Polled between tiles by the calling thread; true ends the call with `cancelled`.
    public var shouldStop: (@Sendable () -> Bool)?

    public init(workspace: Int? = nil, shouldStop: (@Sendable () -> Bool)? = nil) {
        self.workspace = workspace
        self.shouldStop = shouldStop
    }
}

/// What a call returns beside what it wrote.
public struct CallResult: Sendable {
    /// The reduced loss; for reduction none, the sum of the vector.
    public var loss: Double
    /// Rows used of a row-sparse catalog gradient, nil where none was asked for.
    public var rowsUsed: Int?
    public var report: Report
}

/// Runs losses on a stream: select → score → combine → gradient. One thread at a time.
public final class Evaluator {
    public let stream: any Stream
    let exclusions = ExclusionList()

    public init(stream: any Stream) { self.stream = stream }

    /// Forward and backward in one call; nothing is kept.
    ///
    /// Everything that can be refused is refused before an output is written; after `cancelled` or a device's loss,
    /// outputs hold partial results.
    public func evaluate<L: Loss>(
        _ loss: L, _ batch: Batch, _ catalog: Catalog, into outputs: GradientOutputs = .init(),
        upstream: Upstream = .one(1), tokenOutputs: TokenOutputs = .init(), limits: CallLimits = .init()
    ) throws(ShortlistError) -> CallResult {
        let start = monotonicSeconds()
        let checked = try check(batch, catalog, outputs, upstream, tokenOutputs)
        var forward = try ForwardPass(
            loss, batch, catalog, checked, exclusions, gradients: outputs, on: stream, limits: limits)
        do {
            try forward.select(loss, on: stream)
            var rows: Int?
            if forward.blockShape.isDense, !outputs.isEmpty {
                rows = try forward.evaluateDense(into: outputs, upstream, on: stream)
            } else {
                try forward.score(on: stream)
                if !outputs.isEmpty {
                    let backward = BackwardPass(forward: forward, outputs: outputs, upstream: upstream)
                    rows = try backward.run(vectors: forward.gradientVectors, on: stream, report: &forward.report)
                }
            }
            var result = forward.result(on: stream)
            result.rowsUsed = rows
            try forward.write(tokenOutputs, on: stream)
            try stream.finish(noting: &result.report, of: forward.workspace, since: start)
            stream.recycle(forward.workspace)
            return result
        } catch {
            throw stream.abandon(forward.workspace, after: error)
        }
    }

    /// The loss and a saved state that any number of `backward` calls use.
    ///
    /// The memory behind `batch` and `catalog` must stay valid and unchanged until the state is released.
    public func forward<L: Loss>(
        _ loss: L, _ batch: Batch, _ catalog: Catalog, tokenOutputs: TokenOutputs = .init(),
        limits: CallLimits = .init()
    ) throws(ShortlistError) -> SavedState {
        let start = monotonicSeconds()
        let checked = try check(batch, catalog, .init(), .one(1), tokenOutputs)
        var forward = try ForwardPass(
            loss, batch, catalog, checked, exclusions, gradients: .init(), on: stream, limits: limits)
        do {
            try forward.select(loss, on: stream)
            try forward.score(on: stream)
            var result = forward.result(on: stream)
            try forward.write(tokenOutputs, on: stream)
            try stream.finish(noting: &result.report, of: forward.workspace, since: start)
            return SavedState(forward, result, stream)
        } catch {
            throw stream.abandon(forward.workspace, after: error)
        }
    }

    /// Gradients of a saved state; nothing is selected again.
    public func backward(
        _ state: SavedState, into outputs: GradientOutputs, upstream: Upstream = .one(1), limits: CallLimits = .init()
    ) throws(ShortlistError) -> CallResult {
        let start = monotonicSeconds()
        guard state.stream === stream else {
            throw ShortlistError(.invalidHandle, "the saved state belongs to another context")
        }
        let forward = state.forward
        try checkOutputs(forward.batch, forward.catalog, outputs, upstream, .init())
        var result = state.result
        result.report.seconds = StageSeconds()
        guard !outputs.isEmpty else { return result }
        var plan = WorkspacePlan(limit: limits.workspace, shouldStop: limits.shouldStop)
        plan.heldBytes = forward.reservedBytes
        _ = try GradientVectors(forward.checked.shape, from: &plan)
        plan.kernels = BackwardPass.kernels(forward.blockShape, forward.checked.shape, outputs, forward.exclusive)
        try stream.resume(forward.workspace, plan: plan)
        do {
            var vectorSource = StreamVectors(stream)
            let vectors = try GradientVectors(forward.checked.shape, from: &vectorSource)
            let backward = BackwardPass(forward: forward, outputs: outputs, upstream: upstream)
            result.rowsUsed = try backward.run(vectors: vectors, on: stream, report: &result.report)
            try stream.finish(noting: &result.report, of: forward.workspace, since: start)
            result.report.workspaceUsed += forward.reservedBytes
        } catch {
            throw stream.abandon(nil, after: error)
        }
        return result
    }

    private func check(
        _ batch: Batch, _ catalog: Catalog, _ outputs: GradientOutputs, _ upstream: Upstream,
        _ tokenOutputs: TokenOutputs
    ) throws(ShortlistError) -> CheckedBatch {
        try exclusions.load(batch.excludedItems, catalog)
        let checked = try batch.check(catalog, exclusions: exclusions)
        try checkOutputs(batch, catalog, outputs, upstream, tokenOutputs)
        return checked
    }

    private func checkOutputs(
        _ batch: Batch, _ catalog: Catalog, _ outputs: GradientOutputs, _ upstream: Upstream,
        _ tokenOutputs: TokenOutputs
    ) throws(ShortlistError) {
        try outputs.check(rows: batch.hidden.rows, catalog)
        try tokenOutputs.check(rows: batch.hidden.rows)
        switch (upstream, batch.reduction) {
        case (.perToken(let values), .none):
            guard values.count == batch.hidden.rows else {
                throw ShortlistError(
                    .invalidArgument, "\(values.count) upstream gradients for \(batch.hidden.rows) tokens")
            }
        case (.perToken, _):
            throw ShortlistError(
                .invalidArgument, "an upstream gradient per token goes with reduction none, not \(batch.reduction)")
        default: break
        }
        try checkOverlap(
            outputs: outputs.regions() + tokenOutputs.regions(), inputs: batch.regions(catalog) + upstream.regions())
    }
}

extension Stream {
    /// Ends a call that failed: closes it, gives its workspace back, and returns the error to throw.
    func abandon(_ workspace: (any Workspace)?, after error: ShortlistError) -> ShortlistError {
        var first = error
        do {
            try finish()
        } catch {
            // A device that is lost matters more than what it failed at.
            if error.code == .deviceLost { first = error }
        }
        if let workspace { recycle(workspace) }
        return first
    }
}
