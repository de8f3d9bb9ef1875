import ShortlistCore

/// Sizes of a scorer's tiles: `segment` token rows gathered at once, products of `tokens` × `items`.
struct ScorerSize {
    var segment: Int
    var tokens: Int
    var items: Int

    func clipped(to shape: BlockShape) -> ScorerSize {
        // Rounds are walked through by item chunks, which the tokens of several blocks see.
        let seeing = shape.rounds > 0 ? 2 * shape.neighbours + 1 : 1
        let segment = min(segment, max(1, seeing * shape.maxTokens))
        let items = min(items, ScorerSize.mostItems(width: shape.width), max(1, shape.maxItems))
        return ScorerSize(segment: segment, tokens: min(tokens, segment), items: items)
    }

    /// Items of a tile that stay in a core's second-level cache as rows, packed and as rows of dY: a multiple of 32,
    /// as strips are.
    static func mostItems(width: Int) -> Int { max(64, 32_768 / max(1, width) / 32 * 32) }

    /// Rows of the tiles that `count` loaded rows are cut into: alike, as far as the products' panels allow.
    func tileRows(_ count: Int) -> Int {
        let tiles = max(1, (count + tokens - 1) / tokens)
        return min(tokens, ((count + tiles - 1) / tiles + 11) / 12 * 12)
    }

    /// Numbers from one row of a logits tile to the next: whole vectors, and one more so that the rows of a column do
    /// not share a set of the cache.
    var stride: Int { (items + 15) / 16 * 16 + 16 }

    /// What a product may read past the end of its rows.
    static let slack = 16

    /// Entries of the lists that the once-only rule builds for one token tile.
    func onceEntries(_ shape: BlockShape) -> Int {
        shape.onceOnly && shape.rounds == 0
            ? min(tokens * max(0, shape.blockCount - 1), shape.slotCount) : 0
    }

    /// A logits tile with its items and biases.
    func addTile(to size: inout ScratchSize, width: Int) {
        size.add(Float.self, tokens * stride)
        size.add(Float.self, PackedItems.floats(items, width: width))
        size.add(Float.self, items * width + ScorerSize.slack)
        size.add(Float.self, stride)
    }

    func add(to size: inout ScratchSize, _ shape: BlockShape) {
        addTile(to: &size, width: shape.width)
        size.add(Float.self, segment * shape.width + ScorerSize.slack)
        for _ in 0..<2 { size.add(Int32.self, segment) }
        size.add(Int.self, segment)
        let lists = shape.onceOnly && shape.rounds == 0
        size.add(Int32.self, lists ? shape.blockCount : 0)
        size.add(Int32.self, 2 * onceEntries(shape))
        let earlier = shape.onceOnly ? max(0, shape.rounds - 1) : 0
        size.add(Int32.self, earlier * stride)
        size.add(Int32.self, 2 * earlier * segment)
    }
}
