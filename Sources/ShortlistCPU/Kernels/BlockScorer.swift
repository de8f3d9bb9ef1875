import CShortlistKernels
import Glibc
import ShortlistCore

/// Candidate blocks, tokens and items resolved to memory.
struct HostBlocks {
    let ranges: UnsafePointer<BlockRange>
    let tokens: UnsafePointer<Int32>?
    let items: UnsafePointer<Int32>?
    let logWeights: UnsafePointer<Float>?
    let previousSlot: UnsafePointer<Int32>?
    let previousPlace: UnsafePointer<Int32>?
    let blockOfSlot: UnsafePointer<Int32>?
    let blockOfPlace: UnsafePointer<Int32>?
    let arrangement: CandidateBlocks.Arrangement
    let places: UnsafePointer<Int32>?
    let shape: BlockShape

    let hidden: HostRows
    let targets: UnsafePointer<Int32>
    let catalog: HostMatrix
    let bias: UnsafePointer<Float>?
    let excluded: UnsafePointer<Int32>?
    let excludedCount: Int
    var selectableCount: Int { catalog.rows - excludedCount }

    /// The token (ordinal) of a slot.
    func token(_ slot: Int) -> Int { tokens.map { Int($0[slot]) } ?? slot }
    /// The item at a place.
    func item(_ place: Int) -> Int { items.map { Int($0[place]) } ?? place }

    /// Where `item` stands in block `block`, counted from the block's first place; −1 when it is not in it.
    func place(of item: Int32, in block: Int) -> Int {
        let range = ranges[block]
        let place: Int
        switch arrangement {
        case .dense:
            place = Int(item)
        case .lists:
            guard let items else { return -1 }
            let mine = items + range.itemStart
            let found = lowerBound(mine, range.itemCount, item)
            return found < range.itemCount && mine[found] == item ? found : -1
        case .rounds(_, let chunkCount, _, _):
            guard let places else { return -1 }
            let round = block / chunkCount
            let inRound = Int(places[round * catalog.rows + Int(item)])
            guard inRound >= 0 else { return -1 }
            place = round * selectableCount + inRound
        }
        let found = place - range.itemStart
        return found >= 0 && found < range.itemCount ? found : -1
    }
}

extension CPUStream {
    func resolve(
        _ blocks: CandidateBlocks, _ tokens: TokenSet, _ items: ItemSet
    ) throws(ShortlistError) -> HostBlocks {
        var places: UnsafePointer<Int32>?
        if case .rounds(_, _, _, let vector) = blocks.arrangement { places = UnsafePointer(try pointer(vector)) }
        return HostBlocks(
            ranges: try pointer(blocks.ranges), tokens: try optionalPointer(blocks.tokens),
            items: try optionalPointer(blocks.items), logWeights: try optionalPointer(blocks.logWeights),
            previousSlot: try optionalPointer(blocks.previousSlot),
            previousPlace: try optionalPointer(blocks.previousPlace),
            blockOfSlot: try optionalPointer(blocks.blockOfSlot),
            blockOfPlace: try optionalPointer(blocks.blockOfPlace), arrangement: blocks.arrangement, places: places,
            shape: blocks.shape, hidden: try source(tokens.hidden), targets: try pointer(tokens.targets),
            catalog: try matrix(items.matrix), bias: try optionalPointer(items.bias),
            excluded: try optionalPointer(items.excluded), excludedCount: items.excluded?.count ?? 0)
    }
}

/// Sizes of a scorer's tiles: `segment` token rows gathered at once, products of `tokens` × `items`.
struct ScorerSize {
    var segment: Int
    var tokens: Int
    var items: Int

    func clipped(to shape: BlockShape) -> ScorerSize {
        let segment = min(segment, max(1, shape.maxTokens))
        return ScorerSize(segment: segment, tokens: min(tokens, segment), items: min(items, max(1, shape.maxItems)))
    }

    /// Entries of the lists that the once-only rule builds for one token tile.
    func onceEntries(_ shape: BlockShape) -> Int {
        shape.onceOnly && shape.rounds == 0
            ? min(tokens * max(0, shape.blockCount - 1), shape.slotCount) : 0
    }

    func add(to size: inout ScratchSize, _ shape: BlockShape) {
        size.add(Float.self, tokens * items)
        size.add(Float.self, segment * shape.width)
        size.add(Float.self, items * shape.width)
        size.add(Float.self, items)
        for _ in 0..<3 { size.add(Int32.self, segment) }
        let lists = shape.onceOnly && shape.rounds == 0
        size.add(Int32.self, lists ? shape.blockCount : 0)
        size.add(Int32.self, 2 * onceEntries(shape))
        let earlier = shape.onceOnly ? max(0, shape.rounds - 1) : 0
        size.add(Int32.self, earlier * items)
        size.add(Int32.self, earlier * segment)
    }
}

/// One worker's view of one run of a block's tokens: gathers rows, makes logits tiles, hides what must not be seen.
struct BlockScorer {
    let blocks: HostBlocks
    let scale: Float
    let size: ScorerSize

