import ShortlistCore
import ShortlistReference

extension ConformanceSuite {
    /// `targetLogits`, `blockLogSumExp`, `combine`, `coefficients`, `blockGradient`, `targetGradient`, in the order in
    /// which a call runs them, each against its own reference on what the ones before it left.
    func scoreKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        for (index, sizes) in [
            (1, 1, 1), (13, 13, 13), (127, 129, 3), (128, 127, 16), (129, 128, 129), (300, 1500, 5), (3, 9000, 2),
        ].enumerated() {
            for dense in [false, true] {
                for tight in [false, true] {
                    let what = "score tokens=\(sizes.0) items=\(sizes.1) width=\(sizes.2) dense=\(dense) tight=\(tight)"
                    kernelCase(what, into: &report) { (report) throws(ShortlistError) in
                        let options = ScoreCase(sizes.0, sizes.1, sizes.2, dense: dense, seed: index)
                        try score(stream, options, tight: tight, into: &report)
                    }
                }
            }
        }
    }

    /// One block of some tokens × some items, or of all × all.
    struct ScoreCase {
        let (tokens, items, width): (Int, Int, Int)
        let dense: Bool
        let x: [Float]
        let y: [Float]
        let bias: [Float]
        let targets: [Int]
        let weights: [Float]
        let upstream: [Float]
        let blockTokens: [Int]
        let blockItems: [Int]
        let scale: Float = 0.75

        init(_ tokens: Int, _ items: Int, _ width: Int, dense: Bool, seed: Int) {
            var dice = Dice(100 + seed)
            (self.tokens, self.items, self.width, self.dense) = (tokens, items, width, dense)
            let spread = 1.5 / Double(width).squareRoot().squareRoot()
            x = (0..<tokens * width).map { _ in Float(spread * dice.normal()) }
            y = (0..<items * width).map { _ in Float(spread * dice.normal()) }
            bias = (0..<items).map { _ in Float(dice.normal()) }
            targets = (0..<tokens).map { _ in dice.integer(0...items - 1) }
            weights = (0..<tokens).map { _ in dice.chance(0.2) ? 0 : Float(dice.unit() + 0.1) }
            upstream = (0..<tokens).map { _ in Float(dice.normal()) }
            blockTokens = dense ? Array(0..<tokens) : dice.distinct((tokens + 1) / 2, below: tokens).sorted()
            blockItems = dense ? Array(0..<items) : dice.distinct((items + 1) / 2, below: items).sorted()
        }

        var shape: BlockShape {
            BlockShape(
                blockCount: 1, maxTokens: blockTokens.count, maxItems: blockItems.count, slotCount: blockTokens.count,
                tokenCount: tokens, itemCount: items, width: width, isDense: dense, onceOnly: false, rounds: 0)
        }
    }

    private func score(
        _ stream: any Stream, _ options: ScoreCase, tight: Bool, into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let wanted = BlockGradientShape(hidden: true, catalog: true, bias: true, scale: true, tokensAreExclusive: true)
        let kernels: [KernelShape] = [
            .blockLogSumExp(options.shape), .combine(tokens: options.tokens), .blockGradient(options.shape, wanted),
            .targetGradient(tokens: options.tokens, width: options.width, itemCount: options.items),
        ]
        try KernelBench.open(stream, bytes: 1 << 24, kernels: kernels, tight: tight) { (bench) throws(ShortlistError) in
            let run = try ScoreRun(options, bench)
            try run.forward(into: &report)
            try run.backward(into: &report)
        }
    }
}

/// The vectors of one scored block, and the oracle's numbers beside them.
private struct ScoreRun {
    let options: ConformanceSuite.ScoreCase
    let bench: KernelBench
    let tokens: TokenSet
    let items: ItemSet
    let blocks: CandidateBlocks
    let state: TokenState
    let slots: Vector<Float>
    /// All tokens × the block's items, s·⟨x, y⟩ + b.
    let logits: [Double]
    private var epsilon8: Double { 8 * 0x1p-24 * Double(options.width).squareRoot() }

