import ShortlistCore
import ShortlistLosses

/// Room for everything a call can write, between sentinels.
final class CaseOutputs {
    let hidden: Guarded<Float>?
    let catalog: Guarded<Float>?
    let bias: Guarded<Float>?
    let ids: Guarded<Int32>?
    let scale: Guarded<Double>?
    let losses: Guarded<Float>
    let logSumExp: Guarded<Float>
    let form: ConformanceCase.CatalogForm
    /// What was in dense outputs before, for `accumulate`.
    let before: Float = 0.25
    private let wantsCatalog: Bool

    /// - Parameter room: rows of a row-sparse gradient.
    init(_ options: ConformanceCase, room: Int) {
        let (n, c, d) = (options.tokens, options.items, options.width)
        form = .init(rawValue: options.form) ?? .store
        let rows = form == .rows ? room : c
        let start: Float? = form == .accumulate ? 0.25 : nil
        wantsCatalog = options.wantsCatalog + options.wantsBias > 0
        hidden =
            options.wantsHidden == 1 ? Guarded(rows: n, columns: d, padding: options.outputPadding) : nil
        catalog =
            options.wantsCatalog == 1
            ? Guarded(rows: rows, columns: d, padding: options.outputPadding, fill: start) : nil
        bias = options.wantsBias == 1 ? Guarded(columns: rows, fill: start) : nil
        ids = wantsCatalog && form == .rows ? Guarded(count: rows) : nil
        scale = options.wantsScale == 1 ? Guarded(rows: 1, columns: 1, sentinel: poison64) : nil
        losses = Guarded(columns: n)
        logSumExp = Guarded(columns: n)
    }

    func gradients() throws(ShortlistError) -> GradientOutputs {
        var outputs = GradientOutputs(
            hidden: try hidden.map { (memory) throws(ShortlistError) in try memory.mutableView() },
            scale: scale?.base)
        guard wantsCatalog else { return outputs }
        let matrix = try catalog.map { (memory) throws(ShortlistError) in try memory.mutableView() }
        if let ids {
            outputs.catalog = .rows(ids: ids.buffer, rows: matrix, bias: bias?.buffer)
        } else {
            outputs.catalog = .dense(matrix, bias: bias?.buffer, accumulate: form == .accumulate)
        }
        return outputs
    }

    var tokenOutputs: TokenOutputs { TokenOutputs(losses: losses.buffer, logSumExp: logSumExp.buffer) }

    var isIntact: Bool {
        losses.isIntact && logSumExp.isIntact && (hidden?.isIntact ?? true) && (catalog?.isIntact ?? true)
            && (bias?.isIntact ?? true) && (ids?.isIntact ?? true)
            && scale?.firstTouched { $0.bitPattern == $1.bitPattern } == nil
    }

    /// Whether nothing was written at all.
    var isUntouched: Bool {
        isIntact && losses.isUntouched && logSumExp.isUntouched && (hidden?.isUntouched ?? true)
            && (scale?.values[0].bitPattern ?? poison64.bitPattern) == poison64.bitPattern
            && (form == .accumulate || (catalog?.isUntouched ?? true) && (bias?.isUntouched ?? true))
            && (form != .accumulate || (catalog?.values ?? []).allSatisfy { $0 == before })
    }

    /// Every bit that was written, for exact comparisons. `used` rows of a row-sparse gradient.
    func bits(used: Int?) -> [UInt32] {
        var bits = losses.bits + logSumExp.bits + (hidden?.bits ?? [])
        let d = catalog?.columns ?? 0
        bits += (catalog?.bits ?? []).prefix(used.map { $0 * d } ?? .max)
        bits += (bias?.bits ?? []).prefix(used ?? .max)
        bits += (ids?.values ?? []).prefix(used ?? .max).map { UInt32(bitPattern: $0) }
        if let scale {
            let word = scale.values[0].bitPattern
            bits += [UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32)]
        }
        return bits
    }
}

/// What came of one evaluation.
struct LossRun {
    var result: CallResult
    var outputs: CaseOutputs
    var selection: CandidateLists?
    var winners: [Int]?
    var bits: [UInt32] { outputs.bits(used: result.rowsUsed) }
}

