import ShortlistCPU
import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import ShortlistReference
import Testing

@Suite("A backend of required kernels alone")
struct PlainBackendTests {
    private let rich = LossProblem.rich(tokens: 45, items: 60, width: 7, seed: 1)

    @Test(
        "Every loss and gradient is the oracle's on the same selection, within its bounds",
        arguments: TestedLoss.allCases)
    func oracle(_ loss: TestedLoss) throws {
        let plain = try evaluator(PlainBackend())
        let got = try loss.with { try rich.outcome($0, on: plain) }
        try expectOracle(got, rich, loss)
    }

    @Test(
        "It agrees with the CPU backend: the same selection and winners, numbers within twice the bounds",
        arguments: TestedLoss.allCases)
    func agreesWithCPU(_ loss: TestedLoss) throws {
        let (plain, cpu) = (try evaluator(PlainBackend()), try evaluator(CPUBackend()))
        let a = try loss.with { try rich.outcome($0, on: plain) }
        let b = try loss.with { try rich.outcome($0, on: cpu) }
        try expectOracle(b, rich, loss)
        #expect(a.selection?.referenceBlocks == b.selection?.referenceBlocks)
        #expect(a.winners == b.winners)
        #expect(abs(a.loss - b.loss) <= 1e-5 * abs(b.loss))
        #expect(a.forwardReport.tokensCounted == b.forwardReport.tokensCounted)
        #expect(a.forwardReport.distinctItemsTouched == b.forwardReport.distinctItemsTouched)
        #expect(a.forwardReport.candidateLogits == b.forwardReport.candidateLogits)
        #expect(a.forwardReport.bucketCount == b.forwardReport.bucketCount)
    }

