import ShortlistCore
import ShortlistLosses
import ShortlistVulkan
import Synchronization
import Testing

/// A small batch on generated numbers.
private struct Problem: Sendable {
    let hidden: Matrix
    let items: Matrix
    let targets: [Int32]

    init(tokens: Int = 150, items count: Int = 700, width: Int = 24) throws {
        hidden = try Matrix(rows: tokens, columns: width)
        items = try Matrix(rows: count, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(items.mutableView, seed: 2, step: 0, stream: 9)
        targets = (0..<tokens).map { Int32($0 * 31 % count) }
    }

    func evaluate(
        _ evaluator: Evaluator, _ catalog: Catalog, limits: CallLimits = .init()
    ) throws -> (loss: Double, bits: [UInt32], report: Report) {
        try evaluate(SCE(seed: 3), evaluator, catalog, limits: limits)
    }

    /// The loss, the gradient of X as bits, and the report.
    func evaluate(
        _ loss: some Loss, _ evaluator: Evaluator, _ catalog: Catalog, limits: CallLimits = .init()
    ) throws -> (loss: Double, bits: [UInt32], report: Report) {
        let gradient = try Matrix(rows: hidden.rows, columns: hidden.columns)
        let result = try targets.withUnsafeBufferPointer { targets in
            try evaluator.evaluate(
                loss, Batch(hidden: hidden.view, targets: .int32(targets)), catalog,
                into: GradientOutputs(hidden: gradient.mutableView), limits: limits)
        }
        return (result.loss, gradient.elements.map(\.bitPattern), result.report)
    }
}

private func evaluator(_ backend: VulkanBackend) throws -> Evaluator {
    Evaluator(stream: try backend.makeStream(device: 0, options: StreamOptions()))
}

@Suite("A Vulkan stream", .serialized)
struct StreamTests {
    @Test("a second step with a resident catalog uploads X, targets and touched rows, not the catalog")
    func residentCatalog() throws {
        let problem = try Problem(items: 4000)
        let evaluator = try evaluator(VulkanBackend())
        let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
        let first = try problem.evaluate(evaluator, catalog)
        #expect(first.report.bytesUploaded > 4000 * 24 * 4)
        #expect(first.report.seconds.total >= first.report.seconds.select + first.report.seconds.gradient)
        let second = try problem.evaluate(evaluator, catalog)
        #expect(second.bits == first.bits)
        for k in 0..<24 { problem.items[31, k] += 1 }
        #expect(try problem.evaluate(evaluator, catalog).bits == first.bits, "a change without update is not seen")
        try catalog.update(rows: [31, 31])
        let third = try problem.evaluate(evaluator, catalog)
        #expect(third.bits != first.bits)
        #expect(third.report.bytesUploaded == second.report.bytesUploaded + 24 * 4)
        let fresh = try Catalog(items: problem.items.view, on: evaluator.stream)
        #expect(try problem.evaluate(evaluator, fresh).bits == third.bits)
    }

