import ShortlistCore
import ShortlistLosses
import ShortlistReference

/// The numbers of a call as arrays, for any backend and for the oracle.
struct LossProblem {
    var width: Int
    /// N × d, C × d.
    var hidden: [Float]
    var items: [Float]
    var targets: [Int32]
    var bias: [Float]?
    var weights: [Float]?
    var ignoreIndex: Int64 = -100
    var excluded: [Int32] = []
    var scale: Float = 1
    var reduction: Reduction = .mean
    /// N numbers for reduction none, one else.
    var upstream: [Float] = [1]

    var tokenCount: Int { targets.count }
    var itemCount: Int { items.count / width }

    /// Everything that a problem can carry, in reals: a bias with an item at −∞, weights with a zero, ignored tokens,
    /// excluded items, a scale, one upstream gradient a token.
    static func rich(tokens: Int, items: Int, width: Int, seed: UInt64) -> LossProblem {
        var dice = Dice(seed)
        var problem = LossProblem(
            width: width, hidden: dice.reals(tokens * width), items: dice.reals(items * width),
            targets: (0..<tokens).map { _ in Int32(dice.integer(3...items - 1)) })
        problem.bias = dice.reals(items, -0.5, 0.5)
        problem.bias?[1] = -.infinity
        problem.excluded = [2, 0]
        problem.weights = dice.reals(tokens, 0.1, 2)
        problem.weights?[tokens / 2] = 0
        for token in stride(from: 1, to: tokens, by: 7) { problem.targets[token] = -100 }
        problem.scale = 1.7
        problem.reduction = .none
        problem.upstream = dice.reals(tokens, -1, 2)
        // What must not be read.
        for k in 0..<width { problem.items[k] = .nan }
        return problem
    }

    /// Small integers: every product and sum is exact in f32, in any order, and ties abound.
    static func integers(tokens: Int, items: Int, width: Int, seed: UInt64) -> LossProblem {
        var dice = Dice(seed)
        var problem = LossProblem(
            width: width, hidden: dice.integers(tokens * width, -2...2), items: dice.integers(items * width, -2...2),
            targets: (0..<tokens).map { _ in Int32(dice.integer(0...items - 2)) })
        problem.bias = dice.integers(items, -2...2)
        problem.excluded = [Int32(items - 1)]
        return problem
    }

    var reference: ReferenceProblem {
        ReferenceProblem(
            hidden: hidden.map(Double.init), catalog: items.map(Double.init), dimension: width,
            targets: targets.map(Int.init), itemBias: bias.map { $0.map(Double.init) }, ignoreIndex: Int(ignoreIndex),
            weights: weights.map { $0.map(Double.init) }, scale: Double(scale),
            excludedItems: Set(excluded.map(Int.init)),
            reduction: [.mean: .mean, .sum: .sum, .none: .none][reduction] ?? .mean,
            upstream: upstream.map(Double.init))
    }

    /// A loss on an evaluator: forward, the selection, backward with all gradients, dY dense.
    func outcome(_ loss: any Loss, on evaluator: Evaluator, limit: Int? = nil) throws -> Outcome {
        try lend(on: evaluator) { (batch, catalog, up) throws(ShortlistError) in
            var out = try Outcome(self)
            let state = try evaluator.forward(
                loss, batch, catalog, tokenOutputs: out.tokenOutputs, limits: CallLimits(workspace: limit))
            let backward = try evaluator.backward(
                state, into: out.gradients, upstream: up, limits: CallLimits(workspace: limit))
            (out.loss, out.report) = (backward.loss, backward.report)
            out.forwardReport = state.result.report
            if !(loss is CrossEntropy) {
                out.selection = try state.lists()
                out.winners = try state.winnerBlocks(tokenCount)
            }
            return out
        }
    }

    /// The same in one call, without the selection.
    func oneCall(
        _ loss: any Loss, on evaluator: Evaluator, limits: CallLimits = .init(), into given: Outcome? = nil
    ) throws(ShortlistError) -> Outcome {
        try lend(on: evaluator) { (batch, catalog, up) throws(ShortlistError) in
            var out: Outcome
            if let given { out = given } else { out = try Outcome(self) }
            let result = try evaluator.evaluate(
                loss, batch, catalog, into: out.gradients, upstream: up, tokenOutputs: out.tokenOutputs,
                limits: limits)
            (out.loss, out.report) = (result.loss, result.report)
            return out
        }
    }

