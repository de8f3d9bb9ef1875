import ShortlistCore

/// Cross-entropy over candidate blocks that the caller chose: mined or in-batch negatives, or a selection exported
/// from another call.
///
/// Tokens that are ignored, and items that are excluded, are taken out of the blocks; an item that stands twice in a
/// block counts once. Tokens in no block do not count.
///
/// With T token slots and I item places of all blocks together: 2·Σ (tokens × items)·d flops to score; 6·Σ (winning
/// tokens × items)·d for gradients under `max`, three times the scoring under `union`. Memory beside tiles: 12·T + 4·I
/// (`union`: 16·T + 16·I, and 4·I for log-weights), 4·N + 32·n and 3C/16 bytes.
///
/// Lists that break the rules of `CandidateLists`, a token that stands twice in a block among them, are
/// `invalidArgument`; ids outside X or the catalog `indexOutOfRange`; log-weights that are not finite `invalidWeight`.
public struct GivenCandidates: Loss {
    /// Must stay valid during the call (for `forward`: during that call alone; the state keeps a copy).
    public var blocks: CandidateView
    /// How the blocks that hold a token are joined; `max` unless said otherwise.
    public var combination: Combination

    public init(_ blocks: CandidateView, combination: Combination = .max) {
        self.blocks = blocks
        self.combination = combination
    }

    public struct Parameters: Sendable {
        var maxTokens: Int
        var maxItems: Int
    }

    public func parameters(for shape: ProblemShape, report: inout Report) throws(ShortlistError) -> Parameters {
        try checkOffsets(blocks.tokenOffsets, blocks.tokens.count, what: "token")
        try checkOffsets(blocks.itemOffsets, blocks.items.count, what: "item")
        guard blocks.tokenOffsets.count == blocks.itemOffsets.count else {
            throw ShortlistError(
                .invalidArgument,
                "\(blocks.tokenOffsets.count) token offsets and \(blocks.itemOffsets.count) item offsets; both are blocks + 1"
            )
        }
        try checkIds(blocks.tokens, below: shape.rows, what: "candidate token")
        try checkIds(blocks.items, below: shape.items, what: "candidate item")
        if let weights = blocks.logWeights {
            guard weights.count == blocks.items.count else {
                throw ShortlistError(
                    .invalidArgument, "\(weights.count) log-weights for \(blocks.items.count) candidate items")
            }
            for (place, weight) in weights.enumerated() where !weight.isFinite {
                throw ShortlistError(.invalidWeight, "log-weight \(weight) at place \(place); log-weights are finite")
            }
        }
        if let flags = blocks.contributesToCatalogGradient, flags.count != blocks.blockCount {
            throw ShortlistError(
                .invalidArgument, "\(flags.count) catalog-gradient flags for \(blocks.blockCount) blocks")
        }
        var parameters = Parameters(maxTokens: 0, maxItems: 0)
        for block in 0..<blocks.blockCount {
            parameters.maxTokens = max(
                parameters.maxTokens, blocks.tokenOffsets[block + 1] - blocks.tokenOffsets[block])
            parameters.maxItems = max(parameters.maxItems, blocks.itemOffsets[block + 1] - blocks.itemOffsets[block])
        }
        report.bucketCount = blocks.blockCount
        report.tokensPerBucket = parameters.maxTokens
        report.itemsPerBucket = parameters.maxItems
        return parameters
    }

    private func checkOffsets(
        _ offsets: UnsafeBufferPointer<Int>, _ count: Int, what: String
    ) throws(ShortlistError) {
        guard offsets.count >= 1, offsets[0] == 0, offsets[offsets.count - 1] == count else {
            throw ShortlistError(
                .invalidArgument, "\(what) offsets must begin with 0 and end with the number of \(what)s, \(count)")
        }
        for place in 1..<max(offsets.count, 1) where offsets[place] < offsets[place - 1] {
            throw ShortlistError(.invalidArgument, "\(what) offsets decrease at block \(place - 1)")
        }
    }

    public func blockShape(_ p: Parameters, _ shape: ProblemShape) throws(ShortlistError) -> BlockShape {
        guard blocks.tokens.count < Int(Int32.max), blocks.items.count < Int(Int32.max) else {
            throw ShortlistError(.overflow, "candidate lists above 2^31 places")
        }
        return BlockShape(
            blockCount: blocks.blockCount, maxTokens: p.maxTokens, maxItems: p.maxItems,
            slotCount: blocks.tokens.count, tokenCount: shape.tokens, itemCount: shape.items, width: shape.width,
            isDense: false, onceOnly: combination == .union && blocks.blockCount > 1, rounds: 0,
            placeCount: blocks.items.count)
    }

    public struct Vectors {
        var ranges: Vector<BlockRange>
        var tokens: Vector<Int32>
        var items: Vector<Int32>
        var logWeights: Vector<Float>?
        /// Row of X to ordinal, −1 for an ignored one.
        var ordinals: Vector<Int32>
        /// The last block that held each token, to find repeats.
        var seen: Vector<Int32>
        /// One block's items with their places, for sorting.
        var keys: Vector<UInt64>
        var links: BlockLinks
    }

    public func reserve(
        _ p: Parameters, _ shape: ProblemShape, from source: inout some VectorSource
    ) throws(ShortlistError) -> Vectors {
        Vectors(
            ranges: try source.reserve(BlockRange.self, count: blocks.blockCount),
            tokens: try source.reserve(Int32.self, count: blocks.tokens.count),
            items: try source.reserve(Int32.self, count: blocks.items.count),
            logWeights: blocks.logWeights == nil ? nil : try source.reserve(Float.self, count: blocks.items.count),
            ordinals: try source.reserve(Int32.self, count: shape.rows),
            seen: try source.reserve(Int32.self, count: shape.tokens),
            keys: try source.reserve(UInt64.self, count: p.maxItems),
            links: try BlockLinks(try blockShape(p, shape), places: blocks.items.count, from: &source))
    }

    public func kernels(_ p: Parameters, _ shape: ProblemShape) -> [KernelShape] { [] }

    public func select(
        _ p: Parameters, _ problem: Problem, _ vectors: Vectors, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> CandidateBlocks {
        let used = try copyBlocks(problem, vectors, on: stream)
        // The shape that was planned, though ignored tokens leave slots unused: tiles follow from it.
        let shape = try blockShape(p, problem.shape)
        var result = CandidateBlocks(
            arrangement: .lists, ranges: vectors.ranges, tokens: vectors.tokens.slice(0..<used.tokens),
            items: vectors.items.slice(0..<used.items), logWeights: vectors.logWeights?.slice(0..<used.items),
            combination: combination, shape: shape)
        try vectors.links.connect(&result, problem, on: stream)
        guard shape.onceOnly else { return result }
        try stream.read(vectors.ranges) { (ranges) throws(ShortlistError) in
            try stream.write(vectors.links.blockOfSlot) { (owners) throws(ShortlistError) in
                for (block, range) in ranges.enumerated() {
                    for slot in range.tokenStart..<range.tokenStart + range.tokenCount { owners[slot] = Int32(block) }
                }
            }
            try stream.write(vectors.links.blockOfPlace) { (owners) throws(ShortlistError) in
                for (block, range) in ranges.enumerated() {
                    for place in range.itemStart..<range.itemStart + range.itemCount { owners[place] = Int32(block) }
                }
            }
        }
        return result
    }
}
