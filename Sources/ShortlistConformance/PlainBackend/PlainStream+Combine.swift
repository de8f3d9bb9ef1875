import Glibc
import ShortlistCore

/// Slots to tokens, tokens to the loss, the loss to coefficients.
extension PlainStream {
    func combine(
        _ slots: Vector<Float>, _ blocks: CandidateBlocks, _ tokens: TokenSet, into state: TokenState
    ) throws(ShortlistError) {
        try open(.combine)
        let slots = try elements(slots)
        let (previous, last) = (try optionalElements(blocks.previousSlot), try optionalElements(blocks.lastSlot))
        let (weights, hidden) = (try optionalElements(tokens.weights), try rows(tokens.hidden))
        let (targetLogits, losses) = (try elements(state.targetLogits), try elements(state.losses))
        let (logSumExp, winners) = (try elements(state.logSumExp), try elements(state.winners))
        let totals = try elements(state.totals)
        totals.update(repeating: 0)
        for token in 0..<tokens.count {
            let joined: (value: Double, winner: Int32)
            if let previous, let last {
                joined = join(slots, previous, from: last[token], blocks.combination)
            } else {
                // Exact cross-entropy: one slot a token, in order.
                joined = (Double(slots[token]), 0)
            }
            winners[token] = joined.winner
            // In no block: the token does not count.
            guard joined.winner >= 0 else {
                (losses[token], logSumExp[token]) = (0, 0)
                continue
            }
            // ℓ = log(e^t + e^rest) − t = log(1 + e^(rest − t)).
            let target = Double(targetLogits[token])
            let loss = target.isFinite ? softplus(joined.value - target) : .nan
            losses[token] = Float(loss)
            logSumExp[token] = Float(target + loss)
            totals[2] += 1
            if !Float(loss).isFinite { totals[3] += 1 }
            let weight = Double(weights?[hidden.place(token)] ?? 1)
            // Not 0 · NaN: a token of weight 0 adds nothing.
            if weight != 0 {
                totals[0] += weight * loss
                totals[1] += weight
            }
        }
    }

    func coefficients(
        _ state: TokenState, _ tokens: TokenSet, _ reduction: ReducedUpstream, into result: Vector<Float>
    ) throws(ShortlistError) {
        try open(.coefficients)
        let (weights, hidden, result) = (
            try optionalElements(tokens.weights), try rows(tokens.hidden), try elements(result)
        )
        let (winners, totals) = (try elements(state.winners), try elements(state.totals))
        let perToken = try optionalElements(reduction.perToken)
        let divisor = reduction.reduction == .mean ? reduction.denominator ?? totals[1] : 1
        for token in result.indices {
            // Weights and upstream gradients are the caller's: by row of X, not by ordinal.
            let row = hidden.place(token)
            let weight = Double(weights?[row] ?? 1)
            let counts = winners[token] >= 0 && weight != 0 && divisor != 0
            result[token] = counts ? Float(Double(perToken?[row] ?? reduction.one) * weight / divisor) : 0
        }
    }
}

/// log(1 + e^x): accurate when it is tiny, and no overflow when it is large.
private func softplus(_ x: Double) -> Double { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }

/// The slots of one token, from its last to its first, as one log-sum-exp; the winner is −1 where there is none.
///
/// A slot that is not a number is hidden by no other, and of equals the lowest block wins.
private func join(
    _ slots: UnsafeMutableBufferPointer<Float>, _ previous: UnsafeMutableBufferPointer<Int32>, from last: Int32,
    _ combination: Combination
) -> (value: Double, winner: Int32) {
    var (largest, winner): (Double, Int32) = (-.infinity, -1)
    var slot = last
    while slot >= 0 {
        let value = Double(slots[Int(slot)])
        if value.isNaN || value >= largest { (largest, winner) = (value, slot) }
        slot = previous[Int(slot)]
    }
    guard combination == .union, winner >= 0 else { return (largest, winner) }
    guard largest.isFinite else { return (largest, 0) }
    var sum = 0.0
    slot = last
    while slot >= 0 {
        sum += exp(Double(slots[Int(slot)]) - largest)
        slot = previous[Int(slot)]
    }
    return (largest + log(sum), 0)
}
