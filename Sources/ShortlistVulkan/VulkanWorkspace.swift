import ShortlistCore

/// The memory of one call, and the buffers by which kernels speak of it.
///
/// Vectors lie in one device buffer, which a saved state keeps; a call that resumes a saved state puts its own in a
/// second one; kernels' scratch is a third, gone at the end of either. What callers hand in lies beside them.
final class VulkanWorkspace: Workspace, @unchecked Sendable {
    // Sendable: used by one thread at a time, the one inside its stream's call, or the one that releases it after.
    private var vectors: DeviceArena?
    private var additions: DeviceArena?
    private var scratch: DeviceArena?
    private var inputs = InputArena()
    private var inScratch = false
    private(set) var buffers: [BoundBuffer] = []
    /// Buffers that outlive the call: those of the call that made the workspace.
    private var keptBuffers: Int?
    private(set) var shouldStop: (@Sendable () -> Bool)?
    private(set) var scratchLimit = Int.max
    private(set) var scratchBytes = 0
    private var mostUsed = 0
    let device: VulkanDevice

    var usedBytes: Int { mostUsed }

    init(_ device: VulkanDevice) { self.device = device }

    /// Makes room for a plan; nothing changes when the device refuses it.
    func open(_ plan: WorkspacePlan, scratchBytes: Int, limit: Int) throws(ShortlistError) {
        guard let room = device.pool.take(plan.reservedBytes), let scratchRoom = device.pool.take(scratchBytes) else {
            throw ShortlistError(
                .outOfMemory,
                "\(device.info.nameText) has no room for \(plan.reservedBytes) bytes of workspace and \(scratchBytes) of scratch; "
                    + "lower the workspace limit or the sizes")
        }
        scratch = DeviceArena(scratchRoom, byteCount: scratchBytes)
        if vectors == nil {
            vectors = DeviceArena(room, byteCount: plan.reservedBytes)
        } else {
            additions = DeviceArena(room, byteCount: plan.reservedBytes)
            keptBuffers = buffers.count
        }
        shouldStop = plan.shouldStop
        scratchLimit = limit
        self.scratchBytes = scratchBytes
        mostUsed = 0
    }

    /// Ends the call: scratch and additions go, with their buffers; the vectors stay for whoever holds the workspace.
    func close() {
        scratch = nil
        additions = nil
        shouldStop = nil
        inScratch = false
        if let keptBuffers { buffers.removeLast(buffers.count - keptBuffers) }
        keptBuffers = nil
    }

    /// Gives the vectors back too.
    func release() {
        close()
        buffers = []
        vectors = nil
        inputs = InputArena()
    }

    func reserve(bytes: Int) throws(ShortlistError) -> BufferID {
        var place: DevicePlace?
        if inScratch {
            place = try scratch?.take(bytes)
        } else if additions != nil {
            place = try additions?.take(bytes)
        } else {
            place = try vectors?.take(bytes)
        }
        guard let place else { throw ShortlistError(.internalError, "a vector was reserved outside a call") }
        noteUse(scratch?.used ?? 0)
        return add(BoundBuffer(place: place, byteCount: bytes))
    }

    private func noteUse(_ scratchUsed: Int) {
        mostUsed = max(mostUsed, ((additions ?? vectors)?.used ?? 0) + scratchUsed)
    }

    func add(_ buffer: BoundBuffer) -> BufferID {
        buffers.append(buffer)
        return BufferID(rawValue: Int32(buffers.count - 1))
    }

    func buffer(_ id: BufferID) throws(ShortlistError) -> BoundBuffer {
        guard buffers.indices.contains(Int(id.rawValue)) else {
            throw ShortlistError(.internalError, "buffer \(id.rawValue) is not of this call")
        }
        return buffers[Int(id.rawValue)]
    }

    func inputPlace(_ bytes: Int) throws(ShortlistError) -> DevicePlace {
        try inputs.take(bytes, from: device.pool, for: "an input")
    }

    /// Lets `body` take from the scratch, and takes everything back.
    func withScratch<R>(_ body: () throws(ShortlistError) -> R) throws(ShortlistError) -> R {
        let count = buffers.count
        inScratch = true
        scratch?.reset()
        defer {
            inScratch = false
            scratch?.reset()
            buffers.removeLast(buffers.count - count)
        }
        return try body()
    }
}

/// Memory that kernels know by a `BufferID`: on the device, on the host, or both, and which of them is the newer.
final class BoundBuffer {
    /// nil for the caller's memory that no kernel has asked for yet.
    var place: DevicePlace?
    let byteCount: Int
    /// The caller's memory, or a host copy that `write` made: rows of `rowBytes`, `stride` bytes apart.
    var host: HostMemory?
    var hostIsCurrent: Bool
    var deviceIsCurrent = false
    /// Whether the caller wants it back at the end.
    let isOutput: Bool

    struct HostMemory {
        let base: UnsafeMutableRawPointer
        let rows: Int
        let rowBytes: Int
        let stride: Int
        /// Keeps a host copy alive; nil for the caller's memory.
        let owner: Memory?
        var isContiguous: Bool { rows <= 1 || stride == rowBytes }
    }

    /// A vector of the workspace, its contents undefined.
    init(place: DevicePlace, byteCount: Int) {
        self.place = place
        self.byteCount = byteCount
        hostIsCurrent = false
        isOutput = false
    }

    /// The caller's memory.
    init(host: HostMemory, isOutput: Bool) {
        self.host = host
        byteCount = host.rows * host.rowBytes
        hostIsCurrent = true
        self.isOutput = isOutput
    }

    /// A resident copy: the device's alone.
    init(resident place: DevicePlace, byteCount: Int) {
        self.place = place
        self.byteCount = byteCount
        hostIsCurrent = false
        deviceIsCurrent = true
        isOutput = false
    }
}
