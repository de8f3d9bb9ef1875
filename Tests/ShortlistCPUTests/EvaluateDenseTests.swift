import ShortlistCPU
import ShortlistCore
import ShortlistLosses
import Testing

@Suite("Exact cross-entropy in one call")
struct EvaluateDenseTests {
    private static let (tokens, items, width) = (700, 3000, 40)

    private struct Run {
        let loss: Double
        let gradients: [Float]
        let report: Report
    }

    /// Both gradients under a workspace limit.
    private func run(limit: Int?) throws -> Run {
        let (tokens, items, width) = (Self.tokens, Self.items, Self.width)
        let hidden = try Matrix(rows: tokens, columns: width)
        let catalog = try Matrix(rows: items, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 3, step: 0, stream: 9)
        Philox.fillNormal(catalog.mutableView, seed: 4, step: 0, stream: 9)
        let targets = (0..<tokens).map { Int32($0 * 31 % items) }
        let hiddenGradient = try Matrix(rows: tokens, columns: width)
        let catalogGradient = try Matrix(rows: items, columns: width)
        let evaluator = Evaluator(stream: try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: 2)))
        let result = try targets.withUnsafeBufferPointer { targets in
            try evaluator.evaluate(
                CrossEntropy(), Batch(hidden: hidden.view, targets: .int32(targets)),
                try Catalog(items: catalog.view, on: evaluator.stream),
                into: GradientOutputs(hidden: hiddenGradient.mutableView, catalog: .dense(catalogGradient.mutableView)),
                limits: CallLimits(workspace: limit))
        }
        return Run(
            loss: result.loss, gradients: Array(hiddenGradient.elements) + Array(catalogGradient.elements),
            report: result.report)
    }

    @Test("keeps the logits of as many tokens as the workspace limit lets it, and makes them twice below that")
    func limit() throws {
        let whole = try run(limit: nil)
        let logits = 4 * Self.tokens * Self.items
        #expect(whole.report.workspaceUsed > logits)
        #expect(whole.report.nativeKernels.contains(KernelSet(.evaluateDense)))
        let some = try run(limit: logits / 4 + 5_000_000)
        #expect(some.report.workspaceUsed < logits && some.report.workspaceUsed > logits / 8)
        #expect(some.report.nativeKernels.contains(KernelSet(.evaluateDense)))
        let least = try run(limit: whole.report.workspaceLeast)
        #expect(least.report.workspaceUsed < logits / 64)
        #expect(!least.report.nativeKernels.contains(KernelSet(.evaluateDense)))
        #expect(least.report.nativeKernels.contains(KernelSet(.blockGradient)))
        for other in [some, least] {
            #expect(abs(other.loss - whole.loss) <= 1e-6 * whole.loss)
            let worst = zip(other.gradients, whole.gradients).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 1e-6, "mean gradients of \(Self.tokens) tokens differ by rounding alone")
        }
    }
}
