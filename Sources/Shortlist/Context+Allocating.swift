import ShortlistCore
import ShortlistLosses

/// The forms that read like the sentence that describes them: arrays and matrices in, results out.
extension Context {
    /// The loss of `hidden` (N × d) against `targets` (N) over `catalog`, with the gradients asked for.
    ///
    /// With `.catalogRows` or `.selection` this is a forward call and a backward call over its state. `.catalog` zeroes
    /// and writes all C rows; prefer `.catalogRows` with SCE and given candidates.
    ///
    /// - Parameters:
    ///   - loss: which loss, with its parameters.
    ///   - hidden: X, N × d.
    ///   - targets: N item ids, 32 or 64 bits wide.
    ///   - catalog: Y and its bias.
    ///   - options: weights, padding, scale, reduction.
    ///   - gradients: which gradients to make; the others are not computed.
    ///   - upstream: multiplies the gradients; with reduction none it serves every token.
    ///   - tokenResults: which results of single tokens to return.
    /// - Throws: as the form into the caller's memory. Matrices that the system refuses are `outOfMemory`; arrays of N
    ///   numbers are Swift's, which stop the program.
    public func evaluate<T: TargetElement>(
        _ loss: some Loss, hidden: some MatrixReadable, targets: [T], catalog: Catalog,
        options: BatchOptions = .init(), gradients: Gradients = [], upstream: Float = 1,
        returning tokenResults: TokenResults = []
    ) throws(ShortlistError) -> Evaluation {
        try evaluate(
            loss, hidden: hidden, targets: targets, catalog: catalog, options: options, gradients: gradients,
            upstream: [upstream], perToken: false, returning: tokenResults)
    }

    /// The same for reduction none, with one upstream gradient a token: N numbers.
    public func evaluate<T: TargetElement>(
        _ loss: some Loss, hidden: some MatrixReadable, targets: [T], catalog: Catalog,
        options: BatchOptions, gradients: Gradients, upstream: [Float], returning tokenResults: TokenResults = []
    ) throws(ShortlistError) -> Evaluation {
        try evaluate(
            loss, hidden: hidden, targets: targets, catalog: catalog, options: options, gradients: gradients,
            upstream: upstream, perToken: true, returning: tokenResults)
    }

    private func evaluate<T: TargetElement>(
        _ loss: some Loss, hidden: some MatrixReadable, targets: [T], catalog: Catalog, options: BatchOptions,
        gradients: Gradients, upstream: [Float], perToken: Bool, returning tokenResults: TokenResults
    ) throws(ShortlistError) -> Evaluation {
        guard !gradients.isSuperset(of: [.catalog, .catalogRows]) else {
            throw ShortlistError(.invalidArgument, "ask for .catalog or .catalogRows, not for both")
        }
        let view = hidden.view
        return try withExtendedLifetime(hidden) { () throws(ShortlistError) in
            try borrowing(targets, options.weights, options.excludedItems, upstream) {
                (targets, weights, excluded, upstream) throws(ShortlistError) in
                let batch = Batch(
                    hidden: view, targets: T.targets(targets), weights: weights, ignoreIndex: options.ignoreIndex,
                    excludedItems: excluded, scale: options.scale, reduction: options.reduction,
                    denominator: options.denominator)
                let results = try AllocatedResults(gradients, tokenResults, rows: view.rows, catalog)
                let up = perToken ? Upstream.perToken(upstream) : .one(upstream[0])
                guard gradients.contains(.catalogRows) || tokenResults.contains(.selection) else {
                    let result = try evaluate(
                        loss, batch, catalog: catalog, into: results.outputs(rowSparse: nil), upstream: up,
                        tokenOutputs: results.tokenOutputs)
                    return results.evaluation(result, rowSparse: nil)
                }
                // The forward pass tells how many rows the gradient has.
                let state = try forward(loss, batch, catalog: catalog, tokenOutputs: results.tokenOutputs)
                var rows: AllocatedRows?
                if gradients.contains(.catalogRows) {
                    rows = try AllocatedRows(
                        state.result.report.distinctItemsTouched, width: catalog.width,
                        bias: gradients.contains(.bias))
                }
                let result = try backward(state, into: results.outputs(rowSparse: rows), upstream: up)
                var evaluation = results.evaluation(result, rowSparse: rows)
                evaluation.report =
                    gradients.isEmpty ? state.result.report : state.result.report.followed(by: result.report)
                if tokenResults.contains(.selection) { evaluation.selection = try state.selection() }
                return evaluation
            }
        }
    }

