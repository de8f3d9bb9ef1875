import Glibc
import ShortlistCore

/// The item chunks that a RECE block sees, gathered side by side: going from a block to the next one, only the chunk
/// that comes into view is copied, where a block of its own would copy all 2·n_ec + 1 of them again.
///
/// Chunk k stands in slot k mod chunks. One worker's own.
struct ChunkWindow {
    /// What a window holds.
    struct Size {
        /// Chunks at a time.
        let chunks: Int
        /// Rows of the largest chunk.
        let rows: Int
        let width: Int
        var places: Int { chunks * rows }

        /// A window that is larger than the caches gains nothing over gathering tile by tile.
        private static let mostBytes = 8 << 20

        /// Nil where blocks are no chunks of rounds, see too much at a time, or are so few that walking through them
        /// would leave threads idle.
        init?(_ shape: BlockShape) {
            guard shape.rounds > 0, shape.blockCount > 0 else { return nil }
            let count = shape.blockCount / shape.rounds
            guard count >= 4 * Self.run(shape) else { return nil }
            chunks = min(2 * shape.neighbours + 1, count)
            rows = (shape.itemCount + count - 1) / count
            width = shape.width
            guard chunks * rows * width * MemoryLayout<Float>.stride <= Self.mostBytes else { return nil }
        }

        /// Blocks that one task walks through, from shapes alone: long enough that the chunks copied at its start do not
        /// count, and that tasks two apart see no chunk in common.
        static func run(_ shape: BlockShape) -> Int {
            max(1, 2 * shape.neighbours, (shape.blockCount / shape.rounds + 63) / 64)
        }
    }

    let size: Size
    private let blocks: HostBlocks
    /// Item ids by place.
    private let ids: UnsafePointer<Int32>
    private let rows: UnsafeMutablePointer<Float>
    private let chunkCount: Int
    private let neighbours: Int
    /// Chunks that stand in the window, and their round.
    private(set) var held = 0..<0
    private var round = 0

    /// Nil where the blocks list no items, which chunks of rounds always do.
    init?(_ blocks: HostBlocks, _ size: Size, _ cutter: inout ScratchCutter) {
        guard let ids = blocks.items else { return nil }
        self.ids = ids
        self.size = size
        self.blocks = blocks
        rows = cutter.take(Float.self, size.places * size.width)
        chunkCount = blocks.shape.blockCount / blocks.shape.rounds
        neighbours = blocks.shape.neighbours
    }

    /// Forgets what it holds: the items of the next block are gathered anew.
    mutating func clear() { held = 0..<0 }

    /// Brings the chunks that `block` sees into the window.
    ///
    /// - Parameters:
    ///   - leave: called for a chunk before it makes room.
    ///   - enter: called for a chunk that was copied.
    mutating func move(to block: Int, leave: (Int) -> Void = { _ in }, enter: (Int) -> Void = { _ in }) {
        round = block / chunkCount
        let chunk = block % chunkCount
        let wanted = max(0, chunk - neighbours)..<min(chunkCount, chunk + neighbours + 1)
        for old in held where !wanted.contains(old) { leave(old) }
        for new in wanted where !held.contains(new) {
            let places = self.places(of: new)
            gatherRows(
                blocks.catalog, ids + places.lowerBound, places.count,
                into: rows + offset(of: new) * size.width)
            enter(new)
        }
        held = wanted
    }

    /// Places of a chunk in the list of all rounds' items.
    func places(of chunk: Int) -> Range<Int> {
        let count = blocks.selectableCount
        let start = round * count
        return start + chunk * count / chunkCount..<start + (chunk + 1) * count / chunkCount
    }

    /// Row of the window where a chunk begins.
    func offset(of chunk: Int) -> Int { chunk % size.chunks * size.rows }

    /// Row of the window of a place, and how many rows from there on are the places that follow.
    func run(from place: Int) -> (row: Int, count: Int) {
        let count = blocks.selectableCount
        let chunk = part(of: place - round * count, among: count, chunkCount)
        let places = places(of: chunk)
        return (offset(of: chunk) + place - places.lowerBound, places.upperBound - place)
    }

    func row(_ index: Int) -> UnsafePointer<Float> { UnsafePointer(rows + index * size.width) }
}
