import Glibc
import ShortlistReference
import Testing

/// All four gradients in one list.
private func gradients(_ r: ReferenceResult) -> [Double] {
    r.hiddenGradient + r.catalogGradient + r.biasGradient + [r.scaleGradient]
}

@Suite("Edges")
struct EdgeTests {
    @Test("no valid token: loss 0, gradients 0, nothing counted", arguments: [ReferenceReduction.mean, .sum, .none])
    func noValidToken(_ reduction: ReferenceReduction) {
        var problem = richProblem(reduction: reduction, upstream: reduction == .none ? GradientCase.perToken : [2])
        problem.targets = [Int](repeating: -100, count: 9)
        let selections = [
            selectAll(problem), GradientCase.sce(problem), GradientCase.rece(problem, rounds: 2),
            GradientCase.given(logWeights: true, withoutCatalog: []),
        ]
        for blocks in selections {
            for combination in [ReferenceCombination.maximum, .union] {
                let r = evaluate(problem, blocks, combination)
                #expect(r.loss == 0 && r.tokensCounted == 0 && r.totalWeight == 0 && !r.counted.contains(true))
                #expect(gradients(r).allSatisfy { $0 == 0 })
                #expect(r.winners.allSatisfy { $0 == -1 })
            }
        }
    }

    @Test("weights that are all zero: loss 0 and gradients 0, but the tokens are counted")
    func zeroWeights() {
        var problem = richProblem(denominator: 2)
        problem.weights = [Double](repeating: 0, count: 9)
        let r = evaluate(problem, selectAll(problem), .union)
        #expect(r.loss == 0 && r.totalWeight == 0 && r.tokensCounted == 7)
        #expect(gradients(r).allSatisfy { $0 == 0 })
        #expect(r.tokenLosses.filter { $0 > 0 }.count == 7)
    }

    @Test("a token of weight 0 adds exactly nothing, even if its loss is NaN")
    func zeroWeightHidesNaN() {
        var clean = richProblem(reduction: .sum)  // token 3 has weight 0
        let without = evaluate(clean, selectAll(clean), .union)
        clean.hidden[3 * 3 + 1] = .nan
        let with = evaluate(clean, selectAll(clean), .union)
        #expect(with.loss == without.loss && with.loss.isFinite)
        #expect(gradients(with) == gradients(without))
        #expect(with.hiddenMagnitude == without.hiddenMagnitude)
        #expect(with.weightedLosses == without.weightedLosses)
        #expect(with.tokenLosses[3].isNaN && with.counted[3])
        #expect(with.tokensNonFinite == 1 && without.tokensNonFinite == 0)
    }

    @Test("an upstream of 0 adds exactly nothing to the gradients, even if the loss is NaN")
    func zeroUpstreamHidesNaN() {
        var upstream = GradientCase.perToken
        upstream[1] = 0
        var problem = richProblem(reduction: .none, upstream: upstream)
        let without = evaluate(problem, selectAll(problem), .union)
        problem.hidden[1 * 3] = .infinity
        let with = evaluate(problem, selectAll(problem), .union)
        #expect(gradients(with) == gradients(without))
        #expect(with.weightedLosses[1].isNaN)
    }

    @Test("a weight of 0 adds exactly nothing, even if its upstream is NaN")
    func zeroWeightHidesUpstream() {
        var problem = richProblem(reduction: .none, upstream: GradientCase.perToken)
        let with = evaluate(problem, selectAll(problem), .union)
        problem.upstream[3] = .nan
        #expect(gradients(evaluate(problem, selectAll(problem), .union)) == gradients(with))
        problem.upstream[4] = .nan
        #expect(evaluate(problem, selectAll(problem), .union).scaleGradient.isNaN)
    }

    @Test("one item: loss 0, gradient 0, log-sum-exp the target's logit")
    func oneItem() {
        let problem = ReferenceProblem(hidden: [2, 3], catalog: [1, -1], dimension: 2, targets: [0])
        let selections = [
            selectAll(problem),
            selectSCE(problem, directions: [[1, 1], [0, -1]], tokensPerBucket: 5, itemsPerBucket: 5),
            selectRECE(problem, directions: [[[1, 1], [0, -1]]], chunkCount: 7, neighbourChunks: 3),
        ]
        for blocks in selections {
            for combination in [ReferenceCombination.maximum, .union] {
                let r = evaluate(problem, blocks, combination)
                #expect(r.loss == 0 && r.logSumExp == [-1] && r.tokensCounted == 1 && r.tokensNonFinite == 0)
                #expect(gradients(r).allSatisfy { $0 == 0 })
            }
        }
    }

