import ShortlistCore

/// The vectors of a call beside the selection's own.
struct CallVectors {
    let targets: Vector<Int32>
    /// Rows of X of the valid tokens, where some are ignored.
    let rows: Vector<Int32>?
    let excluded: Vector<Int32>?
    let itemMap: ItemMap
    let slots: Vector<Float>
    let state: TokenState

    init(
        _ shape: ProblemShape, _ blocks: BlockShape, excluded count: Int, from source: inout some VectorSource
    ) throws(ShortlistError) {
        targets = try source.reserve(Int32.self, count: shape.tokens)
        rows = shape.tokens < shape.rows ? try source.reserve(Int32.self, count: shape.tokens) : nil
        excluded = count > 0 ? try source.reserve(Int32.self, count: count) : nil
        let words = (shape.items + 63) / 64
        itemMap = ItemMap(
            bits: try source.reserve(UInt64.self, count: words), before: try source.reserve(Int32.self, count: words))
        slots = try source.reserve(Float.self, count: blocks.slotCount)
        state = TokenState(
            targetLogits: try source.reserve(Float.self, count: shape.tokens),
            losses: try source.reserve(Float.self, count: shape.tokens),
            logSumExp: try source.reserve(Float.self, count: shape.tokens),
            winners: try source.reserve(Int32.self, count: shape.tokens),
            totals: try source.reserve(Double.self, count: 4))
    }
}

/// Select, score and combine, for one loss on one batch.
///
/// Workspace: the selection's vectors, 20 bytes a valid token (24 where some are ignored, 4 more with gradients), 4 a
/// token slot, 3C/16 of item map, 4 an excluded item, and the largest of the kernels' scratches.
struct ForwardPass {
    let batch: Batch
    let catalog: Catalog
    let checked: CheckedBatch
    let blockShape: BlockShape
    /// Each token is in one block of a group at most (see `CandidateBlocks.tokensAreExclusive`).
    let exclusive: Bool
    let workspace: any Workspace
    /// What a saved state holds.
    let reservedBytes: Int
    var report: Report
    private(set) var problem: Problem
    private(set) var blocks: CandidateBlocks?
    private(set) var totals: (loss: Double, weight: Double, counted: Double, nonFinite: Double) = (0, 0, 0, 0)
    /// Present when gradients are made in the same call.
    let gradientVectors: GradientVectors?
    private let vectors: CallVectors
    private let begun = monotonicSeconds()

    var state: TokenState { vectors.state }
    var isEmpty: Bool { checked.tokens == 0 }

    /// Plans the call and makes room for it.
    init<L: Loss>(
        _ loss: L, _ batch: Batch, _ catalog: Catalog, _ checked: CheckedBatch, _ exclusions: ExclusionList,
        gradients: GradientOutputs, on stream: any Stream, limits: CallLimits
    ) throws(ShortlistError) {
        var report = Report()
        report.tokensValid = checked.tokens
        let shape = checked.shape
        let parameters = try loss.parameters(for: shape.planned, report: &report)
        let blockShape = try loss.blockShape(parameters, shape.planned)
        exclusive =
            blockShape.isDense || blockShape.rounds > 0 || loss.combination == .max || blockShape.blockCount <= 1

        var plan = WorkspacePlan(limit: limits.workspace, shouldStop: limits.shouldStop)
        _ = try CallVectors(shape, blockShape, excluded: exclusions.count, from: &plan)
        _ = try loss.reserve(parameters, shape.planned, from: &plan)
        if !gradients.isEmpty { _ = try GradientVectors(shape, from: &plan) }
        plan.kernels =
            loss.kernels(parameters, shape.planned)
            + [.blockLogSumExp(blockShape), .combine(tokens: shape.tokens), .touchedItems(itemCount: shape.items)]
            + BackwardPass.kernels(blockShape, shape, gradients, exclusive)
            + BackwardPass.denseKernels(blockShape, gradients)
        reservedBytes = plan.reservedBytes
        workspace = try stream.begin(plan)

        do {
            var source = StreamVectors(stream)
            vectors = try CallVectors(shape, blockShape, excluded: exclusions.count, from: &source)
            gradientVectors = gradients.isEmpty ? nil : try GradientVectors(shape, from: &source)
            problem = try ForwardPass.load(batch, catalog, shape, exclusions, vectors, on: stream)
        } catch {
            throw stream.abandon(workspace, after: error)
        }
        self.batch = batch
        self.catalog = catalog
        self.checked = checked
        self.blockShape = blockShape
        self.report = report
    }

    /// Targets and rows of the valid tokens, and the excluded items, into the workspace.
    private static func load(
        _ batch: Batch, _ catalog: Catalog, _ shape: ProblemShape, _ exclusions: ExclusionList,
        _ vectors: CallVectors, on stream: any Stream
    ) throws(ShortlistError) -> Problem {
        try stream.write(vectors.targets) { (targets) throws(ShortlistError) in
            var next = 0
            for token in 0..<batch.targets.count where batch.targets[token] != batch.ignoreIndex {
                targets[next] = Int32(truncatingIfNeeded: batch.targets[token])
                next += 1
            }
        }
        if let rows = vectors.rows {
            try stream.write(rows) { (rows) throws(ShortlistError) in
                var next = 0
                for token in 0..<batch.targets.count where batch.targets[token] != batch.ignoreIndex {
                    rows[next] = Int32(token)
                    next += 1
                }
            }
        }
        if let excluded = vectors.excluded {
            try stream.write(excluded) { (target) throws(ShortlistError) in
                for (place, id) in exclusions.values.enumerated() { target[place] = id }
            }
        }
        var weights: Vector<Float>?
        if let values = batch.weights { weights = try stream.bind(values) }
        let bound = try stream.bind(catalog)
        return Problem(
            shape: shape,
            tokens: TokenSet(
                hidden: RowSource(try stream.bind(batch.hidden), rows: vectors.rows), targets: vectors.targets,
                weights: weights),
            items: ItemSet(matrix: bound.items, bias: bound.bias, excluded: vectors.excluded),
            itemMap: vectors.itemMap)
    }

