import Shortlist
import Synchronization
import Testing

@Suite("What a context refuses")
struct RefusalTests {
    @Test("a catalog that is empty, or whose bias has another length, is an error that names the sizes")
    func catalogs() throws {
        let context = try Context()
        let empty = #expect(throws: ShortlistError.self) { try context.catalog(try Matrix(rows: 0, columns: 4)) }
        #expect(empty?.code == .invalidArgument && empty?.message.contains("empty: 0 items of 4") == true)
        let items = try Matrix(rows: 5, columns: 4)
        let bias = try Matrix(rows: 6, columns: 1)
        let length = #expect(throws: ShortlistError.self) { try context.catalog(items, bias: bias) }
        #expect(length?.code == .invalidArgument && length?.message.contains("6 values for 5 items") == true)
        let square = #expect(throws: ShortlistError.self) { try context.catalog(items, bias: items) }
        #expect(square?.code == .invalidArgument && square?.message.contains("5 × 4") == true)
        let catalog = try context.catalog(items)
        try catalog.update()
        try catalog.update(rows: [0, 4])
        let row = #expect(throws: ShortlistError.self) { try catalog.update(rows: [1, 5]) }
        #expect(row?.code == .indexOutOfRange && row?.message.contains("5") == true)
    }

    @Test("a catalog keeps its matrix alive, and sees it change")
    func liveCatalog() throws {
        let context = try Context()
        var items: Matrix? = try Matrix(rows: 3, columns: 1, [1, 2, 3])
        let catalog = try context.catalog(try #require(items))
        let query = try Matrix(rows: 1, columns: 1, [1])
        items?[0, 0] = 9
        try catalog.update(rows: [0])
        items = nil
        #expect(try context.topK(query, in: catalog, k: 3).ids == [0, 2, 1])
    }

    @Test("matrices of impossible shapes are errors, not traps")
    func matrices() throws {
        for (rows, columns) in [(-1, 2), (2, -1)] {
            let error = #expect(throws: ShortlistError.self) { try Matrix(rows: rows, columns: columns) }
            #expect(error?.code == .invalidArgument)
        }
        let huge = #expect(throws: ShortlistError.self) { try Matrix(rows: .max / 2, columns: 8) }
        #expect(huge?.code == .overflow)
        let short = #expect(throws: ShortlistError.self) { try Matrix(rows: 2, columns: 2, [1, 2, 3]) }
        #expect(short?.code == .invalidArgument && short?.message.contains("3 values") == true)
        let items = try Matrix(rows: 2, columns: 3)
        let stride = #expect(throws: ShortlistError.self) {
            try MatrixView(items.view.base, rows: 2, columns: 3, rowStride: 2)
        }
        #expect(stride?.code == .invalidArgument && stride?.message.contains("stride 2") == true)
    }

    @Test("a second user of a context gets busy at once, and the first goes on")
    func busy() throws {
        let fixture = try Fixture()
        let context = try Context(.init(threads: 1))
        let catalog = try context.catalog(fixture.items)
        // The stop callback runs inside the call: whoever uses the context then is a second user.
        let codes = Codes()
        context.shouldStop = { [fixture] in
            do {
                _ = try context.evaluate(
                    CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog)
                codes.note(nil)
            } catch {
                codes.note((error as? ShortlistError)?.code)
            }
            return false
        }
        let loss = try context.evaluate(
            CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog
        ).loss
        context.shouldStop = nil
        #expect(!codes.all.isEmpty && codes.all.allSatisfy { $0 == .busy }, "\(codes.all)")
        let again = try context.evaluate(
            CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog)
        #expect(again.loss == loss)
    }

    @Test("a stop callback ends a call with cancelled, and taking it away lets calls run")
    func cancelled() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items)
        context.shouldStop = { true }
        let error = #expect(throws: ShortlistError.self) {
            try context.evaluate(CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog)
        }
        #expect(error?.code == .cancelled)
        context.shouldStop = nil
        _ = try context.evaluate(CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog)
    }

    @Test("a workspace limit is obeyed, and one that is too low is refused with the least")
    func limits() throws {
        let fixture = try Fixture()
        func run(_ limit: Int?) throws -> Evaluation {
            let context = try Context(.init(threads: 2, workspaceLimit: limit))
            return try context.evaluate(
                SCE(seed: 1), hidden: fixture.hidden, targets: fixture.targets,
                catalog: try context.catalog(fixture.items))
        }
        let error = #expect(throws: ShortlistError.self) { try run(0) }
        let least = try #require(error?.bytesNeeded)
        #expect(error?.code == .workspaceLimit && error?.message.contains("\(least)") == true)
        #expect(try run(least).report.workspacePlanned <= least)
        #expect(throws: ShortlistError.self) { try run(least - 1) }
    }

    @Test("a state of another context is refused")
    func foreignState() throws {
        let fixture = try Fixture()
        let (one, other) = (try Context(), try Context())
        let catalog = try one.catalog(fixture.items)
        let gradient = try Matrix(rows: fixture.tokens, columns: fixture.width)
        try fixture.targets.withUnsafeBufferPointer { targets in
            let state = try one.forward(
                CrossEntropy(), Batch(hidden: fixture.hidden.view, targets: .int32(targets)), catalog: catalog)
            let error = #expect(throws: ShortlistError.self) {
                try other.backward(state, into: GradientOutputs(hidden: gradient.mutableView))
            }
            #expect(error?.code == .invalidHandle)
        }
    }

    @Test("typed errors name what was given and what is wanted")
    func messages() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items)
        var targets = fixture.targets
        targets[7] = 140
        let range = #expect(throws: ShortlistError.self) {
            try context.evaluate(CrossEntropy(), hidden: fixture.hidden, targets: targets, catalog: catalog)
        }
        #expect(range?.message.contains("target 140 of token 7; items are 0 to 139") == true, "\(range?.message ?? "")")
        let few = #expect(throws: ShortlistError.self) {
            try context.evaluate(CrossEntropy(), hidden: fixture.hidden, targets: [1, 2] as [Int32], catalog: catalog)
        }
        #expect(few?.message.contains("2 targets for 60 hidden states") == true, "\(few?.message ?? "")")
        #expect("\(try #require(few))".hasPrefix("invalidArgument: "))
    }
}

/// Codes that a callback saw.
private final class Codes: Sendable {
    private let seen = Mutex<[ShortlistError.Code?]>([])
    var all: [ShortlistError.Code?] { seen.withLock { $0 } }
    func note(_ code: ShortlistError.Code?) { seen.withLock { $0.append(code) } }
}
