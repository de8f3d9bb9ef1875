import ShortlistCore

/// Products of rows: logits.comp, addProduct.comp, gram.comp.
extension VulkanStream {
    func logits(
        _ queries: RowSource, _ items: RowSource, range: Range<Int>, into scores: DeviceMatrix
    ) throws(ShortlistError) {
        try open(.logits)
        let tile = sweep.tile(rows: queries.count, columns: range.count)
        let groups = divided(queries.count, tile.size) * divided(range.count, tile.size)
        let flops = 2 * Double(queries.count) * Double(range.count) * Double(queries.width)
        try run("logits", tile, groups: groups, work: flops) { (a) throws(ShortlistError) in
            a.address(try reads(queries.matrix))
            a.address(try reads(queries.rows))
            a.address(try reads(items.matrix))
            a.address(try reads(items.rows))
            a.address(try writes(scores))
            for value in [
                queries.matrix.rowStride, items.matrix.rowStride, scores.rowStride, queries.count, range.lowerBound,
                range.count, queries.width,
            ] { try a.word(value) }
        }
    }

    func addProduct(
        transposed left: DeviceMatrix, _ rows: RowSource, into result: DeviceMatrix
    ) throws(ShortlistError) {
        try open(.addProduct)
        let groups = divided(left.columns, 64) * divided(rows.width, 64)
        for range in Sweep.runs(rows.count, most: sweep.iterations / 2) {
            let flops = 2 * Double(left.columns) * Double(rows.width) * Double(range.count)
            try run("addProduct", groups: groups, work: flops) { (a) throws(ShortlistError) in
                a.address(try reads(left.rowRange(range)))
                a.address(try reads(rows.rows == nil ? rows.matrix.rowRange(range) : rows.matrix))
                a.address(try reads(rows.rows?.slice(range)))
                a.address(try writes(result))
                for value in [
                    left.rowStride, rows.matrix.rowStride, result.rowStride, range.count, left.columns, rows.width,
                ] { try a.word(value) }
            }
        }
    }

    func gram(_ rows: RowSource, into result: Vector<Double>) throws(ShortlistError) {
        try open(.gram)
        let width = rows.width
        let runs = GramPlan.runs(rows: rows.count, width: width, limit: try opened().scratchLimit)
        try withScratchVectors { () throws(ShortlistError) in
            let parts = runs == 1 ? result : try reserve(Double.self, count: runs * width * width)
            let tiles = divided(width, 16) * divided(width, 16)
            try fill(parts, with: 0)
            for range in Sweep.runs(rows.count, most: runs * sweep.iterations / 2) {
                let flops = 2 * Double(width) * Double(width) * Double(range.count)
                try run("gram", groups: tiles * runs, work: flops) { (a) throws(ShortlistError) in
                    a.address(try reads(rows.matrix))
                    a.address(try reads(rows.rows))
                    a.address(try writes(parts))
                    for value in [rows.matrix.rowStride, range.lowerBound, range.count, width, runs] {
                        try a.word(value)
                    }
                }
            }
            guard runs > 1 else { return }
            try run("gramJoin", groups: divided(width * width, 256)) { (a) throws(ShortlistError) in
                a.address(try reads(parts))
                a.address(try writes(result, discards: true))
                try a.word(width * width)
                try a.word(runs)
            }
        }
    }
}

/// Into how many runs the rows of a Gram matrix are cut, so that there is work for many workgroups.
enum GramPlan {
    static func runs(rows: Int, width: Int, limit: Int) -> Int {
        let wanted = min(64, max(1, rows / 512))
        let bytes = width * width * 8
        let (room, overflow) = bytes.multipliedReportingOverflow(by: wanted)
        if !overflow, padded(room) <= limit, wanted > 1 { return wanted }
        return 1
    }

    static func scratch(rows: Int, width: Int, limit: Int) -> ScratchNeed {
        let runs = runs(rows: rows, width: width, limit: limit)
        return ScratchNeed(least: 0, planned: runs == 1 ? 0 : padded(runs * width * width * 8))
    }
}
