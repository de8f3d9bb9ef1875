/// Which device memory was read and written since the last barrier: a barrier stands only where something written is then
/// read or written, or something read is then written.
///
/// Addresses are device addresses, at which buffers do not overlap.
package struct Hazards {
    package struct Access {
        package let memory: Range<UInt64>
        package let isWritten: Bool

        package init(memory: Range<UInt64>, isWritten: Bool) {
            self.memory = memory
            self.isWritten = isWritten
        }
    }

    private var reads: [Range<UInt64>] = []
    private var writes: [Range<UInt64>] = []

    package init() {}

    /// Whether `accesses` must wait for what came before them.
    package func conflict(with accesses: [Access]) -> Bool {
        accesses.contains { access in
            writes.contains { $0.overlaps(access.memory) }
                || (access.isWritten && reads.contains { $0.overlaps(access.memory) })
        }
    }

    package mutating func add(_ accesses: [Access]) {
        for access in accesses where !access.memory.isEmpty {
            if access.isWritten { writes.append(access.memory) } else { reads.append(access.memory) }
        }
    }

    /// After a barrier.
    package mutating func removeAll() {
        reads.removeAll(keepingCapacity: true)
        writes.removeAll(keepingCapacity: true)
    }
}
