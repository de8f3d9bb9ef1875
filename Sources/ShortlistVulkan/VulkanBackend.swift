import Glibc
import ShortlistCore
import Synchronization

/// GPUs of any vendor through Vulkan 1.2 compute shaders.
///
/// libvulkan is opened at run time: without it, or without a driver, the backend is listed as unavailable with the
/// reason. A device needs 64-bit integers and floats in shaders, buffer device addresses, scalar block layout and
/// timeline semaphores; `devices()` says what one lacks. Discrete devices come before integrated ones; a software
/// device (lavapipe) is used only where this backend was asked for by name and has no other.
///
/// Drivers do not outlive `fork`: in a child of a process that had opened libvulkan, the backend is unavailable.
public struct VulkanBackend: Backend {
    public let name = "vulkan"
    let options: VulkanOptions
    private let shared: Shared

    /// - Parameter validation: Whether the Khronos validation layer checks every call; `validationMessages` has what it
    ///   said.
    public init(validation: Bool = false) { self.init(VulkanOptions(validation: validation)) }

    package init(_ options: VulkanOptions) {
        self.options = options
        shared = Shared(options)
    }

    public func devices() -> [Device] {
        guard case .success(let loader) = shared.loader() else { return [] }
        return loader.devices.enumerated().map { index, info in
            Device(
                name: info.nameText, index: index, score: info.score, detail: info.detail,
                onlyByName: info.isProcessor)
        }
    }

    public var unavailableReason: String? {
        switch shared.loader() {
        case .failure(let error): return error.reason
        case .success:
            let devices = devices()
            guard !devices.contains(where: { $0.score > 0 }) else { return nil }
            return devices.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
        }
    }

    /// Warnings and errors of the validation layer so far, and the first of them; none without `validation`.
    public var validationMessages: (count: Int, first: String) {
        guard case .success(let loader) = shared.loader() else { return (0, "") }
        return loader.validationMessages
    }

    /// For tests: what follows when the driver reports that a device, which must be open, is gone.
    package func loseDevice(_ index: Int) throws(ShortlistError) { try shared.device(index).markLost() }

    /// For tests: gives back what an open device keeps spare, so that the next call allocates anew.
    package func dropSpareMemory(device index: Int) throws(ShortlistError) {
        try shared.device(index).pool.dropSpares()
    }

    /// Bytes of memory that an open device has in use or spare.
    package func allocatedBytes(device index: Int) throws(ShortlistError) -> Int {
        try shared.device(index).pool.allocatedBytes
    }

    /// Opens a device. Streams of one backend share the device and its compiled kernels; each has its own memory.
    ///
    /// - Throws: `backendUnavailable` with the reason, `invalidArgument` for an index or fewer than one thread,
    ///   `outOfMemory`. `threads` is otherwise not used: kernels run on the device.
    public func makeStream(device index: Int, options streamOptions: StreamOptions) throws(ShortlistError) -> any Stream
    {
        if let threads = streamOptions.threads, threads < 1 {
            throw ShortlistError(.invalidArgument, "\(threads) threads; at least 1")
        }
        return try VulkanStream(try shared.device(index), options: options)
    }
}

/// How a Vulkan backend is made; tests force its variants.
package struct VulkanOptions: Sendable {
    package var validation = false
    /// Bytes of staging memory in each direction; small ones force uploads in many pieces.
    package var stagingBytes = 16 << 20
    /// Workgroups of one slice of a dispatch at most.
    package var sliceGroups = 1 << 22
    /// Iterations of one invocation at most, instead of what suits the device: small numbers force many sweeps.
    package var sweepIterations: Int?
    /// The tile of every product, instead of what suits the shape.
    package var tile: Tile?
    /// Places of each list of a projection that selects, instead of what suits k: few make lists overflow.
    package var listCapacity: Int?
    /// Sums up a sort's counts in a dispatch of their own, as for many places.
    package var scansCounts = false
    /// Times each kernel on the device, and not only the stages of a call.
    package var timesKernels = false
    /// Optional kernels that are composed of required ones although there are native ones.
    package var composed: KernelSet = []
    /// Device memory that may be allocated, to test its end.
    package var memoryLimit = Int.max
    /// Features, by name, that count as missing on every device.
    package var without = ""
    /// Makes allocations of device memory fail.
    package var faults: AllocationFaults?

    package init(validation: Bool = false) { self.validation = validation }
}

/// What the copies of one backend share: the loader, opened when first asked for, and devices in use.
private final class Shared: Sendable {
    private let options: VulkanOptions
    private struct State {
        var loader: Result<Loader, LoadError>?
        /// The process that opened it.
        var process = getpid()
        var devices: [Int: VulkanDevice] = [:]
    }
    private let state = Mutex(State())

    init(_ options: VulkanOptions) { self.options = options }

    func loader() -> Result<Loader, LoadError> {
        state.withLock { state in
            if let loader = state.loader {
                guard case .success = loader, state.process != getpid() else { return loader }
                return .failure(
                    LoadError(
                        reason: "Vulkan was opened before this process was forked, and drivers do not outlive that"))
            }
            let loader = Loader.open(options)
            state.loader = loader
            state.process = getpid()
            return loader
        }
    }

    func device(_ index: Int) throws(ShortlistError) -> VulkanDevice {
        let loader: Loader
        switch self.loader() {
        case .failure(let error): throw ShortlistError(.backendUnavailable, "vulkan: \(error.reason)")
        case .success(let found): loader = found
        }
        guard loader.devices.indices.contains(index) else {
            throw ShortlistError(
                .invalidArgument, "the Vulkan backend has \(loader.devices.count) devices; asked for \(index)")
        }
        let info = loader.devices[index]
        guard info.score > 0 else {
            throw ShortlistError(.backendUnavailable, "\(info.nameText) cannot be used: \(info.detail)")
        }
        let made = state.withLock { state -> Result<VulkanDevice, ShortlistError> in
            // A lost device is made anew; contexts on the old one stay dead.
            if let device = state.devices[index], !device.isLost { return .success(device) }
            do throws(ShortlistError) {
                let device = try VulkanDevice(loader, index: index, options)
                state.devices[index] = device
                return .success(device)
            } catch {
                return .failure(error)
            }
        }
        return try made.get()
    }
}
