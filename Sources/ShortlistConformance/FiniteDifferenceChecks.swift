import ShortlistCore
import ShortlistLosses
import ShortlistReference

extension ConformanceSuite {
    /// The library's gradients against central differences of the oracle's loss on the library's selection and
    /// winners, which are held fixed: neither knows the other's formula for a gradient.
    public func finiteDifferences(seeds: Range<Int>) -> ConformanceReport {
        var report = ConformanceReport()
        for seed in seeds {
            var dice = Dice(seed)
            var options = ConformanceCase(random: seed)
            (options.tokens, options.items) = (dice.integer(2...7), dice.integer(2...9))
            options.width = dice.integer(1...4)
            (options.data, options.scale) = (1, dice.pick([100, 170]))
            (options.buckets, options.tokensPerBucket, options.itemsPerBucket) = (3, 4, 5)
            (options.excluded, options.poison, options.limit, options.form) = (seed % 2, 0, 0, 0)
            (options.wantsHidden, options.wantsCatalog, options.wantsBias, options.wantsScale) = (1, 1, 1, 1)
            // A derivative does not know of blocks that are switched off for dY; log-weights it does.
            options.detached = 0
            options.bias = max(1, options.bias)
            options.upstream = 1
            report.cases += 1
            report.context = "\(options)"
            do throws(ShortlistError) {
                let evaluator = try evaluator()
                let data = try CaseData(options, on: evaluator.stream)
                try finiteDifference(data, evaluator, into: &report)
            } catch {
                report.fail("the call succeeds", "\(error)")
            }
        }
        return report
    }

    private func finiteDifference(
        _ data: CaseData, _ evaluator: Evaluator, into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let run = try evaluator.twoPhases(data, try data.makeLoss())
        let problem = data.problem
        guard !problem.validTokens.isEmpty else { return }
        var blocks = selectAll(problem)
        if data.options.kind == .given { blocks = data.givenBlocks }
        if data.options.kind == .sce || data.options.kind == .rece {
            guard let lists = run.selection, let found = lists.referenceBlocks(problem, into: &report) else { return }
            blocks = found
        }
        blocks = selectGiven(problem, blocks)
        // Each token keeps the block that won, so that the maximum has no kink.
        if let winners = run.winners {
            for k in blocks.indices { blocks[k].tokens.removeAll { winners[$0] != k } }
        }
        func objective(_ change: (inout ReferenceProblem) -> Void) -> Double {
            var moved = problem
            change(&moved)
            let result = ShortlistReference.evaluate(moved, blocks, .union)
            guard problem.reduction == .none else { return result.loss * problem.upstream[0] }
            return zip(result.weightedLosses, problem.upstream).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let h = 1e-5
        func compare(_ name: String, _ got: Double, _ change: (inout ReferenceProblem, Double) -> Void) {
            let slope = (objective { change(&$0, h) } - objective { change(&$0, -h) }) / (2 * h)
            // h²·f‴/6 and rounding over h are below 1e-8; the rest is f32 logits (at most about 30 here).
            report.expect(
                abs(got - slope) <= 2e-5 * (abs(slope) + 1), "\(name) is the derivative of the loss",
                "\(got), the central difference is \(slope)")
        }
        let d = problem.dimension
        for place in 0..<problem.hidden.count where problem.targets[place / d] != problem.ignoreIndex {
            compare("dX", Double(run.outputs.hidden?.values[place] ?? .nan)) { $0.hidden[place] += $1 }
        }
        for place in 0..<problem.catalog.count where problem.isSelectable(place / d) {
            compare("dY", Double(run.outputs.catalog?.values[place] ?? .nan)) { $0.catalog[place] += $1 }
        }
        for item in 0..<problem.itemCount where problem.isSelectable(item) {
            compare("db", Double(run.outputs.bias?.values[item] ?? .nan)) { $0.itemBias?[item] += $1 }
        }
        compare("ds", run.outputs.scale?.values[0] ?? .nan) { $0.scale += $1 }
    }
}
