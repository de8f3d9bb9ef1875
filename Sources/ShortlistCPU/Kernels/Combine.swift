import Glibc
import ShortlistCore

/// Sums over tokens: a fixed tree of runs of `grain` tokens, in Double.
struct CombineTiling: KernelTiling {
    static let grain = 2048
    static let levels = [CombineTiling()]
    func scratch(for tokens: Int) -> TileScratch {
        var fixed = ScratchSize()
        fixed.add(Double.self, 4 * ((tokens + CombineTiling.grain - 1) / CombineTiling.grain))
        return TileScratch(fixed: fixed.bytes, perWorker: 0)
    }
}

extension CPUStream {
    func combine(
        _ slots: Vector<Float>, _ blocks: CandidateBlocks, _ tokens: TokenSet, into state: TokenState
    ) throws(ShortlistError) {
        let (_, need) = CombineTiling.choose(for: tokens.count, limit: try opened().scratchLimit)
        let area = try openScratch(.combine, need)
        let slots = try pointer(slots)
        let previous = try optionalPointer(blocks.previousSlot)
        let last = try optionalPointer(blocks.lastSlot)
        let weights = try optionalPointer(tokens.weights)
        let rows = try source(tokens.hidden)
        let targetLogits = try pointer(state.targetLogits)
        let losses = try pointer(state.losses)
        let logSumExp = try pointer(state.logSumExp)
        let winners = try pointer(state.winners)
        var cutter = area.shared()
        let runs = (tokens.count + CombineTiling.grain - 1) / CombineTiling.grain
        let partials = cutter.take(Double.self, 4 * runs)

        try parallelRanges(tokens.count, grain: CombineTiling.grain) { range, run in
            var loss = 0.0
            var weight = 0.0
            var counted = 0.0
            var nonFinite = 0.0
            for token in range {
                let joined: (value: Double, winner: Int32)
                if let previous, let last {
                    joined = join(slots, previous, from: last[token], blocks.combination)
                } else {
                    joined = (Double(slots[token]), 0)
                }
                winners[token] = joined.winner
                guard joined.winner >= 0 else {
                    losses[token] = 0
                    logSumExp[token] = 0
                    continue
                }
                let (value, lse) = tokenLoss(target: targetLogits[token], candidates: joined.value)
                losses[token] = Float(value)
                logSumExp[token] = lse
                counted += 1
                if !Float(value).isFinite { nonFinite += 1 }
                let w = Double(weights?[rows.rows.map { Int($0[token]) } ?? token] ?? 1)
                if w != 0 {
                    loss += w * value
                    weight += w
                }
            }
            partials[4 * run] = loss
            partials[4 * run + 1] = weight
            partials[4 * run + 2] = counted
            partials[4 * run + 3] = nonFinite
        }
        let totals = try pointer(state.totals)
        totals.update(repeating: 0, count: 4)
        for run in 0..<runs {
            for part in 0..<4 { totals[part] += partials[4 * run + part] }
        }
    }

    /// What `coefficients` needs of a dense block, before any logit is made: all its tokens count, and Σ w, summed as
    /// `combine` does.
    func countDense(_ tokens: TokenSet, into state: TokenState) throws(ShortlistError) {
        try pointer(state.winners).update(repeating: 0, count: tokens.count)
        let weights = try optionalPointer(tokens.weights)
        let rows = try source(tokens.hidden)
        var total = 0.0
        for first in stride(from: 0, to: tokens.count, by: CombineTiling.grain) {
            var sum = 0.0
            for token in first..<min(tokens.count, first + CombineTiling.grain) {
                sum += Double(weights?[rows.rows.map { Int($0[token]) } ?? token] ?? 1)
            }
            total += sum
        }
        try pointer(state.totals)[1] = total
    }

    func coefficients(
        _ state: TokenState, _ tokens: TokenSet, _ reduction: ReducedUpstream, into result: Vector<Float>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.coefficients))
        let totals = try pointer(state.totals)
        let winners = try pointer(state.winners)
        let weights = try optionalPointer(tokens.weights)
        let perToken = try optionalPointer(reduction.perToken)
        let rows = try source(tokens.hidden)
        let result = try pointer(result)
        let denominator = reduction.reduction == .mean ? reduction.denominator ?? totals[1] : 1
        try parallelRanges(tokens.count, grain: 8192) { range, _ in
            for token in range {
                let row = rows.rows.map { Int($0[token]) } ?? token
                let weight = Double(weights?[row] ?? 1)
                guard winners[token] >= 0, weight != 0, denominator != 0 else {
                    result[token] = 0
                    continue
                }
                result[token] = Float(Double(perToken?[row] ?? reduction.one) * weight / denominator)
            }
        }
    }
}

/// ℓ and the log-sum-exp over target and shortlist, from the target's logit and the shortlist's log-sum-exp.
func tokenLoss(target: Float, candidates: Double) -> (loss: Double, logSumExp: Float) {
    let target = Double(target)
    let value = target.isFinite ? softplus(candidates - target) : .nan
    return (value, Float(target + value))
}

/// log(1 + e^x): accurate when the target leads (x very negative) and when it trails.
private func softplus(_ x: Double) -> Double { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }

/// A token's slots to one log-sum-exp, walking from its last slot to its first. A slot that is not finite is not
/// hidden by a larger one.
private func join(
    _ slots: UnsafePointer<Float>, _ previous: UnsafePointer<Int32>, from last: Int32, _ combination: Combination
) -> (value: Double, winner: Int32) {
    guard last >= 0 else { return (0, -1) }
    var slot = last
    var best = Double(slots[Int(slot)])
    var winner = slot
    while previous[Int(slot)] >= 0 {
        slot = previous[Int(slot)]
        let value = Double(slots[Int(slot)])
        if best.isNaN ? value.isNaN : (value >= best || value.isNaN) {
            best = value
            winner = slot
        }
    }
    guard combination == .union else { return (best, winner) }
    guard best.isFinite else { return (best, 0) }
    var sum = 0.0
    slot = last
    while slot >= 0 {
        sum += exp(Double(slots[Int(slot)]) - best)
        slot = previous[Int(slot)]
    }
    return (best + log(sum), 0)
}