    @Test(
        "On small integers selections are the oracle's and the CPU backend's exactly, ties included", arguments: 0..<6)
    func exactSelections(_ seed: UInt64) throws {
        let problem = LossProblem.integers(tokens: 50, items: 64, width: 3, seed: seed)
        var dice = Dice(seed + 100)
        let directions = try Matrix(rows: 30, columns: 3, dice.integers(90, -2...2))
        let rows = (0..<30).map { directions.row($0).map(Double.init) }
        let sce = SCE(
            tokensPerBucket: 11, itemsPerBucket: 13,
            directions: .given(directions.view), combination: seed % 2 == 0 ? .max : .union)
        let rece = RECE(chunkCount: 6, neighbourChunks: 1, rounds: 3, directions: .given(directions.view))
        let rounds = (0..<3).map { Array(rows[$0 * 10..<($0 + 1) * 10]) }
        for backend in backends {
            let evaluator = try evaluator(backend)
            #expect(
                try problem.outcome(sce, on: evaluator).selection?.referenceBlocks
                    == selectSCE(problem.reference, directions: rows, tokensPerBucket: 11, itemsPerBucket: 13))
            #expect(
                try problem.outcome(rece, on: evaluator).selection?.referenceBlocks
                    == selectRECE(problem.reference, directions: rounds, chunkCount: 6, neighbourChunks: 1))
        }
    }

    @Test("Of equal blocks the first wins, and a block that is not a number is hidden by no other")
    func winners() throws {
        var problem = LossProblem.integers(tokens: 12, items: 20, width: 3, seed: 5)
        problem.targets = Array(repeating: 16, count: 12)
        for item in [17, 18] { problem.bias?[item] = -100 }
        let all = (0..<12).map(Int32.init)
        let poor: [Int32] = [18, 17]
        // Tokens 0 ..< 6 are in three equal blocks between two others, the rest in two equal ones.
        let lists = CandidateLists(blocks: [
            (Array(all[0..<6]), []), (all, Array(0..<16)), (Array(all[0..<6]), Array(0..<16)), (all, Array(0..<16)),
            (Array(all[3..<9]), []), (Array(all[3..<6]), poor),
        ])
        for backend in backends {
            let evaluator = try evaluator(backend)
            func outcome(_ problem: LossProblem) throws -> Outcome {
                var outcome: Result<Outcome, any Error>?
                try lists.withView { (view) throws(ShortlistError) in
                    outcome = Result { try problem.outcome(GivenCandidates(view), on: evaluator) }
                }
                return try #require(outcome).get()
            }
            #expect(try outcome(problem).winners == Array(repeating: 1, count: 12))
            var poisoned = problem
            for k in 0..<3 { poisoned.items[18 * 3 + k] = .nan }
            let found = try outcome(poisoned)
            #expect(found.winners == [1, 1, 1, 5, 5, 5, 1, 1, 1, 1, 1, 1])
            #expect(found.losses.elements.indices.filter { !found.losses.elements[$0].isFinite } == [3, 4, 5])
            #expect(found.report.tokensNonFinite == 3)
            // Two blocks that are not numbers: the first of them.
            for k in 0..<3 { poisoned.items[5 * 3 + k] = .nan }
            #expect(try outcome(poisoned).winners == Array(repeating: 1, count: 12))
        }
    }

    @Test("The report says which kernels ran composed, and that the others ran natively")
    func report() throws {
        let plain = try evaluator(PlainBackend())
        func kernels(_ loss: TestedLoss) throws -> (native: [String], composed: [String]) {
            let report = try loss.with { try rich.outcome($0, on: plain) }.forwardReport
            return (report.nativeKernels.names, report.composedKernels.names)
        }
        #expect(
            try kernels(.crossEntropy)
                == (["targetLogits", "blockLogSumExp", "combine", "touchedItems"], []))
        #expect(
            try kernels(.sceUnion)
                == (
                    [
                        "logits", "selectTop", "linkTokens", "targetLogits", "blockLogSumExp", "combine",
                        "touchedItems",
                    ], ["projectAndSelect"]
                ))
        #expect(try kernels(.sceMix).native.contains("gram"))
        #expect(
            try kernels(.receThreeRounds)
                == (
                    [
                        "logits", "selectTop", "sortByKey", "invert", "linkTokens", "targetLogits", "blockLogSumExp",
                        "combine", "touchedItems",
                    ], ["projectAndSelect", "hash"]
                ))
        let backward = try TestedLoss.sceMaximum.with { try rich.outcome($0, on: plain) }.report
        #expect(backward.nativeKernels.names == ["fill", "coefficients", "blockGradient", "targetGradient"])
        for kernel in Kernel.allCases {
            #expect(plain.stream.supports(kernel) == Kernel.required.contains(kernel), "\(kernel)")
        }
    }

    @Test(
        "The least workspace of a call works with the same bits, a byte less is refused untouched",
        arguments: TestedLoss.allCases)
    func workspaceLimit(_ loss: TestedLoss) throws {
        for backend in [PlainBackend(), CPUBackend(composed: optionalKernels)] as [any Backend] {
            let plain = try evaluator(backend)
            try loss.with { loss in
                let out = try Outcome(rich)
                let error = failure { () throws(ShortlistError) in
                    _ = try rich.oneCall(loss, on: plain, limits: CallLimits(workspace: 0), into: out)
                }
                #expect(error?.code == .workspaceLimit)
                let least = try #require(error?.bytesNeeded)
                #expect(
                    code { () throws(ShortlistError) in
                        _ = try rich.oneCall(loss, on: plain, limits: CallLimits(workspace: least - 1), into: out)
                    } == .workspaceLimit)
                #expect(out.isUntouched)
                let tight = try rich.oneCall(loss, on: plain, limits: CallLimits(workspace: least), into: out)
                let report = tight.report
                #expect(report.workspaceLeast == least && report.workspacePlanned <= least)
                #expect(report.workspaceUsed <= report.workspacePlanned && report.workspaceUsed > 0)
                if backend is PlainBackend {
                    let free = try rich.oneCall(loss, on: plain)
                    #expect(free.bits == tight.bits)
                    #expect(free.report.workspacePlanned == least)
                }
            }
        }
    }

    @Test(
        "Backward over a saved state gives the bits of the one call, as often as it is asked",
        arguments: TestedLoss.allCases)
    func savedState(_ loss: TestedLoss) throws {
        let plain = try evaluator(PlainBackend())
        try loss.with { loss in
            let once = try rich.oneCall(loss, on: plain)
            let twoPhases = try rich.outcome(loss, on: plain)
            #expect(twoPhases.bits == once.bits)
            try rich.lend(on: plain) { (batch, catalog, up) throws(ShortlistError) in
                let state = try plain.forward(loss, batch, catalog)
                for _ in 0..<3 {
                    let out = try Outcome(rich)
                    // Other calls in between take nothing from a state.
                    _ = try rich.oneCall(CrossEntropy(), on: plain)
                    _ = try plain.backward(state, into: out.gradients, upstream: up)
                    #expect(out.hidden.elements.elementsEqual(once.hidden.elements))
                    #expect(out.catalog.elements.elementsEqual(once.catalog.elements))
                    #expect(out.scaleGradient == once.scaleGradient)
                }
            }
        }
    }

    @Test("What a saved state holds counts against the limit of backward calls, to the byte")
    func backwardLimit() throws {
        for backend in backends {
            let evaluator = try evaluator(backend)
            let once = try rich.oneCall(CrossEntropy(), on: evaluator)
            try rich.lend(on: evaluator) { (batch, catalog, up) throws(ShortlistError) in
                let state = try evaluator.forward(CrossEntropy(), batch, catalog)
                let out = try Outcome(rich)
                func backward(_ limit: Int) throws(ShortlistError) -> Report {
                    try evaluator.backward(
                        state, into: out.gradients, upstream: up, limits: CallLimits(workspace: limit)
                    ).report
                }
                let error = failure { () throws(ShortlistError) in _ = try backward(0) }
                #expect(error?.code == .workspaceLimit)
                let least = error?.bytesNeeded ?? 0
                #expect(least > 24 * 38)  // what 38 valid tokens hold
                #expect(code { () throws(ShortlistError) in _ = try backward(least - 1) } == .workspaceLimit)
                #expect(out.isUntouched)
                let report = try backward(least)
                #expect(report.workspaceLeast == least && report.workspacePlanned <= least)
                #expect(report.workspaceUsed <= report.workspacePlanned)
                if backend is PlainBackend {
                    #expect(out.catalog.elements.elementsEqual(once.catalog.elements))
                }
            }
        }
    }

    @Test("A row-sparse gradient has the rows of the dense one", arguments: TestedLoss.allCases)
    func rowSparse(_ loss: TestedLoss) throws {
        let plain = try evaluator(PlainBackend())
        try loss.with { loss in
            let dense = try rich.oneCall(loss, on: plain)
            let ids = try Memory(byteCount: 4 * rich.itemCount, for: "ids")
            let idBuffer = UnsafeMutableBufferPointer(
                start: ids.base.assumingMemoryBound(to: Int32.self), count: rich.itemCount)
            let rows = try Matrix(rows: rich.itemCount, columns: rich.width)
            let bias = try Matrix(rows: 1, columns: rich.itemCount)
            let used = try rich.lend(on: plain) { (batch, catalog, up) throws(ShortlistError) in
                try plain.evaluate(
                    loss, batch, catalog,
                    into: GradientOutputs(
                        catalog: .rows(ids: idBuffer, rows: rows.mutableView, bias: bias.elements)),
                    upstream: up
                ).rowsUsed
            }
            var sparse = Array(repeating: Float(0), count: rich.itemCount * rich.width)
            var sparseBias = Array(repeating: Float(0), count: rich.itemCount)
            for place in 0..<(used ?? 0) {
                let item = Int(idBuffer[place])
                for k in 0..<rich.width { sparse[item * rich.width + k] = rows[place, k] }
                sparseBias[item] = bias[0, place]
            }
            #expect(sparse == Array(dense.catalog.elements))
            #expect(sparseBias == Array(dense.bias.elements))
        }
    }

    @Test("Random cases of every loss, every option and every edge agree with the oracle", arguments: 0..<8)
    func randomCases(_ part: Int) {
        let report = ConformanceSuite(PlainBackend()).losses(seeds: part * 150..<(part + 1) * 150)
        #expect(report.holds, "\(report)")
    }

    @Test(
        "The rest of the conformance suite holds, too",
        arguments: ["kernels", "edges", "retrieval", "finite differences", "determinism", "limits"])
    func conformance(_ check: String) {
        let suite = ConformanceSuite(PlainBackend())
        let report =
            switch check {
            case "kernels": suite.kernels()
            case "edges": suite.edges()
            case "retrieval": suite.retrieval(seeds: 0..<100)
            case "finite differences": suite.finiteDifferences(seeds: 0..<100)
            case "determinism": suite.determinism()
            default: suite.limits(seeds: 0..<60)
            }
        #expect(report.holds, "\(report)")
    }

    // MARK: Comparison

    /// Within the bounds of the specification (Numbers), element by element.
    private func expectOracle(_ got: Outcome, _ problem: LossProblem, _ loss: TestedLoss) throws {
        var blocks = got.selection?.referenceBlocks ?? selectAll(problem.reference)
        if loss == .givenMaximum || loss == .givenUnion {
            for (block, flag) in (TestedLoss.lists.contributesToCatalogGradient ?? []).enumerated() {
                blocks[block].contributesToCatalogGradient = flag
            }
        }
        let want = ShortlistReference.evaluate(
            problem.reference, blocks, loss.isMaximum ? .maximum : .union, winners: loss.isMaximum ? got.winners : nil)
        let d = problem.width
        #expect(want.winnerShortfalls.allSatisfy { $0 < 1e-5 })
        #expect(got.forwardReport.tokensCounted == want.tokensCounted && want.tokensCounted > 5)
        #expect(abs(got.loss - want.loss) <= 1e-5 * abs(want.loss))
        func compare(
            _ name: String, _ values: UnsafeMutableBufferPointer<Float>, _ wanted: [Double], _ bound: (Int) -> Double
        ) {
            let wrong = values.indices.filter { !(abs(Double(values[$0]) - wanted[$0]) <= bound($0) + 1e-30) }
            #expect(wrong.isEmpty, "\(name): \(wrong.prefix(3).map { "\($0): \(values[$0]), not \(wanted[$0])" })")
            #expect(wanted.contains { $0 != 0 }, "\(name) has something to compare")
        }
        compare("weighted losses", got.losses.elements, want.weightedLosses) {
            want.lossBound(token: $0, dimension: d) * problem.reference.weight($0)
        }
        compare("log-sum-exps", got.logSumExp.elements, want.logSumExp) {
            want.lossBound(token: $0, dimension: d) + 1e-5
        }
        compare("dX", got.hidden.elements, want.hiddenGradient) {
            want.logitBound(token: $0 / d, dimension: d) * want.hiddenMagnitude[$0]
        }
        let largest = want.largestLogitBound(dimension: d)
        compare("dY", got.catalog.elements, want.catalogGradient) { largest * want.catalogMagnitude[$0] }
        compare("db", got.bias.elements, want.biasGradient) { largest * want.biasMagnitude[$0] }
        #expect(abs(got.scaleGradient - want.scaleGradient) <= largest * want.scaleMagnitude)
    }
}
