import ShortlistCore
import ShortlistLosses
import ShortlistReference

extension ConformanceSuite {
    /// Every row of the specification's table of edges, and the traps that became bugs elsewhere, each under a name that
    /// says what must hold.
    public func edges() -> ConformanceReport {
        var report = ConformanceReport()
        do throws(ShortlistError) {
            let evaluator = try evaluator()
            emptyEdges(evaluator, into: &report)
            refusalEdges(evaluator, into: &report)
            optionEdges(evaluator, into: &report)
            overlapEdges(evaluator, into: &report)
            ruleEdges(evaluator, into: &report)
            retrievalEdges(evaluator, into: &report)
            trapEdges(evaluator, into: &report)
        } catch {
            report.fail("the backend opens", "\(error)")
        }
        return report
    }

    /// A case from its line, which must be one.
    func edgeCase(_ line: String) -> ConformanceCase {
        guard let options = ConformanceCase(line: line) else { preconditionFailure("no case: \(line)") }
        return options
    }

    /// Runs one edge: its context is its rule.
    func edge(
        _ rule: String, into report: inout ConformanceReport,
        _ body: (inout ConformanceReport) throws(ShortlistError) -> Void
    ) {
        report.cases += 1
        report.context = rule
        do throws(ShortlistError) {
            try body(&report)
        } catch {
            report.fail(rule, "\(error)")
        }
    }

    /// The lines of a small case of each loss, with every gradient.
    static let everyLoss = [
        "loss=0", "loss=1 buckets=4 tokensPerBucket=6 itemsPerBucket=5",
        "loss=1 union=1 buckets=4 tokensPerBucket=6 itemsPerBucket=5",
        "loss=2 buckets=5 chunks=3 neighbours=1 rounds=2", "loss=3 buckets=4 tokensPerBucket=6 itemsPerBucket=5",
        "loss=3 union=1 buckets=4 tokensPerBucket=6 itemsPerBucket=5",
    ].map {
        $0
            + " tokens=17 items=23 width=5 data=1 hiddenGradient=1 catalogGradient=1 biasGradient=1 scaleGradient=1 seed=3"
    }

    private func emptyEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        let nothing = ["ignored=100", "weights=3", "tokens=0"]
        for line in ConformanceSuite.everyLoss {
            for extra in nothing {
                for form in 0...2 {
                    let options = edgeCase("\(line) \(extra) form=\(form) upstream=1")
                    edge("no valid token or Σw = 0: loss 0 and zero gradients (\(options))", into: &report) {
                        (report) throws(ShortlistError) in
                        let data = try CaseData(options, on: evaluator.stream)
                        let run = try evaluator.oneCall(data, try data.makeLoss())
                        let used = run.result.rowsUsed.map { $0 * options.width } ?? .max
                        let before: Float = options.form == 1 ? run.outputs.before : 0
                        report.expect(run.result.loss == 0, "the loss is 0", "\(run.result.loss)")
                        report.expect(
                            (run.outputs.hidden?.values ?? [1]).allSatisfy { $0 == 0 }
                                && (run.outputs.catalog?.values ?? [1]).prefix(used).allSatisfy { $0 == before }
                                && (run.outputs.bias?.values ?? [1]).prefix(run.result.rowsUsed ?? .max)
                                    .allSatisfy { $0 == before }
                                && run.outputs.scale?.values[0] == 0,
                            "gradients are zero, or what they were")
                        report.expect(
                            run.result.report.tokensValid == data.problem.validTokens.count,
                            "valid tokens are counted as they are", "\(run.result.report.tokensValid)")
                        report.expect(run.outputs.isIntact, "nothing else is written")
                    }
                }
            }
        }
        for sizes in ["tokens=1 items=1 width=1", "tokens=1 items=23 width=5", "tokens=17 items=1 width=1"] {
            for line in ConformanceSuite.everyLoss { report.merge(check(edgeCase("\(line) \(sizes)"), on: evaluator)) }
        }
        edge("an empty catalog is an error that says so", into: &report) { (report) throws(ShortlistError) in
            let memory = Guarded<Float>(rows: 1, columns: 4)
            for (rows, columns) in [(0, 4), (4, 0)] {
                let view = try MatrixView(memory.base, rows: rows, columns: columns)
                expectError(.invalidArgument, "empty", into: &report) { () throws(ShortlistError) in
                    _ = try Catalog(items: view, on: evaluator.stream)
                }
            }
        }
    }

    /// `body` throws an error of this code whose message has `words`.
    func expectError(
        _ code: ShortlistError.Code, _ words: String, into report: inout ConformanceReport,
        _ body: () throws(ShortlistError) -> Void
    ) {
        do throws(ShortlistError) {
            try body()
            report.fail("an error \(code) naming '\(words)'", "the call succeeded")
        } catch {
            report.expect(error.code == code, "the error is \(code)", "\(error)")
            report.expect(
                error.message.split(separator: " ").joined(separator: " ").containsWords(words),
                "the message names '\(words)'", error.message)
        }
    }
}

extension String {
    /// Whether `words` stands in the text.
    func containsWords(_ words: String) -> Bool {
        guard !words.isEmpty else { return true }
        let (text, part) = (Array(utf8), Array(words.utf8))
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { Array(text[$0..<$0 + part.count]) == part }
    }
}
