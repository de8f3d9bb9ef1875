import Shortlist
import ShortlistReference
import Testing

@Suite("The allocating forms")
struct EvaluationTests {
    @Test("exact cross-entropy returns the oracle's loss, gradients and token results", arguments: Reduction.allCases)
    func crossEntropy(reduction: Reduction) throws {
        let fixture = try Fixture()
        let context = try Context(.init(threads: 2))
        let catalog = try context.catalog(fixture.items, bias: fixture.bias)
        let kind: ReferenceReduction = [.mean, .sum, .none][Int(reduction.rawValue)]
        let upstream = (0..<fixture.tokens).map { Float($0 % 7) - 2 }
        let options = BatchOptions(weights: fixture.weights, scale: 0.5, reduction: reduction)
        let got: Evaluation =
            if reduction == .none {
                try context.evaluate(
                    CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog,
                    options: options, gradients: [.hidden, .catalog, .bias, .scale], upstream: upstream,
                    returning: [.losses, .logSumExp])
            } else {
                try context.evaluate(
                    CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog,
                    options: options, gradients: [.hidden, .catalog, .bias, .scale], upstream: 3,
                    returning: [.losses, .logSumExp])
            }
        let problem = fixture.problem(
            kind, upstream: reduction == .none ? upstream.map(Double.init) : [3], scale: 0.5)
        let want = evaluate(problem, selectAll(problem), .union)
        #expect(abs(got.loss - want.loss) <= 2e-5 * want.loss)
        #expect(near(got.gradients.hidden.map { Array($0.elements) } ?? [], want.hiddenGradient, want.hiddenMagnitude))
        #expect(
            near(got.gradients.catalog.map { Array($0.elements) } ?? [], want.catalogGradient, want.catalogMagnitude))
        #expect(near(got.gradients.bias ?? [], want.biasGradient, want.biasMagnitude))
        #expect(abs((got.gradients.scale ?? .nan) - want.scaleGradient) <= 2e-5 * want.scaleMagnitude)
        let losses = reduction == .none ? want.weightedLosses : want.tokenLosses
        #expect(near(got.tokenLosses ?? [], losses, losses.map { abs($0) + 1 }))
        #expect(near(got.logSumExp ?? [], want.logSumExp, want.logSumExp.map { abs($0) + 1 }))
        #expect(got.gradients.catalogRows == nil && got.selection == nil)
        #expect(got.report.tokensValid == problem.validTokens.count && got.report.threads >= 1)
    }

    @Test("what is not asked for is not returned")
    func nothing() throws {
        let fixture = try Fixture()
        let context = try Context()
        let got = try context.evaluate(
            CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets,
            catalog: try context.catalog(fixture.items))
        #expect(got.loss > 0)
        #expect(got.gradients.hidden == nil && got.gradients.catalog == nil && got.gradients.bias == nil)
        #expect(got.gradients.catalogRows == nil && got.gradients.scale == nil)
        #expect(got.tokenLosses == nil && got.logSumExp == nil && got.selection == nil)
    }

    @Test("a row-sparse gradient is the dense one's non-zero rows, and its ids ascend")
    func rows() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items, bias: fixture.bias)
        let losses: [any Loss] = [
            SCE(bucketCount: 5, tokensPerBucket: 9, itemsPerBucket: 8, seed: 3),
            SCE(bucketCount: 5, tokensPerBucket: 9, itemsPerBucket: 8, seed: 3, combination: .union),
            RECE(seed: 3), CrossEntropy(),
        ]
        for loss in losses {
            let dense = try context.evaluate(
                loss, hidden: fixture.hidden, targets: fixture.targets, catalog: catalog, gradients: [.catalog, .bias])
            let sparse = try context.evaluate(
                loss, hidden: fixture.hidden, targets: fixture.targets, catalog: catalog,
                gradients: [.catalogRows, .bias])
            let rows = try #require(sparse.gradients.catalogRows)
            let matrix = try #require(rows.rows)
            let whole = try #require(dense.gradients.catalog)
            #expect(rows.ids == rows.ids.sorted() && Set(rows.ids).count == rows.ids.count && !rows.ids.isEmpty)
            for (row, id) in rows.ids.enumerated() {
                #expect(Array(matrix.row(row)) == Array(whole.row(Int(id))))
                #expect(rows.bias?[row] == dense.gradients.bias?[Int(id)])
            }
            for item in 0..<fixture.itemCount where !rows.ids.contains(Int32(item)) {
                #expect(whole.row(item).allSatisfy { $0 == 0 })
            }
            #expect(sparse.loss == dense.loss)
        }
        #expect(throws: ShortlistError.self) {
            try context.evaluate(
                CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog,
                gradients: [.catalog, .catalogRows])
        }
    }

    @Test(
        "SCE's catalog gradient is non-zero and the oracle's on the returned selection", arguments: Combination.allCases
    )
    func catalogGradient(combination: Combination) throws {
        let fixture = try Fixture()
        let context = try Context()
        let got = try context.evaluate(
            SCE(bucketCount: 6, tokensPerBucket: 14, itemsPerBucket: 20, seed: 5, combination: combination),
            hidden: fixture.hidden, targets: fixture.targets,
            catalog: try context.catalog(fixture.items, bias: fixture.bias),
            gradients: [.catalogRows], returning: .selection)
        let lists = try #require(got.selection)
        let blocks = (0..<lists.blockCount).map { k in
            ReferenceBlock(
                tokens: lists.tokens[lists.tokenOffsets[k]..<lists.tokenOffsets[k + 1]].map(Int.init),
                items: lists.items[lists.itemOffsets[k]..<lists.itemOffsets[k + 1]].map(Int.init))
        }
        let want = evaluate(fixture.problem(weighted: false), blocks, combination == .max ? .maximum : .union)
        let rows = try #require(got.gradients.catalogRows)
        let d = fixture.width
        let pick = { (values: [Double]) in rows.ids.flatMap { values[Int($0) * d..<(Int($0) + 1) * d] } }
        let values = try #require(rows.rows).elements
        #expect(near(Array(values), pick(want.catalogGradient), pick(want.catalogMagnitude)))
        #expect(values.contains { abs($0) > 1e-3 })
        #expect(abs(got.loss - want.loss) <= 2e-5 * want.loss)
    }

    @Test("accumulate adds to what is there, store does not")
    func accumulate() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items)
        func gradient(_ matrix: Matrix, accumulate: Bool) throws {
            try fixture.targets.withUnsafeBufferPointer { targets in
                _ = try context.evaluate(
                    CrossEntropy(), Batch(hidden: fixture.hidden.view, targets: .int32(targets)), catalog: catalog,
                    into: GradientOutputs(catalog: .dense(matrix.mutableView, accumulate: accumulate)))
            }
        }
        let stored = try Matrix(rows: fixture.itemCount, columns: fixture.width)
        for index in stored.elements.indices { stored.elements[index] = .nan }
        try gradient(stored, accumulate: false)
        let added = try Matrix(rows: fixture.itemCount, columns: fixture.width)
        for index in added.elements.indices { added.elements[index] = 4 }
        try gradient(added, accumulate: true)
        for index in stored.elements.indices {
            #expect(abs(added.elements[index] - 4 - stored.elements[index]) <= 2e-5)
        }
    }

    @Test("forward and backward make the one call's results, and given back the selection makes them again")
    func phases() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items)
        let loss = SCE(bucketCount: 5, tokensPerBucket: 15, itemsPerBucket: 20, seed: 9)
        let once = try context.evaluate(
            loss, hidden: fixture.hidden, targets: fixture.targets, catalog: catalog, gradients: .hidden)
        let gradient = try Matrix(rows: fixture.tokens, columns: fixture.width)
        try fixture.targets.withUnsafeBufferPointer { targets in
            let state = try context.forward(
                loss, Batch(hidden: fixture.hidden.view, targets: .int32(targets)), catalog: catalog)
            #expect(state.result.loss == once.loss)
            _ = try context.backward(state, into: GradientOutputs(hidden: gradient.mutableView))
            #expect(Array(gradient.elements) == once.gradients.hidden.map { Array($0.elements) })
            let lists = try state.selection()
            let back = try lists.withView { (view) throws(ShortlistError) in
                try context.evaluate(
                    GivenCandidates(view), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog,
                    gradients: .hidden)
            }
            #expect(back.loss == once.loss)
            #expect(back.gradients.hidden.map { Array($0.elements) } == Array(gradient.elements))
        }
    }

    @Test("64-bit targets are 32-bit targets")
    func wideTargets() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items)
        let narrow = try context.evaluate(
            CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets, catalog: catalog)
        let wide = try context.evaluate(
            CrossEntropy(), hidden: fixture.hidden, targets: fixture.targets.map(Int64.init), catalog: catalog)
        #expect(narrow.loss == wide.loss)
    }
}
