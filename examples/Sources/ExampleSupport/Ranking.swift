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
        for some in batches(of: examples) {
            ranks += try targetRanks(
                try hidden(some), targets: some.map { data.target(of: $0) }, in: catalog,
                excluding: seen(some, data))
        }
        return ranks
    }

    /// The metrics of those ranks, coverage included: that of every example's top 50, again without what the user had
    /// chosen before.
    ///
    /// It scores the catalog twice, for the ranks and for the lists, which are counted a few thousand at a time and not
    /// kept.
    public func metrics(
        of examples: [Example], in data: Interactions, catalog: Catalog, hidden: (ArraySlice<Example>) throws -> Matrix
    ) throws -> RankingMetrics {
        var ranks: [Int] = []
        var coverage = CatalogCoverage(itemCount: data.itemCount)
        let longest = min(RankingMetrics.cutoffs.max()!, max(1, data.itemCount))
        for some in batches(of: examples) {
            let queries = try hidden(some)
            let seen = seen(some, data)
            ranks += try targetRanks(
                queries, targets: some.map { data.target(of: $0) }, in: catalog, excluding: seen)
            let top = try topK(queries, in: catalog, k: longest, excluding: seen)
            for query in 0..<top.queryCount { coverage.add(top.ids(of: query)) }
        }
        return RankingMetrics(ranks: ranks, coverage: coverage)
    }

    /// The ranks that popularity in the training part alone would give: a catalog of one column, the counts, and every
    /// user the same.
    public func popularityRanks(of examples: [Example], in data: Interactions, _ split: Split) throws -> [Int] {
        try ranks(of: examples, in: data, catalog: popularityCatalog(data, split), hidden: ones)
    }

    /// The metrics of popularity alone.
    public func popularityMetrics(of examples: [Example], in data: Interactions, _ split: Split) throws
        -> RankingMetrics
    {
        try metrics(of: examples, in: data, catalog: popularityCatalog(data, split), hidden: ones)
    }

    private func popularityCatalog(_ data: Interactions, _ split: Split) throws -> Catalog {
        let counts = split.popularity(in: data).map(Float.init)
        return try catalog(Matrix(rows: counts.count, columns: 1, counts))
    }
}

private func ones(_ examples: ArraySlice<Example>) throws -> Matrix {
    try Matrix(rows: examples.count, columns: 1, [Float](repeating: 1, count: examples.count))
}

private func batches(of examples: [Example]) -> some Sequence<ArraySlice<Example>> {
    let atOnce = 4096
    return stride(from: 0, to: examples.count, by: atOnce).lazy.map {
        examples[$0..<min(examples.count, $0 + atOnce)]
    }
}

private func seen(_ examples: ArraySlice<Example>, _ data: Interactions) -> SeenItems {
    var seen = SeenItems(offsets: [0], ids: [])
    for example in examples {
        seen.ids += data.history(before: example)
        seen.offsets.append(seen.ids.count)
    }
    return seen
}
