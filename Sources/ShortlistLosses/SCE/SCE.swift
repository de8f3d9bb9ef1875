import ShortlistCore

/// Scalable cross-entropy (arXiv 2409.18721): random directions pick buckets of the tokens and items that point their
/// way most, and cross-entropy is taken inside buckets.
///
/// Cost with d-wide vectors: 2·n_b·(n + C)·d flops to select, 2·n_b·b_x·b_y·d to score, 6·n·b_y·d for gradients
/// (`max`; three times the scoring for `union`). Mix adds n·d² + n_b·d² flops, or 2·n·n_b·d where d > n_b. Nothing of
/// size n_b × C or n_b × n is stored: 12 bytes a token slot (n_b·b_x of them), 4 an item place (n_b·b_y), 4·n_b·d of
/// directions, 28 bytes a token and 3C/16 bytes, beside tiles; `union` takes 4 more a slot, up to 12 more a place,
/// and 4 more a token.
///
/// Tokens in no bucket do not count; the report says how many did. Sizes above 2³¹ slots or places are `overflow`,
/// sizes below 1, a step from 2⁵⁶ on and directions of another shape `invalidArgument`.
public struct SCE: Loss {
    /// n_b; nil: ⌊2√n⌋, or the rows of given directions. Not capped.
    public var bucketCount: Int?
    /// b_x; nil: ⌊2√n⌋. Capped at n, the number of valid tokens.
    public var tokensPerBucket: Int?
    /// b_y, 256 unless said otherwise. Capped at the number of selectable items.
    public var itemsPerBucket: Int
    public var directions: Directions
    /// Both choose the random directions: the same pair repeats exactly, the next step differs. step < 2⁵⁶.
    public var seed: UInt64
    public var step: UInt64
    /// How the buckets that hold a token are joined; `max`, as in the paper, unless said otherwise.
    public var combination: Combination

    /// Where the bucket directions B (n_b × d) come from.
    public enum Directions: Sendable {
        /// Entries N(0, 1).
        case gaussian
        /// The paper's Mix: B = Ωᵀ X with Gaussian Ω, directions that lie where the tokens do. Where XᵀX has a trace of
        /// zero or one that is not finite, Gaussian directions are used and the report notes it; where it has no
        /// Cholesky factor even with jitter, the call fails with `numericalFailure`.
        case mix
        /// The caller's, n_b × d; must stay valid during the call.
        case given(MatrixView)
    }

    public init(
        bucketCount: Int? = nil, tokensPerBucket: Int? = nil, itemsPerBucket: Int = 256,
        directions: Directions = .mix, seed: UInt64 = 0, step: UInt64 = 0, combination: Combination = .max
    ) {
        self.bucketCount = bucketCount
        self.tokensPerBucket = tokensPerBucket
        self.itemsPerBucket = itemsPerBucket
        self.directions = directions
        self.seed = seed
        self.step = step
        self.combination = combination
    }

    public struct Parameters: Sendable {
        /// n_b.
        public var buckets: Int
        /// b_x.
        public var tokens: Int
        /// b_y.
        public var items: Int
    }

    public func parameters(for shape: ProblemShape, report: inout Report) throws(ShortlistError) -> Parameters {
        try checkStep(step)
        let fallback = max(1, integerSquareRoot(4 * shape.tokens))
        var buckets = bucketCount ?? fallback
        if case .given(let matrix) = directions {
            try checkDirections(matrix, width: shape.width, rows: bucketCount, what: "SCE directions")
            buckets = matrix.rows
        }
        let tokens = tokensPerBucket ?? fallback
        guard buckets > 0, tokens > 0, itemsPerBucket > 0 else {
            throw ShortlistError(
                .invalidArgument,
                "SCE needs at least one bucket, token and item a bucket; got \(buckets), \(tokens), \(itemsPerBucket)")
        }
        let parameters = Parameters(
            buckets: buckets, tokens: min(tokens, shape.tokens), items: min(itemsPerBucket, shape.selectable))
        if (tokensPerBucket ?? 0) > shape.tokens || itemsPerBucket > shape.selectable {
            report.notes.insert(.optionCapped)
        }
        report.bucketCount = parameters.buckets
        report.tokensPerBucket = parameters.tokens
        report.itemsPerBucket = parameters.items
        return parameters
    }

    public func blockShape(_ p: Parameters, _ shape: ProblemShape) throws(ShortlistError) -> BlockShape {
        let slots = try p.buckets.multiplied(by: p.tokens, for: "SCE token slots")
        let places = try p.buckets.multiplied(by: p.items, for: "SCE item places")
        guard slots < Int(Int32.max), places < Int(Int32.max) else {
            throw ShortlistError(
                .overflow, "SCE with \(p.buckets) buckets of \(p.tokens) tokens and \(p.items) items: above 2^31 places"
            )
        }
        return BlockShape(
            blockCount: p.buckets, maxTokens: p.tokens, maxItems: p.items, slotCount: slots, tokenCount: shape.tokens,
            itemCount: shape.items, width: shape.width, isDense: false, onceOnly: combination == .union, rounds: 0)
    }