    @Test("a training step moves X, the targets and the touched rows, and small tables")
    func trainingStep() throws {
        let problem = try Problem(items: 4000)
        let (tokens, width) = (problem.hidden.rows, problem.hidden.columns)
        let evaluator = try evaluator(VulkanBackend())
        let losses: [any Loss] = [CrossEntropy(), SCE(itemsPerBucket: 16, seed: 3), RECE(rounds: 1, seed: 3)]
        for loss in losses {
            let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
            var touched: ArraySlice<Int32> = []
            for step in 0..<3 {
                try catalog.update(rows: Array(touched))
                let gradient = try Matrix(rows: tokens, columns: width)
                let rows = try Matrix(rows: 4000, columns: width)
                var ids = [Int32](repeating: 0, count: 4000)
                let result = try ids.withUnsafeMutableBufferPointer { ids in
                    try problem.targets.withUnsafeBufferPointer { targets in
                        try evaluator.evaluate(
                            loss, Batch(hidden: problem.hidden.view, targets: .int32(targets)), catalog,
                            into: GradientOutputs(
                                hidden: gradient.mutableView,
                                catalog: .rows(ids: ids, rows: rows.mutableView, bias: nil)))
                    }
                }
                let used = try #require(result.rowsUsed)
                let updates = touched.count * width * 4
                touched = ids.prefix(used)
                guard step > 0 else { continue }
                let report = result.report
                // Directions, and Mix's Gram matrix; ranges of blocks and totals are the small tables.
                let directions = report.bucketCount * width * 4
                let up = tokens * (width + 1) * 4 + updates + directions
                let down = tokens * width * 4 + used * (width + 1) * 4 + (loss is SCE ? width * width * 8 : 0)
                #expect(report.bytesUploaded >= up && report.bytesUploaded <= up + 4096, "\(type(of: loss))")
                #expect(report.bytesDownloaded >= down && report.bytesDownloaded <= down + 4096, "\(type(of: loss))")
            }
        }
    }

    @Test("every kernel of a call runs natively")
    func nativeKernels() throws {
        let problem = try Problem()
        let evaluator = try evaluator(VulkanBackend())
        let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
        #expect(try problem.evaluate(SCE(seed: 1), evaluator, catalog).report.composedKernels.isEmpty)
        #expect(try problem.evaluate(RECE(seed: 1), evaluator, catalog).report.composedKernels.isEmpty)
        for kernel in Kernel.allCases { #expect(evaluator.stream.supports(kernel), "\(kernel)") }
    }

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
        let problem = try Problem()
        let roomy = try evaluator(VulkanBackend())
        let whole = try problem.evaluate(roomy, try Catalog(items: problem.items.view, on: roomy.stream))
        var options = VulkanOptions()
        // Less than the call plans without a limit, more than its least.
        options.memoryLimit = whole.report.workspaceLeast + (5 << 20)
        try #require(whole.report.workspacePlanned < options.memoryLimit * 4)
        let tight = try evaluator(VulkanBackend(options))
        let again = try problem.evaluate(tight, try Catalog(items: problem.items.view, on: tight.stream))
        #expect(again.bits == whole.bits)
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

    @Test("the registry's own choice is never a software device, and asking by name is enough for one")
    func choice() throws {
        let backend = VulkanBackend()
        let registry = BackendRegistry([backend])
        #expect(try registry.choose(backend: "vulkan").name == "vulkan")
        guard backend.devices().allSatisfy(\.onlyByName) else { return }
        #expect(throws: ShortlistError.self) { try registry.choose() }
    }

    @Test("a device that is not there, or no thread, is an error that names what was asked")
    func refusals() {
        for (device, threads, words) in [(99, 1, "99"), (-1, 1, "-1"), (0, 0, "0 threads")] {
            let error = #expect(throws: ShortlistError.self) {
                try VulkanBackend().makeStream(device: device, options: StreamOptions(threads: threads))
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(words) == true)
        }
    }

    @Test("a pipeline cache that is damaged, cut short or of another version is not used")
    func pipelineCache() throws {
        let path = "/tmp/shortlist-pipelines-\(UInt32.random(in: 0 ... .max))"
        let file = PipelineCacheFile(path: path)
        #expect(file.read() == nil)
        file.write([1, 2, 3, 4])
        #expect(file.read() == [1, 2, 3, 4])
        let sound = try Array(contents(path))
        for change in [
            { (bytes: inout [UInt8]) in bytes[bytes.count - 1] ^= 1 }, { $0.removeLast() }, { $0[0] ^= 1 },
            { $0 = [] },
        ] {
            var bytes = sound
            change(&bytes)
            try store(bytes, path)
            #expect(file.read() == nil)
        }
        file.write([5])
        #expect(file.read() == [5])
        try remove(path)
    }
}

/// Counts how often it was asked.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
