import ShortlistCore

/// Exact softmax cross-entropy over the whole catalog, without storing logits: one implicit block of all tokens × all
/// items.
///
/// Every valid token counts. Cost: 6·n·C·d flops with both gradients in one call where the workspace holds the logits of
/// a hundred tokens or more (logits, dX, dY), else and in two phases 8·n·C·d (logits twice), 2·n·C·d without gradients.
/// Memory: 24 bytes a token (4 more with gradients) and 3C/16 bytes beside tiles and kept logits (without a limit up to
/// 256 MiB on the CPU).
public struct CrossEntropy: Loss {
    public init() {}

    public struct Parameters: Sendable {}
    public var combination: Combination { .union }

    public func parameters(for shape: ProblemShape, report: inout Report) throws(ShortlistError) -> Parameters {
        Parameters()
    }

    public func blockShape(_ parameters: Parameters, _ shape: ProblemShape) throws(ShortlistError) -> BlockShape {
        BlockShape(
            blockCount: 1, maxTokens: shape.tokens, maxItems: shape.items, slotCount: shape.tokens,
            tokenCount: shape.tokens, itemCount: shape.items, width: shape.width, isDense: true, onceOnly: false,
            rounds: 0)
    }

    public func reserve(
        _ parameters: Parameters, _ shape: ProblemShape, from source: inout some VectorSource
    ) throws(ShortlistError) -> Vector<BlockRange> {
        try source.reserve(BlockRange.self, count: 1)
    }

    public func kernels(_ parameters: Parameters, _ shape: ProblemShape) -> [KernelShape] { [] }

    public func select(
        _ parameters: Parameters, _ problem: Problem, _ ranges: Vector<BlockRange>, on stream: any Stream,
        report: inout Report
    ) throws(ShortlistError) -> CandidateBlocks {
        let shape = problem.shape
        try writeRanges(ranges, on: stream) { _ in BlockRange(tokens: 0..<shape.tokens, items: 0..<shape.items) }
        return CandidateBlocks(
            arrangement: .dense, ranges: ranges, combination: combination, shape: try blockShape(parameters, shape))
    }
}
