import ArgumentParser
import Shortlist

/// Times one loss, forward and backward with dX and dY, and reports the process's peak memory above inputs and outputs.
struct LossCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loss", abstract: "One loss, forward and backward.")

    @Option(help: "Which loss.") var loss: Kind
    @OptionGroup var size: SizeOptions
    @OptionGroup var device: DeviceOptions
    @Option(help: "RECE rounds.") var rounds = 1
    @Option(help: "SCE's items a bucket, b_y; n_b and b_x are 2√N.") var bucketItems = 256
    @Option(help: "Workspace limit in MiB.") var limit: Int?
    @Flag(help: "SCE: union in place of max.") var union = false
    @Flag(help: "A row-sparse catalog gradient.") var rowSparse = false

    func run() throws {
        let (tokens, items, width) = (size.tokens, size.items, size.width)
        let context = try device.context(threads: size.threads, workspaceLimit: limit.map { $0 << 20 })
        let hidden = try Matrix(rows: tokens, columns: width)
        let catalogItems = try Matrix(rows: items, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(catalogItems.mutableView, seed: 2, step: 0, stream: 9)
        let targets = (0..<tokens).map { Int32(truncatingIfNeeded: ($0 &* 7_919_003) % items) }
        let catalog = try context.catalog(catalogItems)
        let hiddenGradient = try Matrix(rows: tokens, columns: width)
        let root = max(1, Int((4 * Double(tokens)).squareRoot()))
        let rows = rowSparse ? min(items, root * bucketItems + tokens) : items
        let catalogGradient = try Matrix(rows: rows, columns: width)
        var ids = [Int32](repeating: 0, count: rowSparse ? rows : 0)
        // Inputs and outputs are resident before anything is measured.
        for value in catalogGradient.elements.indices { catalogGradient.elements[value] = 1 }
        for value in hiddenGradient.elements.indices { hiddenGradient.elements[value] = 1 }
        let before = residentKiB()

        var last: CallResult?
        let seconds = try targets.withUnsafeBufferPointer { targets in
            try ids.withUnsafeMutableBufferPointer { ids in
                let batch = Batch(hidden: hidden.view, targets: .int32(targets))
                let outputs = GradientOutputs(
                    hidden: hiddenGradient.mutableView,
                    catalog: rowSparse
                        ? .rows(ids: ids, rows: catalogGradient.mutableView) : .dense(catalogGradient.mutableView))
                return try timed(size.repeats) { step in
                    last = try evaluate(context, batch, catalog, outputs, UInt64(step))
                }
            }
        }
        guard let last else { return }
        var line = fields(of: last.report, on: context)
        line["loss"] = loss.rawValue
        line["tokens"] = tokens
        line["items"] = items
        line["width"] = width
        line["peak_mib"] = Double(peakKiB() - before) / 1024
        line["value"] = last.loss
        try report(seconds, line)
    }

    private func evaluate(
        _ context: Context, _ batch: Batch, _ catalog: Catalog, _ outputs: GradientOutputs, _ step: UInt64
    ) throws -> CallResult {
        switch loss {
        case .ce:
            return try context.evaluate(CrossEntropy(), batch, catalog: catalog, into: outputs)
        case .sce:
            return try context.evaluate(
                SCE(
                    itemsPerBucket: bucketItems, directions: .mix, seed: 1, step: step,
                    combination: union ? .union : .max), batch,
                catalog: catalog, into: outputs)
        case .rece:
            return try context.evaluate(
                RECE(rounds: rounds, seed: 1, step: step), batch, catalog: catalog, into: outputs)
        }
    }
}
