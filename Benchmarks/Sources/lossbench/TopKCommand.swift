import ArgumentParser
import Shortlist

struct TopKCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topk", abstract: "The k best items of each query.")

    @OptionGroup var size: SizeOptions
    @OptionGroup var device: DeviceOptions
    @Option(help: "Items for each query.") var k: Int

    func run() throws {
        let context = try device.context(threads: size.threads)
        let queries = try Matrix(rows: size.tokens, columns: size.width)
        let items = try Matrix(rows: size.items, columns: size.width)
        Philox.fillNormal(queries.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(items.mutableView, seed: 2, step: 0, stream: 9)
        let catalog = try context.catalog(items)
        var ids = [Int32](repeating: 1, count: size.tokens * k)
        var scores = [Float](repeating: 1, count: size.tokens * k)
        let before = residentKiB()
        var last: Report?
        let seconds = try ids.withUnsafeMutableBufferPointer { ids in
            try scores.withUnsafeMutableBufferPointer { scores in
                try timed(size.repeats) { _ in
                    last = try context.topK(
                        RetrievalRequest(queries: queries.view), in: catalog, k: k, ids: ids, scores: scores)
                }
            }
        }
        guard let last else { return }
        var line = fields(of: last, on: context)
        line["tokens"] = size.tokens
        line["items"] = size.items
        line["width"] = size.width
        line["k"] = k
        line["peak_mib"] = Double(peakKiB() - before) / 1024
        line["value"] = Double(scores.reduce(0, +))
        try report(seconds, line)
    }
}
