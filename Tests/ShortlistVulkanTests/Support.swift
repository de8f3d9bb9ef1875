import ShortlistCore
import ShortlistLosses
import ShortlistVulkan

/// A small batch on generated numbers.
struct Problem: Sendable {
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

    /// Whole numbers from −3 to 3 in place of all numbers: products and sums of them are exact in any order.
    func rounded() -> Problem {
        for matrix in [hidden, items] { round(matrix) }
        return self
    }

    /// Loss, gradients of X and of the items, and the report.
    struct Outcome: Equatable {
        var loss: Double
        var hidden: [Float]
        var items: [Float]
        var report: Report
        /// Everything but the report, to compare two runs.
        var bits: [UInt32] {
            (hidden + items).map(\.bitPattern)
                + [UInt32(truncatingIfNeeded: loss.bitPattern), UInt32(truncatingIfNeeded: loss.bitPattern >> 32)]
        }
    }

    /// One call with the default SCE.
    func evaluate(
        _ evaluator: Evaluator, _ catalog: Catalog, limits: CallLimits = .init()
    ) throws(ShortlistError) -> Outcome {
        try evaluate(SCE(seed: 3), evaluator, catalog, limits: limits)
    }

    func evaluate(
        _ loss: some Loss, _ evaluator: Evaluator, _ catalog: Catalog, limits: CallLimits = .init()
    ) throws(ShortlistError) -> Outcome {
        let ofHidden = try Matrix(rows: hidden.rows, columns: hidden.columns)
        let ofItems = try Matrix(rows: items.rows, columns: items.columns)
        let result = try withBatch { (batch) throws(ShortlistError) in
            try evaluator.evaluate(
                loss, batch, catalog,
                into: GradientOutputs(
                    hidden: ofHidden.mutableView, catalog: .dense(ofItems.mutableView, bias: nil, accumulate: false)),
                limits: limits)
        }
        return Outcome(
            loss: result.loss, hidden: Array(ofHidden.elements), items: Array(ofItems.elements), report: result.report)
    }

    func withBatch<R>(_ body: (Batch) throws(ShortlistError) -> R) throws(ShortlistError) -> R {
        var outcome = Result<R, ShortlistError>.failure(ShortlistError(.internalError, "the batch was not lent"))
        targets.withUnsafeBufferPointer { targets in
            do throws(ShortlistError) {
                outcome = .success(try body(Batch(hidden: hidden.view, targets: .int32(targets))))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Top-10 of the hidden states and the targets' ranks.
    func retrieve(_ evaluator: Evaluator, _ catalog: Catalog) throws(ShortlistError) -> [Int64] {
        var ids = [Int32](repeating: 0, count: hidden.rows * 10)
        var ranks = [Int64](repeating: 0, count: hidden.rows)
        let request = RetrievalRequest(queries: hidden.view)
        var failure: ShortlistError?
        ids.withUnsafeMutableBufferPointer { ids in
            ranks.withUnsafeMutableBufferPointer { ranks in
                targets.withUnsafeBufferPointer { targets in
                    do throws(ShortlistError) {
                        _ = try evaluator.topK(request, catalog, k: 10, ids: ids)
                        _ = try evaluator.targetRanks(request, catalog, targets: .int32(targets), ranks: ranks)
                    } catch {
                        failure = error
                    }
                }
            }
        }
        if let failure { throw failure }
        return ids.map(Int64.init) + ranks
    }
}

/// Whole numbers from −3 to 3 in place of a matrix's.
func round(_ matrix: Matrix) {
    for place in matrix.elements.indices { matrix.elements[place] = max(-3, min(3, matrix.elements[place].rounded())) }
}

func evaluator(_ backend: VulkanBackend) throws(ShortlistError) -> Evaluator {
    Evaluator(stream: try backend.makeStream(device: 0, options: StreamOptions()))
}

/// Every loss, small.
let everyLoss: [any Loss] = [
    CrossEntropy(), SCE(itemsPerBucket: 60, seed: 3), SCE(itemsPerBucket: 60, seed: 3, combination: .union),
    RECE(rounds: 2, seed: 3),
]
