import ShortlistCore
import ShortlistLosses

extension ConformanceSuite {
    /// The least workspace works and one byte less is refused, naming that least; the plan covers what is used; a
    /// second call is planned like the first.
    public func limits(seeds: Range<Int>) -> ConformanceReport {
        var report = ConformanceReport()
        for seed in seeds {
            var options = ConformanceCase(random: seed)
            options.limit = 0
            limits(options, into: &report)
        }
        for options in ConformanceSuite.determinismCases where options.limit == 0 { limits(options, into: &report) }
        retrievalLimits(into: &report)
        return report
    }

    private func limits(_ options: ConformanceCase, into report: inout ConformanceReport) {
        report.cases += 1
        report.context = "\(options)"
        do throws(ShortlistError) {
            let evaluator = try evaluator()
            let data = try CaseData(options, on: evaluator.stream)
            let loss = try data.makeLoss()
            func call(_ limits: CallLimits) throws(ShortlistError) -> (CallResult, CaseOutputs) {
                let outputs = CaseOutputs(options, room: options.items)
                return (
                    try evaluator.evaluate(
                        loss, try data.batch(), data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                        tokenOutputs: outputs.tokenOutputs, limits: limits), outputs
                )
            }
            let outputs = CaseOutputs(options, room: options.items)
            try bracket("a loss", evaluator, into: &report) { (limits) throws(ShortlistError) in
                try evaluator.evaluate(
                    loss, try data.batch(), data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                    tokenOutputs: outputs.tokenOutputs, limits: limits
                ).report
            } refused: {
                outputs.isUntouched
            }
            var state: SavedState?
            try bracket("forward", evaluator, into: &report) { (limits) throws(ShortlistError) in
                let saved = try evaluator.forward(loss, try data.batch(), data.catalog, limits: limits)
                state = saved
                return saved.result.report
            } refused: {
                true
            }
            if let state, options.wantsGradients {
                let gradients = CaseOutputs(options, room: options.items)
                try bracket("backward", evaluator, into: &report) { (limits) throws(ShortlistError) in
                    try evaluator.backward(
                        state, into: try gradients.gradients(), upstream: data.upstream, limits: limits
                    ).report
                } refused: {
                    gradients.isUntouched
                }
            }
            let (first, _) = try call(CallLimits())
            let (second, _) = try call(CallLimits())
            report.expect(
                first.report.workspacePlanned == second.report.workspacePlanned
                    && first.report.workspaceUsed == second.report.workspaceUsed,
                "a repeated call plans and uses what the first did", "\(first.report) then \(second.report)")
        } catch {
            report.fail("the call succeeds without a limit", "\(error)")
        }
    }

    private func retrievalLimits(into report: inout ConformanceReport) {
        for k in [1, 40, 5000] {
            let options = RetrievalCase(
                queries: 70, items: 1500, width: 20, k: k, seed: k, integers: false, excluded: 3, seen: 9)
            report.cases += 1
            report.context = "\(options)"
            do throws(ShortlistError) {
                let evaluator = try evaluator()
                let data = try RetrievalData(options, on: evaluator.stream)
                let ids = Guarded<Int32>(count: options.queries * k)
                let scores = Guarded<Float>(columns: options.queries * k)
                let ranks = Guarded<Int64>(count: options.queries)
                let before = (ids.values, ranks.values)
                try bracket("top-k", evaluator, into: &report) { (limits) throws(ShortlistError) in
                    try evaluator.topK(
                        try data.request(), data.catalog, k: k, ids: ids.buffer, scores: scores.buffer, limits: limits)
                } refused: {
                    ids.values == before.0 && scores.isUntouched
                }
                try bracket("ranks", evaluator, into: &report) { (limits) throws(ShortlistError) in
                    try evaluator.targetRanks(
                        try data.request(), data.catalog, targets: .int32(data.targets.readOnly), ranks: ranks.buffer,
                        limits: limits)
                } refused: {
                    ranks.values == before.1
                }
            } catch {
                report.fail("retrieval succeeds without a limit", "\(error)")
            }
        }
    }

    /// Holds one call against its least. `refused` says whether outputs are as before, after a refusal.
    private func bracket(
        _ what: String, _ evaluator: Evaluator, into report: inout ConformanceReport,
        _ call: (CallLimits) throws(ShortlistError) -> Report, refused: () -> Bool
    ) throws(ShortlistError) {
        let least = try evaluator.least { (limits) throws(ShortlistError) in _ = try call(limits) }
        // A call that needs no workspace at all has nothing to refuse.
        guard least > 0 else { return }
        do throws(ShortlistError) {
            _ = try call(CallLimits(workspace: least - 1))
            report.fail("\(what): a byte less than the least is refused", "\(least - 1) bytes sufficed")
        } catch {
            report.expect(
                error.code == .workspaceLimit && error.bytesNeeded == least,
                "\(what): a byte less than the least is refused with the least",
                "\(error), needing \(error.bytesNeeded ?? -1) not \(least)")
        }
        report.expect(refused(), "\(what): a refused call writes nothing")
        do throws(ShortlistError) {
            let found = try call(CallLimits(workspace: least))
            report.expect(
                found.workspacePlanned <= least && found.workspaceUsed <= found.workspacePlanned
                    && found.workspaceLeast == least,
                "\(what): under the least, used ≤ planned ≤ limit, and the report names the least",
                "\(found.workspaceUsed) used, \(found.workspacePlanned) planned, least \(found.workspaceLeast) not \(least)"
            )
        } catch {
            report.fail("\(what): the least works", "\(error)")
        }
        let free = try call(CallLimits())
        report.expect(
            free.workspaceUsed <= free.workspacePlanned && free.workspaceLeast == least && free.workspaceUsed > 0,
            "\(what): without a limit, used ≤ planned, and the report names the least",
            "\(free.workspaceUsed) used, \(free.workspacePlanned) planned, least \(free.workspaceLeast) not \(least)")
    }
}