    /// The problem as a call takes it, valid during `body`.
    func lend<R>(
        on evaluator: Evaluator, _ body: (Batch, Catalog, Upstream) throws(ShortlistError) -> R
    ) throws(ShortlistError) -> R {
        let x = try Matrix(rows: tokenCount, columns: width, hidden)
        let y = try Matrix(rows: itemCount, columns: width, items)
        let result: Result<R, ShortlistError> = targets.withUnsafeBufferPointer { targets in
            excluded.withUnsafeBufferPointer { excluded in
                upstream.withUnsafeBufferPointer { upstream in
                    (weights ?? []).withUnsafeBufferPointer { weights in
                        (bias ?? []).withUnsafeBufferPointer { bias in
                            Result { () throws(ShortlistError) in
                                let catalog = try Catalog(
                                    items: y.view, bias: self.bias == nil ? nil : bias, on: evaluator.stream)
                                let batch = Batch(
                                    hidden: x.view, targets: .int32(targets),
                                    weights: self.weights == nil ? nil : weights, ignoreIndex: ignoreIndex,
                                    excludedItems: excluded, scale: scale, reduction: reduction)
                                let up: Upstream = reduction == .none ? .perToken(upstream) : .one(upstream[0])
                                return try body(batch, catalog, up)
                            }
                        }
                    }
                }
            }
        }
        return try withExtendedLifetime((x, y)) { () throws(ShortlistError) in try result.get() }
    }
}

/// What a call wrote and returned.
struct Outcome {
    static let untouched: Float = -12345.5
    let hidden: Matrix
    let catalog: Matrix
    let bias: Matrix
    let scale: Memory
    let losses: Matrix
    let logSumExp: Matrix
    var loss = Double.nan
    var report = Report()
    var forwardReport = Report()
    var selection: CandidateLists?
    /// By row of X: the block through which the gradient flows, −1 for none.
    var winners: [Int]?

    init(_ problem: LossProblem) throws(ShortlistError) {
        hidden = try Matrix(rows: problem.tokenCount, columns: problem.width)
        catalog = try Matrix(rows: problem.itemCount, columns: problem.width)
        bias = try Matrix(rows: 1, columns: problem.itemCount)
        scale = try Memory(byteCount: 8, zeroed: true, for: "ds")
        losses = try Matrix(rows: 1, columns: problem.tokenCount)
        logSumExp = try Matrix(rows: 1, columns: problem.tokenCount)
        for matrix in [hidden, catalog, bias, losses, logSumExp] {
            matrix.elements.update(repeating: Outcome.untouched)
        }
    }

    var gradients: GradientOutputs {
        GradientOutputs(
            hidden: hidden.mutableView, catalog: .dense(catalog.mutableView, bias: bias.elements),
            scale: scale.base.assumingMemoryBound(to: Double.self))
    }
    var tokenOutputs: TokenOutputs { TokenOutputs(losses: losses.elements, logSumExp: logSumExp.elements) }
    var scaleGradient: Double { scale.base.load(as: Double.self) }

    /// Every bit that a call leaves.
    var bits: [UInt64] {
        var bits = [loss.bitPattern, scaleGradient.bitPattern]
        for matrix in [hidden, catalog, bias, losses, logSumExp] {
            bits += matrix.elements.map { UInt64($0.bitPattern) }
        }
        return bits
    }

    var isUntouched: Bool {
        scaleGradient == 0
            && [hidden, catalog, bias, losses, logSumExp].allSatisfy {
                $0.elements.allSatisfy { $0 == Outcome.untouched }
            }
    }
}

extension SavedState {
    func lists() throws(ShortlistError) -> CandidateLists {
        let size = try selectionSize()
        let offsets = try Memory(byteCount: 16 * (size.blocks + 1), for: "offsets")
        let ids = try Memory(byteCount: 4 * (size.tokens + size.items), for: "ids")
        let first = offsets.base.assumingMemoryBound(to: Int.self)
        let id = ids.base.assumingMemoryBound(to: Int32.self)
        let tokenOffsets = UnsafeMutableBufferPointer(start: first, count: size.blocks + 1)
        let itemOffsets = UnsafeMutableBufferPointer(start: first + size.blocks + 1, count: size.blocks + 1)
        let tokens = UnsafeMutableBufferPointer(start: id, count: size.tokens)
        let items = UnsafeMutableBufferPointer(start: id + size.tokens, count: size.items)
        try copySelection(tokenOffsets: tokenOffsets, tokens: tokens, itemOffsets: itemOffsets, items: items)
        return withExtendedLifetime((offsets, ids)) {
            CandidateLists(
                tokenOffsets: Array(tokenOffsets), tokens: Array(tokens), itemOffsets: Array(itemOffsets),
                items: Array(items))
        }
    }

    func winnerBlocks(_ tokens: Int) throws(ShortlistError) -> [Int] {
        let memory = try Memory(byteCount: 4 * tokens, for: "winners")
        let winners = UnsafeMutableBufferPointer(start: memory.base.assumingMemoryBound(to: Int32.self), count: tokens)
        try copyWinners(winners)
        return withExtendedLifetime(memory) { winners.map(Int.init) }
    }
}

extension CandidateLists {
    /// As the oracle takes them; tokens and items in ascending order.
    var referenceBlocks: [ReferenceBlock] {
        (0..<blockCount).map { block in
            ReferenceBlock(
                tokens: tokens[tokenOffsets[block]..<tokenOffsets[block + 1]].map(Int.init).sorted(),
                items: items[itemOffsets[block]..<itemOffsets[block + 1]].map(Int.init).sorted())
        }
    }
}
