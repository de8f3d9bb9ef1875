import CShortlistKernels
import Glibc
import ShortlistCore

/// One worker's view of one run of a block's tokens: gathers rows, makes logits tiles, hides what must not be seen.
struct BlockScorer {
    let blocks: HostBlocks
    let scale: Float
    let size: ScorerSize

    private var tile: Tile
    var logits: UnsafeMutablePointer<Float> { tile.logits }
    let hidden: UnsafeMutablePointer<Float>
    let ordinals: UnsafeMutablePointer<Int32>
    let slots: UnsafeMutablePointer<Int32>
    private let targetPlaces: UnsafeMutablePointer<Int>
    private let heads: UnsafeMutablePointer<Int32>
    private let entries: UnsafeMutablePointer<Int32>
    /// By earlier round: places of the tile's items in it; the first place that a loaded token saw, and how many.
    private let metPlaces: UnsafeMutablePointer<Int32>
    private let metFirst: UnsafeMutablePointer<Int32>
    private let metCount: UnsafeMutablePointer<Int32>
    /// In their place where they are known: chunks of the tile's items, by round, and the first that a loaded token saw,
    /// by token.
    private let earlierChunks: EarlierChunks?
    private let metChunks: UnsafeMutablePointer<UInt16>
    private let metFirstChunk: UnsafeMutablePointer<UInt16>

    private var block = 0
    private var round = 0
    /// What the places of tiles are counted from: the block's first, or that of all rounds.
    private var origin = 0
    /// Rows of the segment that was loaded.
    var count = 0
    var width: Int { blocks.catalog.columns }

    private struct Tile {
        let logits: UnsafeMutablePointer<Float>
        let packed: UnsafeMutablePointer<Float>
        let rows: UnsafeMutablePointer<Float>
        let bias: UnsafeMutablePointer<Float>

        init(_ size: ScorerSize, width: Int, _ cutter: inout ScratchCutter) {
            logits = cutter.take(Float.self, size.tokens * size.stride)
            packed = cutter.take(Float.self, PackedItems.floats(size.items, width: width))
            rows = cutter.take(Float.self, size.items * width + ScorerSize.slack)
            bias = cutter.take(Float.self, size.stride)
        }
    }

    /// Cuts a scorer out of a worker's scratch. The lists of the once-only rule are empty between tiles; `prepare`
    /// makes them so at a kernel's start.
    init(
        _ blocks: HostBlocks, scale: Float, size: ScorerSize, earlierChunks: EarlierChunks? = nil,
        _ cutter: inout ScratchCutter
    ) {
        let shape = blocks.shape
        self.blocks = blocks
        self.scale = scale
        self.size = size
        tile = Tile(size, width: shape.width, &cutter)
        hidden = cutter.take(Float.self, size.segment * shape.width + ScorerSize.slack)
        ordinals = cutter.take(Int32.self, size.segment)
        slots = cutter.take(Int32.self, size.segment)
        targetPlaces = cutter.take(Int.self, size.segment)
        let lists = shape.onceOnly && shape.rounds == 0
        heads = cutter.take(Int32.self, lists ? shape.blockCount : 0)
        entries = cutter.take(Int32.self, 2 * size.onceEntries(shape))
        let earlier = shape.onceOnly ? max(0, shape.rounds - 1) : 0
        metPlaces = cutter.take(Int32.self, earlier * size.stride)
        metFirst = cutter.take(Int32.self, 2 * earlier * size.segment)
        metCount = metFirst + earlier * size.segment
        self.earlierChunks = earlierChunks
        metChunks = UnsafeMutableRawPointer(metPlaces).assumingMemoryBound(to: UInt16.self)
        metFirstChunk = UnsafeMutableRawPointer(metFirst).assumingMemoryBound(to: UInt16.self)
    }

    /// The same loaded rows with a tile of another worker's own.
    func sharing(_ cutter: inout ScratchCutter) -> BlockScorer {
        var other = self
        other.tile = Tile(size, width: width, &cutter)
        return other
    }

