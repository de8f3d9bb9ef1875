import ShortlistCore

/// How far one invocation of a shader may go.
///
/// A workgroup that sweeps a catalog of millions must not run for long: watchdogs end what takes seconds, and lavapipe
/// ends every loop of an invocation after 65 535 iterations all together, without a word. So sweeps are cut, by numbers
/// that depend on the shape and the kind of device alone.
struct Sweep {
    let iterations: Int
    /// The tile of every product, where a test forces one.
    let forced: Tile?

    /// Tiles that one invocation sweeps, where each takes `extra` iterations beside those of its products.
    func tiles(width: Int, extra: Int) -> Int { max(1, iterations / (divided(width, 16) * 18 + extra)) }

    /// `count` things in runs of at most `most`.
    static func runs(_ count: Int, most: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: most).map { $0..<min(count, $0 + most) }
    }

    /// The tile for products of `rows` × `columns`, `count` of them: the large one where it wastes little and leaves
    /// enough workgroups for a large GPU.
    func tile(rows: Int, columns: Int, count: Int = 1, sweepsColumns: Bool = false) -> Tile {
        if let forced { return forced }
        func padded(_ tile: Tile) -> Double {
            Double(divided(rows, tile.size) * tile.size) * Double(divided(columns, tile.size) * tile.size)
        }
        let groups = divided(rows, Tile.large.size) * (sweepsColumns ? 1 : divided(columns, Tile.large.size))
        guard padded(.large) <= 1.5 * padded(.small), groups * max(count, 1) >= 128 else { return .small }
        return .large
    }
}

/// The tiles of products, common/tile.glsl: rows and columns of one workgroup of 256 threads.
///
/// Shared memory is 9 KiB (small) and 17 KiB (large), with what a block's tile needs besides 12 and 23 KiB. A thread has
/// 4 × 4 or 8 × 8 products: 32 bytes from shared memory for 16 multiplications, or 64 for 64. A processor that reads 128
/// bytes and multiplies 128 times a cycle is held up by the former, and not by the latter.
package enum Tile: Int, Sendable, CaseIterable {
    case small = 1
    case large = 2

    /// Rows, and columns.
    var size: Int { 64 * rawValue }
    /// Products of one thread.
    var products: Int { 16 * rawValue * rawValue }
}
