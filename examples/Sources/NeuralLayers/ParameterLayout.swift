/// Where each parameter of a model stands in one flat block of numbers. Layers add theirs as they are made; optimisers,
/// checkpoints and sums of gradients then work on the block as a whole.
public struct ParameterLayout: Sendable {
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let rows: Int
        public let columns: Int
        public let offset: Int
        public var count: Int { rows * columns }
        public var range: Range<Int> { offset..<offset + count }
    }

    public private(set) var entries: [Entry] = []
    /// How long the block is.
    public private(set) var count = 0

    public init() {}

    public mutating func add(_ name: String, rows: Int, columns: Int) -> Entry {
        precondition(!entries.contains { $0.name == name }, "there is a parameter \(name) already")
        let entry = Entry(name: name, rows: rows, columns: columns, offset: count)
        entries.append(entry)
        // The next parameter starts at a multiple of 64 bytes; what lies between stays 0.
        count += (entry.count + 15) / 16 * 16
        return entry
    }
}

extension ParameterLayout.Entry {
    /// This parameter inside the block that starts at `base`.
    public func tile(in base: UnsafeMutablePointer<Float>) -> Tile {
        Tile(base + offset, rows: rows, columns: columns)
    }
}

/// Where a pass reads parameters and adds up their gradients: two blocks of the same layout.
public struct ParameterBlocks {
    public let values: UnsafeMutablePointer<Float>
    /// Nil where the parameters are frozen: layers then compute no gradients of theirs.
    public let gradients: UnsafeMutablePointer<Float>?

    public init(values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>?) {
        self.values = values
        self.gradients = gradients
    }
}
