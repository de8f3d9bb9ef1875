import CShortlistShaders
import CVulkan
import Glibc
import ShortlistCore
import Synchronization

/// Vulkan's device itself, which goes after the last thing that was made with it: a buffer may outlive its context.
final class DeviceHandle: @unchecked Sendable {
    // Sendable: constants.
    let raw: OpaquePointer
    private let loader: Loader
    private let faults: AllocationFaults?
    private let process = getpid()
    /// Not so in a child after `fork`, where the driver's threads are gone: nothing is given back there.
    var isOfThisProcess: Bool { process == getpid() }

    init(_ raw: OpaquePointer, _ loader: Loader, _ faults: AllocationFaults?) {
        self.raw = raw
        self.loader = loader
        self.faults = faults
    }

    /// A buffer with memory of its own: the one place that allocates. Returns a VkResult.
    func makeBuffer(_ bytes: Int, _ kind: Int, _ buffer: inout slv_buffer) -> Int32 {
        if let faults, faults.strike() { return Int32(SLV_OUT_OF_DEVICE_MEMORY) }
        return slv_buffer_create(raw, UInt64(bytes), Int32(kind), &buffer)
    }

    deinit {
        if isOfThisProcess { slv_device_destroy(raw) }
    }
}

/// An open device: its queue, its compiled kernels and its spare memory. Shared by streams.
final class VulkanDevice: @unchecked Sendable {
    // Sendable: `handle` is used from several threads only in ways Vulkan allows; the queue has a lock.
    private let owner: DeviceHandle
    var handle: OpaquePointer { owner.raw }
    let info: slv_device_info
    let pool: BufferPool
    private let pipelines = Mutex<[String: UInt64]>([:])
    /// How many of them the cache on disk has seen; held while it is written.
    private let saved = Mutex(0)
    private let queue = Mutex<Void>(())
    private let lost = Atomic<Bool>(false)

    init(_ loader: Loader, index: Int, _ options: VulkanOptions) throws(ShortlistError) {
        info = loader.devices[index]
        let cache = PipelineCacheFile(info)
        let saved = cache?.read() ?? []
        var made: OpaquePointer?
        let result = slv_device_create(loader.instance, UInt32(index), saved, saved.count, &made)
        guard result == 0, let made else {
            throw ShortlistError(
                result == Int32(SLV_OUT_OF_HOST_MEMORY) || result == Int32(SLV_OUT_OF_DEVICE_MEMORY)
                    ? .outOfMemory : .backendUnavailable,
                "\(info.nameText): the device could not be opened (VkResult \(result))")
        }
        owner = DeviceHandle(made, loader, options.faults)
        pool = BufferPool(owner, limit: options.memoryLimit)
    }

    var isOfThisProcess: Bool { owner.isOfThisProcess }

    deinit {
        guard isOfThisProcess else { return }
        pool.removeAll()
        pipelines.withLock { for pipeline in $0.values { slv_pipeline_destroy(handle, pipeline) } }
    }

    /// Memory of a recorder, beside the pool. Returns a VkResult.
    func makeBuffer(_ bytes: Int, _ kind: Int, _ buffer: inout slv_buffer) -> Int32 {
        owner.makeBuffer(bytes, kind, &buffer)
    }

    var isLost: Bool { lost.load(ordering: .relaxed) }

    /// Marks the device as gone; whoever uses it gets `deviceLost`.
    func markLost() { lost.store(true, ordering: .relaxed) }

    /// Turns a VkResult into an error. A lost device stays lost: no retry.
    func check(_ result: Int32, _ what: @autoclosure () -> String) throws(ShortlistError) {
        if result == 0 { return }
        switch result {
        case Int32(SLV_OUT_OF_HOST_MEMORY), Int32(SLV_OUT_OF_DEVICE_MEMORY):
            throw ShortlistError(.outOfMemory, "\(info.nameText): out of memory for \(what())")
        case Int32(SLV_DEVICE_LOST):
            markLost()
            throw ShortlistError(.deviceLost, "\(info.nameText) was lost in \(what()); this context is dead")
        default:
            throw ShortlistError(.internalError, "\(info.nameText): VkResult \(result) from \(what())")
        }
    }

    func checkAlive() throws(ShortlistError) {
        if isLost { throw ShortlistError(.deviceLost, "\(info.nameText) was lost; this context is dead") }
    }

    /// The queue is one thread's at a time.
    func submit(_ recorder: slv_recorder, semaphore: UInt64, value: UInt64) -> Int32 {
        queue.withLock { _ in
            var recorder = recorder
            return slv_submit(handle, &recorder, semaphore, value)
        }
    }

    /// The pipeline of a shader for a tile, compiled when first used. Specialization constant 0 is common/tile.glsl's
    /// `factor`; shaders without it ignore it.
    func pipeline(_ shader: Shader, _ tile: Tile) throws(ShortlistError) -> UInt64 {
        let name = "\(shader.name) \(tile)"
        let found = pipelines.withLock { pipelines -> Result<UInt64, ShortlistError> in
            if let pipeline = pipelines[name] { return .success(pipeline) }
            var pipeline: UInt64 = 0
            let result = slv_pipeline_create(
                handle, shader.code, shader.size, [UInt32(tile.rawValue)], 1, &pipeline)
            do throws(ShortlistError) {
                try check(result, "compiling \(shader.name)")
            } catch {
                return .failure(error)
            }
            pipelines[name] = pipeline
            return .success(pipeline)
        }
        return try found.get()
    }

    /// Writes the cache where kernels were compiled since it was read or written. At the end of a call, because a
    /// program may end without letting its contexts go.
    func savePipelines() {
        let count = pipelines.withLock(\.count)
        saved.withLock { saved in
            guard count > saved, !isLost else { return }
            saved = count
            writePipelines()
        }
    }

    private func writePipelines() {
        guard let file = PipelineCacheFile(info) else { return }
        var size = 0
        guard slv_cache_data(handle, nil, &size) == 0, size > 0, size < 1 << 28 else { return }
        var bytes = [UInt8](repeating: 0, count: size)
        guard slv_cache_data(handle, &bytes, &size) == 0 else { return }
        file.write(Array(bytes.prefix(size)))
    }
}

/// An embedded shader.
struct Shader {
    let name: String
    let code: UnsafePointer<UInt32>
    let size: Int
    let argumentCount: Int
    let lastOffset: Int

    init(_ name: String) throws(ShortlistError) {
        guard let found = sl_find_shader(name) else {
            throw ShortlistError(.internalError, "there is no shader named \(name)")
        }
        self.name = name
        code = found.pointee.code
        size = found.pointee.size
        argumentCount = Int(found.pointee.argument_count)
        lastOffset = Int(found.pointee.last_offset)
    }
}
