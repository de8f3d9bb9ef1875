import Glibc

/// The loss and all its gradients, from a selection: score, combine, reduce, differentiate.
///
///     ℓ_i  = log( e^{z_it} + Σ_{j∈J_i} e^{z_ij} ) − z_it                   J_i never contains t_i
///     p_ij = e^{z_ij} / ( e^{z_it} + Σ_{J_i} e^{z_ij} )
///     dX_i = s·g_i·( Σ_{j∈J_i} p_ij y_j + (p_it − 1) y_t )
///     dY_j = s·Σ_i g_i·(p_ij − 1[j = t_i])·x_i
///     db_j =   Σ_i g_i·(p_ij − 1[j = t_i])
///     ds   =   Σ_i g_i·Σ_j (p_ij − 1[j = t_i])·⟨x_i, y_j⟩
///
/// with g_i = upstream·w_i/Σw (mean), upstream·w_i (sum) or upstream_i·w_i (none). Selection carries no gradient.
/// CE over all items is that of CCE (arXiv 2411.09009), `maximum` is how SCE joins its buckets (arXiv 2409.18721),
/// `union` how RECE joins its rounds (arXiv 2408.02354).
///
/// The tokens that count are the valid ones that stand in at least one block: for `selectAll` and `selectRECE` all
/// valid tokens. A logit that is not finite, −∞ included, makes the loss of its token NaN, and under `maximum` no other
/// block hides it. A token of weight 0 adds exactly 0 to everything, and so does, in the gradients, one whose g_i is 0.
///
/// - Parameters:
///   - blocks: a selection; it is put through `selectGiven` first.
///   - winners: under `maximum`, the block through which each token's gradient flows (−1 for a token that does not
///     count), so that an implementation that resolved a near-tie otherwise can be compared. Losses stay the maximum.
public func evaluate(
    _ problem: ReferenceProblem, _ blocks: [ReferenceBlock], _ combination: ReferenceCombination,
    winners: [Int]? = nil
) -> ReferenceResult {
    problem.checkInput()
    let blocks = selectGiven(problem, blocks)
    var blocksOfToken = [[Int]](repeating: [], count: problem.tokenCount)
    for (k, block) in blocks.enumerated() {
        for i in block.tokens { blocksOfToken[i].append(k) }
    }
    var result = ReferenceResult(
        tokenCount: problem.tokenCount, itemCount: problem.itemCount, dimension: problem.dimension)
    var scores = [TokenScore?](repeating: nil, count: problem.tokenCount)
    for i in 0..<problem.tokenCount where !blocksOfToken[i].isEmpty {
        switch combination {
        case .union:
            scores[i] = TokenScore(problem, token: i, blocks: blocksOfToken[i].map { blocks[$0] })
            result.record(scores[i]!, of: i)
        case .maximum:
            let perBlock = blocksOfToken[i].map { TokenScore(problem, token: i, blocks: [blocks[$0]]) }
            var named: Int?
            if let winner = winners?[i] {
                named = blocksOfToken[i].firstIndex(of: winner)
                precondition(named != nil, "the winner of token \(i) is not a block that holds it")
            }
            let chosen = result.recordLargest(perBlock, of: i, winner: named)
            result.winners[i] = blocksOfToken[i][chosen]
            scores[i] = perBlock[chosen]
        }
    }
    reduce(problem, into: &result)
    if result.totalWeight > 0 { differentiate(problem, scores, into: &result) }
    return result
}

/// Σw and L. Where Σw = 0, because nothing counts or all weights are 0, the loss stays 0.
private func reduce(_ problem: ReferenceProblem, into result: inout ReferenceResult) {
    for i in 0..<problem.tokenCount where result.counted[i] {
        result.tokensCounted += 1
        result.totalWeight += problem.weight(i)
        if !result.tokenLosses[i].isFinite { result.tokensNonFinite += 1 }
        // 0 · NaN would be NaN.
        if problem.weight(i) > 0 { result.weightedLosses[i] = problem.weight(i) * result.tokenLosses[i] }
    }
    guard result.totalWeight > 0 else { return }
    result.loss = result.weightedLosses.reduce(0, +) / result.divisor(problem)
}

/// Every term of every gradient, one by one.
private func differentiate(_ problem: ReferenceProblem, _ scores: [TokenScore?], into result: inout ReferenceResult) {
    for i in 0..<problem.tokenCount {
        guard let score = scores[i], problem.weight(i) > 0 else { continue }
        let upstream = problem.upstream[problem.reduction == .none ? i : 0]
        let g = upstream * problem.weight(i) / result.divisor(problem)
        if g == 0 { continue }
        for (candidate, z) in zip(score.shortlist, score.logits) {
            result.add(
                g * exp(z - score.logSumExp), problem, token: i, item: candidate.item,
                toCatalog: candidate.contributesToCatalogGradient)
        }
        // p_it − 1 = e^{−ℓ} − 1, without cancellation when ℓ is tiny.
        result.add(g * expm1(-score.loss), problem, token: i, item: problem.targets[i], toCatalog: true)
    }
}

