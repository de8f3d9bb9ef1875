/// Several users' histories end to end: row after row of items, nothing between them and no padding.
///
/// The rows are cut, between sequences, into chunks of a few hundred rows. A chunk is the unit of parallel work, and
/// what depends on the cut (the order of sums) depends on the batch alone, not on the number of threads.
struct PackedBatch {
    /// Which places of the position table the rows of a sequence shorter than the table get.
    enum Positions: String, Codable, Sendable, CaseIterable {
        /// The last item always gets the last place, as left padding does.
        case end
        /// The first item always gets the first place.
        case start
    }

    struct Chunk {
        let rows: Range<Int>
        /// For every row the first row of its sequence, both counted from the chunk's first row.
        let starts: [Int32]
    }

    private(set) var items: [Int32] = []
    private(set) var positions: [Int32] = []
    /// The last row of every sequence.
    private(set) var lastRows: [Int] = []
    private(set) var chunks: [Chunk] = []

    var rows: Int { items.count }

    /// - Parameters:
    ///   - sequences: items oldest first; of each at most the last `maximumLength` are used. Empty ones have no rows and
    ///     no place in `lastRows`.
    init(
        _ sequences: some Sequence<ArraySlice<Int32>>, maximumLength: Int, positions place: Positions,
        rowsPerChunk: Int = 512
    ) {
        var first = 0
        var starts: [Int32] = []
        func close(_ batch: inout PackedBatch) {
            guard batch.rows > first else { return }
            batch.chunks.append(Chunk(rows: first..<batch.rows, starts: starts))
            first = batch.rows
            starts = []
        }
        for sequence in sequences where !sequence.isEmpty {
            let kept = sequence.suffix(maximumLength)
            if !starts.isEmpty, starts.count + kept.count > rowsPerChunk { close(&self) }
            let start = Int32(starts.count)
            let position = place == .end ? maximumLength - kept.count : 0
            items += kept
            for offset in 0..<kept.count {
                positions.append(Int32(position + offset))
                starts.append(start)
            }
            lastRows.append(rows - 1)
        }
        close(&self)
    }
}

/// A packed batch and what each of its rows should predict: the next item of the same history.
struct TrainingBatch {
    let inputs: PackedBatch
    let targets: [Int32]

    /// - Parameter histories: the part of each history that is trained on; those with fewer than two items have nothing
    ///   to predict.
    init(_ histories: [ArraySlice<Int32>], maximumLength: Int, positions: PackedBatch.Positions) {
        inputs = PackedBatch(
            histories.lazy.map { $0.dropLast() }, maximumLength: maximumLength, positions: positions)
        targets = histories.flatMap { $0.dropFirst().suffix(maximumLength) }
    }
}
