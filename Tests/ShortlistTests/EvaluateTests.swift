import Shortlist
import ShortlistReference
import Testing

@Suite("The allocating form")
struct EvaluateTests {
    @Test("Exact cross-entropy equals the oracle's, loss and gradients")
    func crossEntropy() throws {
        let problem = try SmallProblem(tokens: 40, items: 150, width: 9)
        let context = try Context()
        let result = try context.evaluate(
            CrossEntropy(), hidden: problem.hidden, targets: problem.targets, catalog: context.catalog(problem.items),
            gradients: [.hidden, .catalog, .bias, .scale], returning: [.losses, .logSumExp])
        let reference = evaluate(
            ReferenceProblem(
                hidden: problem.hidden.elements.map(Double.init), catalog: problem.items.elements.map(Double.init),
                dimension: 9, targets: problem.targets.map(Int.init)),
            selectAll(
                ReferenceProblem(
                    hidden: problem.hidden.elements.map(Double.init),
                    catalog: problem.items.elements.map(Double.init), dimension: 9,
                    targets: problem.targets.map(Int.init))), .union)
        #expect(abs(result.loss - reference.loss) <= 1e-5 * reference.loss)
        let hidden = try #require(result.gradients.hidden)
        let catalog = try #require(result.gradients.catalog)
        let bias = try #require(result.gradients.bias)
        let scale = try #require(result.gradients.scale)
        let bound = reference.largestLogitBound(dimension: 9)
        for (mine, index) in zip(hidden.elements, 0...) {
            #expect(abs(Double(mine) - reference.hiddenGradient[index]) <= bound * reference.hiddenMagnitude[index])
        }
        for (mine, index) in zip(catalog.elements, 0...) {
            #expect(abs(Double(mine) - reference.catalogGradient[index]) <= bound * reference.catalogMagnitude[index])
        }
        for (mine, index) in zip(bias, 0...) {
            #expect(abs(Double(mine) - reference.biasGradient[index]) <= bound * reference.biasMagnitude[index])
        }
        #expect(abs(scale - reference.scaleGradient) <= bound * reference.scaleMagnitude)
        let losses = try #require(result.tokenLosses)
        for (mine, index) in zip(losses, 0...) {
            #expect(abs(Double(mine) - reference.tokenLosses[index]) <= reference.lossBound(token: index, dimension: 9))
        }
    }

    @Test("The catalog gradient of SCE is not zero, and row-sparse and dense forms hold the same numbers")
    func rowSparse() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let loss = SCE(tokensPerBucket: 20, itemsPerBucket: 16, seed: 3)
        let dense = try context.evaluate(
            loss, hidden: problem.hidden, targets: problem.targets, catalog: catalog, gradients: [.catalog, .bias])
        let sparse = try context.evaluate(
            loss, hidden: problem.hidden, targets: problem.targets, catalog: catalog, gradients: [.catalogRows, .bias])
        let whole = try #require(dense.gradients.catalog)
        let wholeBias = try #require(dense.gradients.bias)
        let rows = try #require(sparse.gradients.catalogRows)
        let values = try #require(rows.rows)
        let bias = try #require(rows.bias)
        #expect(whole.elements.contains { $0 != 0 })
        #expect(rows.ids == rows.ids.sorted() && Set(rows.ids).count == rows.ids.count)
        #expect(rows.ids.count == sparse.report.distinctItemsTouched)
        for (row, item) in rows.ids.enumerated() {
            #expect(Array(values.row(row)) == Array(whole.row(Int(item))))
            #expect(bias[row] == wholeBias[Int(item)])
        }
        let touched = Set(rows.ids)
        for item in 0..<whole.rows where !touched.contains(Int32(item)) {
            #expect(whole.row(item).allSatisfy { $0 == 0 })
        }
    }

    @Test("The report of a row-sparse call covers its forward and its backward half")
    func rowSparseReport() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let report = try context.evaluate(
            SCE(seed: 3), hidden: problem.hidden, targets: problem.targets, catalog: catalog,
            gradients: [.hidden, .catalogRows]
        ).report
        #expect(report.seconds.select > 0 && report.seconds.gradient > 0)
        #expect(report.nativeKernels.isSuperset(of: [KernelSet(.projectAndSelect), KernelSet(.blockGradient)]))
        #expect(report.workspaceUsed <= report.workspacePlanned && report.workspaceLeast <= report.workspacePlanned)
    }

    @Test("An exported selection given back makes the same loss", arguments: [Combination.max, .union])
    func selectionRoundTrip(combination: Combination) throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let first = try context.evaluate(
            SCE(itemsPerBucket: 30, seed: 5, combination: combination), hidden: problem.hidden,
            targets: problem.targets, catalog: catalog, gradients: .hidden, returning: .selection)
        let again = try #require(first.selection).withView { (view) throws(ShortlistError) in
            try context.evaluate(
                GivenCandidates(view, combination: combination), hidden: problem.hidden, targets: problem.targets,
                catalog: catalog, gradients: .hidden)
        }
        #expect(first.loss == again.loss)
        #expect(first.gradients.hidden.map { Array($0.elements) } == again.gradients.hidden.map { Array($0.elements) })
    }

    @Test("The same seed and step repeat exactly, and the next step differs")
    func steps() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        func loss(_ step: UInt64) throws -> Double {
            try context.evaluate(
                SCE(tokensPerBucket: 10, itemsPerBucket: 8, seed: 9, step: step), hidden: problem.hidden,
                targets: problem.targets, catalog: catalog
            ).loss
        }
        let first = try loss(1)
        #expect(try loss(1) == first)
        #expect(try loss(2) != first)
    }

    @Test("Dense and sparse catalog gradients together are refused by name")
    func bothGradients() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let error = failure { () throws(ShortlistError) in
            try context.evaluate(
                SCE(), hidden: problem.hidden, targets: problem.targets, catalog: catalog,
                gradients: [.catalog, .catalogRows])
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test("Changing the catalog's matrix is seen by the next call")
    func catalogChanges() throws {
        let problem = try SmallProblem()
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        func loss() throws -> Double {
            try context.evaluate(
                CrossEntropy(), hidden: problem.hidden, targets: problem.targets, catalog: catalog
            ).loss
        }
        let before = try loss()
        problem.items[Int(problem.targets[0]), 0] += 5
        try catalog.update(rows: [problem.targets[0]])
        #expect(try loss() != before)
        #expect(failure { () throws(ShortlistError) in try catalog.update(rows: [700]) }?.code == .indexOutOfRange)
    }

    @Test("Ranks agree with where targets stand in the top-k lists, and give HR, NDCG and MRR")
    func ranks() throws {
        let problem = try SmallProblem(tokens: 50, items: 300, width: 8)
        let context = try Context()
        let catalog = try context.catalog(problem.items)
        let seen = SeenItems((0..<50).map { query in (0..<20).map { Int32(($0 * 13 + query) % 300) } })
        let ranks = try context.targetRanks(problem.hidden, targets: problem.targets, in: catalog, excluding: seen)
        let top = try context.topK(problem.hidden, in: catalog, k: 300, excluding: seen)
        for query in 0..<50
        where !seen.ids[seen.offsets[query]..<seen.offsets[query + 1]].contains(problem.targets[query]) {
            let place = top.ids(of: query).firstIndex(of: problem.targets[query])
            #expect(place.map { $0 - query * 300 + 1 } == ranks[query])
        }
        #expect(ReferenceKernels.hitRate(ranks: ranks, k: 300) == 1)
    }
}
