import ShortlistCore

/// The best direction of each row, and ranks of targets: hash.comp, rankItems.comp.
extension VulkanStream {
    func hash(
        _ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>
    ) throws(ShortlistError) {
        if isComposed(.hash) { return try composedHash(rows, directions: directions, into: keys) }
        try open(.hash)
        // A sweep cannot be cut here; millions of directions are no hash.
        let longest = Sweep(iterations: max(sweep.iterations, 50_000), forced: nil)
        let tile = sweep.tile(rows: rows.count, columns: directions.rows, sweepsColumns: true)
        guard divided(directions.rows, tile.size) <= longest.tiles(width: rows.width, extra: 4) else {
            throw ShortlistError(
                .unsupported, "the Vulkan backend hashes with fewer than \(directions.rows) directions at this width")
        }
        let flops = 2 * Double(rows.count) * Double(directions.rows) * Double(rows.width)
        try run("hash", tile, groups: divided(rows.count, tile.size), work: flops) { (a) throws(ShortlistError) in
            a.address(try reads(rows.matrix))
            a.address(try reads(rows.rows))
            a.address(try reads(directions))
            a.address(try writes(keys, discards: true))
            for value in [rows.matrix.rowStride, directions.rowStride, rows.count, directions.rows, rows.width] {
                try a.word(value)
            }
        }
    }

    func targetRanks(
        _ queries: RowSource, _ items: ItemSet, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        if isComposed(.targetRanks) {
            return try composedTargetRanks(
                queries, items, targets: targets, targetScores: targetScores, exclusions: exclusions, counts: counts)
        }
        try open(.targetRanks)
        try clear(counts)
        let tile = sweep.tile(rows: queries.count, columns: items.count)
        let tiles = divided(items.count, tile.size)
        let groups = divided(queries.count, tile.size)
        // Binary searches of what is left out, at worst for each product.
        let isSearched = exclusions.forAll != nil || exclusions.offsets != nil
        let searches = tile.products * (isSearched ? 48 : 2)
        let least = divided(tiles, sweep.tiles(width: queries.width, extra: 24 + searches))
        let runs = max(1, least, min(divided(tiles, 16), 1024 / max(groups, 1)))
        let flops = 2 * Double(queries.count) * Double(items.count) * Double(queries.width + 10)
        try run("rankItems", tile, groups: groups * runs, work: flops) { (a) throws(ShortlistError) in
            a.address(try reads(queries.matrix))
            a.address(try reads(queries.rows))
            a.address(try reads(items.matrix))
            a.address(try reads(targets))
            a.address(try reads(targetScores))
            a.address(try writes(counts))
            a.address(try reads(exclusions.forAll))
            a.address(try reads(exclusions.offsets))
            a.address(try reads(exclusions.ids))
            a.address(try reads(exclusions.bias))
            for value in [
                queries.matrix.rowStride, items.matrix.rowStride, queries.count, items.count, queries.width, runs,
                exclusions.forAll?.count ?? 0,
            ] { try a.word(value) }
        }
    }
}
