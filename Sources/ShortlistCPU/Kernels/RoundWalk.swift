import ShortlistCore

/// How RECE's rounds are worked off: a task takes a run of consecutive token chunks and goes over the item chunks that
/// they see. The tokens of the run that see an item chunk stand together in the round's order, so each of its tiles is
/// gathered once for all of them, where a block by itself would gather 2·n_ec + 1 chunks for one chunk of tokens.
struct RoundWalk {
    /// Chunks of a round, seen on each side, and in a run.
    private let chunks: Int
    private let neighbours: Int
    private let length: Int
    /// Tokens of a round.
    private let tokens: Int
    /// Runs of a round. Those that touch see common items, those two apart do not.
    let runs: Int

    /// From shapes alone. Nil where blocks are no chunks of rounds, or are so few that runs of them would leave threads
    /// idle.
    init?(_ shape: BlockShape) {
        guard shape.rounds > 0, shape.blockCount > 0 else { return nil }
        chunks = shape.blockCount / shape.rounds
        neighbours = shape.neighbours
        tokens = shape.tokenCount
        // Long enough that the chunks at its ends, which the next run gathers too, do not count.
        length = max(1, 2 * neighbours, (chunks + 63) / 64)
        guard chunks >= 4 * length else { return nil }
        runs = (chunks + length - 1) / length
    }

    /// Tokens of the largest run.
    var mostTokens: Int { (length * tokens + chunks - 1) / chunks + 1 }

    /// The run's token slots.
    func slots(round: Int, run: Int) -> Range<Int> { slots(round, tokenChunks(run)) }

    /// An item chunk, as places in the list of all rounds' items, and the token slots of the run that see it.
    struct Visit {
        let slots: Range<Int>
        let places: Range<Int>
    }

    func forEachVisit(round: Int, run: Int, of blocks: HostBlocks, _ body: (Visit) -> Void) {
        let mine = tokenChunks(run)
        let items = blocks.selectableCount
        for chunk in max(0, mine.lowerBound - neighbours)..<min(chunks, mine.upperBound + neighbours) {
            let seen = mine.clamped(to: chunk - neighbours..<chunk + neighbours + 1)
            let start = round * items
            body(
                Visit(
                    slots: slots(round, seen),
                    places: start + chunk * items / chunks..<start + (chunk + 1) * items / chunks))
        }
    }

    private func tokenChunks(_ run: Int) -> Range<Int> { run * length..<min(chunks, (run + 1) * length) }

    private func slots(_ round: Int, _ seen: Range<Int>) -> Range<Int> {
        let start = round * tokens
        return start + seen.lowerBound * tokens / chunks..<start + seen.upperBound * tokens / chunks
    }
}
