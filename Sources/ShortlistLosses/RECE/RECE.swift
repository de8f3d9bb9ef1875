import ShortlistCore

/// Reduced cross-entropy (arXiv 2408.02354): in each round, hashing against random directions sorts tokens and items,
/// both are cut into equal chunks, and a token chunk sees its item chunk and its neighbours. Each distinct item counts
/// once for a token, however many rounds bring it.
///
/// Cost: r rounds of 2·n_b·(n + C)·d flops to hash and about 2·n·(1 + 2n_ec)·(C/n_c)·d to score, thrice that for
/// gradients. Memory beside tiles: r·(3n + 2C) + max(n, C) numbers of 4 bytes, 4·n_b·d bytes of directions, 28 bytes a
/// token and 3C/16 bytes; no list of candidates is sorted or stored.
///
/// Every valid token counts. Sizes that make no sense, a step from 2⁵⁶ on and directions of another shape are
/// `invalidArgument`, r·n or r·C from 2³¹ on `overflow`.
public struct RECE: Loss {
    /// n_b hash values; nil: ⌊√(4·(1 + 2n_ec)·min(n, C))⌋, or the rows of given directions divided by the rounds.
    public var bucketCount: Int?
    /// n_c; nil: n_b. Capped at min(n, selectable items).
    public var chunkCount: Int?
    /// n_ec ≥ 0: chunks seen on each side.
    public var neighbourChunks: Int
    /// r ≥ 1.
    public var rounds: Int
    public var directions: Directions
    /// Both choose the random directions: the same pair repeats exactly, the next step differs. step < 2⁵⁶.
    public var seed: UInt64
    public var step: UInt64

    /// Where the hash directions come from.
    public enum Directions: Sendable {
        /// Entries N(0, 1).
        case gaussian
        /// The caller's, (r·n_b) × d, round after round; must stay valid during the call.
        case given(MatrixView)
    }

    public init(
        bucketCount: Int? = nil, chunkCount: Int? = nil, neighbourChunks: Int = 1, rounds: Int = 1,
        directions: Directions = .gaussian, seed: UInt64 = 0, step: UInt64 = 0
    ) {
        self.bucketCount = bucketCount
        self.chunkCount = chunkCount
        self.neighbourChunks = neighbourChunks
        self.rounds = rounds
        self.directions = directions
        self.seed = seed
        self.step = step
    }

    /// Always a union: each distinct item once.
    public var combination: Combination { .union }

    public struct Parameters: Sendable {
        /// n_b.
        public var buckets: Int
        /// n_c.
        public var chunks: Int
        /// n_ec, at most n_c: more see nothing new.
        public var neighbours: Int
        /// r.
        public var rounds: Int
    }

    public func parameters(for shape: ProblemShape, report: inout Report) throws(ShortlistError) -> Parameters {
        try checkStep(step)
        guard rounds > 0, neighbourChunks >= 0 else {
            throw ShortlistError(
                .invalidArgument,
                "RECE needs at least one round and no negative neighbour count; got \(rounds), \(neighbourChunks)")
        }
        let things = min(shape.tokens, shape.items)
        let seen = try neighbourChunks.multiplied(by: 2, for: "RECE neighbours")
        let area = try (1 + seen).multiplied(by: 4, for: "RECE neighbours").multiplied(by: things, for: "RECE chunks")
        var buckets = bucketCount ?? max(1, integerSquareRoot(area))
        if case .given(let matrix) = directions {
            let rows = try bucketCount?.multiplied(by: rounds, for: "RECE directions")
            try checkDirections(matrix, width: shape.width, rows: rows, what: "RECE directions (all rounds)")
            guard matrix.rows % rounds == 0 else {
                throw ShortlistError(
                    .invalidArgument, "RECE directions have \(matrix.rows) rows, not a multiple of \(rounds) rounds")
            }
            buckets = matrix.rows / rounds
        }
        let wanted = chunkCount ?? buckets
        guard buckets > 0, wanted > 0, buckets < Int(Int32.max) else {
            throw ShortlistError(
                .invalidArgument, "RECE needs from one to 2^31 buckets and chunks; got \(buckets) and \(wanted)")
        }
        let chunks = min(wanted, shape.tokens, shape.selectable)
        if chunks < wanted { report.notes.insert(.optionCapped) }
        report.bucketCount = buckets
        report.chunkCount = chunks
        report.neighbourChunks = neighbourChunks
        report.rounds = rounds
        return Parameters(
            buckets: buckets, chunks: chunks, neighbours: min(neighbourChunks, chunks), rounds: rounds)
    }

    public func blockShape(_ p: Parameters, _ shape: ProblemShape) throws(ShortlistError) -> BlockShape {
        let slots = try p.rounds.multiplied(by: shape.tokens, for: "RECE slots")
        let places = try p.rounds.multiplied(by: shape.items, for: "RECE places")
        guard slots < Int(Int32.max), places < Int(Int32.max) else {
            throw ShortlistError(
                .overflow,
                "RECE with \(p.rounds) rounds over \(shape.tokens) tokens and \(shape.items) items: above 2^31 places")
        }
        let itemChunk = (shape.selectable + p.chunks - 1) / p.chunks
        return BlockShape(
            blockCount: p.rounds * p.chunks, maxTokens: (shape.tokens + p.chunks - 1) / p.chunks,
            maxItems: min(shape.selectable, (1 + 2 * p.neighbours) * itemChunk), slotCount: slots,
            tokenCount: shape.tokens, itemCount: shape.items, width: shape.width, isDense: false,
            onceOnly: p.rounds > 1, rounds: p.rounds, neighbours: p.neighbours)
    }