extension Evaluator {
    /// Rows that always suffice for a row-sparse gradient.
    private func room(_ data: CaseData) -> Int { data.options.items }

    /// The least workspace of a call: the one that the error for a limit of 0 names.
    func least(
        _ call: (CallLimits) throws(ShortlistError) -> Void
    ) throws(ShortlistError) -> Int {
        do throws(ShortlistError) {
            try call(CallLimits(workspace: 0))
            return 0
        } catch {
            guard error.code == .workspaceLimit, let bytes = error.bytesNeeded else { throw error }
            return bytes
        }
    }

    /// The limit that the case asks for, found for the very call it will bound.
    private func limits(
        _ data: CaseData, _ call: (CallLimits) throws(ShortlistError) -> Void
    ) throws(ShortlistError) -> CallLimits {
        switch ConformanceCase.Limit(rawValue: data.options.limit) ?? .none {
        case .none: return CallLimits()
        case .least: return CallLimits(workspace: try least(call))
        case .between:
            let bytes = try least(call)
            return CallLimits(workspace: bytes + bytes / 2 + 30_000)
        case .someLogits: return CallLimits(workspace: try least(call) + data.options.someLogits)
        }
    }

    /// Forward and backward in one call.
    func oneCall(_ data: CaseData, _ loss: some Loss) throws(ShortlistError) -> LossRun {
        let outputs = CaseOutputs(data.options, room: room(data))
        func call(_ limits: CallLimits) throws(ShortlistError) -> CallResult {
            try evaluate(
                loss, try data.batch(), data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                tokenOutputs: outputs.tokenOutputs, limits: limits)
        }
        let limits = try limits(data) { (limits) throws(ShortlistError) in _ = try call(limits) }
        return LossRun(result: try call(limits), outputs: outputs)
    }

    /// Forward, the selection, backward.
    func twoPhases(_ data: CaseData, _ loss: some Loss) throws(ShortlistError) -> LossRun {
        let outputs = CaseOutputs(data.options, room: room(data))
        func ahead(_ limits: CallLimits) throws(ShortlistError) -> SavedState {
            try forward(
                loss, try data.batch(), data.catalog, tokenOutputs: outputs.tokenOutputs, limits: limits)
        }
        let limits = try limits(data) { (limits) throws(ShortlistError) in _ = try ahead(limits) }
        let state = try ahead(limits)
        func back(_ limits: CallLimits) throws(ShortlistError) -> CallResult {
            try backward(state, into: try outputs.gradients(), upstream: data.upstream, limits: limits)
        }
        var run = LossRun(result: state.result, outputs: outputs)
        if data.options.kind != .crossEntropy { run.selection = try state.selection() }
        if data.options.isMaximum { run.winners = try state.winners(count: data.options.tokens) }
        if data.options.wantsGradients {
            run.result = try back(try self.limits(data) { (limits) throws(ShortlistError) in _ = try back(limits) })
        }
        return run
    }
}

extension SavedState {
    func selection() throws(ShortlistError) -> CandidateLists {
        let size = try selectionSize()
        let tokenOffsets = Guarded<Int>(count: size.blocks + 1)
        let itemOffsets = Guarded<Int>(count: size.blocks + 1)
        let tokens = Guarded<Int32>(count: size.tokens)
        let items = Guarded<Int32>(count: size.items)
        guard size.blocks > 0 else {
            return CandidateLists(tokenOffsets: [0], tokens: [], itemOffsets: [0], items: [])
        }
        try copySelection(
            tokenOffsets: tokenOffsets.buffer, tokens: tokens.buffer, itemOffsets: itemOffsets.buffer,
            items: items.buffer)
        return CandidateLists(
            tokenOffsets: tokenOffsets.values, tokens: tokens.values, itemOffsets: itemOffsets.values,
            items: items.values)
    }

    func winners(count: Int) throws(ShortlistError) -> [Int] {
        let winners = Guarded<Int32>(count: count)
        try copyWinners(winners.buffer)
        return winners.values.map(Int.init)
    }
}
