import ShortlistCore
import ShortlistLosses
import ShortlistReference

/// A backend, and how to open it, held to the suite.
///
/// Each check returns a report; none throws or traps. Nothing here knows a test framework.
public struct ConformanceSuite: Sendable {
    public let backend: any Backend
    public let device: Int
    /// Threads of the streams that checks open, where a check does not vary them; nil for the backend's default.
    public let threads: Int?

    public init(_ backend: any Backend, device: Int = 0, threads: Int? = 2) {
        self.backend = backend
        self.device = device
        self.threads = threads
    }

    func evaluator(threads: Int? = nil) throws(ShortlistError) -> Evaluator {
        Evaluator(
            stream: try backend.makeStream(device: device, options: StreamOptions(threads: threads ?? self.threads)))
    }

    /// Everything below, once; minutes on two cores. Hosts that want to spread it call the parts.
    ///
    /// - Parameter seeds: of the random cases of losses; a thousand is a good number.
    public func everything(seeds: Range<Int>) -> ConformanceReport {
        var report = losses(seeds: seeds)
        let few = seeds.lowerBound..<min(seeds.upperBound, seeds.lowerBound + 100)
        report.merge(kernels())
        report.merge(retrieval(seeds: few))
        report.merge(edges())
        report.merge(determinism())
        report.merge(limits(seeds: few))
        report.merge(finiteDifferences(seeds: few))
        return report
    }

    /// Random cases of every loss against the oracle. A failing case is shrunk and printed as one line.
    ///
    /// - Parameter seeds: the cases' seeds; `ConformanceCase(random:)` makes the same case of the same seed.
    public func losses(seeds: Range<Int>) -> ConformanceReport {
        var report = ConformanceReport()
        let evaluator: Evaluator
        do throws(ShortlistError) {
            evaluator = try self.evaluator()
        } catch {
            report.fail("the backend opens", "\(error)")
            return report
        }
        for seed in seeds {
            let original = ConformanceCase(random: seed)
            var found = check(original, on: evaluator)
            if !found.holds {
                let small = original.shrunk { !check($0, on: evaluator).holds }
                found = check(small, on: evaluator)
                found.fail("shrunk from a random case", "\(original)")
            }
            report.merge(found)
            // The first few say what is wrong; thousands would only take long to shrink.
            if report.failures.count > 12 { break }
        }
        return report
    }

    /// One case, in a stream of its own.
    public func check(_ options: ConformanceCase) -> ConformanceReport {
        do throws(ShortlistError) {
            return check(options, on: try evaluator())
        } catch {
            var report = ConformanceReport()
            report.fail("the backend opens", "\(error)")
            return report
        }
    }

    func check(_ options: ConformanceCase, on evaluator: Evaluator) -> ConformanceReport {
        var report = ConformanceReport()
        report.cases = 1
        report.context = "\(options)"
        do throws(ShortlistError) {
            try LossCheck(data: try CaseData(options, on: evaluator.stream), evaluator: evaluator).run(into: &report)
        } catch {
            report.fail("the call succeeds", "\(error)")
        }
        return report
    }
}

/// One case through every form of a call.
struct LossCheck {
    let data: CaseData
    let evaluator: Evaluator
    private var options: ConformanceCase { data.options }

    func run(into report: inout ConformanceReport) throws(ShortlistError) {
        let loss = try data.makeLoss()
        let phases = try evaluator.twoPhases(data, loss)
        guard let blocks = try selection(of: phases, into: &report) else { return }
        guard checkWinners(phases, blocks, into: &report) else { return }
        let reference = ShortlistReference.evaluate(
            data.problem, blocks, options.isMaximum ? .maximum : .union, winners: phases.winners)
        let comparison = LossComparison(
            data: data, reference: reference, blocks: selectGiven(data.problem, blocks),
            touchesAll: options.kind == .crossEntropy || options.kind == .rece)
        comparison.check(phases, "two phases", into: &report)
        checkShortfalls(comparison, into: &report)

        let once = try evaluator.oneCall(data, loss)
        // Under a limit the two forms plan differently, so their tiles may differ.
        let sameWinners = options.limit == 0 || !options.isMaximum
        comparison.check(once, "one call", sameWinners: sameWinners, into: &report)
        if options.limit == 0 {
            // A dense block in one call may keep the logits of all its tokens, those without a gradient among them:
            // its sums are then cut elsewhere.
            report.expect(
                options.kind == .crossEntropy
                    || once.bits == phases.bits && once.result.loss.bitPattern == phases.result.loss.bitPattern,
                "one call and two phases give the same bits", difference(once, phases))
            let again = try evaluator.oneCall(data, loss)
            report.expect(again.bits == once.bits, "a call repeats to the bit", difference(again, once))
        }
        try checkGivenBack(phases, once, comparison, into: &report)
    }

