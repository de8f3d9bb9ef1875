import ShortlistCore
import ShortlistLosses
import ShortlistVulkan
import Testing

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

    @Test("a catalog beyond maxStorageBufferRange (here 128 MiB) is searched to its last row, and updated there")
    func largeCatalog() throws {
        let (count, width) = (300_000, 120)
        let items = try Matrix(rows: count, columns: width)
        items.elements.update(repeating: 0)
        for row in [0, 279_621, count - 2] { items[row, 7] = Float(1 + row) }
        let query = try Matrix(rows: 1, columns: width)
        query.elements.update(repeating: 0)
        query[0, 7] = 1
        let evaluator = try evaluator(VulkanBackend())
        let catalog = try Catalog(items: items.view, on: evaluator.stream)
        func top() throws -> [Int32] {
            var ids = [Int32](repeating: -1, count: 3)
            try ids.withUnsafeMutableBufferPointer {
                _ = try evaluator.topK(RetrievalRequest(queries: query.view), catalog, k: 3, ids: $0)
            }
            return ids
        }
        #expect(try top() == [Int32(count - 2), 279_621, 0])
        items[count - 1, 7] = 1e6
        try catalog.update(rows: [Int32(count - 1)])
        #expect(try top() == [Int32(count - 1), Int32(count - 2), 279_621])
    }

    @Test("every kernel of a call runs natively")
    func nativeKernels() throws {
        let problem = try Problem()
        let evaluator = try evaluator(VulkanBackend())
        let catalog = try Catalog(items: problem.items.view, on: evaluator.stream)
        #expect(try problem.evaluate(SCE(seed: 1), evaluator, catalog).report.composedKernels.isEmpty)
        #expect(try problem.evaluate(RECE(seed: 1), evaluator, catalog).report.composedKernels.isEmpty)
        #expect(try problem.evaluate(CrossEntropy(), evaluator, catalog).report.composedKernels.isEmpty)
        // A dense block is its kernels in turn.
        for kernel in Kernel.allCases where kernel != .evaluateDense {
            #expect(evaluator.stream.supports(kernel), "\(kernel)")
        }
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
