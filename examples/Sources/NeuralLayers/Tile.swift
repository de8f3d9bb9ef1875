/// A borrowed row-major matrix of f32 without gaps between rows: what layers read and write.
///
/// It owns nothing: an `Arena`, an array or a `Matrix` does, and must outlive it.
public struct Tile {
    public let base: UnsafeMutablePointer<Float>
    public let rows: Int
    public let columns: Int

    public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
    }

    public var count: Int { rows * columns }

    @inline(__always)
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * columns }

    public func fill(_ value: Float) { base.update(repeating: value, count: count) }

    public func copy(from other: Tile) {
        assert(other.rows == rows && other.columns == columns)
        base.update(from: other.base, count: count)
    }

    /// self += other
    public func add(_ other: Tile) {
        assert(other.rows == rows && other.columns == columns)
        let (to, from) = (base, other.base)
        for index in 0..<count { to[index] += from[index] }
    }

    /// self ∘= other, element by element.
    public func multiply(by other: Tile) {
        assert(other.rows == rows && other.columns == columns)
        let (to, from) = (base, other.base)
        for index in 0..<count { to[index] *= from[index] }
    }

    public func scale(by factor: Float) {
        for index in 0..<count { base[index] *= factor }
    }
}

/// Memory for one pass: tiles are taken one after the other and all given back at once, so that a training step of the
/// size of the one before allocates nothing.
public final class Arena {
    private var blocks: [UnsafeMutableBufferPointer<Float>] = []
    private var block = 0
    private var used = 0

    public init() {}

    deinit { for block in blocks { block.deallocate() } }

    /// Every tile taken so far becomes invalid.
    public func reset() {
        block = 0
        used = 0
    }

    /// A tile with whatever the memory holds.
    public func take(_ rows: Int, _ columns: Int) -> Tile {
        // Tiles start at multiples of 64 bytes.
        let wanted = (rows * columns + 15) / 16 * 16
        while block < blocks.count, used + wanted > blocks[block].count {
            block += 1
            used = 0
        }
        if block == blocks.count {
            let size = max(wanted, 2 * (blocks.last?.count ?? 1 << 15))
            let memory = UnsafeMutableRawPointer.allocate(byteCount: size * 4, alignment: 64)
            blocks.append(
                UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: size), count: size))
        }
        defer { used += wanted }
        return Tile(blocks[block].baseAddress! + used, rows: rows, columns: columns)
    }

    /// A tile of zeros.
    public func zeros(_ rows: Int, _ columns: Int) -> Tile {
        let tile = take(rows, columns)
        tile.fill(0)
        return tile
    }
}