    static func prepare(_ blocks: HostBlocks, size: ScorerSize, _ area: ScratchArea) {
        guard blocks.shape.onceOnly, blocks.shape.rounds == 0 else { return }
        for worker in 0..<area.workers {
            var cutter = area.worker(worker)
            let scorer = BlockScorer(blocks, scale: 1, size: size, &cutter)
            scorer.heads.update(repeating: -1, count: blocks.shape.blockCount)
        }
    }

    /// Gathers the tokens `segment` (places within the block) that `isWanted(slot, ordinal)`. Tiles are then ranges of
    /// places within the block.
    mutating func load(block: Int, segment: Range<Int>, _ isWanted: (Int, Int) -> Bool) {
        let start = blocks.ranges[block].tokenStart
        self.block = block
        if blocks.shape.rounds > 0 { round = block / (blocks.shape.blockCount / blocks.shape.rounds) }
        origin = blocks.ranges[block].itemStart
        load(start + segment.lowerBound..<start + segment.upperBound, isWanted) { [blocks] token in
            blocks.place(of: blocks.targets[token], in: block)
        }
    }

    /// Gathers the tokens of a round's slots, of one or more blocks. Tiles are then ranges of places in the list of all
    /// rounds' items, of a chunk that each of the tokens sees.
    mutating func load(round: Int, slots: Range<Int>, _ isWanted: (Int, Int) -> Bool) {
        self.round = round
        origin = 0
        load(slots, isWanted) { [blocks] token in
            let place = Int(blocks.places?[round * blocks.catalog.rows + Int(blocks.targets[token])] ?? -1)
            return place < 0 ? -1 : round * blocks.selectableCount + place
        }
    }

    private mutating func load(_ wanted: Range<Int>, _ isWanted: (Int, Int) -> Bool, targetPlace: (Int) -> Int) {
        count = 0
        for slot in wanted {
            let token = blocks.token(slot)
            guard isWanted(slot, token) else { continue }
            slots[count] = Int32(truncatingIfNeeded: slot)
            ordinals[count] = Int32(token)
            memcpy(hidden + count * width, blocks.hidden.row(token), width * MemoryLayout<Float>.stride)
            targetPlaces[count] = targetPlace(token)
            count += 1
        }
        loadEarlierRounds()
    }

    /// The items `tile` as the logits' product reads them. Comes before `score`.
    func packed(_ tile: Range<Int>) -> PackedItems {
        loadEarlierPlaces(tile)
        let first = origin + tile.lowerBound
        return PackedItems(blocks.catalog, blocks.items, first, tile.count, into: self.tile.packed)
    }

    /// The same, and as rows for the gradients' products.
    func packedAndRows(_ tile: Range<Int>) -> (packed: PackedItems, rows: RowTile) {
        loadEarlierPlaces(tile)
        let rows = rows(tile, origin + tile.lowerBound)
        return (PackedItems(rows, tile.count, width: width, into: self.tile.packed), rows)
    }

    /// As rows alone: a dense block's, whose logits are there already.
    func denseRows(_ tile: Range<Int>) -> RowTile { rows(tile, tile.lowerBound) }

    /// The tile that follows `tile` in `part`, or the first of the places `next` of the list of items: its rows, to be
    /// fetched while products run.
    func ahead(of tile: Range<Int>, in part: Range<Int>, next: Range<Int>) -> sl_ahead {
        guard let items = blocks.items else { return sl_ahead() }
        let rest = tile.upperBound < part.upperBound ? origin + tile.upperBound..<origin + part.upperBound : next
        var ahead = blocks.catalog.ahead(items + rest.lowerBound, min(rest.count, size.items))
        if let earlierChunks, round > 0 {
            ahead.beside = UnsafePointer(earlierChunks.items)
            ahead.beside_stride = earlierChunks.stride
        }
        return ahead
    }

    private func rows(_ tile: Range<Int>, _ first: Int) -> RowTile {
        let catalog = blocks.catalog
        if let ids = blocks.items {
            gatherRows(catalog, ids + first, tile.count, into: self.tile.rows)
        } else {
            // In place, but where a product would read past the matrix's end.
            let last = first + tile.count
            guard width % 16 != 0, (catalog.rows - last) * catalog.stride < ScorerSize.slack else {
                return RowTile(base: catalog.row(first), stride: catalog.stride)
            }
            for row in 0..<tile.count {
                memcpy(self.tile.rows + row * width, catalog.row(first + row), width * MemoryLayout<Float>.stride)
            }
        }
        return RowTile(base: self.tile.rows, stride: width)
    }

