import OwnBackend
import Shortlist

/// Trains a softmax classifier with SCE, evaluates exact cross-entropy before and after, and retrieves; then does the
/// last two once more on a backend that this package brings along.
@main
struct Consumer {
    static let (tokens, items, width) = (256, 4000, 32)

    static func main() throws {
        let context = try Context()
        print("backend \(context.backend.name): \(context.backend.reason)")
        print("backends \(BackendRegistry.standard.list().map(\.name).joined(separator: " "))")

        let hidden = try drawn(rows: tokens, seed: 1)
        let weights = try drawn(rows: items, seed: 2)
        let targets = (0..<tokens).map { Int32($0 * 13 % items) }
        let catalog = try context.catalog(weights)

        let before = try context.evaluate(CrossEntropy(), hidden: hidden, targets: targets, catalog: catalog)
        print("cross-entropy before \(before.loss)")

        for step in 0..<30 {
            let result = try context.evaluate(
                SCE(itemsPerBucket: 128, seed: 3, step: UInt64(step)), hidden: hidden, targets: targets,
                catalog: catalog, gradients: .catalogRows)
            if step % 10 == 0 { print("step \(step) sce \(result.loss)") }
            guard let gradient = result.gradients.catalogRows, let rows = gradient.rows else { continue }
            for (row, item) in gradient.ids.enumerated() {
                for column in 0..<width { weights[Int(item), column] -= 8 * rows[row, column] }
            }
            try catalog.update(rows: gradient.ids)
        }

        let after = try context.evaluate(
            CrossEntropy(), hidden: hidden, targets: targets, catalog: catalog, gradients: .hidden)
        print("cross-entropy after \(after.loss)")

        let top = try context.topK(hidden, in: catalog, k: 10)
        let hits = targets.indices.count { top.ids(of: $0).contains(targets[$0]) }
        print("targets among the top 10: \(hits) of \(tokens)")
        let ranks = try context.targetRanks(hidden, targets: targets, in: catalog)
        print("ranks agree with the lists: \(ranks.count { $0 <= 10 } == hits)")

        try onOwnBackend(hidden, weights, targets, expecting: after.loss, hits)
    }

    /// Entries N(0, 1/d).
    static func drawn(rows: Int, seed: UInt64) throws -> Matrix {
        let matrix = try Matrix(rows: rows, columns: width)
        Philox.fillNormal(matrix.mutableView, seed: seed, step: 0, stream: 9)
        for index in matrix.elements.indices { matrix.elements[index] /= Float(width).squareRoot() }
        return matrix
    }

    static func onOwnBackend(
        _ hidden: Matrix, _ weights: Matrix, _ targets: [Int32], expecting loss: Double, _ hits: Int
    ) throws {
        var registry = BackendRegistry.standard
        try registry.register(PlainBackend())
        let context = try Context(ContextOptions(backend: "plain"), registry: registry)
        let catalog = try context.catalog(weights)
        let exact = try context.evaluate(CrossEntropy(), hidden: hidden, targets: targets, catalog: catalog)
        let ranks = try context.targetRanks(hidden, targets: targets, in: catalog)
        print("own backend agrees: \(abs(exact.loss - loss) < 1e-5 * loss && ranks.count { $0 <= 10 } == hits)")
    }
}