    init(_ options: ConformanceSuite.ScoreCase, _ bench: KernelBench) throws(ShortlistError) {
        self.options = options
        self.bench = bench
        let n = options.tokens
        tokens = TokenSet(
            hidden: RowSource(try bench.matrix(options.x, rows: n, columns: options.width)),
            targets: try bench.vector(options.targets.map(Int32.init)), weights: try bench.vector(options.weights))
        items = ItemSet(
            matrix: try bench.matrix(options.y, rows: options.items, columns: options.width),
            bias: try bench.vector(options.bias), excluded: nil)
        let (t, j) = (options.blockTokens, options.blockItems)
        var blocks = CandidateBlocks(
            arrangement: options.dense ? .dense : .lists,
            ranges: try bench.vector([BlockRange(tokens: 0..<t.count, items: 0..<j.count)]),
            tokens: options.dense ? nil : try bench.vector(t.map(Int32.init)),
            items: options.dense ? nil : try bench.vector(j.map(Int32.init)), combination: .max, shape: options.shape)
        if !options.dense, let listed = blocks.tokens {
            let (last, previous) = (try bench.room(n, Int32(-1)), try bench.room(t.count, Int32(-1)))
            try bench.stream.link(listed, last: last, previous: previous)
            (blocks.lastSlot, blocks.previousSlot) = (last, previous)
        } else {
            blocks.combination = .union
        }
        self.blocks = blocks
        state = TokenState(
            targetLogits: try bench.room(n, Float(9)), losses: try bench.room(n, Float(9)),
            logSumExp: try bench.room(n, Float(9)), winners: try bench.room(n, Int32(9)),
            totals: try bench.room(4, 9.0))
        slots = try bench.room(t.count, Float(9))
        let double = { (values: [Float]) in values.map(Double.init) }
        logits = ReferenceKernels.logits(
            double(options.x), ReferenceKernels.gather(double(options.y), dimension: options.width, ids: j),
            dimension: options.width, scale: Double(options.scale), bias: j.map { Double(options.bias[$0]) })
    }

    private func row(_ token: Int) -> ArraySlice<Double> {
        logits[token * options.blockItems.count..<(token + 1) * options.blockItems.count]
    }

    private func targetLogit(_ i: Int) -> Double {
        let d = options.width
        let t = options.targets[i]
        return ReferenceKernels.logits(
            options.x[i * d..<(i + 1) * d].map(Double.init), options.y[t * d..<(t + 1) * d].map(Double.init),
            dimension: d, scale: Double(options.scale), bias: [Double(options.bias[t])])[0]
    }

    private func bound(_ i: Int) -> Double {
        epsilon8 * (1 + row(i).reduce(abs(targetLogit(i))) { max($0, abs($1)) })
    }

    private func close(
        _ rule: String, _ got: [Float], _ want: [Double], into report: inout ConformanceReport, _ room: (Int) -> Double
    ) {
        let wrong = got.indices.first {
            want[$0].isFinite ? !(abs(Double(got[$0]) - want[$0]) <= room($0) + 1e-30) : Double(got[$0]) != want[$0]
        }
        report.expect(
            wrong == nil && got.count == want.count, rule,
            wrong.map { "place \($0) is \(got[$0]), the oracle has \(want[$0]) ± \(room($0))" } ?? "wrong count")
    }

    func forward(into report: inout ConformanceReport) throws(ShortlistError) {
        let stream = bench.stream
        try stream.targetLogits(tokens, items, scale: options.scale, into: state.targetLogits)
        close(
            "targetLogits are s·⟨x, y_t⟩ + b_t", try bench.read(state.targetLogits),
            (0..<options.tokens).map(targetLogit), into: &report, bound)
        try stream.blockLogSumExp(blocks, tokens, items, scale: options.scale, into: slots)
        let want = ReferenceKernels.blockLogSumExp(
            options.blockTokens.flatMap(row), items: options.blockItems,
            targets: options.blockTokens.map { options.targets[$0] })
        close(
            "blockLogSumExp leaves the own target out, −∞ for no candidate", try bench.read(slots), want, into: &report
        ) { 2 * bound(options.blockTokens[$0]) }
        try stream.combine(slots, blocks, tokens, into: state)
        let found = try bench.read(slots)
        let targets = try bench.read(state.targetLogits)
        var losses = [Double](repeating: 0, count: options.tokens)
        for (slot, i) in options.blockTokens.enumerated() {
            // The loss that follows from the very numbers combine was given.
            losses[i] = ReferenceKernels.logAddExp(Double(found[slot]), Double(targets[i])) - Double(targets[i])
        }
        close("combine makes log(1 + e^(lse − z_t))", try bench.read(state.losses), losses, into: &report) {
            1e-6 * losses[$0] + 1e-15
        }
        let counted = options.blockTokens
        let totals = try bench.read(state.totals)
        let weight = counted.reduce(0) { $0 + Double(options.weights[$1]) }
        let sum = counted.reduce(0) { $0 + Double(options.weights[$1]) * losses[$1] }
        report.expect(
            abs(totals[0] - sum) <= 1e-12 * (sum + 1) && abs(totals[1] - weight) <= 1e-12 * (weight + 1)
                && totals[2] == Double(counted.count) && totals[3] == 0,
            "combine totals Σwℓ, Σw, counted and non-finite tokens in Double",
            "\(totals) not \(sum), \(weight), \(counted.count), 0")
    }