    /// A copy of a dense tile whose excluded rows are zero, so that what they hold (a NaN in a padding row) cannot
    /// reach a product; nil when the tile has none.
    func withoutExcluded(_ tile: Range<Int>) -> (packed: PackedItems, rows: RowTile)? {
        guard case .dense = blocks.arrangement, let excluded = blocks.excluded else { return nil }
        var next = lowerBound(excluded, blocks.excludedCount, Int32(tile.lowerBound))
        guard next < blocks.excludedCount, Int(excluded[next]) < tile.upperBound else { return nil }
        for row in 0..<tile.count {
            let target = self.tile.rows + row * width
            if next < blocks.excludedCount, Int(excluded[next]) == tile.lowerBound + row {
                target.update(repeating: 0, count: width)
                next += 1
            } else {
                memcpy(target, blocks.catalog.row(tile.lowerBound + row), width * MemoryLayout<Float>.stride)
            }
        }
        let rows = RowTile(base: self.tile.rows, stride: width)
        return (PackedItems(rows, tile.count, width: width, into: self.tile.packed), rows)
    }

    /// Bias and log-weights of the items `tile`, excluded ones hidden; nil when there is nothing to add.
    func bias(_ tile: Range<Int>) -> UnsafePointer<Float>? {
        let first = origin + tile.lowerBound
        let dense = if case .dense = blocks.arrangement { true } else { false }
        let excluded = dense ? blocks.excluded : nil
        guard blocks.bias != nil || blocks.logWeights != nil || excluded != nil else { return nil }
        for column in 0..<tile.count {
            var value = blocks.bias.map { $0[blocks.item(first + column)] } ?? 0
            if let weights = blocks.logWeights { value += weights[first + column] }
            self.tile.bias[column] = value
        }
        if let excluded {
            var next = lowerBound(excluded, blocks.excludedCount, Int32(first))
            while next < blocks.excludedCount, Int(excluded[next]) < first + tile.count {
                self.tile.bias[Int(excluded[next]) - first] = -.greatestFiniteMagnitude
                next += 1
            }
        }
        return UnsafePointer(self.tile.bias)
    }

    /// s·X Y^T of the loaded rows `rows` and the items `tile`, with own targets and pairs of earlier blocks hidden.
    /// Row stride is `size.stride`. The product fetches `ahead`.
    func score(
        _ rows: Range<Int>, _ tile: Range<Int>, _ items: PackedItems, ahead: UnsafeMutablePointer<sl_ahead>? = nil
    ) {
        multiply(rows, tile, items, into: logits, stride: size.stride, ahead: ahead)
        guard blocks.shape.onceOnly else { return }
        switch blocks.arrangement {
        case .dense: break
        case .lists: hideEarlierLists(rows, tile)
        case .rounds: hideEarlierRounds(rows, tile)
        }
    }

    /// s·X Y^T of the loaded rows `rows` and the items `tile` with own targets hidden.
    func multiply(
        _ rows: Range<Int>, _ tile: Range<Int>, _ items: PackedItems, into logits: UnsafeMutablePointer<Float>,
        stride: Int, ahead: UnsafeMutablePointer<sl_ahead>? = nil
    ) {
        sl_multiply_strips(
            rows.count, tile.count, width, scale, hidden + rows.lowerBound * width, width, items.strips, logits, stride,
            ahead)
        for row in rows {
            let place = targetPlaces[row]
            if tile.contains(place) {
                logits[(row - rows.lowerBound) * stride + place - tile.lowerBound] = -.greatestFiniteMagnitude
            }
        }
    }

    // MARK: The once-only rule

