import ShortlistCPU
import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import ShortlistReference
import Testing

/// A loss by name, with small sizes that make several tiles, blocks and rounds.
enum TestedLoss: String, CaseIterable, Sendable {
    case crossEntropy, sceMaximum, sceUnion, sceMix, receOneRound, receThreeRounds, givenMaximum, givenUnion

    var isMaximum: Bool { [.sceMaximum, .sceMix, .givenMaximum].contains(self) }

    /// Blocks handed in by the caller: overlapping, with a repeated item, an ignored token, an excluded item.
    static let lists: CandidateLists = {
        var lists = CandidateLists(blocks: [
            (tokens: [0, 1, 5, 9, 30], items: [7, 3, 40, 3, 2]), (tokens: [], items: [8]),
            (tokens: [9, 5, 12, 2], items: [3, 41, 40, 39]), (tokens: [4], items: []),
            (tokens: [2, 0, 9], items: Array(5..<45)),
        ])
        lists.contributesToCatalogGradient = [true, true, false, true, true]
        return lists
    }()

    /// The loss, valid during `body`.
    func with<R>(_ body: (any Loss) throws -> R) throws -> R {
        switch self {
        case .crossEntropy: return try body(CrossEntropy())
        case .sceMaximum, .sceUnion:
            return try body(
                SCE(
                    bucketCount: 9, tokensPerBucket: 14, itemsPerBucket: 20, directions: .gaussian, seed: 4, step: 2,
                    combination: self == .sceUnion ? .union : .max))
        case .sceMix:
            return try body(SCE(bucketCount: 12, tokensPerBucket: 10, itemsPerBucket: 16, directions: .mix, seed: 8))
        case .receOneRound, .receThreeRounds:
            return try body(
                RECE(
                    bucketCount: 16, chunkCount: 7, neighbourChunks: 1, rounds: self == .receOneRound ? 1 : 3, seed: 6))
        case .givenMaximum, .givenUnion:
            var outcome: Result<R, any Error>?
            try TestedLoss.lists.withView { (view) throws(ShortlistError) in
                outcome = Result {
                    try body(GivenCandidates(view, combination: self == .givenUnion ? .union : .max))
                }
            }
            return try #require(outcome).get()
        }
    }
}

func evaluator(_ backend: any Backend, threads: Int? = 2) throws(ShortlistError) -> Evaluator {
    Evaluator(stream: try backend.makeStream(device: 0, options: StreamOptions(threads: threads)))
}

