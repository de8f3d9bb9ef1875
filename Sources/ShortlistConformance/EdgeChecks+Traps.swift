import ShortlistCore
import ShortlistLosses
import ShortlistReference

extension ConformanceSuite {
    /// Bugs that others had, as cases against the oracle and as plain facts.
    func trapEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        let gradients = " data=1 hiddenGradient=1 catalogGradient=1 biasGradient=1 scaleGradient=1"
        let small =
            "tokens=70 items=131 width=9 buckets=7 tokensPerBucket=21 itemsPerBucket=33 chunks=4 neighbours=1 rounds=2"
        let traps = [
            (
                "the bias is added once, however many tiles d and C make",
                "tokens=65 items=700 width=300 bias=1 buckets=5 tokensPerBucket=40 itemsPerBucket=150 chunks=3 rounds=2"
            ),
            ("reduction none takes an upstream gradient a token", "\(small) reduction=2 upstream=1"),
            ("weights go token by token", "\(small) weights=2 ignored=20"),
            (
                "weights and upstream follow tokens past ignored ones",
                "\(small) weights=1 ignored=50 reduction=2 upstream=1"
            ),
            ("duplicate negatives count once", "\(small) repeats=1 logWeights=1"),
            ("C need not divide by any tile", "\(small) items=769"),
            ("large logits neither overflow nor vanish", "\(small) data=3 width=40"),
            ("low-rank tokens with a large mean have Mix directions", "\(small) data=4 directions=2 width=7"),
            ("Mix with d above n_b draws Ω in tiles", "\(small) directions=2 width=40 tokens=300"),
        ]
        for (rule, line) in traps {
            for loss in 0...3 {
                for union in 0...1 {
                    for limit in [0, 1] {
                        let options = edgeCase(
                            "\(gradients) \(line) loss=\(loss) union=\(union) limit=\(limit) seed=21")
                        edge("\(rule) (\(options))", into: &report) { (report) throws(ShortlistError) in
                            report.merge(check(options, on: evaluator))
                        }
                    }
                }
            }
        }
        logWeightSign(evaluator, into: &report)
        catalogGradient(evaluator, into: &report)
        largeVocabulary(evaluator, into: &report)
        keptLogits(evaluator, into: &report)
        weightlessPoison(evaluator, into: &report)
    }

    private func logWeightSign(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("a log-weight is added to its candidate: log(C/m) makes a sampled normaliser that of all", into: &report) {
            (report) throws(ShortlistError) in
            // All logits equal: Σ over 40 others is 40·e^0; 8 candidates with log(5) must say the same.
            let hidden = Guarded<Float>(rows: 2, columns: 3, fill: 0)
            let items = Guarded<Float>(rows: 41, columns: 3, fill: 0)
            let targets = Guarded<Int32>([0, 0])
            let catalog = try Catalog(items: try items.view(), on: evaluator.stream)
            var lists = CandidateLists(blocks: [([0, 1], (1...8).map { Int32($0) })])
            lists.logWeights = Array(repeating: 1.609_437_9, count: 8)
            let result = try lists.withView { (view) throws(ShortlistError) in
                try evaluator.evaluate(
                    GivenCandidates(view),
                    Batch(hidden: try hidden.view(), targets: .int32(targets.readOnly)), catalog)
            }
            // log(1 + 40).
            report.expect(abs(result.loss - 3.713_572_066_704_308) < 1e-5, "the loss is log 41", "\(result.loss)")
        }
    }

    private func catalogGradient(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("SCE's catalog gradient is there: candidates that are no target get some of it", into: &report) {
            (report) throws(ShortlistError) in
            for line in ["loss=1", "loss=1 union=1", "loss=2 rounds=2", "loss=0"] {
                let options = edgeCase(
                    "\(line) tokens=40 items=200 width=6 data=1 buckets=9 tokensPerBucket=12 itemsPerBucket=30 chunks=4 catalogGradient=1 seed=4"
                )
                let data = try CaseData(options, on: evaluator.stream)
                let run = try evaluator.oneCall(data, try data.makeLoss())
                let rows = run.outputs.catalog?.values ?? []
                let targets = Set(data.problem.targets)
                let alive = (0..<200).filter { item in
                    !targets.contains(item) && rows[item * 6..<(item + 1) * 6].contains { $0 != 0 }
                }
                report.expect(alive.count >= 30, "many candidates have a gradient", "\(alive.count) of them (\(line))")
            }
        }
    }

    private func largeVocabulary(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("a vocabulary above 250 000 sums right", into: &report) { (report) throws(ShortlistError) in
            for limit in [0, 2] {
                let options = edgeCase(
                    "tokens=3 items=300001 width=2 data=1 bias=1 hiddenGradient=1 scaleGradient=1 seed=6 limit=\(limit)"
                )
                report.merge(check(options, on: evaluator))
            }
        }
    }

    private func keptLogits(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("a dense block with room for the logits of some tokens sums right", into: &report) {
            (report) throws(ShortlistError) in
            let sizes = "loss=0 tokens=330 items=3001 width=36 data=1 limit=3"
            let gradients = "hiddenGradient=1 catalogGradient=1 biasGradient=1 scaleGradient=1"
            for line in [
                "seed=1 \(gradients)", "seed=2 bias=2 weights=2 ignored=10 excluded=9 upstream=1 \(gradients)",
                "seed=3 form=2 weights=2 excluded=9 reduction=2 upstream=1 \(gradients)",
                "seed=4 form=1 weights=2 poison=5 \(gradients)", "seed=5 poison=1 \(gradients)",
                "seed=6 hiddenGradient=1", "seed=7 catalogGradient=1 bias=1", "seed=8 biasGradient=1 bias=1",
            ] { report.merge(check(edgeCase("\(sizes) \(line)"), on: evaluator)) }
        }
    }

    private func weightlessPoison(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("a token of weight 0 or upstream 0 adds exactly nothing, even if it is NaN", into: &report) {
            (report) throws(ShortlistError) in
            for line in ConformanceSuite.everyLoss {
                report.merge(check(edgeCase("\(line) weights=2 poison=5 reduction=2 upstream=1"), on: evaluator))
            }
        }
    }
}