    public struct Vectors {
        var directions: Vector<Float>
        var mixing: MixVectors?
        var ranges: Vector<BlockRange>
        var tokens: Vector<Int32>
        var items: Vector<Int32>
        var links: BlockLinks
    }

    public func reserve(
        _ p: Parameters, _ shape: ProblemShape, from source: inout some VectorSource
    ) throws(ShortlistError) -> Vectors {
        var mixing: MixVectors?
        if case .mix = directions {
            mixing = try MixVectors(buckets: p.buckets, tokens: shape.tokens, width: shape.width, from: &source)
        }
        let blocks = try blockShape(p, shape)
        return Vectors(
            directions: try source.reserve(
                Float.self, count: try p.buckets.multiplied(by: shape.width, for: "SCE directions")),
            mixing: mixing, ranges: try source.reserve(BlockRange.self, count: p.buckets),
            tokens: try source.reserve(Int32.self, count: blocks.slotCount),
            items: try source.reserve(Int32.self, count: p.buckets * p.items),
            links: try BlockLinks(blocks, places: p.buckets * p.items, from: &source))
    }

    public func kernels(_ p: Parameters, _ shape: ProblemShape) -> [KernelShape] {
        var kernels: [KernelShape] = [
            .projectAndSelect(queries: p.buckets, items: shape.tokens, width: shape.width, k: p.tokens),
            .projectAndSelect(queries: p.buckets, items: shape.items, width: shape.width, k: p.items),
        ]
        if case .mix = directions { kernels += mixKernels(buckets: p.buckets, shape) }
        return kernels
    }

    public func select(
        _ p: Parameters, _ problem: Problem, _ vectors: Vectors, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> CandidateBlocks {
        let directions = try bucketDirections(p, problem, vectors, on: stream, report: &report)
        let queries = RowSource(directions)
        try stream.projectAndSelect(
            TopRequest(
                queries: queries, rows: problem.tokens.hidden, exclusions: Exclusions(), k: p.tokens, order: .byIndex),
            into: TopOutput(ids: vectors.tokens))
        try stream.projectAndSelect(
            TopRequest(
                queries: queries, rows: RowSource(problem.items.matrix),
                exclusions: Exclusions(forAll: problem.items.excluded), k: p.items, order: .byIndex),
            into: TopOutput(ids: vectors.items))
        try writeRanges(vectors.ranges, on: stream) { bucket in
            BlockRange(
                tokens: bucket * p.tokens..<(bucket + 1) * p.tokens, items: bucket * p.items..<(bucket + 1) * p.items)
        }
        var blocks = CandidateBlocks(
            arrangement: .lists, ranges: vectors.ranges, tokens: vectors.tokens, items: vectors.items,
            combination: combination, shape: try blockShape(p, problem.shape))
        try vectors.links.connect(&blocks, problem, on: stream)
        if combination == .union {
            try writeOwners(vectors.links.blockOfSlot, each: p.tokens, on: stream)
            try writeOwners(vectors.links.blockOfPlace, each: p.items, on: stream)
        }
        return blocks
    }

    private func bucketDirections(
        _ p: Parameters, _ problem: Problem, _ vectors: Vectors, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> DeviceMatrix {
        let width = problem.shape.width
        let drawn = DeviceMatrix(
            buffer: vectors.directions.buffer, offset: vectors.directions.offset, rows: p.buckets, columns: width,
            rowStride: width)
        switch directions {
        case .given(let matrix):
            return try stream.bind(matrix)
        case .gaussian:
            try drawNormal(
                vectors.directions, rows: p.buckets, columns: width, seed: seed, step: step, stream: .directions,
                on: stream)
        case .mix:
            guard let mixing = vectors.mixing else { break }
            try mix(into: drawn, vectors.directions, mixing, problem, on: stream, report: &report)
        }
        return drawn
    }
}

/// Draws a host matrix into a stream's vector.
func drawNormal(
    _ vector: Vector<Float>, rows: Int, columns: Int, seed: UInt64, step: UInt64, stream kind: Philox.Stream,
    firstRow: Int = 0, on stream: any Stream
) throws(ShortlistError) {
    try stream.write(vector) { (values) throws(ShortlistError) in
        guard let base = values.baseAddress else { return }
        try stream.share(rows) { range in
            let view = MutableMatrixView(
                unchecked: base + range.lowerBound * columns, rows: range.count, columns: columns, rowStride: columns)
            Philox.fillNormal(
                view, seed: seed, step: step, stream: kind.rawValue, firstRow: firstRow + range.lowerBound)
        }
    }
}

func checkStep(_ step: UInt64) throws(ShortlistError) {
    guard step < Philox.stepLimit else {
        throw ShortlistError(.invalidArgument, "step \(step): steps are below 2^56")
    }
}

func checkDirections(
    _ matrix: MatrixView, width: Int, rows: Int?, what: String
) throws(ShortlistError) {
    guard matrix.columns == width else {
        throw ShortlistError(.invalidArgument, "\(what) have \(matrix.columns) columns; hidden states have \(width)")
    }
    guard matrix.rows > 0, rows ?? matrix.rows == matrix.rows else {
        throw ShortlistError(
            .invalidArgument, "\(what) have \(matrix.rows) rows\(rows.map { "; the options ask for \($0)" } ?? "")")
    }
}
