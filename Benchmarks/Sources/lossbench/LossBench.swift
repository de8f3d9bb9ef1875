import ArgumentParser
import Foundation
import Shortlist

/// Times one loss, forward and backward with dense dX and dY, and reports the process's peak memory above inputs and
/// outputs. One size a process, so that the peak belongs to it.
@main
struct LossBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lossbench", abstract: "Time and peak memory of one loss at one size, as one line of JSON.")

    enum Kind: String, ExpressibleByArgument, CaseIterable { case ce, sce, rece }

    @Option(help: "Which loss.") var loss: Kind
    @Option(help: "N, tokens.") var tokens: Int
    @Option(help: "C, items.") var items: Int
    @Option(help: "d, width.") var width: Int
    @Option(help: "Timed repetitions.") var repeats = 5
    @Option(help: "Threads.") var threads = 2
    @Option(help: "RECE rounds.") var rounds = 1
    @Option(help: "Workspace limit in MiB.") var limit: Int?
    @Flag(help: "SCE: union in place of max.") var union = false
    @Flag(help: "A row-sparse catalog gradient.") var rowSparse = false

    func run() throws {
        let context = try Context(
            .init(backend: "cpu", threads: threads, workspaceLimit: limit.map { $0 << 20 }))
        let hidden = try Matrix(rows: tokens, columns: width)
        let catalogItems = try Matrix(rows: items, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(catalogItems.mutableView, seed: 2, step: 0, stream: 9)
        let targets = (0..<tokens).map { Int32(truncatingIfNeeded: ($0 &* 7_919_003) % items) }
        let catalog = try context.catalog(catalogItems)
        let hiddenGradient = try Matrix(rows: tokens, columns: width)
        let root = max(1, Int((4 * Double(tokens)).squareRoot()))
        let rows = rowSparse ? min(items, root * 256 + tokens) : items
        let catalogGradient = try Matrix(rows: rows, columns: width)
        var ids = [Int32](repeating: 0, count: rowSparse ? rows : 0)
        for value in catalogGradient.elements.indices { catalogGradient.elements[value] = 1 }
        for value in hiddenGradient.elements.indices { hiddenGradient.elements[value] = 1 }
        let before = residentKiB()

        var seconds: [Double] = []
        var last: CallResult?
        try targets.withUnsafeBufferPointer { targets in
            try ids.withUnsafeMutableBufferPointer { ids in
                let batch = Batch(hidden: hidden.view, targets: .int32(targets))
                let outputs = GradientOutputs(
                    hidden: hiddenGradient.mutableView,
                    catalog: rowSparse
                        ? .rows(ids: ids, rows: catalogGradient.mutableView) : .dense(catalogGradient.mutableView))
                for step in 0...repeats {
                    let start = ContinuousClock.now
                    last = try evaluate(context, batch, catalog, outputs, UInt64(step))
                    let elapsed = start.duration(to: .now)
                    if step > 0 {
                        seconds.append(
                            Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds))
                    }
                }
            }
        }
        guard let last else { return }
        let sorted = seconds.sorted()
        let stages = last.report.seconds
        print(
            """
            {"loss": "\(loss.rawValue)", "tokens": \(tokens), "items": \(items), "width": \(width), \
            "threads": \(last.report.threads), "median_s": \(sorted[sorted.count / 2]), "min_s": \(sorted[0]), \
            "max_s": \(sorted[sorted.count - 1]), "peak_mib": \((peakKiB() - before) / 1024), \
            "workspace_mib": \(Double(last.report.workspaceUsed) / 1_048_576), "value": \(last.loss), \
            "select_s": \(stages.select), "score_s": \(stages.score), "combine_s": \(stages.combine), \
            "gradient_s": \(stages.gradient)}
            """)
    }

    private func evaluate(
        _ context: Context, _ batch: Batch, _ catalog: Catalog, _ outputs: GradientOutputs, _ step: UInt64
    ) throws -> CallResult {
        switch loss {
        case .ce:
            return try context.evaluate(CrossEntropy(), batch, catalog: catalog, into: outputs)
        case .sce:
            return try context.evaluate(
                SCE(directions: .mix, seed: 1, step: step, combination: union ? .union : .max), batch,
                catalog: catalog, into: outputs)
        case .rece:
            return try context.evaluate(
                RECE(rounds: rounds, seed: 1, step: step), batch, catalog: catalog, into: outputs)
        }
    }
}

/// Resident set now, and its peak, from the kernel's account of this process.
func residentKiB() -> Int { status("VmRSS:") }
func peakKiB() -> Int { status("VmHWM:") }

private func status(_ field: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(field) {
        return Int(line.split(whereSeparator: \.isWhitespace)[1]) ?? 0
    }
    return 0
}
