import ShortlistCore

/// The chunks of all tokens and items in RECE's earlier rounds, token by token and item by item: what the once-only rule
/// asks of a pair lies in one cache line each, where `places` and the chains of slots have a line for every round.
///
/// 2 bytes a round, token and item. Without room for them, or with more chunks than they count, scorers ask `places`.
struct EarlierChunks {
    /// Chunks by item, and the first chunk that a token sees by token: it and 2·n_ec more, wrapped around 2¹⁶.
    let items: UnsafeMutablePointer<UInt16>
    let tokens: UnsafeMutablePointer<UInt16>
    /// From one token or item to the next: a power of two, so that none crosses a cache line before 32 rounds.
    let stride: Int
    /// A token's chunks after the first.
    let span: UInt16

    private static func stride(_ shape: BlockShape) -> Int {
        var stride = 1
        while stride < shape.rounds - 1 { stride *= 2 }
        return stride
    }

    private static func isNeeded(_ shape: BlockShape) -> Bool {
        guard shape.onceOnly, shape.rounds > 1 else { return false }
        // A difference of chunks that wraps around must not look near.
        return shape.blockCount / shape.rounds + shape.neighbours <= 1 << 16
    }

    static func add(to size: inout ScratchSize, _ shape: BlockShape) {
        guard isNeeded(shape) else { return }
        size.add(UInt16.self, shape.itemCount * stride(shape))
        size.add(UInt16.self, shape.tokenCount * stride(shape))
    }

    /// Nil where `add` adds nothing.
    init?(_ shape: BlockShape, _ cutter: inout ScratchCutter) {
        guard Self.isNeeded(shape) else { return nil }
        stride = Self.stride(shape)
        items = cutter.take(UInt16.self, shape.itemCount * stride)
        tokens = cutter.take(UInt16.self, shape.tokenCount * stride)
        span = UInt16(truncatingIfNeeded: 2 * shape.neighbours)
    }

    func fill(_ blocks: HostBlocks, on stream: CPUStream) throws(ShortlistError) {
        guard case .rounds(let rounds, let chunks, let neighbours, _) = blocks.arrangement, let places = blocks.places
        else { return }
        // ⌊((place + 1)·chunks − 1) / count⌋: half a unit off the cuts, and so exact with a rounded reciprocal.
        let reciprocal = 1 / Double(blocks.selectableCount)
        try stream.parallelRanges(blocks.catalog.rows, grain: 1 << 14) { range, _ in
            for item in range {
                for round in 0..<rounds - 1 {
                    let place = Double(places[round * blocks.catalog.rows + item])
                    let chunk = ((place + 1) * Double(chunks) - 0.5) * reciprocal
                    items[item * stride + round] = UInt16(truncatingIfNeeded: Int32(chunk))
                }
            }
        }
        let count = blocks.shape.tokenCount
        try stream.parallel(rounds - 1, workers: stream.threads) { round, _ in
            for chunk in 0..<chunks {
                let first = UInt16(truncatingIfNeeded: chunk - neighbours)
                for slot in chunk * count / chunks..<(chunk + 1) * count / chunks {
                    tokens[blocks.token(round * count + slot) * stride + round] = first
                }
            }
        }
    }
}