    @Test("one token among many items has the naive loss in every selection that shows it all items")
    func oneToken() {
        var problem = plainProblem()
        problem.hidden = Array(problem.hidden[0..<3])
        problem.targets = [4]
        let expected = objective(problem, selectAll(problem), .union)
        let directions = randomDirections(3, 3, seed: 5)
        let sce = selectSCE(problem, directions: directions, tokensPerBucket: 9, itemsPerBucket: 99)
        let rece = selectRECE(problem, directions: [directions], chunkCount: 3, neighbourChunks: 0)
        for (blocks, combination) in [(sce, ReferenceCombination.maximum), (sce, .union), (rece, .union)] {
            #expect(near(evaluate(problem, blocks, combination).loss, expected))
        }
        #expect(expected > 0.1)
    }

    @Test("a token in a block without candidates counts, with loss 0")
    func emptyShortlist() {
        let problem = richProblem(reduction: .sum)
        // Only its own target, excluded items, an item of bias −∞.
        let r = evaluate(problem, [ReferenceBlock(tokens: [0], items: [0, 1, 6, 9])], .union)
        #expect(r.counted == [true] + [Bool](repeating: false, count: 8))
        #expect(r.loss == 0 && r.logSumExp[0] == problem.logit(0, 1))
        #expect(gradients(r).allSatisfy { $0 == 0 })
    }

    @Test("an excluded item and one of bias −∞ change nothing, whatever their rows hold")
    func leftOutItems() {
        for loss in 0..<4 {
            let results = [0.0, 1e3, .nan].map { filler in
                var problem = richProblem()
                for j in [0, 6, 9] {
                    for k in 0..<3 { problem.catalog[j * 3 + k] = filler }
                }
                let blocks = [
                    selectAll(problem), GradientCase.sce(problem), GradientCase.rece(problem, rounds: 2),
                    GradientCase.given(logWeights: true, withoutCatalog: [4]),
                ][loss]
                #expect(blocks.contains { !$0.items.isEmpty })
                return evaluate(problem, blocks, .union)
            }
            for other in results[1...] {
                #expect(other.loss == results[0].loss && other.loss > 0)
                #expect(gradients(other) == gradients(results[0]))
            }
            for j in [0, 6, 9] {
                #expect(results[0].biasMagnitude[j] == 0)
                #expect(results[0].catalogMagnitude[j * 3..<j * 3 + 3].allSatisfy { $0 == 0 })
            }
        }
    }

    @Test("whatever an ignored token holds, it takes part in nothing")
    func ignoredTokens() {
        for loss in 0..<4 {
            let results = [0.0, -1e5, .nan].map { filler in
                var problem = richProblem()
                for i in [2, 7] {
                    for k in 0..<3 { problem.hidden[i * 3 + k] = filler }
                }
                let blocks = [
                    selectAll(problem), GradientCase.sce(problem), GradientCase.rece(problem, rounds: 2),
                    GradientCase.given(logWeights: false, withoutCatalog: []),
                ][loss]
                return evaluate(problem, blocks, .maximum)
            }
            for other in results[1...] {
                #expect(other.loss == results[0].loss && other.loss > 0)
                #expect(gradients(other) == gradients(results[0]))
                #expect(!other.counted[2] && !other.counted[7] && other.tokensNonFinite == 0)
            }
        }
    }

