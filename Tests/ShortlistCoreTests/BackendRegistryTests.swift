import ShortlistCore
import Testing

/// A backend that makes no streams.
private struct Stub: Backend {
    var name: String
    var scores: [Int] = []
    var unavailableReason: String?

    func devices() -> [Device] {
        scores.enumerated().map {
            Device(name: "\(name) \($0)", index: $0, score: $1, detail: "detail of \(name) \($0)")
        }
    }

    func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any Stream {
        throw ShortlistError(.unsupported, "a stub makes no stream")
    }
}

@Suite("Backend registry")
struct BackendRegistryTests {
    private let registry = BackendRegistry([
        Stub(name: "slow", scores: [5]), Stub(name: "broken", unavailableReason: "no driver libfoo.so.1"),
        Stub(name: "fast", scores: [0, 40, 90, 90]), Stub(name: "equal", scores: [90]), Stub(name: "idle", scores: [0]),
    ])

    @Test("Without a name the device of the highest score is chosen, the first of equals, and the reason says so")
    func automatic() throws {
        let choice = try registry.choose()
        #expect(choice.name == "fast" && choice.device.index == 2)
        #expect(choice.reason.contains("highest score (90)") && choice.reason.contains("detail of fast 2"))
    }

    @Test("By name the best device of that backend alone is chosen, though another scores more")
    func byName() throws {
        #expect(try registry.choose(backend: "slow").device.name == "slow 0")
        #expect(try registry.choose(backend: "fast").device.index == 2)
        #expect(try registry.choose(backend: "slow").reason == "asked for by name")
    }

    @Test("By name and index that very device is chosen")
    func byIndex() throws {
        let choice = try registry.choose(backend: "fast", device: 1)
        #expect(choice.device.score == 40 && choice.reason == "asked for by name and index")
    }

    @Test("A device that is not there, or an index without a name, is refused")
    func wrongIndex() {
        #expect(
            code { () throws(ShortlistError) in _ = try registry.choose(backend: "fast", device: 4) }
                == .invalidArgument)
        #expect(
            code { () throws(ShortlistError) in _ = try registry.choose(backend: "fast", device: -1) }
                == .invalidArgument)
        #expect(code { () throws(ShortlistError) in _ = try registry.choose(device: 0) } == .invalidArgument)
    }

    @Test("A device that cannot run is refused with its detail, by name and by index")
    func deviceThatCannotRun() {
        for (name, index) in [("fast", 0), ("idle", 0), ("idle", nil)] as [(String, Int?)] {
            let error = failure { () throws(ShortlistError) in _ = try registry.choose(backend: name, device: index) }
            #expect(error?.code == .backendUnavailable)
            #expect(error?.message.contains("detail of \(name) 0") == true)
        }
    }

    @Test("An unknown name is refused, naming those there are")
    func unknownName() {
        let error = failure { () throws(ShortlistError) in _ = try registry.choose(backend: "quantum") }
        #expect(error?.code == .unknownBackend)
        #expect(error?.message.contains("quantum") == true && error?.message.contains("'slow'") == true)
    }

    @Test("An unavailable backend is refused with its reason and never replaced by another")
    func unavailable() {
        for index in [nil, 0] {
            let error = failure { () throws(ShortlistError) in
                _ = try registry.choose(backend: "broken", device: index)
            }
            #expect(error?.code == .backendUnavailable)
            #expect(error?.message.contains("no driver libfoo.so.1") == true)
        }
    }

    @Test("Where nothing can run, the error gives every backend's reason")
    func nothingRuns() {
        let poor = BackendRegistry([
            Stub(name: "broken", unavailableReason: "no driver"), Stub(name: "idle", scores: [0]),
        ])
        let error = failure { () throws(ShortlistError) in _ = try poor.choose() }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("broken: no driver") == true && error?.message.contains("idle: ") == true)
        #expect(code { () throws(ShortlistError) in _ = try BackendRegistry().choose() } == .backendUnavailable)
    }

    @Test("The list has every backend in order of registration, with its devices or the reason for none")
    func listing() {
        let list = registry.list()
        #expect(list.map(\.name) == ["slow", "broken", "fast", "equal", "idle"])
        #expect(list.map(\.isAvailable) == [true, false, true, true, false])
        #expect(list[1].unavailableReason == "no driver libfoo.so.1" && list[1].devices.isEmpty)
        #expect(list[2].devices.map(\.score) == [0, 40, 90, 90])
    }

    @Test("A name can be registered once, and registering changes no copy")
    func registering() throws {
        var copy = registry
        try copy.register(Stub(name: "best", scores: [1000]))
        #expect(try copy.choose().name == "best")
        #expect(try registry.choose().name == "fast")
        let error = failure { () throws(ShortlistError) in try copy.register(Stub(name: "slow", scores: [9000])) }
        #expect(error?.code == .invalidArgument && error?.message.contains("slow") == true)
        #expect(copy.backends.count == 6)
    }
}
