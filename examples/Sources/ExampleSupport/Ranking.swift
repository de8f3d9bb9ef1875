import Shortlist

extension Context {
    /// Ranks every example's target among the whole catalog, leaving out what the user had chosen before.
    ///
    /// Nothing of size examples × catalog is stored: the library counts the items that score above the target.
    /// - Parameter hidden: the hidden states of some of the examples, one row each.
    public func ranks(
        of examples: [Example], in data: Interactions, catalog: Catalog, hidden: (ArraySlice<Example>) throws -> Matrix
    ) throws -> [Int] {
        var ranks: [Int] = []
        let atOnce = 4096
        for start in stride(from: 0, to: examples.count, by: atOnce) {
            let some = examples[start..<min(examples.count, start + atOnce)]
            ranks += try targetRanks(
                try hidden(some), targets: some.map { data.target(of: $0) }, in: catalog,
                excluding: SeenItems(some.map { Array(data.history(before: $0)) }))
        }
        return ranks
    }

    /// The ranks that popularity alone would give: a catalog of one column, the counts, and every user the same.
    public func popularityRanks(of examples: [Example], in data: Interactions) throws -> [Int] {
        let counts = LeaveOneOut.popularity(in: data).map(Float.init)
        let catalog = try catalog(Matrix(rows: counts.count, columns: 1, counts))
        return try ranks(of: examples, in: data, catalog: catalog) { some in
            try Matrix(rows: some.count, columns: 1, [Float](repeating: 1, count: some.count))
        }
    }
}
