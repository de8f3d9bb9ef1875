import ShortlistReference
import Testing

/// One loss on one problem, its selection held fixed.
struct GradientCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var problem: ReferenceProblem
    var blocks: [ReferenceBlock]
    var combination: ReferenceCombination
    var winners: [Int]?

    init(
        _ name: String, _ problem: ReferenceProblem, _ blocks: [ReferenceBlock], _ combination: ReferenceCombination,
        winners: [Int]? = nil
    ) {
        (testDescription, self.problem, self.blocks, self.combination) = (name, problem, blocks, combination)
        self.winners = winners
    }

    static let perToken = [0.7, -1.3, 5, 9, 0.4, 2.1, -0.6, 3, 1.9]

    /// Blocks as a caller may hand them in: ragged, unsorted, overlapping, with padding tokens, excluded items, targets
    /// and items of bias −∞ among them.
    static func given(logWeights: Bool, withoutCatalog: Set<Int>) -> [ReferenceBlock] {
        let lists: [([Int], [Int])] = [
            ([0, 1, 3, 4], [7, 2, 9]), ([4, 2, 5, 0], [2, 1, 10, 6, 3]), ([], [4]), ([8, 1], []),
            ([0, 1, 2, 3, 4, 5], [8, 5, 7, 2]),
        ]
        return lists.enumerated().map { k, list in
            let weights = list.1.map { Double(($0 * 7 + k * 3) % 5) * 0.4 - 0.7 }
            return ReferenceBlock(
                tokens: list.0, items: list.1, logWeights: logWeights && k != 1 ? weights : nil,
                contributesToCatalogGradient: !withoutCatalog.contains(k))
        }
    }

    static func sce(_ problem: ReferenceProblem) -> [ReferenceBlock] {
        selectSCE(problem, directions: randomDirections(4, 3, seed: 47), tokensPerBucket: 4, itemsPerBucket: 5)
    }

    static func rece(_ problem: ReferenceProblem, rounds: Int) -> [ReferenceBlock] {
        let directions = (0..<rounds).map { randomDirections(5, 3, seed: 50 + UInt64($0)) }
        return selectRECE(problem, directions: directions, chunkCount: 4, neighbourChunks: 1)
    }

    static let all: [GradientCase] = {
        let rich = richProblem()
        let summed = richProblem(reduction: .sum, upstream: [-1.7])
        let vector = richProblem(reduction: .none, upstream: perToken)
        let accumulated = richProblem(denominator: 3.5, upstream: [0.9])
        let plain = plainProblem()
        var cases = [GradientCase("CE plain", plain, selectAll(plain), .union)]
        cases.append(GradientCase("CE plain, as a maximum over its one block", plain, selectAll(plain), .maximum))
        for (name, problem) in [("mean", rich), ("sum", summed), ("none", vector), ("own denominator", accumulated)] {
            cases.append(GradientCase("CE \(name)", problem, selectAll(problem), .union))
            cases.append(GradientCase("SCE max \(name)", problem, sce(problem), .maximum))
            cases.append(GradientCase("SCE union \(name)", problem, sce(problem), .union))
            for r in 1...3 {
                cases.append(GradientCase("RECE r = \(r) \(name)", problem, rece(problem, rounds: r), .union))
            }
            for (logWeights, without) in [(false, []), (true, []), (true, [0, 3]), (false, [1, 4]), (true, [4])] {
                let blocks = given(logWeights: logWeights, withoutCatalog: Set(without))
                let title = "given, log-weights \(logWeights), no dY from \(without), \(name)"
                cases.append(GradientCase("max " + title, problem, blocks, .maximum))
                cases.append(GradientCase("union " + title, problem, blocks, .union))
            }
        }
        let named = [0, 0, -1, 4, 4, 1, -1, -1, 3]
        let blocks = given(logWeights: true, withoutCatalog: [0])
        cases.append(GradientCase("max given, winners named", vector, blocks, .maximum, winners: named))
        return cases
    }()
}

@Suite("Gradients")
struct GradientTests {
    @Test("the loss is the naive formula's", arguments: GradientCase.all)
    func lossIsNaive(_ c: GradientCase) {
        let result = evaluate(c.problem, c.blocks, c.combination)
        let expected = objective(c.problem, c.blocks, c.combination)
        let upstream = c.problem.upstream
        let found =
            c.problem.reduction == .none
            ? zip(upstream, result.weightedLosses).reduce(0) { $0 + $1.0 * $1.1 } : upstream[0] * result.loss
        #expect(near(found, expected))
        #expect(abs(expected) > 0.1)
    }