    @Test(
        "a logit that is not finite gives a loss that is not, and is counted",
        arguments: [
            Double.nan, .infinity, -.infinity,
        ])
    func nonFiniteLogits(_ bad: Double) {
        // A candidate's row, the target's row, the token's row, the candidate's bias.
        var problems = [ReferenceProblem](repeating: plainProblem(), count: 4)
        for k in 0..<4 {
            problems[k].targets = [3, 3, 3, 4, 4, 4, 4, 4, 4]
            problems[k].hidden = problems[k].hidden.map(abs)
        }
        problems[0].catalog[7 * 3] = bad
        problems[1].catalog[3 * 3] = bad
        problems[2].hidden[1 * 3] = bad
        problems[3].itemBias = [Double](repeating: 0, count: 11)
        problems[3].itemBias![7] = bad == -.infinity ? .nan : bad
        let expected = [9, 9, 1, 9]
        for (problem, count) in zip(problems, expected) {
            let r = evaluate(problem, selectAll(problem), .union)
            #expect(r.tokensNonFinite == count)
            #expect(r.tokenLosses.filter(\.isNaN).count == count)
            #expect(!r.loss.isFinite)
        }
    }

    @Test("a maximum does not hide a block that is not finite")
    func maximumShowsNaN() {
        var problem = plainProblem()
        problem.targets = [Int](repeating: 3, count: 9)
        problem.catalog[7 * 3] = .nan
        let tokens = Array(0..<9)
        let finite = ReferenceBlock(tokens: tokens, items: [1, 2])
        let poisoned = ReferenceBlock(tokens: [4], items: [5, 7])
        for blocks in [[finite, poisoned], [poisoned, finite]] {
            let r = evaluate(problem, blocks, .maximum)
            #expect(r.tokensNonFinite == 1)
            #expect(!r.tokenLosses[4].isFinite)
            #expect(blocks[r.winners[4]] == poisoned)
            #expect(!r.loss.isFinite)
            #expect(r.hiddenGradient[4 * 3].isNaN && r.hiddenGradient[3 * 3].isFinite)
        }
    }

    @Test("NaN in the data still gives selections of the right sizes and indices in range")
    func selectionsSurviveNaN() {
        var problem = richProblem()
        problem.hidden[0] = .nan
        problem.hidden[10] = .infinity
        problem.catalog[5] = .nan
        problem.catalog[17] = -.infinity
        for block in GradientCase.sce(problem) {
            #expect(block.tokens.count == 4 && Set(block.tokens).isSubset(of: [0, 1, 3, 4, 5, 6, 8]))
            #expect(block.items.count == 5 && Set(block.items).isSubset(of: [1, 2, 3, 4, 5, 7, 8, 10]))
        }
        let rece = selectRECE(
            problem, directions: [randomDirections(5, 3, seed: 3)], chunkCount: 4, neighbourChunks: 0)
        #expect(rece.flatMap(\.tokens).sorted() == [0, 1, 3, 4, 5, 6, 8])
        #expect(rece.flatMap(\.items).sorted() == [1, 2, 3, 4, 5, 7, 8, 10])
    }

    @Test("no tokens at all is a batch with no valid token")
    func noTokens() {
        let problem = ReferenceProblem(hidden: [], catalog: [1, 2], dimension: 1, targets: [])
        let r = evaluate(problem, selectAll(problem), .union)
        #expect(r.loss == 0 && r.catalogGradient == [0, 0] && r.hiddenGradient.isEmpty)
        #expect(GradientCase.rece(problem, rounds: 0).isEmpty)
    }

    @Test("bad input is trapped, not computed with")
    func trapsOnBadInput() async {
        await #expect(processExitsWith: .failure) {
            var problem = plainProblem()
            problem.targets[3] = 11
            _ = evaluate(problem, selectAll(problem), .union)
        }
        await #expect(processExitsWith: .failure) {
            var problem = plainProblem()
            problem.excludedItems = [problem.targets[8]]
            _ = evaluate(problem, selectAll(problem), .union)
        }
        await #expect(processExitsWith: .failure) {
            var problem = richProblem()
            problem.weights![0] = .nan
            _ = evaluate(problem, selectAll(problem), .union)
        }
        await #expect(processExitsWith: .failure) {
            var problem = richProblem()
            problem.scale = 0
            _ = evaluate(problem, selectAll(problem), .union)
        }
        await #expect(processExitsWith: .failure) {
            _ = evaluate(
                plainProblem(), selectAll(plainProblem()), .maximum, winners: [Int](repeating: 1, count: 9))
        }
    }
}
