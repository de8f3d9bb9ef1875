import ShortlistCore
import ShortlistLosses
import ShortlistVulkan
import Synchronization
import Testing

@Suite("What a Vulkan stream does when something fails", .serialized)
struct FailureTests {
    @Test("out of device memory is a clear error, and the stream goes on to serve what fits")
    func outOfMemory() throws {
        var options = VulkanOptions()
        options.memoryLimit = 24 << 20
        let backend = VulkanBackend(options)
        let evaluator = try evaluator(backend)
        let large = try Problem(tokens: 20, items: 300_000)
        let error = #expect(throws: ShortlistError.self) { try Catalog(items: large.items.view, on: evaluator.stream) }
        #expect(error?.code == .outOfMemory)
        let problem = try Problem()
        let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
        #expect(try problem.evaluate(evaluator, catalog).loss.isFinite)
        #expect(try backend.allocatedBytes(device: 0) <= 24 << 20)
    }

    @Test("where scratch does not fit, smaller tiles do the same work")
    func smallerTiles() throws {
        let problem = try Problem(tokens: 700, items: 3000)
        var tried = 0
        for loss in everyLoss {
            let roomy = try evaluator(VulkanBackend())
            let whole = try problem.evaluate(loss, roomy, try Catalog(items: problem.items.view, on: roomy.stream))
            // What the smallest tiles leave free has to hold the inputs and outputs.
            guard whole.report.workspacePlanned - whole.report.workspaceLeast > 600_000 else { continue }
            tried += 1
            var options = VulkanOptions()
            options.memoryLimit = 3000 * 24 * 4 + whole.report.workspacePlanned - 1
            let tight = try evaluator(VulkanBackend(options))
            let again = try problem.evaluate(loss, tight, try Catalog(items: problem.items.view, on: tight.stream))
            #expect(again.report.workspacePlanned == whole.report.workspaceLeast, "\(type(of: loss))")
            #expect(abs(again.loss - whole.loss) <= 1e-5 * abs(whole.loss), "\(type(of: loss))")
        }
        #expect(tried > 0)
    }