    public struct Vectors {
        var directions: Vector<Float>
        var keys: Vector<Int32>
        var tokens: Vector<Int32>
        var items: Vector<Int32>
        var places: Vector<Int32>
        var ranges: Vector<BlockRange>
        var links: BlockLinks
    }

    public func reserve(
        _ p: Parameters, _ shape: ProblemShape, from source: inout some VectorSource
    ) throws(ShortlistError) -> Vectors {
        let blocks = try blockShape(p, shape)
        return Vectors(
            directions: try source.reserve(
                Float.self, count: try p.buckets.multiplied(by: shape.width, for: "RECE directions")),
            keys: try source.reserve(Int32.self, count: max(shape.tokens, shape.items)),
            tokens: try source.reserve(Int32.self, count: blocks.slotCount),
            items: try source.reserve(Int32.self, count: p.rounds * shape.selectable),
            places: try source.reserve(Int32.self, count: p.rounds * shape.items),
            ranges: try source.reserve(BlockRange.self, count: blocks.blockCount),
            links: try BlockLinks(blocks, places: 0, from: &source))
    }

    public func kernels(_ p: Parameters, _ shape: ProblemShape) -> [KernelShape] {
        [
            .hash(rows: shape.tokens, directions: p.buckets, width: shape.width),
            .hash(rows: shape.items, directions: p.buckets, width: shape.width),
            .sortByKey(count: shape.tokens, keyBound: p.buckets),
            .sortByKey(count: shape.selectable, keyBound: p.buckets),
        ]
    }

    public func select(
        _ p: Parameters, _ problem: Problem, _ vectors: Vectors, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> CandidateBlocks {
        let shape = problem.shape
        for round in 0..<p.rounds {
            let directions = try roundDirections(round, p, shape, vectors, on: stream)
            let tokenOrder = vectors.tokens.slice(round * shape.tokens..<(round + 1) * shape.tokens)
            let itemOrder = vectors.items.slice(round * shape.selectable..<(round + 1) * shape.selectable)
            let tokenKeys = vectors.keys.slice(0..<shape.tokens)
            try stream.hash(problem.tokens.hidden, directions: directions, into: tokenKeys)
            try stream.sortByKey(tokenKeys, keyBound: p.buckets, excluding: nil, into: tokenOrder)
            let itemKeys = vectors.keys.slice(0..<shape.items)
            try stream.hash(RowSource(problem.items.matrix), directions: directions, into: itemKeys)
            try stream.sortByKey(itemKeys, keyBound: p.buckets, excluding: problem.items.excluded, into: itemOrder)
            try stream.invert(itemOrder, into: vectors.places.slice(round * shape.items..<(round + 1) * shape.items))
        }
        try writeRanges(vectors.ranges, on: stream) { block in chunk(block, p, shape) }
        var blocks = CandidateBlocks(
            arrangement: .rounds(
                count: p.rounds, chunkCount: p.chunks, neighbours: p.neighbours, places: vectors.places),
            ranges: vectors.ranges, tokens: vectors.tokens, items: vectors.items, combination: combination,
            shape: try blockShape(p, shape))
        try vectors.links.connect(&blocks, problem, on: stream)
        return blocks
    }

    /// Token chunk c of a round with the item chunks c ± n_ec, clipped at the ends; equal cuts ⌊c·M/n_c⌋.
    private func chunk(_ block: Int, _ p: Parameters, _ shape: ProblemShape) -> BlockRange {
        let round = block / p.chunks
        let c = block % p.chunks
        func cut(_ place: Int, _ count: Int) -> Int { place * count / p.chunks }
        let firstChunk = max(0, c - p.neighbours)
        let lastChunk = min(p.chunks - 1, c + p.neighbours)
        let tokens = round * shape.tokens
        let items = round * shape.selectable
        return BlockRange(
            tokens: tokens + cut(c, shape.tokens)..<tokens + cut(c + 1, shape.tokens),
            items: items + cut(firstChunk, shape.selectable)..<items + cut(lastChunk + 1, shape.selectable))
    }

    private func roundDirections(
        _ round: Int, _ p: Parameters, _ shape: ProblemShape, _ vectors: Vectors, on stream: any Stream
    ) throws(ShortlistError) -> DeviceMatrix {
        if case .given(let matrix) = directions {
            return try stream.bind(matrix).rowRange(round * p.buckets..<(round + 1) * p.buckets)
        }
        try drawNormal(
            vectors.directions, rows: p.buckets, columns: shape.width, seed: seed, step: step, stream: .directions,
            firstRow: round * p.buckets, on: stream)
        return DeviceMatrix(
            buffer: vectors.directions.buffer, offset: vectors.directions.offset, rows: p.buckets,
            columns: shape.width, rowStride: shape.width)
    }
}
