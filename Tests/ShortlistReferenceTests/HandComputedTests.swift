import Glibc
import ShortlistReference
import Testing

/// One token x = (1), items y = log of whole numbers: every exponential is a whole number.
private func whole(_ y: [Double], target: Int = 0, bias: [Double]? = nil) -> ReferenceProblem {
    ReferenceProblem(hidden: [1], catalog: y.map { ln($0) }, dimension: 1, targets: [target], itemBias: bias)
}

@Suite("Cases computed by hand")
struct HandComputedTests {
    @Test("two items of odds 1 to 3 give log 4 and the gradients ±3/4")
    func twoItems() {
        let r = evaluate(whole([1, 3]), selectAll(whole([1, 3])), .union)
        #expect(near(r.loss, ln(4)))
        #expect(allNear(r.logSumExp, [ln(4)]))
        #expect(allNear(r.largestLogit, [ln(3)]))
        #expect(allNear(r.catalogGradient, [-0.75, 0.75]))
        #expect(allNear(r.catalogMagnitude, [0.75, 0.75]))
        #expect(allNear(r.biasGradient, [-0.75, 0.75]))
        #expect(allNear(r.hiddenGradient, [0.75 * ln(3)]))
        #expect(near(r.scaleGradient, 0.75 * ln(3)))
        #expect(r.tokensCounted == 1 && r.totalWeight == 1 && r.counted == [true] && r.winners == [-1])
    }

    @Test("bias and scale enter as s·⟨x, y⟩ + b, and dX and dY carry s")
    func biasAndScale() {
        var problem = whole([1, 3], bias: [ln(2), ln(5)])
        problem.scale = 2  // odds 1²·2 to 3²·5
        let r = evaluate(problem, selectAll(problem), .union)
        #expect(near(r.loss, ln(47.0 / 2)))
        #expect(allNear(r.logSumExp, [ln(47)]))
        #expect(allNear(r.biasGradient, [-45.0 / 47, 45.0 / 47]))
        #expect(allNear(r.catalogGradient, [-90.0 / 47, 90.0 / 47]))
        #expect(allNear(r.hiddenGradient, [90.0 / 47 * ln(3)]))
        #expect(near(r.scaleGradient, 45.0 / 47 * ln(3)))
        #expect(near(r.scaleMagnitude, 45.0 / 47 * ln(3)))
    }

    @Test("max takes the larger block and its gradient alone, union takes both blocks")
    func maximumAndUnion() {
        let problem = whole([1, 2, 5])
        let blocks = [ReferenceBlock(tokens: [0], items: [1]), ReferenceBlock(tokens: [0], items: [2])]
        let largest = evaluate(problem, blocks, .maximum)
        #expect(near(largest.loss, ln(6)))
        #expect(largest.winners == [1])
        #expect(allNear(largest.winnerMargins, [ln(6) - ln(3)]))
        #expect(allNear(largest.catalogGradient, [-5.0 / 6, 0, 5.0 / 6]))
        let union = evaluate(problem, blocks, .union)
        #expect(near(union.loss, ln(8)))
        #expect(allNear(union.catalogGradient, [-7.0 / 8, 2.0 / 8, 5.0 / 8]))
        #expect(union.winners == [-1])
        let named = evaluate(problem, blocks, .maximum, winners: [0])
        #expect(allNear(named.catalogGradient, [-2.0 / 3, 2.0 / 3, 0]))
        #expect(near(named.loss, ln(6)))
        #expect(allNear(named.winnerShortfalls, [ln(6) - ln(3)]))
    }

    @Test("the largest logit is the largest in size over all blocks, log-weights in, the target's among them")
    func largestLogit() {
        let problem = ReferenceProblem(hidden: [1], catalog: [2, 1, -7, 0], dimension: 1, targets: [0])
        let blocks = [
            ReferenceBlock(tokens: [0], items: [1]), ReferenceBlock(tokens: [0], items: [2]),
            ReferenceBlock(tokens: [0], items: [3], logWeights: [-9]),
        ]
        for combination in [ReferenceCombination.maximum, .union] {
            #expect(evaluate(problem, Array(blocks[..<1]), combination).largestLogit == [2])
            #expect(evaluate(problem, Array(blocks[..<2]), combination).largestLogit == [7])
            #expect(evaluate(problem, blocks, combination).largestLogit == [9])
        }
        #expect(evaluate(problem, blocks, .maximum).winners == [0])
    }

    @Test("blocks of equal loss give the gradient to the lower index")
    func tieOfBlocks() {
        let problem = whole([1, 5, 5])
        let blocks = [
            ReferenceBlock(tokens: [], items: [1]), ReferenceBlock(tokens: [0], items: [2]),
            ReferenceBlock(tokens: [0], items: [1]),
        ]
        let r = evaluate(problem, blocks, .maximum)
        #expect(r.winners == [1])
        #expect(r.winnerMargins == [0])
        #expect(allNear(r.catalogGradient, [-5.0 / 6, 0, 5.0 / 6]))
    }

