import Shortlist
import Testing

/// A backend of a test's own, that has devices and never makes a stream.
private struct FakeBackend: Backend {
    var name = "fake"
    var found: [Device] = []
    var unavailableReason: String?
    var failure = ShortlistError(.deviceLost, "a fake has no stream")

    func devices() -> [Device] { found }
    func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any ShortlistCore.Stream {
        throw failure
    }
}

@Suite("A backend registry")
struct RegistryTests {
    private let two = FakeBackend(
        name: "two",
        found: [
            Device(name: "slow", index: 0, score: 5, detail: "old"),
            Device(name: "fast", index: 1, score: 50, detail: "new"),
        ])
    private let missing = FakeBackend(name: "missing", unavailableReason: "no driver libfake.so.1")

    @Test("lists every backend, an unavailable one with its reason")
    func listing() throws {
        let registry = BackendRegistry([missing, two])
        let list = registry.list()
        #expect(list.map(\.name) == ["missing", "two"])
        #expect(list[0].unavailableReason == "no driver libfake.so.1")
        #expect(!list[0].isAvailable && list[1].isAvailable)
        #expect(list[1].devices.map(\.name) == ["slow", "fast"])
    }

    @Test("chooses the highest score of all backends, and says why")
    func automatic() throws {
        let choice = try BackendRegistry([missing, two]).choose()
        #expect(choice.name == "two" && choice.device.name == "fast")
        #expect(choice.reason.contains("50") && choice.reason.contains("new"), "\(choice.reason)")
    }

    @Test("chooses by name, and by name and index")
    func named() throws {
        let registry = BackendRegistry([two, missing])
        #expect(try registry.choose(backend: "two").device.index == 1)
        #expect(try registry.choose(backend: "two", device: 0).device.name == "slow")
    }

    @Test("asked by name, never falls back: each refusal has its code and names what was given")
    func refusals() throws {
        let registry = BackendRegistry([two, missing])
        func error(_ name: String?, _ index: Int?) -> ShortlistError? {
            #expect(throws: ShortlistError.self) { try registry.choose(backend: name, device: index) }
        }
        let unknown = error("cuda", nil)
        #expect(unknown?.code == .unknownBackend)
        #expect(unknown?.message.contains("'cuda'") == true && unknown?.message.contains("'two'") == true)
        let unavailable = error("missing", nil)
        #expect(unavailable?.code == .backendUnavailable)
        #expect(unavailable?.message.contains("libfake.so.1") == true)
        #expect(error("two", 7)?.code == .invalidArgument)
        #expect(error("two", 7)?.message.contains("7") == true)
        #expect(error(nil, 0)?.code == .invalidArgument)
    }

    @Test("with nothing that can run, the error has every backend's reason")
    func nothing() throws {
        let zero = FakeBackend(name: "zero", found: [Device(name: "z", index: 0, score: 0, detail: "too old")])
        let error = #expect(throws: ShortlistError.self) { try BackendRegistry([missing, zero]).choose() }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("libfake.so.1") == true && error?.message.contains("zero") == true)
        #expect(throws: ShortlistError.self) { try BackendRegistry().choose() }
    }

    @Test("a name can be registered once")
    func register() throws {
        var registry = BackendRegistry.standard
        try registry.register(two)
        #expect(registry.backends.map(\.name).contains("two"))
        let error = #expect(throws: ShortlistError.self) { try registry.register(two) }
        #expect(error?.code == .invalidArgument && error?.message.contains("'two'") == true)
    }

    @Test("a context opens the backend that was asked for, and passes its errors on")
    func contexts() throws {
        var registry = BackendRegistry.standard
        try registry.register(two)
        #expect(try Context(.init(backend: "cpu"), registry: registry).backend.name == "cpu")
        let error = #expect(throws: ShortlistError.self) { try Context(.init(backend: "two"), registry: registry) }
        #expect(error == two.failure)
        let unknown = #expect(throws: ShortlistError.self) { try Context(.init(backend: "gpu")) }
        #expect(unknown?.code == .unknownBackend)
        let limit = #expect(throws: ShortlistError.self) { try Context(.init(workspaceLimit: -1)) }
        #expect(limit?.code == .invalidArgument && limit?.message.contains("-1") == true)
        #expect(try Context(.init(threads: 3)).threads == 3)
    }
}
