import ShortlistCore
import ShortlistLosses

extension ConformanceSuite {
    /// The same bits for 1, 2, 3 and 8 threads: every loss with every gradient, retrieval and ranks, with room to spare
    /// and under a tight workspace limit.
    public func determinism(threads counts: [Int] = [1, 2, 3, 8]) -> ConformanceReport {
        var report = ConformanceReport()
        for options in ConformanceSuite.determinismCases {
            report.cases += 1
            report.context = "\(options)"
            do throws(ShortlistError) {
                let limit = options.limit == 0 ? nil : try sharedLimit(options)
                var first: [UInt32]?
                for count in counts {
                    let bits = try lossBits(options, threads: count, limit: limit, into: &report)
                    report.expect(
                        first == nil || first == bits, "\(count) threads give the bits of \(counts[0])",
                        "first difference at word \(firstDifference(first ?? [], bits))")
                    first = first ?? bits
                }
            } catch {
                report.fail("the call succeeds", "\(error)")
            }
        }
        retrievalDeterminism(counts, into: &report)
        gramDeterminism(counts, into: &report)
        return report
    }

    /// Sizes with several tiles in every dimension.
    static var determinismCases: [ConformanceCase] {
        let lines = [
            "loss=0 tokens=700 items=9000 width=33", "loss=0 tokens=2100 items=700 width=17",
            "loss=1 tokens=900 items=2500 width=40 buckets=30 tokensPerBucket=90 itemsPerBucket=300 directions=1",
            "loss=1 union=1 tokens=900 items=2500 width=40 buckets=30 tokensPerBucket=90 itemsPerBucket=1100 directions=2",
            "loss=1 tokens=300 items=800 width=130 buckets=20 tokensPerBucket=60 itemsPerBucket=100 directions=2",
            "loss=2 tokens=1300 items=2600 width=24 buckets=20 chunks=11 neighbours=1 rounds=1 directions=1",
            "loss=2 tokens=1300 items=2600 width=24 buckets=0 chunks=0 neighbours=1 rounds=4 directions=1",
            "loss=3 tokens=400 items=3000 width=40 buckets=20 tokensPerBucket=120 itemsPerBucket=400 logWeights=1 repeats=1",
            "loss=3 union=1 tokens=400 items=3000 width=40 buckets=20 tokensPerBucket=120 itemsPerBucket=400 detached=1",
        ]
        let rest =
            " data=1 bias=2 weights=2 ignored=10 excluded=9 hiddenGradient=1 catalogGradient=1 biasGradient=1 scaleGradient=1 upstream=1"
        var cases: [ConformanceCase] = []
        for (index, line) in lines.enumerated() {
            // Under the least only one worker fits: once is enough.
            for limit in index == 0 ? [0, 2, 3] : index == 2 ? [0, 1, 2] : [0, 2] {
                guard var options = ConformanceCase(line: line + rest) else { continue }
                options.seed = 40 + index
                options.limit = limit
                options.form = limit % 3
                cases.append(options)
            }
        }
        return cases
    }

    /// A limit that every number of threads gets: the least of one thread, or more.
    private func sharedLimit(_ options: ConformanceCase) throws(ShortlistError) -> Int {
        let evaluator = try evaluator(threads: 1)
        let data = try CaseData(options, on: evaluator.stream)
        let outputs = CaseOutputs(options, room: options.items)
        let loss = try data.makeLoss()
        let least = try evaluator.least { (limits) throws(ShortlistError) in
            _ = try evaluator.evaluate(
                loss, try data.batch(), data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                limits: limits)
        }
        switch ConformanceCase.Limit(rawValue: options.limit) ?? .none {
        case .none, .least: return least
        case .between: return least + least / 2 + 200_000
        case .someLogits: return least + options.someLogits
        }
    }

    private func lossBits(
        _ options: ConformanceCase, threads: Int, limit: Int?, into report: inout ConformanceReport
    ) throws(ShortlistError) -> [UInt32] {
        let evaluator = try evaluator(threads: threads)
        let data = try CaseData(options, on: evaluator.stream)
        let outputs = CaseOutputs(options, room: options.items)
        let result = try evaluator.evaluate(
            try data.makeLoss(), try data.batch(), data.catalog, into: try outputs.gradients(),
            upstream: data.upstream, tokenOutputs: outputs.tokenOutputs, limits: CallLimits(workspace: limit))
        report.expect(
            result.report.threads >= 1 && result.report.threads <= threads,
            "the report says how many threads took part",
            "\(result.report.threads) of \(threads)")
        report.expect(outputs.isIntact, "nothing is written outside the outputs", "\(threads) threads")
        let loss = result.loss.bitPattern
        return outputs.bits(used: result.rowsUsed)
            + [UInt32(truncatingIfNeeded: loss), UInt32(truncatingIfNeeded: loss >> 32)]
    }

    private func retrievalDeterminism(_ counts: [Int], into report: inout ConformanceReport) {
        let rank = RetrievalCase(
            queries: 300, items: 3000, width: 50, k: 17, seed: 5, integers: false, excluded: 20, seen: 30, bias: true)
        report.context = "\(rank)"
        for tight in [false, true] {
            var first: [UInt32]?
            for count in counts {
                report.cases += 1
                do throws(ShortlistError) {
                    let evaluator = try evaluator(threads: count)
                    let data = try RetrievalData(rank, on: evaluator.stream)
                    let bits = try data.bits(evaluator, tight: tight)
                    report.expect(
                        first == nil || first == bits, "\(count) threads retrieve the bits of \(counts[0])",
                        "first difference at word \(firstDifference(first ?? [], bits))")
                    first = first ?? bits
                } catch {
                    report.fail("retrieval succeeds", "\(error)")
                }
            }
        }
    }

    /// Directions round the Gram matrix to f32, which hides its last bits from every loss: it is looked at itself.
    private func gramDeterminism(_ counts: [Int], into report: inout ConformanceReport) {
        let (rows, width) = (3000, 33)
        var dice = Dice(77)
        let numbers = (0..<rows * width).map { _ in Float(dice.normal()) }
        var first: [UInt64]?
        for count in counts {
            kernelCase("gram rows=\(rows) width=\(width) threads=\(count)", into: &report) {
                (report) throws(ShortlistError) in
                let stream = try evaluator(threads: count).stream
                try KernelBench.open(stream, kernels: [.gram(rows: rows, width: width)]) {
                    (bench) throws(ShortlistError) in
                    let result = try bench.room(width * width, 0.0)
                    try stream.gram(RowSource(try bench.matrix(numbers, rows: rows, columns: width)), into: result)
                    let bits = try bench.read(result).map(\.bitPattern)
                    report.expect(
                        first == nil || first == bits,
                        "\(count) threads make the Gram matrix of \(counts[0]) to the bit")
                    first = first ?? bits
                }
            }
        }
    }

    private func firstDifference(_ a: [UInt32], _ b: [UInt32]) -> Int {
        zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? -1
    }
}
