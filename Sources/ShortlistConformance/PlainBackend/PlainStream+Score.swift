import Glibc
import ShortlistCore

/// Logits reduced to log-sum-exps.
extension PlainStream {
    func targetLogits(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, into result: Vector<Float>
    ) throws(ShortlistError) {
        try open(.targetLogits)
        let (hidden, catalog) = (try rows(tokens.hidden), try rows(items.matrix))
        let (targets, bias, result) = (
            try elements(tokens.targets), try optionalElements(items.bias), try elements(result)
        )
        for token in result.indices {
            let item = Int(targets[token])
            // Rounded before the bias is added, as the scores of a ranking are: equal items get equal scores.
            result[token] =
                Float(Double(scale) * dot(hidden[token], catalog[item], catalog.width)) + (bias?[item] ?? 0)
        }
    }

    func blockLogSumExp(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, into slots: Vector<Float>
    ) throws(ShortlistError) {
        try open(.blockLogSumExp)
        let host = try resolve(blocks, tokens, items, scale: scale)
        let result = try elements(slots)
        for range in host.ranges {
            for slot in range.slots {
                try opened().checkStop()
                var running = RunningLogSumExp()
                for place in range.places where host.isCandidate(slot, place) {
                    running.add(host.logit(host.product(slot, place), place))
                }
                result[slot] = running.value
            }
        }
    }
}

/// log Σ e^z of the numbers so far, with the largest taken out so that nothing overflows.
private struct RunningLogSumExp {
    private var largest = -Double.infinity
    private var sum = 0.0
    private var isSound = true

    mutating func add(_ z: Double) {
        guard z.isFinite else {
            isSound = false
            return
        }
        if z > largest {
            sum *= exp(largest - z)
            largest = z
        }
        sum += exp(z - largest)
    }

    /// −∞ for no number, NaN when one was not finite.
    var value: Float { isSound ? Float(largest + log(sum)) : .nan }
}
