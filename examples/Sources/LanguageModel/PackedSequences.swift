/// How the rows of a batch make sequences, and the chunks of whole sequences that threads work on.
///
/// Chunks depend on the lengths and `rowsPerChunk` alone, so no result depends on the number of threads.
public struct PackedSequences: Sendable {
    public struct Chunk: Sendable {
        /// Rows of the batch.
        public let rows: Range<Int>
        /// For every row of the chunk the first row of its sequence, counted from the chunk's first row.
        public let starts: [Int32]
    }

    public let rows: Int
    public let chunks: [Chunk]

    /// - Parameters:
    ///   - lengths: rows of each sequence, which lie end to end.
    ///   - rowsPerChunk: a chunk ends before the sequence that would take it beyond this; a longer sequence has one alone.
    public init(lengths: some Collection<Int>, rowsPerChunk: Int = 256) {
        precondition(rowsPerChunk > 0, "chunks of \(rowsPerChunk) rows")
        var chunks: [Chunk] = []
        var first = 0
        var starts: [Int32] = []
        for length in lengths {
            precondition(length >= 0, "a sequence of \(length) rows")
            if !starts.isEmpty, starts.count + length > rowsPerChunk {
                chunks.append(Chunk(rows: first..<first + starts.count, starts: starts))
                first += starts.count
                starts.removeAll()
            }
            starts.append(contentsOf: repeatElement(Int32(starts.count), count: length))
        }
        if !starts.isEmpty { chunks.append(Chunk(rows: first..<first + starts.count, starts: starts)) }
        self.chunks = chunks
        rows = first + starts.count
    }
}
