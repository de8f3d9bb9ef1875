import ShortlistCore

/// How RECE's rounds are worked off: a task takes a run of consecutive item chunks and, for each, the tokens that see
/// it. Those stand together in the round's order, so every item is gathered once for all of them, where a block by
/// itself would gather 2·n_ec + 1 chunks for one chunk of tokens.
///
/// Runs that touch have tokens in common, runs two apart have none; each item is in one run.
struct RoundWalk {
    /// Chunks of a round, seen on each side, and in a run.
    private let chunks: Int
    private let neighbours: Int
    private let length: Int
    /// Tokens of a round.
    private let tokens: Int
    /// Runs of a round.
    let runs: Int

    /// From shapes alone. Nil where blocks are no chunks of rounds, or are so few that runs of them would leave threads
    /// idle.
    init?(_ shape: BlockShape) {
        guard shape.rounds > 0, shape.blockCount > 0 else { return nil }
        chunks = shape.blockCount / shape.rounds
        neighbours = shape.neighbours
        tokens = shape.tokenCount
        // As short as can be: the more tasks, and nothing is done twice where runs meet.
        length = max(1, 2 * neighbours)
        guard chunks >= 4 * length else { return nil }
        runs = (chunks + length - 1) / length
    }

    /// A chunk's items, as places in the list of all rounds' items, and the token slots that see it.
    struct Visit {
        let slots: Range<Int>
        let places: Range<Int>
        /// Those of the visit that the worker will make after this one.
        let next: Range<Int>
    }

    /// - Parameter following: the run of this round that the worker will take next; asked at the last visit.
    func forEachVisit(
        round: Int, run: Int, of blocks: HostBlocks, following: () -> Int?, _ body: (Visit) -> Void
    ) {
        let chunks = itemChunks(run)
        func places(_ chunk: Int) -> Range<Int> {
            let first = round * blocks.selectableCount
            return first + start(chunk, of: blocks.selectableCount)..<first
                + start(chunk + 1, of: blocks.selectableCount)
        }
        for chunk in chunks {
            let next = chunk + 1 < chunks.upperBound ? chunk + 1 : following().map { itemChunks($0).lowerBound }
            body(
                Visit(
                    slots: slots(round, seeing: chunk), places: places(chunk), next: next.map { places($0) } ?? 0..<0))
        }
    }

    private func itemChunks(_ run: Int) -> Range<Int> { run * length..<min(chunks, (run + 1) * length) }

    private func slots(_ round: Int, seeing chunk: Int) -> Range<Int> {
        let first = round * tokens
        return first + start(max(0, chunk - neighbours), of: tokens)..<first
            + start(min(chunks, chunk + neighbours + 1), of: tokens)
    }

    /// Where a chunk of `count` things begins.
    private func start(_ chunk: Int, of count: Int) -> Int { chunk * count / chunks }
}
