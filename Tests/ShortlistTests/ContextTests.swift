import Shortlist
import Synchronization
import Testing

@Suite("Contexts")
struct ContextTests {
    @Test("The default context says which backend it chose and why")
    func choice() throws {
        let context = try Context()
        #expect(context.backend.name == "cpu")
        #expect(!context.backend.reason.isEmpty && context.backend.device.score > 0)
        #expect(context.threads >= 1)
    }

    @Test("An unknown backend is refused with the names of those there are")
    func unknownBackend() {
        let error = failure { () throws(ShortlistError) in try Context(.init(backend: "abacus")) }
        #expect(error?.code == .unknownBackend)
        #expect(error?.message.contains("abacus") == true && error?.message.contains("cpu") == true)
    }

    private struct Broken: Backend {
        let name = "broken"
        let unavailableReason: String? = "its driver is missing"
        func devices() -> [Device] { [] }
        func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any Stream {
            throw ShortlistError(.backendUnavailable, "no")
        }
    }

    @Test("An unavailable backend is listed with its reason, refused by name, and passed over by the default")
    func unavailableBackend() throws {
        var registry = BackendRegistry.standard
        try registry.register(Broken())
        let listing = try #require(registry.list().first { $0.name == "broken" })
        #expect(!listing.isAvailable && listing.unavailableReason == "its driver is missing")
        let error = failure { () throws(ShortlistError) in try Context(.init(backend: "broken"), registry: registry) }
        #expect(error?.code == .backendUnavailable && error?.message.contains("its driver is missing") == true)
        #expect(try Context(registry: registry).backend.name == "cpu")
    }

    @Test("Refused options name what was given", arguments: [(-1, 0), (2000, 0), (nil, -5)] as [(Int?, Int)])
    func refusedOptions(threads: Int?, limit: Int) {
        let options = ContextOptions(threads: threads, workspaceLimit: limit == 0 ? nil : limit)
        let error = failure { () throws(ShortlistError) in try Context(options) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("\(threads ?? limit)") == true)
    }

    @Test("An empty catalog, another width, and too few targets are clear errors")
    func shapes() throws {
        let context = try Context()
        let empty = try Matrix(rows: 0, columns: 4)
        #expect(failure { () throws(ShortlistError) in try context.catalog(empty) }?.code == .invalidArgument)
        let problem = try SmallProblem()
        let narrow = try context.catalog(try Matrix(rows: 5, columns: 3))
        let width = failure { () throws(ShortlistError) in
            try context.evaluate(CrossEntropy(), hidden: problem.hidden, targets: problem.targets, catalog: narrow)
        }
        #expect(width?.code == .invalidArgument && width?.message.contains("24") == true)
        let catalog = try context.catalog(problem.items)
        let few = failure { () throws(ShortlistError) in
            try context.evaluate(CrossEntropy(), hidden: problem.hidden, targets: [Int32(1)], catalog: catalog)
        }
        #expect(few?.code == .invalidArgument)
    }

    @Test("A stop callback ends the call with cancelled, and the context works afterwards")
    func cancel() throws {
        let problem = try SmallProblem(tokens: 500, items: 5_000)
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        context.shouldStop = { true }
        let error = failure { () throws(ShortlistError) in
            try context.evaluate(
                SCE(), hidden: problem.hidden, targets: problem.targets, catalog: catalog, gradients: .hidden)
        }
        #expect(error?.code == .cancelled)
        context.shouldStop = nil
        let result = try context.evaluate(
            SCE(), hidden: problem.hidden, targets: problem.targets, catalog: catalog, gradients: .hidden)
        #expect(result.loss.isFinite)
    }

    @Test("A context that is inside a call refuses another with busy")
    func busy() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let inner = Mutex<ShortlistError.Code?>(nil)
        context.shouldStop = {
            let error = failure { () throws(ShortlistError) in
                try context.evaluate(
                    CrossEntropy(), hidden: problem.hidden, targets: problem.targets, catalog: catalog)
            }
            inner.withLock { $0 = error?.code }
            return false
        }
        _ = try context.evaluate(
            CrossEntropy(), hidden: problem.hidden, targets: problem.targets, catalog: catalog)
        context.shouldStop = nil
        #expect(inner.withLock { $0 } == .busy)
    }

    @Test("Threads: contexts in parallel tasks give the bits that they give alone")
    func parallelContexts() async throws {
        let problem = try SmallProblem(tokens: 300, items: 2_000)
        @Sendable func run() throws -> [Float] {
            let context = try Context(.init(threads: 2))
            let catalog = try context.catalog(problem.items)
            var last: [Float] = []
            for step in 0..<5 {
                let result = try context.evaluate(
                    SCE(itemsPerBucket: 40, seed: 2, step: UInt64(step), combination: .union),
                    hidden: problem.hidden, targets: problem.targets, catalog: catalog,
                    gradients: [.hidden, .catalog])
                last = (result.gradients.catalog?.elements).map(Array.init) ?? []
            }
            return last
        }
        let alone = try run()
        try await withThrowingTaskGroup(of: [Float].self) { group in
            for _ in 0..<4 { group.addTask { try run() } }
            for try await result in group { #expect(result == alone) }
        }
    }

    @Test("Threads: every loss gives the same bits with 1, 2, 3 and 8 threads")
    func threadCounts() throws {
        let problem = try SmallProblem(tokens: 400, items: 9_000, width: 17)
        func bits(_ threads: Int) throws -> [[Float]] {
            let context = try Context(.init(threads: threads))
            let catalog = try context.catalog(problem.items)
            func gradients(_ loss: some Loss) throws -> [Float] {
                let result = try context.evaluate(
                    loss, hidden: problem.hidden, targets: problem.targets, catalog: catalog,
                    gradients: [.hidden, .catalog])
                return (result.gradients.hidden.map { Array($0.elements) } ?? [])
                    + (result.gradients.catalog.map { Array($0.elements) } ?? [])
            }
            return [
                try gradients(CrossEntropy()), try gradients(SCE(seed: 4)),
                try gradients(SCE(seed: 4, combination: .union)), try gradients(RECE(rounds: 2, seed: 4)),
            ]
        }
        let one = try bits(1)
        for threads in [2, 3, 8] { #expect(try bits(threads) == one) }
    }
}