    /// The oracle's blocks for what the library selected; nil when that is malformed.
    private func selection(
        of run: LossRun, into report: inout ConformanceReport
    ) throws(ShortlistError) -> [ReferenceBlock]? {
        let problem = data.problem
        guard options.kind != .crossEntropy else { return selectAll(problem) }
        guard !problem.validTokens.isEmpty else { return [] }
        guard let lists = run.selection else { return nil }
        guard let blocks = lists.referenceBlocks(problem, into: &report) else { return nil }
        if options.kind == .given {
            let want = selectGiven(problem, data.givenBlocks)
            let same = zip(blocks, want).allSatisfy { $0.tokens.sorted() == $1.tokens && $0.items == $1.items }
            report.expect(
                same && blocks.count == want.count, "given candidates are taken as given, tidied",
                "\(blocks) not \(want)")
            return same ? data.givenBlocks : nil
        }
        SelectionCheck(data: data, blocks: blocks, report: run.result.report).run(into: &report)
        return blocks
    }

    /// Winners are blocks that hold their token, before the oracle is asked to follow them.
    private func checkWinners(
        _ run: LossRun, _ blocks: [ReferenceBlock], into report: inout ConformanceReport
    ) -> Bool {
        guard let winners = run.winners else { return true }
        let tidy = selectGiven(data.problem, blocks)
        for (token, winner) in winners.enumerated() {
            let holders = tidy.indices.filter { tidy[$0].tokens.contains(token) }
            let right = holders.isEmpty ? winner == -1 : holders.contains(winner)
            guard
                report.expect(
                    right, "the winner is a block that holds the token", "token \(token): \(winner) of \(holders)")
            else { return false }
        }
        return true
    }

    /// The library's winner loses to the oracle's by no more than two losses may be off.
    private func checkShortfalls(_ comparison: LossComparison, into report: inout ConformanceReport) {
        guard options.isMaximum else { return }
        let reference = comparison.reference
        for i in reference.counted.indices where reference.counted[i] {
            let room = reference.tokenLosses[i].isFinite ? 2 * comparison.tokenBound(i) : 0
            report.expect(
                reference.winnerShortfalls[i] <= room, "the winning block has the largest loss",
                "token \(i): block \(reference.winners[i]) is \(reference.winnerShortfalls[i]) below the largest")
        }
    }

    /// The exported selection, given back, makes the same loss: the same bits where blocks are listed in order.
    private func checkGivenBack(
        _ run: LossRun, _ once: LossRun, _ comparison: LossComparison, into report: inout ConformanceReport
    ) throws(ShortlistError) {
        guard options.kind == .sce || options.kind == .rece, let lists = run.selection else { return }
        let evaluator = evaluator
        let data = data
        let back = try lists.withView { (view) throws(ShortlistError) in
            try evaluator.oneCall(data, GivenCandidates(view, combination: data.combination))
        }
        // What was RECE's is now a list: it touches the items of its blocks.
        var comparison = comparison
        comparison.touchesAll = false
        comparison.check(
            back, "selection given back", sameWinners: options.limit == 0 || !options.isMaximum, into: &report)
        guard options.limit == 0, options.kind == .sce else { return }
        report.expect(
            back.bits == once.bits, "a selection of listed blocks, given back, gives the same bits",
            difference(back, once))
    }

    private func difference(_ a: LossRun, _ b: LossRun) -> String {
        let place = zip(a.bits, b.bits).enumerated().first { $1.0 != $1.1 }
        return "losses \(a.result.loss) and \(b.result.loss), first difference at word \(place?.offset ?? -1)"
    }
}

extension CandidateLists {
    /// The oracle's form, or nil (and a failure) when offsets or ids are out of range.
    func referenceBlocks(_ problem: ReferenceProblem, into report: inout ConformanceReport) -> [ReferenceBlock]? {
        var blocks: [ReferenceBlock] = []
        for block in 0..<blockCount {
            let (t, i) = (tokenOffsets[block]...tokenOffsets[block + 1], itemOffsets[block]...itemOffsets[block + 1])
            let tokens = self.tokens[t.lowerBound..<t.upperBound].map(Int.init)
            let items = self.items[i.lowerBound..<i.upperBound].map(Int.init)
            let sound =
                tokens.allSatisfy { $0 >= 0 && $0 < problem.tokenCount && problem.targets[$0] != problem.ignoreIndex }
                && items.allSatisfy { $0 >= 0 && $0 < problem.itemCount && problem.isSelectable($0) }
                && Set(tokens).count == tokens.count && Set(items).count == items.count
            guard
                report.expect(
                    sound, "a block holds distinct valid tokens and distinct selectable items",
                    "block \(block): tokens \(tokens), items \(items)")
            else { return nil }
            blocks.append(ReferenceBlock(tokens: tokens, items: items))
        }
        return blocks
    }
}