    private(set) var logits: UnsafeMutablePointer<Float>
    let hidden: UnsafeMutablePointer<Float>
    private var gathered: UnsafeMutablePointer<Float>
    private var biasTile: UnsafeMutablePointer<Float>
    let ordinals: UnsafeMutablePointer<Int32>
    let slots: UnsafeMutablePointer<Int32>
    private let targetPlaces: UnsafeMutablePointer<Int32>
    private let heads: UnsafeMutablePointer<Int32>
    private let entries: UnsafeMutablePointer<Int32>
    private let itemChunks: UnsafeMutablePointer<Int32>
    private let tokenChunks: UnsafeMutablePointer<Int32>

    /// Over the items of consecutive blocks, where the kernel walks through them; it has moved to `block` then.
    var window: ChunkWindow?
    var block = 0
    /// Rows of the segment that was loaded.
    var count = 0
    var width: Int { blocks.catalog.columns }

    /// Cuts a scorer out of a worker's scratch. The lists of the once-only rule are empty between tiles; `prepare`
    /// makes them so at a kernel's start.
    init(_ blocks: HostBlocks, scale: Float, size: ScorerSize, _ cutter: inout ScratchCutter) {
        let shape = blocks.shape
        self.blocks = blocks
        self.scale = scale
        self.size = size
        logits = cutter.take(Float.self, size.tokens * size.items)
        hidden = cutter.take(Float.self, size.segment * shape.width)
        gathered = cutter.take(Float.self, size.items * shape.width)
        biasTile = cutter.take(Float.self, size.items)
        ordinals = cutter.take(Int32.self, size.segment)
        slots = cutter.take(Int32.self, size.segment)
        targetPlaces = cutter.take(Int32.self, size.segment)
        let lists = shape.onceOnly && shape.rounds == 0
        heads = cutter.take(Int32.self, lists ? shape.blockCount : 0)
        entries = cutter.take(Int32.self, 2 * size.onceEntries(shape))
        let earlier = shape.onceOnly ? max(0, shape.rounds - 1) : 0
        itemChunks = cutter.take(Int32.self, earlier * size.items)
        tokenChunks = cutter.take(Int32.self, earlier * size.segment)
    }

    /// The same loaded rows with a logits tile, gathered items and biases of another worker's own.
    func sharing(_ cutter: inout ScratchCutter) -> BlockScorer {
        BlockScorer(
            self, logits: cutter.take(Float.self, size.tokens * size.items),
            gathered: cutter.take(Float.self, size.items * width), biasTile: cutter.take(Float.self, size.items))
    }

    private init(
        _ loaded: BlockScorer, logits: UnsafeMutablePointer<Float>, gathered: UnsafeMutablePointer<Float>,
        biasTile: UnsafeMutablePointer<Float>
    ) {
        self = loaded
        self.logits = logits
        self.gathered = gathered
        self.biasTile = biasTile
    }

    static func prepare(_ blocks: HostBlocks, size: ScorerSize, _ area: ScratchArea) {
        guard blocks.shape.onceOnly, blocks.shape.rounds == 0 else { return }
        for worker in 0..<area.workers {
            var cutter = area.worker(worker)
            let scorer = BlockScorer(blocks, scale: 1, size: size, &cutter)
            scorer.heads.update(repeating: -1, count: blocks.shape.blockCount)
        }
    }

    /// Gathers the tokens `segment` (places within the block) that `isWanted(slot, ordinal)`.
    mutating func load(block: Int, segment: Range<Int>, _ isWanted: (Int, Int) -> Bool) {
        self.block = block
        count = 0
        let start = blocks.ranges[block].tokenStart
        for place in segment {
            let slot = start + place
            let token = blocks.token(slot)
            guard isWanted(slot, token) else { continue }
            slots[count] = Int32(truncatingIfNeeded: slot)
            ordinals[count] = Int32(token)
            memcpy(hidden + count * width, blocks.hidden.row(token), width * MemoryLayout<Float>.stride)
            targetPlaces[count] = Int32(blocks.place(of: blocks.targets[token], in: block))
            count += 1
        }
        loadTokenChunks()
    }

    /// The next tile of the block's items: up to `size.items` of them that stand together.
    func tile(from start: Int, to end: Int) -> Range<Int> {
        let most = min(end, start + size.items)
        guard let window else { return start..<most }
        return start..<min(most, start + window.run(from: blocks.ranges[block].itemStart + start).count)
    }

    /// The items `tile` (places within the block) as rows a product can read.
    func items(_ tile: Range<Int>) -> RowTile {
        let first = blocks.ranges[block].itemStart + tile.lowerBound
        if let window { return RowTile(base: window.row(window.run(from: first).row), stride: width) }
        guard let ids = blocks.items else {
            return RowTile(base: blocks.catalog.row(first), stride: blocks.catalog.stride)
        }
        gatherRows(blocks.catalog, ids + first, tile.count, into: gathered)
        return RowTile(base: gathered, stride: width)
    }

