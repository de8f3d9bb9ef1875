import ShortlistCore

/// Slots to tokens, tokens to the loss, the loss to coefficients: combine.comp, sumDoubles.comp, coefficients.comp.
extension VulkanStream {
    func combine(
        _ slots: Vector<Float>, _ blocks: CandidateBlocks, _ tokens: TokenSet, into state: TokenState
    ) throws(ShortlistError) {
        try open(.combine)
        let groups = divided(tokens.count, 256)
        try withScratchVectors { () throws(ShortlistError) in
            let parts = try reserve(Double.self, count: 4 * groups)
            try run("combine", groups: groups, work: 500 * Double(tokens.count)) { (a) throws(ShortlistError) in
                a.address(try reads(slots))
                let isLinked = blocks.previousSlot != nil && blocks.lastSlot != nil
                a.address(isLinked ? try reads(blocks.previousSlot) : 0)
                a.address(isLinked ? try reads(blocks.lastSlot) : 0)
                a.address(try reads(tokens.weights))
                a.address(try reads(tokens.hidden.rows))
                a.address(try reads(state.targetLogits))
                a.address(try writes(state.losses, discards: true))
                a.address(try writes(state.logSumExp, discards: true))
                a.address(try writes(state.winners, discards: true))
                a.address(try writes(parts, discards: true))
                try a.word(tokens.count)
                a.flag(blocks.combination == .union)
            }
            try sum(parts, rows: groups, width: 4, into: state.totals, adding: false)
        }
    }

    /// The sums of `rows` rows of `width` Doubles, stored or added.
    func sum(
        _ parts: Vector<Double>, rows: Int, width: Int, into result: Vector<Double>, adding: Bool
    ) throws(ShortlistError) {
        try run("sumDoubles", groups: 1, work: 10 * Double(rows)) { (a) throws(ShortlistError) in
            a.address(try reads(parts))
            a.address(try writes(result))
            try a.word(rows)
            try a.word(width)
            a.flag(adding)
        }
    }

    func coefficients(
        _ state: TokenState, _ tokens: TokenSet, _ reduction: ReducedUpstream, into result: Vector<Float>
    ) throws(ShortlistError) {
        try open(.coefficients)
        try run("coefficients", groups: divided(result.count, 256)) { (a) throws(ShortlistError) in
            a.address(try reads(tokens.weights))
            a.address(try reads(tokens.hidden.rows))
            a.address(try reads(state.winners))
            a.address(try reads(state.totals))
            a.address(try reads(reduction.perToken))
            a.address(try writes(result, discards: true))
            a.double(reduction.denominator ?? 1)
            try a.word(result.count)
            a.flag(reduction.reduction == .mean)
            a.flag(reduction.denominator != nil)
            a.float(reduction.one)
        }
    }
}