    @Test("a lost device is a dead context that says so, and a new one can be made")
    func deviceLost() throws {
        let backend = VulkanBackend()
        let problem = try Problem()
        let dead = try evaluator(backend)
        let catalog = try Catalog(items: problem.items.view, on: dead.stream)
        let before = try problem.evaluate(dead, catalog)
        try backend.loseDevice(0)
        for _ in 0..<2 {
            let error = #expect(throws: ShortlistError.self) { try problem.evaluate(dead, catalog) }
            #expect(error?.code == .deviceLost)
            #expect(error?.message.contains("dead") == true)
        }
        let alive = try evaluator(backend)
        #expect(
            try problem.evaluate(alive, try Catalog(items: problem.items.view, on: alive.stream)).bits == before.bits)
    }

    @Test("two streams in two threads give each the bits of one alone")
    func twoThreads() async throws {
        let backend = VulkanBackend(validation: true)
        let problem = try Problem()
        let own = try evaluator(backend)
        let alone = try problem.evaluate(own, try Catalog(items: problem.items.view, on: own.stream)).bits
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    guard let own = try? evaluator(backend),
                        let catalog = try? Catalog(items: problem.items.view, on: own.stream)
                    else { return false }
                    return (0..<3).allSatisfy { _ in (try? problem.evaluate(own, catalog).bits) == alone }
                }
            }
            for await same in group { #expect(same) }
        }
        #expect(backend.validationMessages.count == 0, "\(backend.validationMessages.first)")
    }

    @Test("a stop callback ends the call with cancelled, and the stream goes on to serve")
    func cancel() throws {
        let problem = try Problem()
        let evaluator = try evaluator(VulkanBackend())
        let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
        let whole = try problem.evaluate(evaluator, catalog)
        for after in [0, 1, 3, 9] {
            let asked = Counter()
            let limits = CallLimits(shouldStop: { asked.next() > after })
            let error = #expect(throws: ShortlistError.self) {
                try problem.evaluate(evaluator, catalog, limits: limits)
            }
            #expect(error?.code == .cancelled)
        }
        #expect(try problem.evaluate(evaluator, catalog).bits == whole.bits)
    }

    /// Every loss and retrieval as one piece of work that is a list of bits.
    private struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let run: @Sendable (Problem, Evaluator) throws(ShortlistError) -> [UInt32]

        static let all: [Work] =
            everyLoss.enumerated().map { index, loss in
                Work(testDescription: "\(type(of: loss)) (\(index))") { (problem, evaluator) throws(ShortlistError) in
                    let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
                    return try problem.evaluate(loss, evaluator, catalog).bits
                }
            } + [
                Work(testDescription: "given candidates") { (problem, evaluator) throws(ShortlistError) in
                    let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
                    let lists = CandidateLists(blocks: [
                        (tokens: Array(0..<90), items: Array(0..<200)),
                        (tokens: Array(60..<150), items: Array(150..<700)),
                    ])
                    return try lists.withView { (view) throws(ShortlistError) in
                        try problem.evaluate(GivenCandidates(view), evaluator, catalog).bits
                    }
                },
                Work(testDescription: "retrieval") { (problem, evaluator) throws(ShortlistError) in
                    let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
                    return try problem.retrieve(evaluator, catalog).map { UInt32(truncatingIfNeeded: $0) }
                },
            ]
    }

    @Test(
        "wherever an allocation of device memory fails, the call works without it or is out of memory, and the next works",
        arguments: Work.all)
    private func allocationFailures(work: Work) throws {
        let faults = AllocationFaults()
        var options = VulkanOptions(validation: true)
        options.faults = faults
        let backend = VulkanBackend(options)
        let problem = try Problem()
        let expected = try work.run(problem, try evaluator(backend))
        try backend.dropSpareMemory(device: 0)
        faults.arm(nil)
        #expect(try work.run(problem, try evaluator(backend)) == expected)
        let allocations = faults.count
        #expect(allocations >= 4, "a ring, staging memory, a catalog and a workspace")
        for goesOn in [false, true] {
            for number in 0..<allocations {
                try backend.dropSpareMemory(device: 0)
                faults.arm(number, goesOn: goesOn)
                var stream: Evaluator?
                do throws(ShortlistError) {
                    let opened = try evaluator(backend)
                    stream = opened
                    let bits = try work.run(problem, opened)
                    #expect(bits == expected, "allocation \(number)")
                } catch {
                    #expect(error.code == .outOfMemory, "allocation \(number): \(error)")
                }
                #expect(faults.count > number, "allocation \(number) was not asked for")
                faults.arm(nil)
                if let stream { #expect(try work.run(problem, stream) == expected, "after allocation \(number)") }
            }
        }
        #expect(backend.validationMessages.count == 0, "\(backend.validationMessages.first)")
    }

    @Test(
        "under a workspace limit, the device memory in use is the limit, the catalog and one chunk for inputs and outputs"
    )
    func workspaceLimit() throws {
        let problem = try Problem(tokens: 700, items: 3000)
        var more = 0
        for loss in everyLoss {
            func run(_ limit: Int?) throws -> (outcome: Problem.Outcome, allocated: Int) {
                let backend = VulkanBackend()
                let own = try evaluator(backend)
                let catalog = try Catalog(items: problem.items.view, on: own.stream)
                let outcome = try problem.evaluate(loss, own, catalog, limits: CallLimits(workspace: limit))
                return (outcome, try backend.allocatedBytes(device: 0))
            }
            let whole = try run(nil)
            let least = whole.outcome.report.workspaceLeast
            let tight = try run(least)
            #expect(tight.allocated <= least + 3000 * 24 * 4 + (4 << 20) + 1024, "\(tight.allocated) for \(least)")
            #expect(abs(tight.outcome.loss - whole.outcome.loss) <= 1e-5 * abs(whole.outcome.loss))
            // Without a limit some call takes more, or it is not the limit that bounds it.
            let planned = whole.outcome.report.workspacePlanned - tight.outcome.report.workspacePlanned
            #expect(whole.allocated - tight.allocated >= planned / 2, "\(type(of: loss))")
            more = max(more, planned)
        }
        #expect(more > 1 << 18)
    }

    @Test("a stream can go with nothing recorded, with kernels recorded, and before its saved states and catalogs")
    func release() throws {
        let backend = VulkanBackend(validation: true)
        let problem = try Problem()
        let expected = try Work.all[0].run(problem, try evaluator(backend))
        _ = try evaluator(backend)
        do {
            // In the middle of a call: nothing is waited for, and what is recorded is never submitted.
            let stream = try backend.makeStream(device: 0, options: StreamOptions())
            var plan = WorkspacePlan(limit: nil)
            _ = try plan.reserve(Float.self, count: 10_000)
            let workspace = try stream.begin(plan)
            let vector = try stream.reserve(Float.self, count: 10_000)
            try stream.fill(vector, with: 1)
            _ = workspace
        }
        do {
            var kept: (SavedState, Catalog)?
            try problem.withBatch { (batch) throws(ShortlistError) in
                let own = try evaluator(backend)
                let catalog = try Catalog(items: problem.items.view, on: own.stream)
                kept = (try own.forward(SCE(seed: 3), batch, catalog), catalog)
            }
            #expect(kept != nil)
            kept = nil
        }
        #expect(try Work.all[0].run(problem, try evaluator(backend)) == expected)
        #expect(backend.validationMessages.count == 0, "\(backend.validationMessages.first)")
    }

    @Test(
        "each feature that a device lacks makes it unusable, by name",
        arguments: [
            "shaderInt64", "shaderFloat64", "bufferDeviceAddress", "scalarBlockLayout", "timelineSemaphore",
            "a compute queue", "workgroups of 256", "32 KiB of shared memory",
        ])
    func missingFeature(name: String) throws {
        var options = VulkanOptions()
        options.without = name
        let backend = VulkanBackend(options)
        #expect(backend.unavailableReason?.contains("lacks \(name)") == true)
        #expect(backend.devices().allSatisfy { $0.score == 0 && $0.detail.hasSuffix("lacks \(name)") })
        let opening = #expect(throws: ShortlistError.self) {
            try backend.makeStream(device: 0, options: StreamOptions())
        }
        #expect(opening?.code == .backendUnavailable && opening?.message.contains(name) == true)
        let choosing = #expect(throws: ShortlistError.self) { try BackendRegistry([backend]).choose(backend: "vulkan") }
        #expect(choosing?.code == .backendUnavailable && choosing?.message.contains(name) == true)
    }
}

/// Counts how often it was asked.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
