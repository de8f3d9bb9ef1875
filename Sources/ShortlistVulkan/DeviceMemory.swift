import CVulkan
import ShortlistCore
import Synchronization

/// A buffer with memory of its own, as Vulkan knows it.
struct Allocation: @unchecked Sendable {
    // Sendable: numbers and an address; whoever uses the memory orders its access.
    var raw: slv_buffer
    var byteCount: Int { Int(raw.size) }
}

/// A buffer with memory of its own, given back to its pool when nobody holds it.
final class DeviceBuffer: @unchecked Sendable {
    // Sendable: constants; the bytes are ordered by the stream that uses them.
    private let allocation: Allocation
    private let pool: BufferPool
    var raw: slv_buffer { allocation.raw }
    var byteCount: Int { allocation.byteCount }

    init(_ allocation: Allocation, _ pool: BufferPool) {
        self.allocation = allocation
        self.pool = pool
    }

    deinit { pool.giveBack(allocation) }
}

/// Device memory: buffers in use, and a few spare ones for the calls that follow.
final class BufferPool: @unchecked Sendable {
    // Sendable: what changes is behind the lock.
    private let device: DeviceHandle
    private let limit: Int
    private struct State {
        var spares: [Allocation] = []
        var allocated = 0
        var isClosed = false
    }
    private let state = Mutex(State())
    /// Spare buffers that are kept.
    private static let capacity = 6

    init(_ device: DeviceHandle, limit: Int) {
        self.device = device
        self.limit = limit
    }

    /// Bytes of device memory that are in use or spare.
    var allocatedBytes: Int { state.withLock { $0.allocated } }

    /// A buffer of at least `bytes`: a spare one that is not wildly larger, else a new one. Where the device refuses,
    /// spare ones are let go and it is asked again. nil when there is no room.
    func take(_ bytes: Int) -> DeviceBuffer? {
        let size = max((bytes + 255) / 256 * 256, 256)
        let taken = state.withLock { state -> Allocation? in
            let fitting = state.spares.indices.filter {
                let spare = state.spares[$0].byteCount
                return spare >= size && spare / 4 <= size + 1 << 16
            }
            if let best = fitting.min(by: { state.spares[$0].byteCount < state.spares[$1].byteCount }) {
                return state.spares.remove(at: best)
            }
            if let made = make(size, &state) { return made }
            dropSpares(&state)
            return make(size, &state)
        }
        return taken.map { DeviceBuffer($0, self) }
    }

    private func make(_ size: Int, _ state: inout State) -> Allocation? {
        guard size <= limit - min(limit, state.allocated) else { return nil }
        var raw = slv_buffer()
        guard device.makeBuffer(size, SLV_LOCAL, &raw) == 0 else { return nil }
        state.allocated += size
        return Allocation(raw: raw)
    }

    /// Gives spare buffers back to the driver.
    func dropSpares() { state.withLock { dropSpares(&$0) } }

    private func dropSpares(_ state: inout State) {
        for spare in state.spares { destroy(spare, &state) }
        state.spares = []
    }

    private func destroy(_ allocation: Allocation, _ state: inout State) {
        var raw = allocation.raw
        if device.isOfThisProcess { slv_buffer_destroy(device.raw, &raw) }
        state.allocated -= allocation.byteCount
    }

    fileprivate func giveBack(_ allocation: Allocation) {
        state.withLock { state in
            state.spares.append(allocation)
            if state.isClosed { return dropSpares(&state) }
            guard state.spares.count > BufferPool.capacity,
                let smallest = state.spares.indices.min(by: { state.spares[$0].byteCount < state.spares[$1].byteCount })
            else { return }
            destroy(state.spares.remove(at: smallest), &state)
        }
    }

    func removeAll() {
        state.withLock { state in
            state.isClosed = true
            dropSpares(&state)
        }
    }
}

/// A place in device memory.
struct DevicePlace {
    let buffer: DeviceBuffer
    let offset: Int
    var address: UInt64 { buffer.raw.address + UInt64(offset) }
}

/// One buffer, handed out from its beginning, with the rounding of `WorkspacePlan.reserve`.
struct DeviceArena {
    let buffer: DeviceBuffer
    let byteCount: Int
    private(set) var used = 0

    init(_ buffer: DeviceBuffer, byteCount: Int) {
        self.buffer = buffer
        self.byteCount = byteCount
    }

    mutating func take(_ bytes: Int) throws(ShortlistError) -> DevicePlace {
        let padded = (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
        guard bytes >= 0, padded <= byteCount - used else {
            throw ShortlistError(.internalError, "\(bytes) bytes were not planned; \(byteCount - used) are left")
        }
        defer { used += padded }
        return DevicePlace(buffer: buffer, offset: used)
    }

    mutating func reset() { used = 0 }
}

/// Device memory for what callers hand in: buffers are added as they are needed.
struct InputArena {
    private var arenas: [DeviceArena] = []
    private static let chunk = 1 << 22

    mutating func take(_ bytes: Int, from pool: BufferPool, for what: String) throws(ShortlistError) -> DevicePlace {
        let padded = (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
        for index in arenas.indices where arenas[index].byteCount - arenas[index].used >= padded {
            return try arenas[index].take(bytes)
        }
        let size = max(padded, InputArena.chunk)
        // A whole chunk for the next ones too, or what is needed where that is too much.
        guard let buffer = pool.take(size) ?? pool.take(padded) else {
            throw ShortlistError(.outOfMemory, "\(what): the device has no room for \(padded) bytes")
        }
        arenas.append(DeviceArena(buffer, byteCount: min(size, buffer.byteCount)))
        return try arenas[arenas.count - 1].take(bytes)
    }
}
