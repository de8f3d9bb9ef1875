import Glibc

/// Memory that the system may refuse: every large allocation of the library comes from here, because Swift's own
/// containers abort the process when memory runs out.
public final class Memory: @unchecked Sendable {
    // Sendable: `base` and `byteCount` never change; whoever shares the bytes orders their access.
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int

    /// Cache-line and vector alignment of every allocation.
    public static let alignment = 64

    /// - Throws: `outOfMemory` naming the size and what it was for.
    public init(byteCount: Int, zeroed: Bool = false, for what: String) throws(ShortlistError) {
        guard byteCount >= 0 else {
            throw ShortlistError(.overflow, "\(what): a size of \(byteCount) bytes")
        }
        var pointer: UnsafeMutableRawPointer?
        let padded = max(byteCount, 1)
        guard posix_memalign(&pointer, Memory.alignment, padded) == 0, let pointer else {
            throw ShortlistError(
                .outOfMemory, "\(what): the system refused \(byteCount) bytes; lower the workspace limit or the sizes")
        }
        if zeroed { memset(pointer, 0, padded) }
        self.base = pointer
        self.byteCount = byteCount
    }

    deinit { free(base) }
}