    /// A copy of a dense tile whose excluded rows are zero, so that what they hold (a NaN in a padding row) cannot
    /// reach a product; nil when the tile has none.
    func withoutExcluded(_ tile: Range<Int>) -> RowTile? {
        guard case .dense = blocks.arrangement, let excluded = blocks.excluded else { return nil }
        var next = lowerBound(excluded, blocks.excludedCount, Int32(tile.lowerBound))
        guard next < blocks.excludedCount, Int(excluded[next]) < tile.upperBound else { return nil }
        for row in 0..<tile.count {
            let target = gathered + row * width
            if next < blocks.excludedCount, Int(excluded[next]) == tile.lowerBound + row {
                target.update(repeating: 0, count: width)
                next += 1
            } else {
                memcpy(target, blocks.catalog.row(tile.lowerBound + row), width * MemoryLayout<Float>.stride)
            }
        }
        return RowTile(base: gathered, stride: width)
    }

    /// Bias and log-weights of the items `tile`, excluded ones hidden; nil when there is nothing to add.
    func bias(_ tile: Range<Int>) -> UnsafePointer<Float>? {
        let first = blocks.ranges[block].itemStart + tile.lowerBound
        let dense = if case .dense = blocks.arrangement { true } else { false }
        let excluded = dense ? blocks.excluded : nil
        guard blocks.bias != nil || blocks.logWeights != nil || excluded != nil else { return nil }
        for column in 0..<tile.count {
            var value = blocks.bias.map { $0[blocks.item(first + column)] } ?? 0
            if let weights = blocks.logWeights { value += weights[first + column] }
            biasTile[column] = value
        }
        if let excluded {
            var next = lowerBound(excluded, blocks.excludedCount, Int32(first))
            while next < blocks.excludedCount, Int(excluded[next]) < first + tile.count {
                biasTile[Int(excluded[next]) - first] = -.greatestFiniteMagnitude
                next += 1
            }
        }
        return UnsafePointer(biasTile)
    }

    /// s·X Y^T of the loaded rows `rows` and the items `tile`, with own targets and pairs of earlier blocks hidden.
    /// Row stride is `size.items`.
    func score(_ rows: Range<Int>, _ tile: Range<Int>, _ items: RowTile) {
        BLAS.multiplyTransposed(
            rows.count, tile.count, width, alpha: scale, hidden + rows.lowerBound * width, width, items.base,
            items.stride, logits, size.items)
        for row in rows {
            let place = Int(targetPlaces[row])
            if tile.contains(place) {
                logits[(row - rows.lowerBound) * size.items + place - tile.lowerBound] = -.greatestFiniteMagnitude
            }
        }
        guard blocks.shape.onceOnly else { return }
        switch blocks.arrangement {
        case .dense: break
        case .lists: hideEarlierLists(rows, tile)
        case .rounds(_, let chunkCount, let neighbours, _):
            hideEarlierRounds(rows, tile, chunkCount: chunkCount, neighbours: neighbours)
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
        let first = blocks.ranges[block].itemStart + tile.lowerBound
        for column in 0..<tile.count {
            var place = previousPlace[first + column]
            while place >= 0 {
                var entry = heads[Int(blockOfPlace[Int(place)])]
                while entry >= 0 {
                    logits[Int(entries[2 * Int(entry)]) * size.items + column] = -.greatestFiniteMagnitude
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
    private func hideEarlierRounds(_ rows: Range<Int>, _ tile: Range<Int>, chunkCount: Int, neighbours: Int) {
        let round = block / chunkCount
        guard round > 0, let places = blocks.places else { return }
        let first = blocks.ranges[block].itemStart + tile.lowerBound
        for earlier in 0..<round {
            let chunks = itemChunks + earlier * size.items
            let inRound = places + earlier * blocks.catalog.rows
            for column in 0..<tile.count {
                chunks[column] = Int32(
                    part(of: Int(inRound[blocks.item(first + column)]), among: blocks.selectableCount, chunkCount))
            }
            for row in rows {
                sl_mask_near(
                    logits + (row - rows.lowerBound) * size.items, tile.count, chunks,
                    tokenChunks[earlier * size.segment + row], Int32(neighbours))
            }
        }
    }

    /// The chunks in which the loaded tokens stood in earlier rounds, from the chain of their slots.
    private func loadTokenChunks() {
        guard blocks.shape.onceOnly, case .rounds(_, let chunkCount, _, _) = blocks.arrangement,
            let previousSlot = blocks.previousSlot
        else { return }
        let tokens = blocks.shape.tokenCount
        for row in 0..<count {
            var slot = previousSlot[Int(slots[row])]
            while slot >= 0 {
                let round = Int(slot) / tokens
                tokenChunks[round * size.segment + row] = Int32(
                    part(of: Int(slot) - round * tokens, among: tokens, chunkCount))
                slot = previousSlot[Int(slot)]
            }
        }
    }
}
