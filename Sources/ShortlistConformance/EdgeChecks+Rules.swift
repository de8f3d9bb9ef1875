import ShortlistCore
import ShortlistLosses
import ShortlistReference

extension ConformanceSuite {
    /// Rules that have a case of their own.
    func ruleEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        tiedWinners(evaluator, into: &report)
        hiddenByBias(evaluator, into: &report)
        rowRoom(evaluator, into: &report)
        seeds(evaluator, into: &report)
        for line in ConformanceSuite.everyLoss {
            edge(
                "a non-finite logit makes a non-finite loss, is counted, and stays with its token (\(line))",
                into: &report
            ) {
                (report) throws(ShortlistError) in
                for poison in 1...5 {
                    report.merge(
                        check(edgeCase("\(line) poison=\(poison) weights=2 form=\(poison % 3)"), on: evaluator))
                }
            }
        }
        for line in [
            "loss=1 tokensPerBucket=500 itemsPerBucket=500 buckets=3", "loss=2 buckets=40 chunks=400",
            "loss=2 buckets=40 chunks=0 neighbours=50",
        ] {
            edge("sizes beyond what there is are capped, and the report has the value used (\(line))", into: &report) {
                (report) throws(ShortlistError) in
                let options = edgeCase(
                    "\(line) tokens=9 items=14 width=3 data=1 excluded=2 ignored=10 hiddenGradient=1")
                report.merge(check(options, on: evaluator))
                let data = try CaseData(options, on: evaluator.stream)
                let run = try evaluator.oneCall(data, try data.makeLoss())
                report.expect(run.result.report.notes.contains(.optionCapped), "capping is noted")
            }
        }
    }

    private func tiedWinners(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("of blocks with the same loss the lowest wins", into: &report) { (report) throws(ShortlistError) in
            let options = edgeCase("tokens=40 items=30 width=4 data=1 seed=5")
            let data = try CaseData(options, on: evaluator.stream)
            let tokens = (0..<40).map { Int32($0) }
            // Blocks 1, 2 and 3 are the same; block 0 has fewer items, so its loss is smaller.
            let lists = CandidateLists(
                blocks: [
                    (tokens, [1, 2, 3]), (tokens, Array(0..<20)), (tokens, Array(0..<20)), (tokens, Array(0..<20)),
                ])
            let state = try lists.withView { (view) throws(ShortlistError) in
                try evaluator.forward(GivenCandidates(view), try data.batch(), data.catalog)
            }
            let winners = try state.winners(count: 40)
            report.expect(winners.allSatisfy { $0 == 1 }, "block 1 wins every token", "\(winners)")
        }
    }

    private func hiddenByBias(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("an item with a bias of −∞ is left out as if excluded, to the bit", into: &report) {
            (report) throws(ShortlistError) in
            for line in ConformanceSuite.everyLoss {
                let data = try CaseData(edgeCase("\(line) bias=1 excluded=4"), on: evaluator.stream)
                guard let bias = data.bias else { return }
                let loss = try data.makeLoss()
                let excluded = try evaluator.oneCall(data, loss)
                for item in data.excluded.values { bias.base[Int(item)] = -.infinity }
                let outputs = CaseOutputs(data.options, room: 23)
                var batch = try data.batch()
                batch.excludedItems = UnsafeBufferPointer(start: nil, count: 0)
                let result = try evaluator.evaluate(
                    loss, batch, data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                    tokenOutputs: outputs.tokenOutputs)
                report.expect(
                    outputs.bits(used: nil) == excluded.bits && result.loss == excluded.result.loss,
                    "the same bits either way", line)
            }
        }
    }

    private func rowRoom(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("a row-sparse gradient with too little room is refused naming the rows it needs", into: &report) {
            (report) throws(ShortlistError) in
            for line in ConformanceSuite.everyLoss {
                let options = edgeCase("\(line) form=2")
                let data = try CaseData(options, on: evaluator.stream)
                let loss = try data.makeLoss()
                let full = try evaluator.oneCall(data, loss)
                let need = full.result.rowsUsed ?? 0
                let short = CaseOutputs(options, room: need - 1)
                do throws(ShortlistError) {
                    _ = try evaluator.evaluate(
                        loss, try data.batch(), data.catalog, into: try short.gradients(), upstream: data.upstream,
                        tokenOutputs: short.tokenOutputs)
                    report.fail("a row too few is refused", "\(need - 1) rows sufficed")
                } catch {
                    report.expect(
                        error.code == .roomTooSmall && error.bytesNeeded == need, "the error names the rows needed",
                        "\(error), \(error.bytesNeeded ?? -1) not \(need)")
                }
                report.expect(short.isUntouched, "a refused call writes nothing", line)
                let exact = CaseOutputs(options, room: need)
                let result = try evaluator.evaluate(
                    loss, try data.batch(), data.catalog, into: try exact.gradients(), upstream: data.upstream,
                    tokenOutputs: exact.tokenOutputs)
                report.expect(
                    exact.bits(used: result.rowsUsed) == full.bits, "exactly enough room gives the same bits", line)
            }
        }
        edge("a row-sparse gradient is the dense one's rows, the rest of which are zero", into: &report) {
            (report) throws(ShortlistError) in
            for line in ConformanceSuite.everyLoss {
                let rows = try sparseAndDense(line, evaluator)
                report.expect(rows.same, "row-sparse rows are the dense rows to the bit", line)
                report.expect(rows.restIsZero, "dense rows beside them are zero", line)
            }
        }
    }

    private func sparseAndDense(
        _ line: String, _ evaluator: Evaluator
    ) throws(ShortlistError) -> (same: Bool, restIsZero: Bool) {
        let sparseData = try CaseData(edgeCase("\(line) form=2"), on: evaluator.stream)
        let denseData = try CaseData(edgeCase("\(line) form=0"), on: evaluator.stream)
        let sparse = try evaluator.oneCall(sparseData, try sparseData.makeLoss())
        let dense = try evaluator.oneCall(denseData, try denseData.makeLoss())
        let ids = (sparse.outputs.ids?.values ?? []).prefix(sparse.result.rowsUsed ?? 0).map { Int($0) }
        let (rows, all) = (sparse.outputs.catalog?.values ?? [], dense.outputs.catalog?.values ?? [])
        let d = sparseData.options.width
        var same = !ids.isEmpty
        var seen = Set<Int>()
        for (place, id) in ids.enumerated() {
            seen.insert(id)
            same = same && rows[place * d..<(place + 1) * d].elementsEqual(all[id * d..<(id + 1) * d])
        }
        let rest = (0..<sparseData.options.items).filter { !seen.contains($0) }
        return (same, rest.allSatisfy { all[$0 * d..<($0 + 1) * d].allSatisfy { $0 == 0 } })
    }

    private func seeds(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("seed and step choose the selection: the same pair repeats, another differs", into: &report) {
            (report) throws(ShortlistError) in
            let options = edgeCase("tokens=60 items=90 width=6 data=1 seed=8")
            let data = try CaseData(options, on: evaluator.stream)
            func selection(_ loss: some Loss) throws(ShortlistError) -> CandidateLists {
                try evaluator.forward(loss, try data.batch(), data.catalog).selection()
            }
            for directions in [SCE.Directions.gaussian, .mix] {
                let make = { (seed: UInt64, step: UInt64) in
                    SCE(
                        bucketCount: 8, tokensPerBucket: 9, itemsPerBucket: 9, directions: directions, seed: seed,
                        step: step)
                }
                let first = try selection(make(1, 2))
                report.expect(try selection(make(1, 2)) == first, "SCE repeats")
                for other in [(1, 3), (2, 2), (1 << 32 | 1, 2), (1, 1 << 40 | 2)] as [(UInt64, UInt64)] {
                    report.expect(try selection(make(other.0, other.1)) != first, "SCE differs", "\(other)")
                }
            }
            let first = try selection(RECE(bucketCount: 8, seed: 1, step: 2))
            report.expect(try selection(RECE(bucketCount: 8, seed: 1, step: 2)) == first, "RECE repeats")
            report.expect(try selection(RECE(bucketCount: 8, seed: 1, step: 3)) != first, "RECE differs by step")
            report.expect(try selection(RECE(bucketCount: 8, seed: 9, step: 2)) != first, "RECE differs by seed")
        }
        edge("states stay with their evaluator, and exact cross-entropy has no selection", into: &report) {
            (report) throws(ShortlistError) in
            let data = try CaseData(edgeCase(ConformanceSuite.everyLoss[0]), on: evaluator.stream)
            let state = try evaluator.forward(CrossEntropy(), try data.batch(), data.catalog)
            expectError(.unsupported, "no selection", into: &report) { () throws(ShortlistError) in
                _ = try state.selectionSize()
            }
            let other = try self.evaluator()
            let outputs = CaseOutputs(data.options, room: 23)
            expectError(.invalidHandle, "another", into: &report) { () throws(ShortlistError) in
                _ = try other.backward(state, into: try outputs.gradients())
            }
            report.expect(outputs.isUntouched, "a refused call writes nothing")
        }
        edge("one state serves many backward calls, each with its own upstream and outputs", into: &report) {
            (report) throws(ShortlistError) in
            for line in ConformanceSuite.everyLoss {
                let data = try CaseData(edgeCase("\(line) reduction=1"), on: evaluator.stream)
                let state = try evaluator.forward(try data.makeLoss(), try data.batch(), data.catalog)
                let (once, twice) = (CaseOutputs(data.options, room: 23), CaseOutputs(data.options, room: 23))
                _ = try evaluator.backward(state, into: try once.gradients(), upstream: .one(1))
                let hidden = Guarded<Float>(rows: 17, columns: 5)
                _ = try evaluator.backward(
                    state, into: GradientOutputs(hidden: try hidden.mutableView()), upstream: .one(4))
                _ = try evaluator.backward(state, into: try twice.gradients(), upstream: .one(1))
                report.expect(twice.bits(used: nil) == once.bits(used: nil), "a backward call repeats to the bit", line)
                report.expect(
                    hidden.values == (once.hidden?.values ?? []).map { 4 * $0 }, "dX follows the upstream", line)
            }
        }
    }
}