    func backward(into report: inout ConformanceReport) throws(ShortlistError) {
        let stream = bench.stream
        let (n, c, d) = (options.tokens, options.items, options.width)
        let coefficients = try bench.room(n, Float(9))
        try stream.coefficients(
            state, tokens,
            ReducedUpstream(reduction: .none, denominator: nil, one: 1, perToken: try bench.vector(options.upstream)),
            into: coefficients)
        let counted = Set(options.blockTokens)
        let g = (0..<n).map { counted.contains($0) ? Double(options.upstream[$0] * options.weights[$0]) : 0 }
        let gs = try bench.read(coefficients)
        close("coefficients are upstream·weight, 0 for tokens that do not count", gs, g, into: &report) {
            2e-7 * abs(g[$0])
        }
        let (dX, hidden) = try bench.output(rows: n, columns: d)
        let (dY, catalog) = try bench.output(rows: c, columns: d)
        var targets = GradientTargets()
        (targets.hidden, targets.catalog) = (dX, dY)
        (targets.bias, targets.scale) = (try bench.room(c, Float(0)), try bench.room(1, 0.0))
        try stream.blockGradient(
            blocks, tokens, items, scale: options.scale, state: state, coefficients: coefficients, into: targets)
        try bench.fetch(dX, into: hidden)
        try bench.fetch(dY, into: catalog)

        let t = options.blockTokens
        let double = { (values: [Float]) in values.map(Double.init) }
        let lse = double(try bench.read(state.logSumExp))
        let x = ReferenceKernels.gather(double(options.x), dimension: d, ids: t)
        let y = ReferenceKernels.gather(double(options.y), dimension: d, ids: options.blockItems)
        func reference(_ x: [Double], _ y: [Double], _ g: [Double]) -> (
            hidden: [Double], items: [Double], bias: [Double]
        ) {
            ReferenceKernels.blockGradient(
                t.flatMap(row), items: options.blockItems, targets: t.map { options.targets[$0] },
                logSumExp: t.map { lse[$0] }, g: g, x: x, y: y, dimension: d, scale: Double(options.scale))
        }
        let want = reference(x, y, t.map { Double(gs[$0]) })
        let size = reference(x.map { abs($0) }, y.map { abs($0) }, t.map { abs(Double(gs[$0])) })
        let largest = t.map(bound).max() ?? 0
        func spread(_ rows: [Double], _ ids: [Int], _ count: Int, _ width: Int) -> [Double] {
            ReferenceKernels.scatterAdd(
                rows, ids: ids, into: Array(repeating: 0, count: count * width), dimension: width)
        }
        let hiddenRoom = spread(size.hidden, t, n, d)
        close("blockGradient: dX = s·Σ g·p·y", hidden.values, spread(want.hidden, t, n, d), into: &report) {
            2 * bound($0 / d) * hiddenRoom[$0]
        }
        let itemRoom = spread(size.items, options.blockItems, c, d)
        close(
            "blockGradient: dY = s·Σ g·p·x", catalog.values, spread(want.items, options.blockItems, c, d), into: &report
        ) { 2 * largest * itemRoom[$0] }
        guard let bias = targets.bias else { return }
        let biasRoom = spread(size.bias, options.blockItems, c, 1)
        close(
            "blockGradient: db = Σ g·p", try bench.read(bias), spread(want.bias, options.blockItems, c, 1),
            into: &report
        ) { 2 * largest * biasRoom[$0] }
        report.expect(hidden.isIntact && catalog.isIntact, "blockGradient writes its results alone")
        try targetPart(hidden, catalog, targets, coefficients, gs, into: &report)
    }

    /// What `targetGradient` adds to what is there.
    private func targetPart(
        _ hidden: Guarded<Float>, _ catalog: Guarded<Float>, _ targets: GradientTargets, _ coefficients: Vector<Float>,
        _ gs: [Float], into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let d = options.width
        let before = (hidden.values.map(Double.init), catalog.values.map(Double.init))
        let losses = try bench.read(state.losses)
        try bench.stream.targetGradient(
            tokens, items, scale: options.scale, state: state, coefficients: coefficients, into: targets)
        if let matrix = targets.hidden { try bench.fetch(matrix, into: hidden) }
        if let matrix = targets.catalog { try bench.fetch(matrix, into: catalog) }
        var (dX, dY) = before
        var (roomX, roomY) = (before.0.map { abs($0) }, before.1.map { abs($0) })
        for i in 0..<options.tokens where gs[i] != 0 {
            let term = Double(options.scale) * Double(gs[i]) * expm1Negative(Double(losses[i]))
            let t = options.targets[i]
            for k in 0..<d {
                let (a, b) = (term * Double(options.y[t * d + k]), term * Double(options.x[i * d + k]))
                dX[i * d + k] += a
                dY[t * d + k] += b
                roomX[i * d + k] += abs(a)
                roomY[t * d + k] += abs(b)
            }
        }
        close("targetGradient adds s·g·(p_t − 1)·y_t to dX", hidden.values, dX, into: &report) { 1e-6 * roomX[$0] }
        // Many tokens may share a target: one rounding each.
        let most = Double(options.tokens)
        close("targetGradient adds s·g·(p_t − 1)·x to dY", catalog.values, dY, into: &report) {
            (1e-6 + most * 0x1p-24) * roomY[$0]
        }
        report.expect(hidden.isIntact && catalog.isIntact, "targetGradient writes its results alone")
    }

}