    /// Hides pairs that an earlier block holds: the earlier blocks of each token of the tile, as lists by block, met
    /// with the earlier blocks of each item.
    private func hideEarlierLists(_ rows: Range<Int>, _ tile: Range<Int>) {
        guard block > 0, let previousSlot = blocks.previousSlot, let previousPlace = blocks.previousPlace,
            let blockOfSlot = blocks.blockOfSlot, let blockOfPlace = blocks.blockOfPlace
        else { return }
        var used = 0
        for row in rows {
            var slot = previousSlot[Int(slots[row])]
            while slot >= 0 {
                let earlier = Int(blockOfSlot[Int(slot)])
                entries[2 * used] = Int32(row - rows.lowerBound)
                entries[2 * used + 1] = heads[earlier]
                heads[earlier] = Int32(used)
                used += 1
                slot = previousSlot[Int(slot)]
            }
        }
        guard used > 0 else { return }
        let first = origin + tile.lowerBound
        for column in 0..<tile.count {
            var place = previousPlace[first + column]
            while place >= 0 {
                var entry = heads[Int(blockOfPlace[Int(place)])]
                while entry >= 0 {
                    logits[Int(entries[2 * Int(entry)]) * size.stride + column] = -.greatestFiniteMagnitude
                    entry = entries[2 * Int(entry) + 1]
                }
                place = previousPlace[Int(place)]
            }
        }
        for row in rows {
            var slot = previousSlot[Int(slots[row])]
            while slot >= 0 {
                heads[Int(blockOfSlot[Int(slot)])] = -1
                slot = previousSlot[Int(slot)]
            }
        }
    }

    /// Hides pairs that met in an earlier round: their chunks were at most `neighbours` apart (losses.md, RECE).
    private func hideEarlierRounds(_ rows: Range<Int>, _ tile: Range<Int>) {
        guard round > 0 else { return }
        if let earlierChunks {
            return sl_mask_near(
                logits, size.stride, rows.count, tile.count, round, metChunks, metStride,
                metFirstChunk + rows.lowerBound * round, round, earlierChunks.span)
        }
        sl_mask_met(
            logits, size.stride, rows.count, tile.count, round, metPlaces, size.stride, metFirst + rows.lowerBound,
            metCount + rows.lowerBound, size.segment)
    }

    /// Whole vectors of two-byte numbers, within the room of `metPlaces`.
    private var metStride: Int { (size.stride + 31) / 32 * 32 }

    /// The places that the tile's items had in earlier rounds.
    private func loadEarlierPlaces(_ tile: Range<Int>) {
        guard blocks.shape.onceOnly, round > 0, let places = blocks.places, let items = blocks.items else { return }
        let first = items + origin + tile.lowerBound
        if let earlierChunks {
            for column in 0..<tile.count {
                let chunks = earlierChunks.items + Int(first[column]) * earlierChunks.stride
                for earlier in 0..<round { metChunks[earlier * metStride + column] = chunks[earlier] }
            }
            return
        }
        for earlier in 0..<round {
            let inRound = places + earlier * blocks.catalog.rows
            let mine = metPlaces + earlier * size.stride
            for column in 0..<tile.count { mine[column] = inRound[Int(first[column])] }
        }
    }

    /// The places that the loaded tokens saw in earlier rounds, from the chain of their slots.
    private func loadEarlierRounds() {
        guard blocks.shape.onceOnly, round > 0, let previousSlot = blocks.previousSlot,
            case .rounds(_, let chunks, let neighbours, _) = blocks.arrangement
        else { return }
        if let earlierChunks {
            for row in 0..<count {
                let first = earlierChunks.tokens + Int(ordinals[row]) * earlierChunks.stride
                for earlier in 0..<round { metFirstChunk[row * round + earlier] = first[earlier] }
            }
            return
        }
        let tokens = blocks.shape.tokenCount
        let items = blocks.selectableCount
        for row in 0..<count {
            var slot = previousSlot[Int(slots[row])]
            while slot >= 0 {
                let (earlier, order) = Int(slot).quotientAndRemainder(dividingBy: tokens)
                let chunk = part(of: order, among: tokens, chunks)
                let first = max(0, chunk - neighbours) * items / chunks
                let end = min(chunks, chunk + neighbours + 1) * items / chunks
                metFirst[earlier * size.segment + row] = Int32(first)
                metCount[earlier * size.segment + row] = Int32(end - first)
                slot = previousSlot[Int(slot)]
            }
        }
    }
}