/// An item of a token's shortlist.
private struct Candidate {
    var item: Int
    var logWeight: Double
    var contributesToCatalogGradient: Bool
}

/// J_i: the distinct items of the blocks, the target left out. The first block that holds an item decides its
/// log-weight and its flag.
private func shortlist(without target: Int, of blocks: [ReferenceBlock]) -> [Candidate] {
    var held: Set<Int> = [target]
    var shortlist: [Candidate] = []
    for block in blocks {
        for (place, item) in block.items.enumerated() where held.insert(item).inserted {
            shortlist.append(
                Candidate(
                    item: item, logWeight: block.logWeights?[place] ?? 0,
                    contributesToCatalogGradient: block.contributesToCatalogGradient))
        }
    }
    return shortlist
}

/// One token against the distinct items of some blocks.
private struct TokenScore {
    let shortlist: [Candidate]
    /// z_ij plus log-weight, in the order of `shortlist`.
    let logits: [Double]
    var loss = Double.nan
    var logSumExp = Double.nan
    var largestLogit = Double.nan

    /// The loss as `maximum` compares it: above everything when it is not finite.
    var rankedLoss: Double { loss.isNaN ? .infinity : loss }

    init(_ problem: ReferenceProblem, token i: Int, blocks: [ReferenceBlock]) {
        let target = problem.logit(i, problem.targets[i])
        shortlist = ShortlistReference.shortlist(without: problem.targets[i], of: blocks)
        logits = shortlist.map { problem.logit(i, $0.item) + $0.logWeight }
        guard target.isFinite, logits.allSatisfy(\.isFinite) else { return }

        let lead = max(target, logits.max() ?? target)
        var sumOfOthers = 0.0
        for z in logits { sumOfOthers += exp(z - lead) }
        // When the target leads, its own term of the sum is exactly 1 and log1p keeps a tiny loss accurate.
        let logOfSum = lead == target ? log1p(sumOfOthers) : log(exp(target - lead) + sumOfOthers)
        loss = (lead - target) + logOfSum
        logSumExp = lead + logOfSum
        largestLogit = logits.reduce(abs(target)) { max($0, abs($1)) }
    }
}

extension ReferenceResult {
    /// What the weighted losses and gradients are divided by.
    fileprivate func divisor(_ problem: ReferenceProblem) -> Double {
        problem.reduction == .mean ? problem.denominator ?? totalWeight : 1
    }

    /// Notes the score that token `i` ends with.
    fileprivate mutating func record(_ score: TokenScore, of i: Int) {
        counted[i] = true
        tokenLosses[i] = score.loss
        logSumExp[i] = score.logSumExp
        largestLogit[i] = score.largestLogit
    }

    /// Notes the largest of a token's block losses, the first one on a tie, and returns the place of the block through
    /// which the gradient flows: that one, or the caller's `winner`.
    fileprivate mutating func recordLargest(_ scores: [TokenScore], of i: Int, winner: Int?) -> Int {
        let losses = scores.map(\.rankedLoss)
        let order = ReferenceKernels.topK(losses, rows: 1, columns: losses.count, k: losses.count)
        record(scores[order.ids[0]], of: i)
        if tokenLosses[i].isFinite { largestLogit[i] = scores.map(\.largestLogit).max()! }
        let gap = { (other: Double) in other == order.scores[0] ? 0 : order.scores[0] - other }
        if losses.count > 1 { winnerMargins[i] = gap(order.scores[1]) }
        winnerShortfalls[i] = gap(losses[winner ?? order.ids[0]])
        return winner ?? order.ids[0]
    }

    /// Adds what the logit z_ij passes on when `coefficient` is the derivative of the objective by it.
    fileprivate mutating func add(
        _ coefficient: Double, _ problem: ReferenceProblem, token i: Int, item j: Int, toCatalog: Bool
    ) {
        let d = problem.dimension
        for k in 0..<d {
            let x = problem.hidden[i * d + k]
            let y = problem.catalog[j * d + k]
            hiddenGradient[i * d + k] += problem.scale * coefficient * y
            hiddenMagnitude[i * d + k] += abs(problem.scale * coefficient * y)
            scaleGradient += coefficient * x * y
            scaleMagnitude += abs(coefficient * x * y)
            guard toCatalog else { continue }
            catalogGradient[j * d + k] += problem.scale * coefficient * x
            catalogMagnitude[j * d + k] += abs(problem.scale * coefficient * x)
        }
        guard toCatalog else { return }
        biasGradient[j] += coefficient
        biasMagnitude[j] += abs(coefficient)
    }
}
