import ArgumentParser
import Shortlist

struct TopKCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topk", abstract: "The k best items of each query.")

    @OptionGroup var size: SizeOptions
    @Option(help: "Items for each query.") var k: Int

    func run() throws {
        let context = try Context(.init(backend: "cpu", threads: size.threads))
        let queries = try Matrix(rows: size.tokens, columns: size.width)
        let items = try Matrix(rows: size.items, columns: size.width)
        Philox.fillNormal(queries.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(items.mutableView, seed: 2, step: 0, stream: 9)
        let catalog = try context.catalog(items)
        var ids = [Int32](repeating: 1, count: size.tokens * k)
        var scores = [Float](repeating: 1, count: size.tokens * k)
        let before = residentKiB()
        let seconds = try ids.withUnsafeMutableBufferPointer { ids in
            try scores.withUnsafeMutableBufferPointer { scores in
                try timed(size.repeats) { _ in
                    _ = try context.topK(
                        RetrievalRequest(queries: queries.view), in: catalog, k: k, ids: ids, scores: scores)
                }
            }
        }
        try report(
            seconds,
            [
                "tokens": size.tokens, "items": size.items, "width": size.width, "k": k, "threads": context.threads,
                "peak_mib": Double(peakKiB() - before) / 1024, "value": Double(scores.reduce(0, +)),
            ])
    }
}
