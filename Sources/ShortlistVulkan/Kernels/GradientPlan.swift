import ShortlistCore

/// How the gradients of blocks are cut, and the scratch that takes: the same numbers when a call is planned and when it
/// runs.
///
/// A row of dX or dY has one writer at a time. Where blocks of one dispatch share rows (items of listed blocks; tokens of
/// listed blocks under `union`), and where one block is cut into runs to keep a device busy, each block or run stores its
/// rows in a slab, and a second dispatch adds them up in a fixed order: n_b·b_y·d f32 for SCE's dY, or as many blocks at
/// a time as there is room for, one at least.
struct GradientPlan {
    let tile: Tile
    /// Runs of what passes by, in one dispatch.
    let hiddenRuns: Int
    let catalogRuns: Int
    /// Rows of a slab; 0 where rows go to their targets at once.
    let hiddenRows: Int
    let catalogRows: Int
    /// Σ g·p·⟨x, y⟩ of each tile of slots and run.
    let partCount: Int
    let scratch: ScratchNeed

    /// Bytes of a slab that are enough: a GPU is busy, and more would not be faster.
    private static let enough = 256 << 20
    private static let enoughForRuns = 64 << 20

    init(_ shape: BlockShape, _ gradients: BlockGradientShape, limit: Int, _ sweep: Sweep) {
        let isListed = !shape.isDense && shape.rounds == 0
        let blocks = shape.blockCount * (shape.isDense ? 16 : 1)
        // Winners alone pass a gradient: theirs are listed, and a block has as many as it has tokens of its own.
        let keepsWinners = isListed && !shape.onceOnly
        let rows =
            keepsWinners ? min(shape.maxTokens, max(1, shape.tokenCount / max(1, shape.blockCount))) : shape.maxTokens
        tile = sweep.tile(rows: rows, columns: shape.maxItems, count: blocks, sweepsColumns: true)
        let sharesTokens = isListed && !gradients.tokensAreExclusive && gradients.hidden
        let sharesItems = isListed && (gradients.catalog || gradients.bias)
        let sortCount = max(sharesTokens ? shape.slotCount : 0, sharesItems ? shape.placeCount : 0)

        let tokenTiles = divided(shape.maxTokens, tile.size)
        let itemTiles = divided(shape.maxItems, tile.size)
        func runs(_ tiles: Int, over others: Int, rowBytes: Int, rows: Int, room: Int) -> Int {
            guard shape.isDense, tiles > 0 else { return 1 }
            // Eight tiles a run at least.
            let wanted = min(16, others / 8, 512 / tiles)
            let (bytes, overflow) = rowBytes.multipliedReportingOverflow(by: rows)
            guard wanted > 1, !overflow, bytes > 0 else { return 1 }
            let runs = min(wanted, min(room, GradientPlan.enoughForRuns) / padded(bytes + 64))
            return runs > 1 ? runs : 1
        }
        let sorted =
            sortCount > 0
            ? padded(sortCount * 4) + SortPlan.bytes(sortCount)
                + padded(4 * SegmentPlan.shares(sortCount, columns: shape.width + 1)) : 0
        let keptBytes = keepsWinners ? padded(shape.slotCount * 4) + padded(shape.blockCount * 4) : 0
        // A part a tile of slots without runs, and no more than 16 times as many with them.
        let parts = gradients.scale ? shape.blockCount * tokenTiles : 0
        let fixed = sorted + keptBytes + padded(parts * 8)
        let runRoom = limit - min(limit, fixed + padded(parts * 15 * 8))
        catalogRuns =
            gradients.catalog || gradients.bias
            ? runs(itemTiles, over: tokenTiles, rowBytes: (shape.width + 1) * 4, rows: shape.maxItems, room: runRoom)
            : 1
        let biasOfRuns = gradients.bias && catalogRuns > 1 ? padded(catalogRuns * shape.maxItems * 4) : 0
        hiddenRuns =
            gradients.hidden || gradients.scale
            ? runs(
                tokenTiles, over: itemTiles, rowBytes: shape.width * 4, rows: shape.maxTokens,
                room: runRoom - min(runRoom, biasOfRuns)) : 1
        partCount = parts * hiddenRuns

        // Rows of dX and dY share a slab, one after the other; biases have one of their own.
        let rowBytes = shape.width * 4
        let sharesRows = sharesItems && gradients.catalog
        let sharesBias = sharesItems && gradients.bias
        let leastRows = max(sharesTokens ? shape.maxTokens : 0, sharesRows ? shape.maxItems : 0) * rowBytes
        let leastBias = sharesBias ? shape.maxItems * 4 : 0
        let room = min(limit - min(limit, fixed + 4 * Memory.alignment), GradientPlan.enough)
        func most(_ room: Int, _ bytes: Int) -> Int { max(room, 0) / max(bytes, 1) }
        if sharesItems {
            let byRows = sharesRows ? most(room, rowBytes + (gradients.bias ? 4 : 0)) : Int.max
            let byBias = sharesBias ? most(room - leastRows, 4) : Int.max
            catalogRows = max(shape.maxItems, min(shape.placeCount, byRows, byBias))
        } else {
            catalogRows = catalogRuns > 1 ? shape.maxItems * catalogRuns : 0
        }
        let biasBytes = gradients.bias ? catalogRows * 4 : 0
        if sharesTokens {
            hiddenRows = max(shape.maxTokens, min(shape.slotCount, most(room - biasBytes, rowBytes)))
        } else {
            hiddenRows = hiddenRuns > 1 && gradients.hidden ? shape.maxTokens * hiddenRuns : 0
        }
        let slabBytes = max(hiddenRows, gradients.catalog ? catalogRows : 0) * rowBytes
        scratch = ScratchNeed(
            least: fixed + padded(leastRows) + padded(leastBias),
            planned: sorted + keptBytes + padded(partCount * 8) + padded(slabBytes) + padded(biasBytes))
    }
}
