import ShortlistCore

/// Blocks of memory that calls have given back, for the calls that follow.
///
/// A block serves a call that needs no more and not wildly less. One that no call has wanted for a while is given back
/// to the system, so that one large call does not tie memory down for ever; a few are kept, because forward and
/// backward passes that take turns want blocks of different sizes.
struct SpareMemory {
    private var spares: [(memory: Memory, idleCalls: Int)] = []

    /// Calls in a row that may pass a block by.
    private static let patience = 8
    private static let capacity = 3

    var byteCount: Int { spares.reduce(0) { $0 + $1.memory.byteCount } }

    /// The smallest block that serves `bytes`, of `most` bytes at most.
    mutating func take(_ bytes: Int, atMost most: Int) -> Memory? {
        for index in spares.indices { spares[index].idleCalls += 1 }
        spares.removeAll { $0.idleCalls > SpareMemory.patience }
        let fitting = spares.indices.filter { index in
            let size = spares[index].memory.byteCount
            return size >= bytes && size <= most && size / 4 <= bytes + 1 << 18
        }
        guard let best = fitting.min(by: { spares[$0].memory.byteCount < spares[$1].memory.byteCount }) else {
            return nil
        }
        return spares.remove(at: best).memory
    }

    mutating func keep(_ memory: Memory) {
        if spares.count == SpareMemory.capacity, let smallest = spares.indices.min(by: { smaller($0, $1) }) {
            guard spares[smallest].memory.byteCount < memory.byteCount else { return }
            spares.remove(at: smallest)
        }
        spares.append((memory, 0))
    }

    /// Gives back blocks, the largest first, until at most `bytes` are kept.
    mutating func shrink(to bytes: Int) {
        while byteCount > max(bytes, 0), let largest = spares.indices.max(by: { smaller($0, $1) }) {
            spares.remove(at: largest)
        }
    }

    private func smaller(_ a: Int, _ b: Int) -> Bool { spares[a].memory.byteCount < spares[b].memory.byteCount }
}

extension Memory? {
    /// This block, or a new one of `bytes`.
    func orNew(_ bytes: Int, for what: String) throws(ShortlistError) -> Memory {
        if let self { return self }
        return try Memory(byteCount: bytes, for: what)
    }
}