    @Test("an item in two blocks counts once, with the first block's log-weight and flag")
    func firstBlockWins() {
        let problem = whole([1, 2, 5])
        let first = ReferenceBlock(tokens: [0], items: [1], logWeights: [ln(4)])
        let second = ReferenceBlock(
            tokens: [0], items: [1, 2], logWeights: [ln(100), ln(3)], contributesToCatalogGradient: false)
        let r = evaluate(problem, [first, second], .union)  // 1 + 4·2 + 3·5
        #expect(near(r.loss, ln(24)))
        #expect(allNear(r.catalogGradient, [-23.0 / 24, 8.0 / 24, 0]))
        #expect(near(r.hiddenGradient[0], (8 * ln(2) + 15 * ln(5)) / 24))
        #expect(near(r.scaleGradient, r.hiddenGradient[0]))
        let swapped = evaluate(problem, [second, first], .union)  // 1 + 100·2 + 3·5
        #expect(near(swapped.loss, ln(216)))
        #expect(allNear(swapped.catalogGradient, [-215.0 / 216, 0, 0]))
    }

    @Test("a log-weight never acts on the target's own logit")
    func targetKeepsItsLogit() {
        let problem = whole([1, 3])
        let block = ReferenceBlock(tokens: [0], items: [0, 1], logWeights: [ln(50), ln(2)])
        #expect(near(evaluate(problem, [block], .union).loss, ln(7)))
        #expect(near(evaluate(problem, [block], .maximum).loss, ln(7)))
    }

    @Test("mean, sum and none weigh the tokens as they say")
    func reductions() {
        // Token losses log 4, log 2 and (uncovered) nothing.
        var problem = ReferenceProblem(
            hidden: [1, 0, 7], catalog: [0, ln(3)], dimension: 1, targets: [0, 0, 1], weights: [1, 3, 10])
        let blocks = [ReferenceBlock(tokens: [0, 1], items: [0, 1])]
        let mean = evaluate(problem, blocks, .maximum)
        #expect(near(mean.loss, (ln(4) + 3 * ln(2)) / 4))
        #expect(mean.counted == [true, true, false] && mean.totalWeight == 4 && mean.tokensCounted == 2)
        #expect(allNear(mean.tokenLosses, [ln(4), ln(2), 0]))
        #expect(allNear(mean.weightedLosses, [ln(4), 3 * ln(2), 0]))
        #expect(allNear(mean.biasGradient, [-0.5625, 0.5625]))
        #expect(mean.winners == [0, 0, -1])
        #expect(mean.logSumExp[2] == 0 && mean.hiddenGradient[2] == 0)
        problem.denominator = 2
        #expect(near(evaluate(problem, blocks, .maximum).loss, (ln(4) + 3 * ln(2)) / 2))
        problem.reduction = .sum
        #expect(near(evaluate(problem, blocks, .maximum).loss, ln(4) + 3 * ln(2)))
        problem.reduction = .none
        problem.upstream = [2, -2, 100]
        let none = evaluate(problem, blocks, .maximum)
        #expect(allNear(none.weightedLosses, [ln(4), 3 * ln(2), 0]))
        #expect(allNear(none.biasGradient, [1.5, -1.5]))
        #expect(allNear(none.biasMagnitude, [4.5, 4.5]))
        #expect(allNear(none.catalogGradient, [-1.5, 1.5]))  // token 1 is x = 0
        #expect(allNear(none.hiddenGradient, [1.5 * ln(3), -3 * ln(3), 0]))
        #expect(allNear(none.hiddenMagnitude, [1.5 * ln(3), 3 * ln(3), 0]))
    }

    @Test("a tiny loss and its gradient keep their digits when the target leads")
    func tinyLoss() {
        let problem = ReferenceProblem(hidden: [1], catalog: [60, 0], dimension: 1, targets: [0])
        let r = evaluate(problem, selectAll(problem), .union)
        #expect(near(r.loss, exp(-60), absolute: 0))
        #expect(allNear(r.biasGradient, [-exp(-60), exp(-60)], absolute: 0))
        #expect(r.logSumExp == [60])
    }

    @Test("logits of ±1e4 overflow nothing")
    func hugeLogits() {
        let problem = ReferenceProblem(hidden: [1e4], catalog: [-1, 1, 0], dimension: 1, targets: [0])
        let r = evaluate(problem, selectAll(problem), .union)
        #expect(r.loss == 2e4)
        #expect(r.logSumExp == [1e4])
        #expect(r.biasGradient == [-1, 1, 0])
        #expect(r.largestLogit == [1e4])
        #expect(r.tokensNonFinite == 0)
    }

    @Test("the bounds follow from the largest logit, the loss and √d")
    func bounds() {
        let problem = ReferenceProblem(
            hidden: [1, 0, 0, 0, 9, 0, 0, 0, .nan, 0, 0, 0], catalog: [0, 0, 0, 0, 3, 0, 0, 0], dimension: 4,
            targets: [0, -1, 0], ignoreIndex: -1)
        let r = evaluate(problem, selectAll(problem), .union)
        let logit = 8.0 * 0x1p-24 * 2 * 4  // 8 · ε · (1 + 3), ε = 2⁻²⁴·√4
        #expect(near(r.logitBound(token: 0, dimension: 4), logit))
        #expect(near(r.lossBound(token: 0, dimension: 4), logit + 1e-5 * ln(1 + exp(3))))
        #expect(near(r.largestLogitBound(dimension: 4), logit))
        #expect(r.logitBound(token: 2, dimension: 4).isNaN)
        #expect(evaluate(problem, [], .union).largestLogitBound(dimension: 4) == 0)
    }
}