    /// The `k` best items of each query row (Q × d), largest score first, without what each has seen.
    ///
    /// - Parameters:
    ///   - queries: Q × d. The score of an item is ⟨query, item⟩ + bias.
    ///   - catalog: the items.
    ///   - k: places a query, at least 1.
    ///   - seen: Q lists of items to leave out, one a query; nil for none.
    ///   - excludedItems: items that no query gets.
    /// - Throws: as the form into the caller's memory, which is for results too large for Swift's arrays: where memory
    ///   runs out, those stop the program.
    public func topK(
        _ queries: some MatrixReadable, in catalog: Catalog, k: Int, excluding seen: SeenItems? = nil,
        excludedItems: [Int32] = []
    ) throws(ShortlistError) -> TopK {
        let view = queries.view
        guard k > 0 else { throw ShortlistError(.invalidArgument, "k is \(k); it must be at least 1") }
        let places = try view.rows.multiplied(by: k, for: "top-k results")
        var ids = [Int32](repeating: -1, count: places)
        var scores = [Float](repeating: -.infinity, count: places)
        let report = try withRequest(queries, seen, excludedItems) { (request) throws(ShortlistError) in
            try lendingMutable(&ids, &scores) { (ids, scores) throws(ShortlistError) in
                try topK(request, in: catalog, k: k, ids: ids, scores: scores)
            }
        }
        return TopK(queryCount: view.rows, k: k, ids: ids, scores: scores, report: report)
    }

    /// The rank of each query's target in the whole catalog, from 1, without what each query has seen. Ties count by
    /// id, as in `topK`; a target that is in its query's seen items stands all the same.
    ///
    /// HR@k is the share of ranks ≤ k, MRR the mean of 1/rank, NDCG@k the mean of 1/log₂(1 + rank) over ranks ≤ k and 0
    /// over others.
    ///
    /// - Parameters:
    ///   - queries: Q × d.
    ///   - targets: Q item ids, none excluded.
    ///   - catalog: the items.
    ///   - seen: Q lists of items to leave out, one a query; nil for none.
    ///   - excludedItems: items that do not count for any query.
    /// - Returns: Q ranks.
    /// - Throws: as the form into the caller's memory.
    public func targetRanks<T: TargetElement>(
        _ queries: some MatrixReadable, targets: [T], in catalog: Catalog, excluding seen: SeenItems? = nil,
        excludedItems: [Int32] = []
    ) throws(ShortlistError) -> [Int] {
        var ranks = [Int64](repeating: 0, count: queries.view.rows)
        var unused = [Int64]()
        _ = try withRequest(queries, seen, excludedItems) { (request) throws(ShortlistError) in
            try borrowing(targets, nil as [Float]?, [Int32](), [Float]()) {
                (targets, _, _, _) throws(ShortlistError) in
                try lendingMutable(&ranks, &unused) { (ranks, _) throws(ShortlistError) in
                    try targetRanks(request, targets: T.targets(targets), in: catalog, ranks: ranks)
                }
            }
        }
        return ranks.map { Int($0) }
    }

    private func withRequest<R>(
        _ queries: some MatrixReadable, _ seen: SeenItems?, _ excludedItems: [Int32],
        _ body: (RetrievalRequest) throws(ShortlistError) -> R
    ) throws(ShortlistError) -> R {
        let view = queries.view
        return try withExtendedLifetime(queries) { () throws(ShortlistError) in
            try borrowing(seen?.offsets ?? [], nil as [Float]?, excludedItems, seen?.ids ?? []) {
                (offsets, _, excluded, ids) throws(ShortlistError) in
                let ragged = seen == nil ? nil : RaggedIndices(offsets: offsets, ids: ids)
                return try body(RetrievalRequest(queries: view, excludedItems: excluded, seen: ragged))
            }
        }
    }
}

