import ShortlistCore

/// One block of memory, handed out from its beginning.
struct PlainArena {
    private let memory: Memory
    private(set) var used = 0

    init(byteCount: Int, for what: String) throws(ShortlistError) {
        memory = try Memory(byteCount: byteCount, for: what)
    }

    /// The next `bytes`. What does not fit was not planned, which is a bug of whoever asks.
    mutating func take(_ bytes: Int) throws(ShortlistError) -> UnsafeMutableRawPointer {
        // The rounding of `WorkspacePlan.reserve`, so that what was planned fits to the byte.
        let padded = (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
        guard bytes >= 0, padded <= memory.byteCount - used else {
            throw ShortlistError(
                .internalError, "\(bytes) bytes were not planned; \(memory.byteCount - used) are left")
        }
        defer { used += padded }
        return memory.base + used
    }

    mutating func reset() { used = 0 }
}

/// The memory of one call, and the names by which kernels speak of it.
///
/// A call's vectors live in `vectors`, which a saved state keeps after the call. A call that resumes a saved state puts
/// its own in `additions`. Kernels' scratch is a third block, gone at the end of either.
final class PlainWorkspace: Workspace, @unchecked Sendable {
    // Sendable: used by one thread at a time, the one inside its stream's call, or the one that releases it after.
    private var vectors: PlainArena?
    private var additions: PlainArena?
    private var scratch: PlainArena?
    private var inScratch = false
    /// Where each buffer begins: a `BufferID` is a place in this list. On a device, these would be its handles.
    private var bases: [UnsafeMutableRawPointer] = []
    /// Names that outlive the call: those of the call that made the workspace.
    private var keptNames: Int?
    private var shouldStop: (@Sendable () -> Bool)?
    private var mostUsed = 0

    var usedBytes: Int { mostUsed }

    /// Makes room for a plan; nothing changes when the system refuses it.
    func open(_ plan: WorkspacePlan, scratchBytes: Int) throws(ShortlistError) {
        let room = try PlainArena(byteCount: plan.reservedBytes, for: "the workspace")
        scratch = try PlainArena(byteCount: scratchBytes, for: "kernel scratch")
        if vectors == nil {
            vectors = room
        } else {
            additions = room
            keptNames = bases.count
        }
        shouldStop = plan.shouldStop
        mostUsed = 0
    }

    /// Ends the call: scratch and additions go, with their names; the vectors stay for whoever holds the workspace.
    func close() {
        scratch = nil
        additions = nil
        shouldStop = nil
        if let keptNames { bases.removeLast(bases.count - keptNames) }
        keptNames = nil
    }

    /// Gives the vectors back too.
    func release() {
        close()
        vectors = nil
    }

    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        let bytes = try count.multiplied(by: MemoryLayout<E>.stride, for: "a vector")
        var base: UnsafeMutableRawPointer?
        if inScratch {
            base = try scratch?.take(bytes)
        } else if additions != nil {
            base = try additions?.take(bytes)
        } else {
            base = try vectors?.take(bytes)
        }
        guard let base else { throw ShortlistError(.internalError, "a vector was reserved outside a call") }
        mostUsed = max(mostUsed, ((additions ?? vectors)?.used ?? 0) + (scratch?.used ?? 0))
        return Vector(buffer: name(base), offset: 0, count: count)
    }

    /// Lets `body` reserve from the scratch, and takes everything back.
    func withScratchVectors(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError) {
        let names = bases.count
        inScratch = true
        defer {
            inScratch = false
            scratch?.reset()
            bases.removeLast(bases.count - names)
        }
        try body()
    }

    /// A name for memory that begins at `base`: the workspace's, or the caller's.
    func name(_ base: UnsafeMutableRawPointer) -> BufferID {
        bases.append(base)
        return BufferID(rawValue: Int32(bases.count - 1))
    }

    func base(of buffer: BufferID) throws(ShortlistError) -> UnsafeMutableRawPointer {
        guard bases.indices.contains(Int(buffer.rawValue)) else {
            throw ShortlistError(.internalError, "buffer \(buffer.rawValue) is not of this call")
        }
        return bases[Int(buffer.rawValue)]
    }

    /// - Throws: `cancelled` when the caller wants the call to end. Loops ask once a row or so.
    func checkStop() throws(ShortlistError) {
        if let shouldStop, shouldStop() {
            throw ShortlistError(.cancelled, "the stop callback ended the call; outputs hold partial results")
        }
    }
}