    @Test("dX, dY, db and ds are the central finite differences", arguments: GradientCase.all)
    func finiteDifferences(_ c: GradientCase) {
        let h = 1e-5
        let result = evaluate(c.problem, c.blocks, c.combination, winners: c.winners)
        if c.combination == .maximum {
            // A difference across a change of winners would say nothing.
            #expect(result.winnerMargins.min()! > 1e-3)
        }
        let at = { (changed: ReferenceProblem) in
            objective(changed, frozen: c.problem, c.blocks, c.combination, winners: c.winners)
        }
        func difference(_ path: WritableKeyPath<ReferenceProblem, [Double]>, _ k: Int) -> Double {
            var up = c.problem
            var down = c.problem
            up[keyPath: path][k] += h
            down[keyPath: path][k] -= h
            return (at(up) - at(down)) / (2 * h)
        }
        for k in c.problem.hidden.indices {
            #expect(near(result.hiddenGradient[k], difference(\.hidden, k), relative: 0, absolute: 2e-8), "dX \(k)")
        }
        for k in c.problem.catalog.indices {
            #expect(near(result.catalogGradient[k], difference(\.catalog, k), relative: 0, absolute: 2e-8), "dY \(k)")
        }
        var withBias = c
        withBias.problem.itemBias = c.problem.itemBias ?? [Double](repeating: 0, count: c.problem.itemCount)
        for j in 0..<c.problem.itemCount {
            var up = withBias.problem
            var down = withBias.problem
            up.itemBias![j] += h
            down.itemBias![j] -= h
            let expected =
                (objective(up, frozen: withBias.problem, c.blocks, c.combination, winners: c.winners)
                    - objective(down, frozen: withBias.problem, c.blocks, c.combination, winners: c.winners)) / (2 * h)
            #expect(near(result.biasGradient[j], expected, relative: 0, absolute: 2e-8), "db \(j)")
        }
        // The scale is one for frozen and moving items alike.
        var up = c.problem
        var down = c.problem
        up.scale += h
        down.scale -= h
        #expect(near(result.scaleGradient, (at(up) - at(down)) / (2 * h), relative: 0, absolute: 2e-8), "ds")

        for gradient in [result.hiddenGradient, result.catalogGradient, result.biasGradient, [result.scaleGradient]] {
            #expect(gradient.contains { abs($0) > 1e-2 })
        }
    }

    @Test("a magnitude bounds its gradient, and more than bounds it where terms cancel", arguments: GradientCase.all)
    func magnitudesBound(_ c: GradientCase) {
        let r = evaluate(c.problem, c.blocks, c.combination, winners: c.winners)
        let pairs = [
            (r.hiddenGradient, r.hiddenMagnitude), (r.catalogGradient, r.catalogMagnitude),
            (r.biasGradient, r.biasMagnitude), ([r.scaleGradient], [r.scaleMagnitude]),
        ]
        for (gradient, magnitude) in pairs {
            #expect(gradient.count == magnitude.count)
            #expect(zip(gradient, magnitude).allSatisfy { abs($0) <= $1 * (1 + 1e-12) })
        }
        #expect(zip(r.hiddenGradient, r.hiddenMagnitude).contains { abs($0) < $1 * 0.5 }, "no element cancels")
    }

    @Test("naming winners is the same as leaving each token in its winner's block only")
    func namedWinners() throws {
        let c = try #require(GradientCase.all.last)
        let winners = try #require(c.winners)
        let apart = c.blocks.enumerated().map { k, block in
            var block = block
            block.tokens = block.tokens.filter { winners[$0] == k }
            return block
        }
        let named = evaluate(c.problem, c.blocks, .maximum, winners: winners)
        let alone = evaluate(c.problem, apart, .maximum)
        let free = evaluate(c.problem, c.blocks, .maximum)
        #expect(named.hiddenGradient == alone.hiddenGradient)
        #expect(named.catalogGradient == alone.catalogGradient)
        #expect(named.biasGradient == alone.biasGradient)
        #expect(named.scaleGradient == alone.scaleGradient)
        #expect(named.winners == alone.winners)
        #expect(named.hiddenGradient != free.hiddenGradient)
        // The losses stay the maximum, and the shortfall says what the named winner lacks.
        #expect(named.tokenLosses == free.tokenLosses)
        #expect(named.logSumExp == free.logSumExp)
        #expect(allNear(named.winnerShortfalls, zip(free.tokenLosses, alone.tokenLosses).map { $0 - $1 }))
        #expect(named.winnerShortfalls.max()! > 0.1)
        #expect(free.winnerShortfalls.max() == 0)
    }

    @Test("a mean's upstream and denominator scale the gradients and not the losses")
    func upstreamScales() {
        let plain = evaluate(richProblem(), GradientCase.sce(richProblem()), .maximum)
        let other = richProblem(denominator: plain.totalWeight * 2, upstream: [6])
        let scaled = evaluate(other, GradientCase.sce(other), .maximum)
        #expect(near(scaled.loss, plain.loss / 2))
        #expect(scaled.tokenLosses == plain.tokenLosses)
        #expect(allNear(scaled.hiddenGradient, plain.hiddenGradient.map { $0 * 3 }))
        #expect(allNear(scaled.catalogMagnitude, plain.catalogMagnitude.map { $0 * 3 }))
        #expect(plain.hiddenGradient.contains { $0 != 0 })
    }
}
