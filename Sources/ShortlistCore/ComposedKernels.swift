/// The optional kernels made of required ones: what makes a new backend right before it is fast.
///
/// They keep their tiles in scratch (`Stream.withScratchVectors`): `composedScratch` says how much.
extension Stream {
    public func projectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        try composedProjectAndSelect(request, into: top)
    }

    public func hash(
        _ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>
    ) throws(ShortlistError) {
        try composedHash(rows, directions: directions, into: keys)
    }

    public func targetRanks(
        _ queries: RowSource, _ items: ItemSet, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        try composedTargetRanks(
            queries, items, targets: targets, targetScores: targetScores, exclusions: exclusions, counts: counts)
    }

    public func evaluateDense(
        _ request: DenseRequest, state: TokenState, into targets: GradientTargets
    ) throws(ShortlistError) -> StageSeconds {
        try evaluateDenseInStages(request, state: state, into: targets)
    }

    /// `evaluateDense` as its stages one after the other; they note themselves. A backend may call it where its own
    /// version does not apply.
    public func evaluateDenseInStages(
        _ request: DenseRequest, state: TokenState, into targets: GradientTargets
    ) throws(ShortlistError) -> StageSeconds {
        let (blocks, tokens, items) = (request.blocks, request.tokens, request.items)
        var seconds = StageSeconds()
        let start = monotonicSeconds()
        try blockLogSumExp(blocks, tokens, items, scale: request.scale, into: request.slots)
        let scored = monotonicSeconds()
        try combine(request.slots, blocks, tokens, into: state)
        let combined = monotonicSeconds()
        try coefficients(state, tokens, request.reduction, into: request.coefficients)
        try blockGradient(
            blocks, tokens, items, scale: request.scale, state: state, coefficients: request.coefficients,
            into: targets)
        seconds.score = scored - start
        seconds.combine = combined - scored
        seconds.gradient = monotonicSeconds() - combined
        return seconds
    }

    /// `projectAndSelect` of `logits`, `selectTop` and `unpackTop`, a tile at a time. A backend may call it where its
    /// own version does not apply.
    public func composedProjectAndSelect(_ request: TopRequest, into top: TopOutput) throws(ShortlistError) {
        telemetry.composed.insert(KernelSet(.projectAndSelect))
        let queries = request.queries.count
        try withScratchVectors { () throws(ShortlistError) in
            let best = try reserve(UInt64.self, count: queries * request.k)
            let tile = try reserve(Float.self, count: min(queries, composedRows) * composedColumns)
            try write(best) { $0.update(repeating: 0) }
            try forEachTile(queries: queries, items: request.rows.count) { (group, range) throws(ShortlistError) in
                let scores = tileMatrix(tile, rows: group.count, columns: range.count)
                try logits(try rows(group, of: request.queries), request.rows, range: range, into: scores)
                try selectTop(
                    scores, first: range.lowerBound, exclusions: request.exclusions.queries(group), k: request.k,
                    best: best.slice(group.lowerBound * request.k..<group.upperBound * request.k))
            }
            try unpackTop(best, k: request.k, order: request.order, into: top)
        }
    }

    /// `hash` as the top-1 of the directions for each row.
    public func composedHash(
        _ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>
    ) throws(ShortlistError) {
        telemetry.composed.insert(KernelSet(.hash))
        // A row's key is its best direction: the top-1 of the directions, with rows as queries.
        try composedProjectAndSelect(
            TopRequest(queries: rows, rows: RowSource(directions), exclusions: Exclusions(), k: 1, order: .byScore),
            into: TopOutput(ids: keys))
    }

    /// `targetRanks` of `logits` and `countAbove`, a tile at a time.
    public func composedTargetRanks(
        _ queries: RowSource, _ items: ItemSet, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        telemetry.composed.insert(KernelSet(.targetRanks))
        try write(counts) { $0.update(repeating: 0) }
        try withScratchVectors { () throws(ShortlistError) in
            let tile = try reserve(Float.self, count: min(queries.count, composedRows) * composedColumns)
            try forEachTile(queries: queries.count, items: items.count) { (group, range) throws(ShortlistError) in
                let scores = tileMatrix(tile, rows: group.count, columns: range.count)
                try logits(try rows(group, of: queries), RowSource(items.matrix), range: range, into: scores)
                try countAbove(
                    scores, first: range.lowerBound, targets: targets.slice(group),
                    targetScores: targetScores.slice(group), exclusions: exclusions.queries(group),
                    counts: counts.slice(group))
            }
        }
    }

    private func rows(_ range: Range<Int>, of source: RowSource) throws(ShortlistError) -> RowSource {
        if let rows = source.rows { return RowSource(source.matrix, rows: rows.slice(range)) }
        return RowSource(source.matrix.rowRange(range))
    }

    private func tileMatrix(_ tile: Vector<Float>, rows: Int, columns: Int) -> DeviceMatrix {
        DeviceMatrix(
            buffer: tile.buffer, offset: tile.offset, rows: rows, columns: columns, rowStride: composedColumns)
    }

    private func forEachTile(
        queries: Int, items: Int, _ body: (Range<Int>, Range<Int>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        var query = 0
        while query < queries {
            let group = query..<min(query + composedRows, queries)
            var first = 0
            while first < items {
                let range = first..<min(first + composedColumns, items)
                try body(group, range)
                first = range.upperBound
            }
            query = group.upperBound
        }
    }
}

/// Scores that a composed kernel holds at a time: `composedRows` × `composedColumns`.
private let composedRows = 256
private let composedColumns = 1024

/// Bytes that a composed kernel reserves in scratch while it runs, 0 for kernels that are not composed: what
/// `Stream.scratch` answers for a kernel that a backend leaves to its default implementation. No tile is smaller than
/// another here, so it is both the least and the plan.
public func composedScratch(for kernel: KernelShape) -> Int {
    func tile(_ queries: Int) -> Int { min(queries, composedRows) * composedColumns * 4 + Memory.alignment }
    switch kernel {
    case .projectAndSelect(let queries, _, _, let k): return queries * k * 8 + Memory.alignment + tile(queries)
    case .hash(let rows, _, _): return rows * 8 + Memory.alignment + tile(rows)
    case .targetRanks(let queries, _, _): return tile(queries)
    default: return 0
    }
}
