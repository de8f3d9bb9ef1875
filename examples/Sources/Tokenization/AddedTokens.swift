/// Finds added tokens in text: the first one, and of those that begin at the same place the longest.
struct AddedTokens: Sendable {
    /// Trie nodes by their number and the next byte; the root's children stand in `root`.
    private var children: [UInt64: Int32] = [:]
    private var root = [Int32](repeating: -1, count: 256)
    /// The token that ends at each node, or −1.
    private var tokens: [Int32] = [-1]

    init(_ entries: [(content: String, token: Int32)]) {
        for entry in entries {
            var node: Int32 = 0
            for byte in entry.content.utf8 {
                if let child = child(of: node, byte) {
                    node = child
                    continue
                }
                let new = Int32(tokens.count)
                tokens.append(-1)
                if node == 0 { root[Int(byte)] = new } else { children[Self.key(node, byte)] = new }
                node = new
            }
            if node > 0 { tokens[Int(node)] = entry.token }
        }
    }

    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }

    private func child(of node: Int32, _ byte: UInt8) -> Int32? {
        node == 0 ? (root[Int(byte)] >= 0 ? root[Int(byte)] : nil) : children[Self.key(node, byte)]
    }

    /// Calls `text` with what lies between added tokens, and `token` with each of them, in order.
    func split(
        _ bytes: UnsafeBufferPointer<UInt8>, text: (UnsafeBufferPointer<UInt8>) -> Void, token: (Int32) -> Void
    ) {
        var start = 0
        var position = 0
        func flush() {
            if position > start { text(UnsafeBufferPointer(rebasing: bytes[start..<position])) }
        }
        while tokens.count > 1, position < bytes.count {
            guard let (found, end) = match(bytes, at: position) else {
                position += 1
                continue
            }
            flush()
            token(found)
            position = end
            start = end
        }
        position = bytes.count
        flush()
    }

    private func match(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (token: Int32, end: Int)? {
        var found: (Int32, Int)?
        var node: Int32 = 0
        for index in start..<bytes.count {
            guard let next = child(of: node, bytes[index]) else { break }
            node = next
            if tokens[Int(node)] >= 0 { found = (tokens[Int(node)], index + 1) }
        }
        return found
    }
}