/// Lends four arrays as buffers; the body's own error comes back.
private func borrowing<A, B, C, D, R>(
    _ a: [A], _ b: [B]?, _ c: [C], _ d: [D],
    _ body: (
        UnsafeBufferPointer<A>, UnsafeBufferPointer<B>?, UnsafeBufferPointer<C>, UnsafeBufferPointer<D>
    ) throws(ShortlistError) -> R
) throws(ShortlistError) -> R {
    let result: Result<R, ShortlistError> = a.withUnsafeBufferPointer { a in
        c.withUnsafeBufferPointer { c in
            d.withUnsafeBufferPointer { d in
                func call(_ b: UnsafeBufferPointer<B>?) -> Result<R, ShortlistError> {
                    Result { () throws(ShortlistError) in try body(a, b, c, d) }
                }
                return b.map { $0.withUnsafeBufferPointer { call($0) } } ?? call(nil)
            }
        }
    }
    return try result.get()
}

/// Lends two arrays to be written.
private func lendingMutable<A, B, R>(
    _ a: inout [A], _ b: inout [B],
    _ body: (UnsafeMutableBufferPointer<A>, UnsafeMutableBufferPointer<B>) throws(ShortlistError) -> R
) throws(ShortlistError) -> R {
    let result: Result<R, ShortlistError> = a.withUnsafeMutableBufferPointer { a in
        b.withUnsafeMutableBufferPointer { b in
            Result { () throws(ShortlistError) in try body(a, b) }
        }
    }
    return try result.get()
}

/// Memory for what the allocating form returns.
private struct AllocatedResults {
    let hidden: Matrix?
    let catalog: Matrix?
    let bias: Matrix?
    let scale: Memory?
    let losses: Matrix?
    let logSumExp: Matrix?

    init(
        _ gradients: Gradients, _ tokens: TokenResults, rows: Int, _ catalog: Catalog
    ) throws(ShortlistError) {
        hidden = gradients.contains(.hidden) ? try Matrix(rows: rows, columns: catalog.width) : nil
        self.catalog = gradients.contains(.catalog) ? try Matrix(rows: catalog.itemCount, columns: catalog.width) : nil
        let denseBias = gradients.contains(.bias) && !gradients.contains(.catalogRows)
        bias = denseBias ? try Matrix(rows: catalog.itemCount, columns: 1) : nil
        scale = gradients.contains(.scale) ? try Memory(byteCount: 8, zeroed: true, for: "a scale gradient") : nil
        losses = tokens.contains(.losses) ? try Matrix(rows: rows, columns: 1) : nil
        logSumExp = tokens.contains(.logSumExp) ? try Matrix(rows: rows, columns: 1) : nil
    }

    func outputs(rowSparse rows: AllocatedRows?) -> GradientOutputs {
        var outputs = GradientOutputs(
            hidden: hidden?.mutableView, scale: scale?.base.assumingMemoryBound(to: Double.self))
        if let rows {
            outputs.catalog = .rows(ids: rows.idBuffer, rows: rows.rows.mutableView, bias: rows.bias?.elements)
        } else if catalog != nil || bias != nil {
            outputs.catalog = .dense(catalog?.mutableView, bias: bias?.elements)
        }
        return outputs
    }

    var tokenOutputs: TokenOutputs { TokenOutputs(losses: losses?.elements, logSumExp: logSumExp?.elements) }

    func evaluation(_ result: CallResult, rowSparse rows: AllocatedRows?) -> Evaluation {
        var evaluation = Evaluation(loss: result.loss, report: result.report)
        evaluation.gradients.hidden = hidden
        evaluation.gradients.catalog = catalog
        evaluation.gradients.catalogRows = rows?.result
        evaluation.gradients.bias = bias.map { Array($0.elements) }
        evaluation.gradients.scale = scale?.base.load(as: Double.self)
        evaluation.tokenLosses = losses.map { Array($0.elements) }
        evaluation.logSumExp = logSumExp.map { Array($0.elements) }
        return evaluation
    }
}

/// Memory for a row-sparse gradient of a known number of rows.
private struct AllocatedRows {
    let ids: Memory
    let rows: Matrix
    let bias: Matrix?

    init(_ count: Int, width: Int, bias wantsBias: Bool) throws(ShortlistError) {
        ids = try Memory(byteCount: count * MemoryLayout<Int32>.stride, for: "the gradient's row ids")
        rows = try Matrix(rows: count, columns: width)
        bias = wantsBias ? try Matrix(rows: count, columns: 1) : nil
    }

    var idBuffer: UnsafeMutableBufferPointer<Int32> {
        UnsafeMutableBufferPointer(start: ids.base.assumingMemoryBound(to: Int32.self), count: rows.rows)
    }

    var result: RowSparse {
        RowSparse(ids: Array(idBuffer), rows: rows, bias: bias.map { Array($0.elements) })
    }
}