@Suite("A backend of required kernels alone")
struct PlainBackendTests {
    private static let composed = KernelSet(.projectAndSelect).union(KernelSet(.hash)).union(KernelSet(.targetRanks))
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
        for backend in [PlainBackend(), CPUBackend(), CPUBackend(composed: PlainBackendTests.composed)] as [any Backend]
        {
            let evaluator = try evaluator(backend)
            #expect(
                try problem.outcome(sce, on: evaluator).selection?.referenceBlocks
                    == selectSCE(problem.reference, directions: rows, tokensPerBucket: 11, itemsPerBucket: 13))
            #expect(
                try problem.outcome(rece, on: evaluator).selection?.referenceBlocks
                    == selectRECE(problem.reference, directions: rounds, chunkCount: 6, neighbourChunks: 1))
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
        #expect(try retrieval(plain, k: 5).report.composedKernels.names == ["projectAndSelect"])
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
        for backend in [PlainBackend(), CPUBackend(composed: PlainBackendTests.composed)] as [any Backend] {
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
    func conformance(_ part: Int) {
        let report = ConformanceSuite(PlainBackend()).losses(seeds: part * 150..<(part + 1) * 150)
        #expect(report.holds, "\(report)")
    }

    // MARK: Retrieval

    fileprivate struct Retrieved {
        var ids: [Int32]
        var scores: [Float]
        var ranks: [Int64]
        var report: Report
        var ranksReport: Report
    }

    private static let queryCount = 300
    private static let catalog = LossProblem.integers(tokens: queryCount, items: 2100, width: 3, seed: 12)
    private static let seen: [[Int32]] = {
        var dice = Dice(77)
        return (0..<queryCount).map { query in
            query % 3 == 0 ? [] : (0..<dice.integer(0...40)).map { _ in Int32(dice.integer(0...2099)) }
        }
    }()

    private func retrieval(_ evaluator: Evaluator, k: Int, limits: CallLimits = .init()) throws -> Retrieved {
        let problem = PlainBackendTests.catalog
        let seen = PlainBackendTests.seen
        var result = Retrieved(
            ids: Array(repeating: -7, count: problem.tokenCount * k),
            scores: Array(repeating: .nan, count: problem.tokenCount * k),
            ranks: Array(repeating: -7, count: problem.tokenCount), report: Report(), ranksReport: Report())
        let offsets = seen.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        try problem.lend(on: evaluator) { (batch, catalog, _) throws(ShortlistError) in
            let outcome: Result<Void, ShortlistError> = offsets.withUnsafeBufferPointer { offsets in
                Array(seen.joined()).withUnsafeBufferPointer { ids in
                    Result { () throws(ShortlistError) in
                        let request = RetrievalRequest(
                            queries: batch.hidden, excludedItems: batch.excludedItems,
                            seen: RaggedIndices(offsets: offsets, ids: ids))
                        try result.run(evaluator, request, catalog, batch.targets, k: k, limits)
                    }
                }
            }
            try outcome.get()
        }
        return result
    }

    @Test(
        "Top-k lists and target ranks are the oracle's exactly on small integers, over several tiles of queries and items",
        arguments: [1, 10, 2150])
    func retrieval(_ k: Int) throws {
        let problem = PlainBackendTests.catalog
        let reference = problem.reference
        var scores = ReferenceKernels.logits(
            reference.hidden, reference.catalog, dimension: 3, bias: reference.itemBias)
        let top = ReferenceKernels.topK(
            scores, rows: problem.tokenCount, columns: problem.itemCount, k: k, excluded: [2099],
            seen: PlainBackendTests.seen.map { $0.map(Int.init) })
        let ranks = ReferenceKernels.targetRanks(
            scores, columns: problem.itemCount, targets: problem.targets.map(Int.init), excluded: [2099],
            seen: PlainBackendTests.seen.map { $0.map(Int.init) })
        scores = []
        for backend in [PlainBackend(), CPUBackend(), CPUBackend(composed: PlainBackendTests.composed)] as [any Backend]
        {
            let found = try retrieval(try evaluator(backend), k: k)
            #expect(found.ids.map(Int.init) == top.ids)
            #expect(found.scores.map(Double.init) == top.scores)
            #expect(found.ranks.map(Int.init) == ranks)
            #expect(found.report.topK == min(k, 2099))
            #expect(found.report.composedKernels.contains(KernelSet(.projectAndSelect)) == !(isNative(backend)))
            #expect(found.ranksReport.composedKernels.contains(KernelSet(.targetRanks)) == !(isNative(backend)))
        }
    }

    private func isNative(_ backend: any Backend) -> Bool { (backend as? CPUBackend)?.composed.isEmpty ?? false }

    @Test("A retrieval's least workspace works, a byte less is refused")
    func retrievalLimit() throws {
        for backend in [PlainBackend(), CPUBackend(composed: PlainBackendTests.composed)] as [any Backend] {
            let evaluator = try evaluator(backend)
            let free = try retrieval(evaluator, k: 10)
            // Ranks need no more than the list here, so that one limit serves both.
            let least = free.report.workspaceLeast
            #expect(free.ranksReport.workspaceLeast <= least)
            let tight = try retrieval(evaluator, k: 10, limits: CallLimits(workspace: least))
            #expect(tight.ids == free.ids && tight.ranks == free.ranks)
            #expect(throws: ShortlistError.self) {
                try retrieval(evaluator, k: 10, limits: CallLimits(workspace: least - 1))
            }
        }
    }

    // MARK: Streams

    @Test("The stop callback ends a call with an error, and the next call is as if nothing had been")
    func stopping() throws {
        let plain = try evaluator(PlainBackend())
        for loss in TestedLoss.allCases {
            try loss.with { loss in
                let before = try rich.oneCall(loss, on: plain)
                #expect(
                    code { () throws(ShortlistError) in
                        _ = try rich.oneCall(loss, on: plain, limits: CallLimits(shouldStop: { true }))
                    } == .cancelled)
                #expect(try rich.oneCall(loss, on: plain).bits == before.bits)
            }
        }
    }

    @Test("It is chosen by name, or where there is nothing better")
    func choice() throws {
        let both = BackendRegistry([PlainBackend(), CPUBackend()])
        #expect(try both.choose().name == "cpu")
        #expect(try both.choose(backend: "plain").device.score == 1)
        #expect(try BackendRegistry([PlainBackend()]).choose().name == "plain")
    }

    @Test("A device that is not there, or no thread, is refused")
    func refusedStreams() {
        func open(_ device: Int, _ threads: Int?) -> ShortlistError.Code? {
            code { () throws(ShortlistError) in
                _ = try PlainBackend().makeStream(device: device, options: StreamOptions(threads: threads))
            }
        }
        #expect(open(1, nil) == .invalidArgument && open(-1, nil) == .invalidArgument)
        #expect(open(0, 0) == .invalidArgument && open(0, -1) == .invalidArgument)
        #expect(open(0, nil) == nil && open(0, 64) == nil)
    }

    @Test("What was not planned, is not of the call, or comes outside one, is an error and not a trap")
    func misuse() throws {
        let stream = try PlainBackend().makeStream(device: 0, options: StreamOptions())
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 1) } == .internalError)
        var plan = WorkspacePlan(limit: nil)
        _ = try plan.reserve(Float.self, count: 16)
        let workspace = try stream.begin(plan)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 17) } == .internalError)
        let vector = try stream.reserve(Float.self, count: 16)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 1) } == .internalError)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: -1) } == .internalError)
        try stream.fill(vector, with: 3)
        try stream.read(vector) { (values) throws(ShortlistError) in #expect(values.allSatisfy { $0 == 3 }) }
        for buffer: Int32 in [-1, 1, .max] {
            let foreign = Vector<Float>(buffer: BufferID(rawValue: buffer), offset: 0, count: 1)
            #expect(code { () throws(ShortlistError) in try stream.fill(foreign, with: 0) } == .internalError)
        }
        try stream.finish()
        #expect(code { () throws(ShortlistError) in try stream.fill(vector, with: 0) } == .internalError)
        let other = try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: 1))
        #expect(
            code { () throws(ShortlistError) in try other.resume(workspace, plan: WorkspacePlan(limit: nil)) }
                == .invalidHandle)
        stream.recycle(workspace)
    }

    @Test("Scratch vectors come out of the kernels' scratch and are gone after")
    func scratchVectors() throws {
        for backend in [PlainBackend(), CPUBackend(composed: PlainBackendTests.composed)] as [any Backend] {
            let stream = try backend.makeStream(device: 0, options: StreamOptions(threads: 1))
            var plan = WorkspacePlan(limit: nil)
            _ = try plan.reserve(Float.self, count: 1)
            plan.kernels = [.hash(rows: 1000, directions: 3, width: 2)]
            let workspace = try stream.begin(plan)
            let bytes = composedScratch(for: plan.kernels[0])
            #expect(stream.telemetry.planned == 64 + bytes && stream.telemetry.least == 64 + bytes)
            // As often as it likes: every round of RECE hashes anew.
            for _ in 0..<5 {
                try stream.withScratchVectors { () throws(ShortlistError) in
                    let vector = try stream.reserve(UInt8.self, count: bytes - 64)
                    try stream.write(vector) { $0.update(repeating: 1) }
                    #expect(
                        code { () throws(ShortlistError) in _ = try stream.reserve(UInt8.self, count: 65) }
                            == .internalError)
                }
            }
            _ = try stream.reserve(Float.self, count: 1)
            #expect(workspace.usedBytes <= 64 + bytes)
            try stream.finish()
            stream.recycle(workspace)
        }
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

extension PlainBackendTests.Retrieved {
    /// Both calls of one request, into the arrays.
    fileprivate mutating func run(
        _ evaluator: Evaluator, _ request: RetrievalRequest, _ catalog: Catalog, _ targets: Targets, k: Int,
        _ limits: CallLimits
    ) throws(ShortlistError) {
        let outcome: Result<(Report, Report), ShortlistError> = ids.withUnsafeMutableBufferPointer { ids in
            scores.withUnsafeMutableBufferPointer { scores in
                ranks.withUnsafeMutableBufferPointer { ranks in
                    Result { () throws(ShortlistError) in
                        (
                            try evaluator.topK(request, catalog, k: k, ids: ids, scores: scores, limits: limits),
                            try evaluator.targetRanks(request, catalog, targets: targets, ranks: ranks, limits: limits)
                        )
                    }
                }
            }
        }
        (report, ranksReport) = try outcome.get()
    }
}
