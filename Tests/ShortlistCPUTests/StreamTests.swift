import Glibc
import ShortlistCPU
import ShortlistConformance
import ShortlistLosses
import Synchronization
import Testing

/// A batch large enough for many tiles.
private struct SmallTraining: Sendable {
    let hidden: Matrix
    let items: Matrix
    let targets: [Int32]

    init(tokens: Int = 600, items count: Int = 5000, width: Int = 24) throws {
        hidden = try Matrix(rows: tokens, columns: width)
        items = try Matrix(rows: count, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(items.mutableView, seed: 2, step: 0, stream: 9)
        targets = (0..<tokens).map { Int32($0 * 31 % count) }
    }

    /// The loss, and the gradient of X as bits.
    func evaluate(_ evaluator: Evaluator, limits: CallLimits = .init()) throws -> (Double, [UInt32]) {
        let gradient = try Matrix(rows: hidden.rows, columns: hidden.columns)
        let catalog = try Catalog(items: items.view, on: evaluator.stream)
        let result = try targets.withUnsafeBufferPointer { targets in
            try evaluator.evaluate(
                CrossEntropy(), Batch(hidden: hidden.view, targets: .int32(targets)), catalog,
                into: GradientOutputs(hidden: gradient.mutableView), limits: limits)
        }
        return (result.loss, gradient.elements.map(\.bitPattern))
    }
}

private func evaluator(threads: Int) throws -> Evaluator {
    Evaluator(stream: try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: threads)))
}

@Suite("A CPU stream")
struct StreamTests {
    @Test("a stop callback ends the call with cancelled, and the stream goes on to serve", arguments: [1, 2, 4])
    func cancel(threads: Int) throws {
        let training = try SmallTraining()
        let evaluator = try evaluator(threads: threads)
        let whole = try training.evaluate(evaluator)
        for after in [0, 1, 3] {
            let counter = Counter(after)
            let limits = CallLimits(shouldStop: { counter.tick() })
            let error = #expect(throws: ShortlistError.self) { try training.evaluate(evaluator, limits: limits) }
            #expect(error?.code == .cancelled)
        }
        let again = try training.evaluate(evaluator)
        #expect(again == whole, "a cancelled call leaves nothing behind")
    }

    @Test("two streams in two threads give each the bits of one alone")
    func twoThreads() async throws {
        let training = try SmallTraining()
        let alone = try training.evaluate(try evaluator(threads: 2))
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    guard let own = try? evaluator(threads: 2) else { return false }
                    return (0..<6).allSatisfy { _ in
                        guard let result = try? training.evaluate(own) else { return false }
                        return result == alone
                    }
                }
            }
            for await same in group { #expect(same) }
        }
    }

    @Test("a saved state may go away on another thread while its stream works")
    func releaseElsewhere() async throws {
        let training = try SmallTraining(tokens: 200, items: 900, width: 8)
        let evaluator = try evaluator(threads: 2)
        let catalog = try Catalog(items: training.items.view, on: evaluator.stream)
        let whole = try training.evaluate(evaluator)
        for _ in 0..<20 {
            let holder = Holder(
                try training.targets.withUnsafeBufferPointer { targets in
                    try evaluator.forward(
                        SCE(seed: 1), Batch(hidden: training.hidden.view, targets: .int32(targets)), catalog)
                })
            async let released: Void = { @Sendable in holder.state = nil }()
            let result = try training.evaluate(evaluator)
            await released
            #expect(result == whole)
        }
    }

    @Test("after a fork the child gets the error forked, not a hang")
    func fork() throws {
        let training = try SmallTraining(tokens: 40, items: 200, width: 8)
        let evaluator = try evaluator(threads: 3)
        _ = try training.evaluate(evaluator)
        // Swift hides fork; C programs that link the library have it.
        typealias Fork = @convention(c) () -> pid_t
        let symbol = try #require(dlsym(nil, "fork"))
        let fork = unsafeBitCast(symbol, to: Fork.self)
        let child = fork()
        if child == 0 {
            alarm(20)
            do {
                _ = try training.evaluate(evaluator)
                _exit(1)
            } catch {
                _exit((error as? ShortlistError)?.code == .forked ? 42 : 2)
            }
        }
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        #expect(status & 0x7F == 0 && status >> 8 & 0xFF == 42, "the child ended with status \(status)")
        _ = try training.evaluate(evaluator)
    }

    @Test("threads from 1 to 1024 and device 0, or an error that names what was asked")
    func refusals() {
        for (device, threads, words) in [(1, 2, "1"), (0, 0, "0 threads"), (0, 1025, "1025 threads"), (-1, 2, "-1")] {
            let error = #expect(throws: ShortlistError.self) {
                try CPUBackend().makeStream(device: device, options: StreamOptions(threads: threads))
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test("composed kernels are reported as composed, native ones as native")
    func kernelReport() throws {
        let kernels: KernelSet = [KernelSet(.projectAndSelect), KernelSet(.hash), KernelSet(.targetRanks)]
        for (backend, composed) in [(CPUBackend(), KernelSet([])), (CPUBackend(composed: kernels), KernelSet(.hash))] {
            let evaluator = Evaluator(stream: try backend.makeStream(device: 0, options: StreamOptions(threads: 1)))
            let training = try SmallTraining(tokens: 40, items: 200, width: 8)
            let catalog = try Catalog(items: training.items.view, on: evaluator.stream)
            let report = try training.targets.withUnsafeBufferPointer { targets in
                try evaluator.evaluate(
                    RECE(), Batch(hidden: training.hidden.view, targets: .int32(targets)), catalog
                ).report
            }
            #expect(report.composedKernels.contains(KernelSet(.hash)) == composed.contains(KernelSet(.hash)))
            #expect(report.nativeKernels.contains(KernelSet(.hash)) != composed.contains(KernelSet(.hash)))
            #expect(report.nativeKernels.contains(KernelSet(.blockLogSumExp)))
        }
    }
}

/// Says stop once it has been asked more than a number of times.
private final class Counter: Sendable {
    private let asked = Atomic<Int>(0)
    private let after: Int
    init(_ after: Int) { self.after = after }
    func tick() -> Bool { asked.wrappingAdd(1, ordering: .relaxed).oldValue >= after }
}

/// Holds the last reference to a state, for one task to let go of.
private final class Holder: @unchecked Sendable {
    // Sendable: the test waits for the task that writes.
    var state: SavedState?
    init(_ state: SavedState) { self.state = state }
}
