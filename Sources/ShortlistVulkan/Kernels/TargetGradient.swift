import ShortlistCore

/// The target's part of the gradients: targetTerms.comp, targetHidden.comp, targetItems.comp. They add.
extension VulkanStream {
    func targetGradient(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState, coefficients: Vector<Float>,
        into targets: GradientTargets
    ) throws(ShortlistError) {
        try open(.targetGradient)
        let (count, columns) = (coefficients.count, items.matrix.columns)
        let work = 4 * Double(count) * Double(columns)
        try withScratchVectors { () throws(ShortlistError) in
            let terms = try reserve(Float.self, count: count)
            let parts = try reserve(Double.self, count: count)
            try run("targetTerms", groups: divided(count, 256), work: 200 * Double(count)) {
                (a) throws(ShortlistError) in
                a.address(try reads(state.losses))
                a.address(try reads(coefficients))
                a.address(try writes(terms, discards: true))
                try a.word(count)
            }
            if targets.hidden != nil || targets.scale != nil {
                try run("targetHidden", groups: count, work: work) { (a) throws(ShortlistError) in
                    try describe(tokens, items, scale: scale, terms, targets.hidden, &a)
                    a.address(targets.scale == nil ? 0 : try writes(parts, discards: true))
                }
                if let scale = targets.scale { try sum(parts, rows: count, width: 1, into: scale, adding: true) }
            }
            guard targets.catalog != nil || targets.bias != nil else { return }
            let order = try reserve(Int32.self, count: count)
            let room = try SortRoom(count, on: self)
            try sort(tokens.targets, keyBound: items.count, into: order, in: room)
            let written = (targets.catalog == nil ? 0 : columns) + (targets.bias == nil ? 0 : 1)
            let shares = try reserve(Float.self, count: SegmentPlan.shares(count, columns: written))
            for isSecond in [false, true] {
                try run("targetItems", groups: divided(count, 4 * SegmentPlan.places), work: work) {
                    (a) throws(ShortlistError) in
                    try describe(tokens, items, scale: scale, terms, targets.catalog, &a)
                    a.address(try writes(targets.bias))
                    a.address(try reads(targets.rows?.bits))
                    a.address(try reads(targets.rows?.before))
                    a.address(try reads(order))
                    a.address(try writes(shares))
                    try a.word(count)
                    try a.word(written)
                    a.flag(isSecond)
                }
            }
        }
    }

    /// TARGET_MEMBERS of common/target.glsl.
    private func describe(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, _ terms: Vector<Float>, _ output: DeviceMatrix?,
        _ a: inout Arguments
    ) throws(ShortlistError) {
        a.address(try reads(tokens.hidden.matrix))
        a.address(try reads(tokens.hidden.rows))
        a.address(try reads(tokens.targets))
        a.address(try reads(items.matrix))
        a.address(try reads(terms))
        a.address(try writes(output))
        for value in [
            tokens.hidden.matrix.rowStride, items.matrix.rowStride, output?.rowStride ?? 0, items.matrix.columns,
        ] { try a.word(value) }
        a.float(scale)
    }
}

enum TargetPlan {
    /// A term and a part of each token, what sorting them takes, and shares of runs.
    static func bytes(_ tokens: Int, width: Int) -> Int {
        2 * padded(tokens * 4) + padded(tokens * 8) + SortPlan.bytes(tokens)
            + padded(4 * SegmentPlan.shares(tokens, columns: width + 1))
    }
}
