import Shortlist
import Testing

/// The Swift snippet of README.md: `Tools/check-snippets` holds the two to each other.
@Test("The README's Swift snippet runs, its loss falls, and its recommendations leave out what was seen")
func readmeSnippet() throws {
    let items = try Matrix(rows: 5_000, columns: 32)
    let hidden = try Matrix(rows: 400, columns: 32)
    Philox.fillNormal(items.mutableView, seed: 1, step: 0, stream: 8)
    Philox.fillNormal(hidden.mutableView, seed: 2, step: 0, stream: 8)
    let targets = (0..<400).map { Int32($0 * 7) }
    let seen = SeenItems((0..<400).map { [Int32($0 * 7)] })
    let learningRate: Float = 20
    var losses: [Double] = []

    // snippet begin
    let context = try Context()  // the best backend; context.backend says which and why
    let catalog = try context.catalog(items)  // C × d; the matrix stays yours to change

    for step in 0..<20 {
        let result = try context.evaluate(
            SCE(itemsPerBucket: 256, directions: .mix, seed: 7, step: UInt64(step)),
            hidden: hidden, targets: targets, catalog: catalog, gradients: [.hidden, .catalogRows])

        guard let gradient = result.gradients.catalogRows, let rows = gradient.rows else { break }
        for (row, item) in gradient.ids.enumerated() {  // a sliver of the catalog, not all of it
            for column in 0..<items.columns {
                items[Int(item), column] -= learningRate * rows[row, column]
            }
        }
        try catalog.update(rows: gradient.ids)
        losses.append(result.loss)
    }
    let top = try context.topK(hidden, in: catalog, k: 10, excluding: seen)
    // snippet end

    #expect(losses.count == 20)
    #expect((losses.last ?? .infinity) < (losses.first ?? 0))
    for query in 0..<400 { #expect(!top.ids(of: query).contains(targets[query])) }
}
