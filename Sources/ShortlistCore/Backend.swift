/// A device that a backend found.
public struct Device: Sendable, Equatable {
    public var name: String
    /// Position among the backend's devices.
    public var index: Int
    /// How well suited it is; 0 cannot run here. `auto` takes the highest of all backends.
    public var score: Int
    /// Why the score is what it is: what the device has, or why it cannot run.
    public var detail: String
    /// Whether `auto` passes it by, whatever its score: a software device, which is there for tests.
    public var onlyByName: Bool

    public init(name: String, index: Int, score: Int, detail: String, onlyByName: Bool = false) {
        self.name = name
        self.index = index
        self.score = score
        self.detail = detail
        self.onlyByName = onlyByName
    }
}

/// How a stream is to be made.
public struct StreamOptions: Sendable {
    /// Worker threads, the calling one included; nil for one a core.
    public var threads: Int?
    public init(threads: Int? = nil) { self.threads = threads }
}

/// Something that can run the kernels: an OpenBLAS CPU, a Vulkan device.
///
/// All requirements may be called from any thread.
public protocol Backend: Sendable {
    /// Short and stable: "cpu", "vulkan". What users ask for it by.
    var name: String { get }
    /// The devices, cheaply: no device is opened. An empty list or scores of 0 come with reasons in `unavailable`.
    func devices() -> [Device]
    /// Why there is no usable device, nil when there is one.
    var unavailableReason: String? { get }
    /// Opens device `index`: the slow step. Each call makes a stream of its own, which serves one thread at a time.
    ///
    /// - Throws: `backendUnavailable` with the reason, `outOfMemory`, `invalidArgument` for an index or a thread count.
    func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any Stream
}

/// A device that a registry chose, and why.
public struct BackendChoice: Sendable {
    /// The backend's name.
    public let name: String
    public let device: Device
    /// Why this one, as a sentence: "highest score (100): …", "asked for by name".
    public let reason: String
    package let backend: any Backend
}

/// The backends a program can use: an object, not a global, so that tests and hosts make their own.
///
/// A value: `register` changes the copy it is called on. Any number of threads may read one.
public struct BackendRegistry: Sendable {
    /// In the order in which they were registered.
    public private(set) var backends: [any Backend]

    public init(_ backends: [any Backend] = []) { self.backends = backends }

    /// Adds a backend. - Throws: `invalidArgument` when its name is taken.
    public mutating func register(_ backend: any Backend) throws(ShortlistError) {
        guard !backends.contains(where: { $0.name == backend.name }) else {
            throw ShortlistError(.invalidArgument, "a backend named '\(backend.name)' is already registered")
        }
        backends.append(backend)
    }

    /// One line a backend: its devices, or the reason why it has none.
    public struct Listing: Sendable {
        public let name: String
        public let devices: [Device]
        /// nil where a device can be used.
        public let unavailableReason: String?
        /// Whether a context can be made on one of its devices.
        public var isAvailable: Bool { unavailableReason == nil && devices.contains { $0.score > 0 } }
    }

    /// Every backend, those that cannot run here too. Opens no device.
    public func list() -> [Listing] {
        backends.map { Listing(name: $0.name, devices: $0.devices(), unavailableReason: $0.unavailableReason) }
    }

    /// The device with the highest score (of equals the first), or the one that was asked for. Asking by name never
    /// falls back to another backend.
    ///
    /// - Throws: `unknownBackend`, `backendUnavailable` (with the backend's or the device's reason), `invalidArgument`
    ///   for an index.
    public func choose(backend name: String? = nil, device index: Int? = nil) throws(ShortlistError) -> BackendChoice {
        if let name { return try chooseNamed(name, device: index) }
        guard index == nil else {
            throw ShortlistError(.invalidArgument, "a device index needs a backend name")
        }
        var best: BackendChoice?
        for backend in backends {
            for device in backend.devices() where !device.onlyByName && device.score > best?.device.score ?? 0 {
                best = BackendChoice(
                    name: backend.name, device: device, reason: "highest score (\(device.score)): \(device.detail)",
                    backend: backend)
            }
        }
        guard let best else {
            let reasons = backends.map { "\($0.name): \($0.unavailableReason ?? "no device with a score above 0")" }
            throw ShortlistError(
                .backendUnavailable, "no backend can run here (\(reasons.joined(separator: "; ")))")
        }
        return best
    }

    private func chooseNamed(_ name: String, device index: Int?) throws(ShortlistError) -> BackendChoice {
        guard let backend = backends.first(where: { $0.name == name }) else {
            let known = backends.map { "'\($0.name)'" }.joined(separator: ", ")
            throw ShortlistError(.unknownBackend, "no backend named '\(name)'; this build has \(known)")
        }
        if let reason = backend.unavailableReason {
            throw ShortlistError(.backendUnavailable, "backend '\(name)' cannot run here: \(reason)")
        }
        let devices = backend.devices()
        if let index {
            guard let device = devices.first(where: { $0.index == index }) else {
                throw ShortlistError(
                    .invalidArgument, "backend '\(name)' has \(devices.count) devices, there is no device \(index)")
            }
            return try usable(device, of: backend, reason: "asked for by name and index")
        }
        guard let device = devices.max(by: { $0.score < $1.score }) else {
            throw ShortlistError(.backendUnavailable, "backend '\(name)' has no device")
        }
        return try usable(device, of: backend, reason: "asked for by name")
    }

    private func usable(
        _ device: Device, of backend: any Backend, reason: String
    ) throws(ShortlistError) -> BackendChoice {
        guard device.score > 0 else {
            throw ShortlistError(
                .backendUnavailable,
                "device \(device.index) of backend '\(backend.name)' cannot run here: \(device.detail)")
        }
        return BackendChoice(name: backend.name, device: device, reason: reason, backend: backend)
    }
}