    /// Candidate blocks, and the targets' logits.
    mutating func select<L: Loss>(_ loss: L, on stream: any Stream) throws(ShortlistError) {
        guard !isEmpty else { return }
        let start = monotonicSeconds()
        let parameters = try loss.parameters(for: checked.shape, report: &report)
        var source = StreamVectors(stream)
        let own = try loss.reserve(parameters, checked.shape, from: &source)
        let selected = try loss.select(parameters, problem, own, on: stream, report: &report)
        report.distinctItemsTouched = try stream.touchedItems(
            selected, problem.tokens, items: problem.items, into: problem.itemMap)
        try countLogits(selected, on: stream)
        let selectedAt = monotonicSeconds()
        try stream.targetLogits(problem.tokens, problem.items, scale: batch.scale, into: state.targetLogits)
        report.seconds.select = selectedAt - start
        report.seconds.score = monotonicSeconds() - selectedAt
        blocks = selected
    }

    /// Log-sum-exps of blocks, joined to losses.
    mutating func score(on stream: any Stream) throws(ShortlistError) {
        guard let blocks else { return }
        let start = monotonicSeconds()
        let slots = slots(of: blocks)
        try stream.blockLogSumExp(blocks, problem.tokens, problem.items, scale: batch.scale, into: slots)
        let scoredAt = monotonicSeconds()
        try stream.combine(slots, blocks, problem.tokens, into: state)
        try readTotals(on: stream)
        report.seconds.score += scoredAt - start
        report.seconds.combine = monotonicSeconds() - scoredAt
    }

    /// Score, combine and gradient of a dense block in one. Returns the rows used of a row-sparse output.
    mutating func evaluateDense(
        into outputs: GradientOutputs, _ upstream: Upstream, on stream: any Stream
    ) throws(ShortlistError) -> Int? {
        let backward = BackwardPass(forward: self, outputs: outputs, upstream: upstream)
        let rows = try backward.evaluateDense(vectors: gradientVectors, on: stream, report: &report)
        if !isEmpty { try readTotals(on: stream) }
        return rows
    }

    func slots(of blocks: CandidateBlocks) -> Vector<Float> { vectors.slots.slice(0..<blocks.shape.slotCount) }

    private mutating func readTotals(on stream: any Stream) throws(ShortlistError) {
        var sums: (loss: Double, weight: Double, counted: Double, nonFinite: Double) = (0, 0, 0, 0)
        try stream.read(vectors.state.totals) { (values) throws(ShortlistError) in
            sums = (values[0], values[1], values[2], values[3])
        }
        totals = sums
        report.tokensCounted = Int(totals.counted)
        report.tokensNonFinite = Int(totals.nonFinite)
    }

    private mutating func countLogits(
        _ blocks: CandidateBlocks, on stream: any Stream
    ) throws(ShortlistError) {
        var sum = 0
        try stream.read(blocks.ranges) { (ranges) throws(ShortlistError) in
            for range in ranges { sum += range.tokenCount * range.itemCount }
        }
        report.candidateLogits = sum
    }

    func result(on stream: any Stream) -> CallResult {
        var loss = totals.loss
        if batch.reduction == .mean {
            let denominator = batch.denominator ?? totals.weight
            loss = totals.weight == 0 ? 0 : loss / denominator
        } else if totals.weight == 0 {
            loss = 0
        }
        return CallResult(loss: loss, rowsUsed: nil, report: report)
    }

    /// Per-token results, at the rows of X.
    func write(_ outputs: TokenOutputs, on stream: any Stream) throws(ShortlistError) {
        let weights = batch.reduction == .none ? batch.weights : nil
        if let losses = outputs.losses {
            losses.update(repeating: 0)
            try scatter(vectors.state.losses, on: stream) { row, value in
                let weight = weights?[row] ?? 1
                losses[row] = weight == 0 ? 0 : weight * value
            }
        }
        if let logSumExp = outputs.logSumExp {
            logSumExp.update(repeating: 0)
            try scatter(vectors.state.logSumExp, on: stream) { row, value in logSumExp[row] = value }
        }
    }

    private func scatter(
        _ values: Vector<Float>, on stream: any Stream, _ body: (Int, Float) -> Void
    ) throws(ShortlistError) {
        guard !isEmpty else { return }
        try stream.read(values) { (values) throws(ShortlistError) in
            guard let rows = vectors.rows else {
                for (row, value) in values.enumerated() { body(row, value) }
                return
            }
            try stream.read(rows) { (rows) throws(ShortlistError) in
                for (ordinal, value) in values.enumerated() { body(Int(rows[ordinal]), value) }
            }
        }
    }
}

extension ProblemShape {
    /// The shape that planning uses: an empty batch is planned as one token, so that parameters need no special case.
    var planned: ProblemShape {
        var shape = self
        shape.tokens = max(1, tokens)
        shape.selectable = max(1, selectable)
        return shape
    }
}
