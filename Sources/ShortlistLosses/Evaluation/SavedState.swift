import ShortlistCore

/// What a forward call leaves for backward: selection, log-sum-exps, winners, which tokens counted. It holds the call's
/// vectors (not the scratch) until it goes away. One thread at a time, the same that uses its evaluator; the last
/// reference may go away on any thread.
public final class SavedState {
    let forward: ForwardPass
    let stream: any Stream
    /// The loss and the report of the forward call.
    public let result: CallResult

    init(_ forward: ForwardPass, _ result: CallResult, _ stream: any Stream) {
        self.forward = forward
        self.result = result
        self.stream = stream
    }

    deinit { stream.recycle(forward.workspace) }

    /// How large the selection is.
    public struct SelectionSize: Sendable, Equatable {
        public var blocks: Int
        /// Tokens of all blocks together.
        public var tokens: Int
        /// Items of all blocks together.
        public var items: Int
    }

    /// - Throws: `unsupported` for exact cross-entropy, which selects nothing.
    public func selectionSize() throws(ShortlistError) -> SelectionSize {
        var size = SelectionSize(blocks: 0, tokens: 0, items: 0)
        try visit { block, _, _ in
            size.blocks += 1
            size.tokens += block.tokenCount
            size.items += block.itemCount
        }
        return size
    }

    /// Writes the selection as candidate lists: tokens as rows of X, items ascending in SCE's and given blocks and in
    /// hash order in RECE's. Given back with the same combination, it makes the same loss.
    ///
    /// - Throws: `roomTooSmall` when a buffer is below the sizes of `selectionSize` (offsets: blocks + 1),
    ///   `unsupported` for exact cross-entropy.
    public func copySelection(
        tokenOffsets: UnsafeMutableBufferPointer<Int>, tokens: UnsafeMutableBufferPointer<Int32>,
        itemOffsets: UnsafeMutableBufferPointer<Int>, items: UnsafeMutableBufferPointer<Int32>
    ) throws(ShortlistError) {
        let size = try selectionSize()
        guard tokenOffsets.count > size.blocks, itemOffsets.count > size.blocks, tokens.count >= size.tokens,
            items.count >= size.items
        else {
            throw ShortlistError(
                .roomTooSmall,
                "the selection has \(size.blocks) blocks, \(size.tokens) tokens and \(size.items) items",
                bytesNeeded: max(size.blocks + 1, size.tokens, size.items))
        }
        var index = 0
        var nextToken = 0
        var nextItem = 0
        tokenOffsets[0] = 0
        itemOffsets[0] = 0
        try visit { block, row, item in
            for place in block.tokenStart..<block.tokenStart + block.tokenCount {
                tokens[nextToken] = row(place)
                nextToken += 1
            }
            for place in block.itemStart..<block.itemStart + block.itemCount {
                items[nextItem] = item(place)
                nextItem += 1
            }
            index += 1
            tokenOffsets[index] = nextToken
            itemOffsets[index] = nextItem
        }
    }

    /// The block through which each token's gradient flows (combination `max`), by row of X: −1 for a token that does
    /// not count, 0 for every counting one under `union`.
    ///
    /// - Throws: `roomTooSmall` unless there is room for N values.
    public func copyWinners(_ winners: UnsafeMutableBufferPointer<Int32>) throws(ShortlistError) {
        guard winners.count >= forward.batch.hidden.rows else {
            throw ShortlistError(
                .roomTooSmall, "room for \(winners.count) winners; there are \(forward.batch.hidden.rows) tokens",
                bytesNeeded: forward.batch.hidden.rows)
        }
        winners.update(repeating: -1)
        guard let blocks = forward.blocks else { return }
        try reopened { () throws(ShortlistError) in
            try stream.read(blocks.ranges) { (ranges) throws(ShortlistError) in
                try stream.read(forward.state.winners) { (slots) throws(ShortlistError) in
                    try withRows { (rows) throws(ShortlistError) in
                        for (ordinal, slot) in slots.enumerated() {
                            let row = rows.map { Int($0[ordinal]) } ?? ordinal
                            winners[row] = blocks.combination == .max ? block(of: slot, ranges) : min(slot, 0)
                        }
                    }
                }
            }
        }
    }

    /// Blocks' token runs follow one another: the last that begins at or before the slot, empty ones passed over.
    private func block(of slot: Int32, _ ranges: UnsafeBufferPointer<BlockRange>) -> Int32 {
        guard slot >= 0 else { return -1 }
        var low = 0
        var high = ranges.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if ranges[middle].tokenStart <= Int(slot) { low = middle } else { high = middle }
        }
        return Int32(low)
    }

    /// Opens the state's workspace for reading while no call is under way.
    private func reopened(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError) {
        try stream.resume(forward.workspace, plan: WorkspacePlan(limit: nil))
        do {
            try body()
            try stream.finish()
        } catch {
            throw stream.abandon(nil, after: error)
        }
    }

    /// Calls `body` for each block with functions from slot to row of X and from place to item.
    private func visit(
        _ body: (BlockRange, (Int) -> Int32, (Int) -> Int32) -> Void
    ) throws(ShortlistError) {
        guard let blocks = forward.blocks else { return }
        guard let tokens = blocks.tokens, let items = blocks.items else {
            throw ShortlistError(
                .unsupported, "exact cross-entropy has no selection to export: it sees every item")
        }
        try reopened { () throws(ShortlistError) in
            try stream.read(tokens) { (tokens) throws(ShortlistError) in
                try stream.read(items) { (items) throws(ShortlistError) in
                    try withRows { (rows) throws(ShortlistError) in
                        try stream.read(blocks.ranges) { (ranges) throws(ShortlistError) in
                            for range in ranges {
                                body(
                                    range, { slot in rows.map { $0[Int(tokens[slot])] } ?? tokens[slot] },
                                    { items[$0] })
                            }
                        }
                    }
                }
            }
        }
    }

    /// Rows of X by ordinal, nil where every token is valid.
    private func withRows(
        _ body: (UnsafeBufferPointer<Int32>?) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        guard let rows = forward.problem.tokens.hidden.rows else { return try body(nil) }
        try stream.read(rows) { (rows) throws(ShortlistError) in try body(rows) }
    }
}
