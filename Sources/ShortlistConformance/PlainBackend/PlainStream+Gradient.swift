import Glibc
import ShortlistCore

/// Gradient kernels add to what is there; whoever wants a store fills with zero first.
extension PlainStream {
    func fill(_ matrix: DeviceMatrix, with value: Float) throws(ShortlistError) {
        try open(.fill)
        let rows = try rows(matrix)
        for row in 0..<rows.count { rows[row].update(repeating: value, count: rows.width) }
    }

    func fill(_ vector: Vector<Float>, with value: Float) throws(ShortlistError) {
        try open(.fill)
        try elements(vector).update(repeating: value)
    }

    func fill(_ vector: Vector<Double>, with value: Double) throws(ShortlistError) {
        try open(.fill)
        try elements(vector).update(repeating: value)
    }

    func blockGradient(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState,
        coefficients: Vector<Float>, into targets: GradientTargets
    ) throws(ShortlistError) {
        try open(.blockGradient)
        let pairs = PlainPairs(
            host: try resolve(blocks, tokens, items, scale: scale), logSumExp: try elements(state.logSumExp),
            coefficients: try elements(coefficients),
            winners: blocks.combination == .max ? try elements(state.winners) : nil)
        let outputs = try resolve(targets)
        try withScratchVectors { () throws(ShortlistError) in
            // A row of sums in Double, added to its f32 row once.
            let sums = try elements(try reserve(Double.self, count: items.matrix.columns))
            for range in pairs.host.ranges {
                if outputs.hidden != nil || outputs.scale != nil { try addHidden(pairs, range, sums, outputs) }
                if range.contributesToCatalogGradient != 0, outputs.catalog != nil || outputs.bias != nil {
                    try addCatalog(pairs, range, sums, outputs)
                }
            }
        }
    }

    /// dX += s·g Σ p y and ds += g Σ p ⟨x, y⟩, token after token.
    private func addHidden(
        _ pairs: PlainPairs, _ range: BlockRange, _ sums: UnsafeMutableBufferPointer<Double>, _ outputs: PlainOutputs
    ) throws(ShortlistError) {
        let host = pairs.host
        for slot in range.slots where pairs.passesGradient(slot) {
            try opened().checkStop()
            sums.update(repeating: 0)
            for place in range.places where host.isCandidate(slot, place) {
                let product = host.product(slot, place)
                let term = pairs.term(slot, place, product)
                let row = host.catalog[host.item(place)]
                for k in sums.indices { sums[k] += term * Double(row[k]) }
                outputs.scale?[0] += term * product
            }
            guard let target = outputs.hidden?[host.hidden.place(host.token(slot))] else { continue }
            for k in sums.indices { target[k] += Float(host.scale * sums[k]) }
        }
    }

    /// dY += s·g·p x and db += g·p, item after item.
    private func addCatalog(
        _ pairs: PlainPairs, _ range: BlockRange, _ sums: UnsafeMutableBufferPointer<Double>, _ outputs: PlainOutputs
    ) throws(ShortlistError) {
        let host = pairs.host
        for place in range.places {
            try opened().checkStop()
            sums.update(repeating: 0)
            var bias = 0.0
            var isTouched = false
            for slot in range.slots where pairs.passesGradient(slot) && host.isCandidate(slot, place) {
                let term = pairs.term(slot, place, host.product(slot, place))
                let row = host.hidden[host.token(slot)]
                for k in sums.indices { sums[k] += term * Double(row[k]) }
                bias += term
                isTouched = true
            }
            // An excluded item has no row in a row-sparse gradient.
            guard isTouched else { continue }
            let row = outputs.row(of: host.item(place))
            if let target = outputs.catalog?[row] {
                for k in sums.indices { target[k] += Float(host.scale * sums[k]) }
            }
            outputs.bias?[row] += Float(bias)
        }
    }

    func targetGradient(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState, coefficients: Vector<Float>,
        into targets: GradientTargets
    ) throws(ShortlistError) {
        try open(.targetGradient)
        let (hidden, catalog) = (try rows(tokens.hidden), try rows(items.matrix))
        let (ids, losses, coefficients) = (
            try elements(tokens.targets), try elements(state.losses), try elements(coefficients)
        )
        let outputs = try resolve(targets)
        for token in coefficients.indices where coefficients[token] != 0 {
            let (x, y) = (hidden[token], catalog[Int(ids[token])])
            // p_t − 1 = e^−ℓ − 1, without cancellation when ℓ is tiny.
            let term = Double(coefficients[token]) * expm1(-Double(losses[token]))
            outputs.scale?[0] += term * dot(x, y, catalog.width)
            if let target = outputs.hidden?[hidden.place(token)] {
                for k in 0..<catalog.width { target[k] += Float(Double(scale) * term * Double(y[k])) }
            }
            guard outputs.catalog != nil || outputs.bias != nil else { continue }
            let row = outputs.row(of: Int(ids[token]))
            if let target = outputs.catalog?[row] {
                for k in 0..<catalog.width { target[k] += Float(Double(scale) * term * Double(x[k])) }
            }
            outputs.bias?[row] += Float(term)
        }
    }

    private func resolve(_ targets: GradientTargets) throws(ShortlistError) -> PlainOutputs {
        var map: PlainItemMap?
        if let rows = targets.rows { map = try resolve(rows) }
        return PlainOutputs(
            hidden: try optionalRows(targets.hidden), catalog: try optionalRows(targets.catalog),
            bias: try optionalElements(targets.bias),
            map: map, scale: try optionalElements(targets.scale))
    }
}

/// Where gradients go, resolved to memory.
private struct PlainOutputs {
    let hidden: PlainRows?
    let catalog: PlainRows?
    let bias: UnsafeMutableBufferPointer<Float>?
    let map: PlainItemMap?
    let scale: UnsafeMutableBufferPointer<Double>?

    /// Row of dY (and place of db) of an item that was touched.
    func row(of item: Int) -> Int { map?.row(of: item) ?? item }
}

/// The derivative of the objective by the logit of a candidate pair.
private struct PlainPairs {
    let host: PlainBlocks
    let logSumExp: UnsafeMutableBufferPointer<Float>
    let coefficients: UnsafeMutableBufferPointer<Float>
    /// For `max`: the slot through which each token's gradient flows.
    let winners: UnsafeMutableBufferPointer<Int32>?

    func passesGradient(_ slot: Int) -> Bool {
        let token = host.token(slot)
        return coefficients[token] != 0 && (winners.map { Int($0[token]) == slot } ?? true)
    }

    /// g·p with p = e^(z − log-sum-exp).
    func term(_ slot: Int, _ place: Int, _ product: Double) -> Double {
        let token = host.token(slot)
        return Double(coefficients[token]) * exp(host.logit(product, place) - Double(logSumExp[token]))
    }
}
