import ShortlistReference
import Testing

/// A problem of d = 1 whose tokens and items are these numbers.
private func line(
    tokens: [Double], items: [Double], targets: [Int]? = nil, ignoreIndex: Int? = nil, bias: [Double]? = nil,
    excluded: Set<Int> = []
) -> ReferenceProblem {
    ReferenceProblem(
        hidden: tokens, catalog: items, dimension: 1, targets: targets ?? tokens.map { _ in items.count - 1 },
        itemBias: bias, ignoreIndex: ignoreIndex, excludedItems: excluded)
}

@Suite("Selections")
struct SelectionTests {
    @Test("CE sees all valid tokens and all items but those left out")
    func everything() {
        #expect(
            selectAll(richProblem()) == [
                ReferenceBlock(tokens: [0, 1, 3, 4, 5, 6, 8], items: [1, 2, 3, 4, 5, 7, 8, 10])
            ])
    }

    @Test("SCE takes the largest signed products, ties to the lower index")
    func sceByHand() {
        let problem = line(tokens: [2, 5, 2, -9, 5, 5], items: [1, 3, 3, -8, 3, 0])
        let blocks = selectSCE(problem, directions: [[1], [-2]], tokensPerBucket: 4, itemsPerBucket: 2)
        #expect(
            blocks == [
                ReferenceBlock(tokens: [0, 1, 4, 5], items: [1, 2]),
                ReferenceBlock(tokens: [0, 1, 2, 3], items: [3, 5]),
            ])
    }

    @Test("SCE leaves out padding tokens, excluded items and items of bias −∞, and takes no notice of other biases")
    func sceLeavesOut() {
        let problem = line(
            tokens: [9, 1, 2, 3], items: [9, 1, 8, 2, 3], targets: [-1, 4, 4, 4], ignoreIndex: -1,
            bias: [0, 100, -.infinity, 0, -100], excluded: [0])
        let blocks = selectSCE(problem, directions: [[1]], tokensPerBucket: 2, itemsPerBucket: 2)
        #expect(blocks == [ReferenceBlock(tokens: [2, 3], items: [3, 4])])
    }

    @Test("SCE's sizes are capped at the valid tokens and the selectable items")
    func sceCaps() {
        let problem = richProblem()
        let blocks = selectSCE(problem, directions: [[1, 0, 0]], tokensPerBucket: 100, itemsPerBucket: 100)
        #expect(blocks == selectAll(problem))
    }

    @Test("SCE puts NaN below everything, −∞ included")
    func sceNaN() {
        let problem = line(tokens: [.nan, -.infinity, 1], items: [.nan, .nan, -4, 0])
        let two = selectSCE(problem, directions: [[1]], tokensPerBucket: 2, itemsPerBucket: 3)
        #expect(two == [ReferenceBlock(tokens: [1, 2], items: [0, 2, 3])])
    }

    @Test("RECE sorts by key and index, and cuts into equal chunks")
    func receByHand() {
        // Keys: 0 for a number ≥ 0 (0 is a tie, which goes to the lower key), 1 for a negative one.
        let problem = line(tokens: [1, -1, 2, -2, 0], items: [-1, 1, -2], targets: [0, 0, 0, 0, 0])
        let alone = selectRECE(problem, directions: [[[1], [-1]]], chunkCount: 2, neighbourChunks: 0)
        // Tokens in order 0 2 4 1 3, cut 2 + 3; items 1 0 2, cut 1 + 2.
        #expect(
            alone == [ReferenceBlock(tokens: [0, 2], items: [1]), ReferenceBlock(tokens: [1, 3, 4], items: [0, 2])])
        let both = selectRECE(problem, directions: [[[1], [-1]]], chunkCount: 2, neighbourChunks: 1)
        #expect(
            both == [
                ReferenceBlock(tokens: [0, 2], items: [0, 1, 2]), ReferenceBlock(tokens: [1, 3, 4], items: [0, 1, 2]),
            ])
    }

    @Test("RECE sorts neither padding tokens nor items left out: they do not shift a boundary")
    func receLeavesOut() {
        let problem = line(
            tokens: [5, 1, 7, -1], items: [4, -1, 1, 6, 2, -2], targets: [-1, 1, -1, 1], ignoreIndex: -1,
            bias: [0, 0, 0, -.infinity, 0, 0], excluded: [0])
        let blocks = selectRECE(problem, directions: [[[1], [-1]]], chunkCount: 2, neighbourChunks: 0)
        #expect(blocks == [ReferenceBlock(tokens: [1], items: [2, 4]), ReferenceBlock(tokens: [3], items: [1, 5])])
    }

    @Test("RECE caps the chunks at the smaller side, and clips neighbours at the ends")
    func receCaps() {
        let problem = line(tokens: [1, 2, 3, 4, 5], items: [1, 2, 3, 9], excluded: [2])
        let blocks = selectRECE(problem, directions: [[[1]]], chunkCount: 50, neighbourChunks: 1)
        #expect(
            blocks == [
                ReferenceBlock(tokens: [0], items: [0, 1]), ReferenceBlock(tokens: [1, 2], items: [0, 1, 3]),
                ReferenceBlock(tokens: [3, 4], items: [1, 3]),
            ])
        let one = selectRECE(problem, directions: [[[1]]], chunkCount: 50, neighbourChunks: 99)
        #expect(one.allSatisfy { $0.items == [0, 1, 3] } && one.count == 3)
    }

    @Test("in a RECE round each token stands in one chunk, and sees exactly the item chunks at most n_ec away")
    func receChunks() {
        let problem = richProblem()
        for round in 0..<6 {
            let directions = [randomDirections(6, 3, seed: 70 + UInt64(round))]
            let own = selectRECE(problem, directions: directions, chunkCount: 4, neighbourChunks: 0)
            #expect(own.count == 4)
            #expect(own.flatMap(\.tokens).sorted() == problem.validTokens)
            #expect(own.flatMap(\.items).sorted() == problem.selectableItems)
            #expect(own.map(\.tokens.count) == [1, 2, 2, 2] && own.map(\.items.count) == [2, 2, 2, 2])
            for reach in 1...4 {
                let seen = selectRECE(problem, directions: directions, chunkCount: 4, neighbourChunks: reach)
                for c in 0..<4 {
                    #expect(seen[c].tokens == own[c].tokens)
                    let expected = (0..<4).filter { abs($0 - c) <= reach }.flatMap { own[$0].items }.sorted()
                    #expect(seen[c].items == expected)
                }
            }
        }
    }

    @Test("RECE's blocks come round after round, and a round that is repeated changes nothing")
    func receRounds() {
        let problem = richProblem()
        let a = randomDirections(5, 3, seed: 80)
        let b = randomDirections(5, 3, seed: 81)
        let select = { selectRECE(problem, directions: $0, chunkCount: 4, neighbourChunks: 1) }
        #expect(select([a, b]) == select([a]) + select([b]))
        let once = evaluate(problem, select([a]), .union)
        let twice = evaluate(problem, select([a, a, a]), .union)
        #expect(once.loss == twice.loss && once.catalogGradient == twice.catalogGradient)
        let both = evaluate(problem, select([a, b]), .union)
        #expect(zip(once.tokenLosses, both.tokenLosses).allSatisfy { $0 <= $1 + 1e-15 })
        #expect(both.loss > once.loss + 1e-6)
    }

    @Test("union over blocks that cover everything is CE, for SCE, RECE and given candidates")
    func unionIsCE() {
        let problem = richProblem()
        let expected = evaluate(problem, selectAll(problem), .union)
        let directions = randomDirections(3, 3, seed: 9)
        let covers = [
            selectSCE(problem, directions: directions, tokensPerBucket: 7, itemsPerBucket: 8),
            selectRECE(problem, directions: [directions, directions], chunkCount: 3, neighbourChunks: 2),
            [
                ReferenceBlock(tokens: [0, 4, 8, 1], items: Array(0...10)),
                ReferenceBlock(tokens: [6, 5, 3], items: [3, 8]),
                ReferenceBlock(tokens: Array(0...8), items: [10, 9, 8, 7, 6, 5, 4]),
                ReferenceBlock(tokens: [3, 5, 6], items: [1, 2, 4]),
            ],
        ]
        for blocks in covers {
            let r = evaluate(problem, blocks, .union)
            #expect(near(r.loss, expected.loss) && allNear(r.logSumExp, expected.logSumExp))
            #expect(allNear(r.hiddenGradient, expected.hiddenGradient))
            #expect(allNear(r.catalogGradient, expected.catalogGradient))
            #expect(allNear(r.biasGradient, expected.biasGradient) && near(r.scaleGradient, expected.scaleGradient))
        }
        #expect(expected.loss > 0.1)
    }

    @Test("a union's loss is at least the maximum's, and CE's at least the union's")
    func ordering() {
        let problem = richProblem()
        let blocks = GradientCase.sce(problem)
        let maximum = evaluate(problem, blocks, .maximum)
        let union = evaluate(problem, blocks, .union)
        let full = evaluate(problem, selectAll(problem), .union)
        var strictly = 0
        for i in problem.validTokens where maximum.counted[i] {
            #expect(maximum.tokenLosses[i] <= union.tokenLosses[i] + 1e-15)
            #expect(union.tokenLosses[i] <= full.tokenLosses[i] + 1e-15)
            if maximum.tokenLosses[i] < union.tokenLosses[i] - 1e-6 { strictly += 1 }
        }
        #expect(strictly > 0)
    }

    @Test("SCE counts the covered tokens only, RECE and CE all valid ones")
    func counted() {
        let problem = richProblem()
        let sce = evaluate(
            problem, selectSCE(problem, directions: [[1, 0, 0]], tokensPerBucket: 2, itemsPerBucket: 3), .maximum)
        #expect(sce.tokensCounted == 2)
        #expect(evaluate(problem, GradientCase.rece(problem, rounds: 1), .union).tokensCounted == 7)
        #expect(evaluate(problem, selectAll(problem), .union).tokensCounted == 7)
        var barren = problem
        barren.itemBias = [Double](repeating: -.infinity, count: 11)
        #expect(evaluate(barren, GradientCase.rece(barren, rounds: 1), .union).tokensCounted == 7)
    }

    @Test("given blocks are tidied: duplicates once, what is left out dropped, log-weights along")
    func givenIsTidied() {
        let messy = ReferenceBlock(
            tokens: [8, 2, 0, 8, 7], items: [10, 6, 3, 0, 10, 1, 3], logWeights: [1, 2, 3, 4, 5, 6, 7],
            contributesToCatalogGradient: false)
        let tidy = ReferenceBlock(
            tokens: [0, 8], items: [1, 3, 10], logWeights: [6, 3, 1], contributesToCatalogGradient: false)
        let empty = ReferenceBlock(tokens: [], items: [])
        #expect(selectGiven(richProblem(), [messy, empty, messy]) == [tidy, empty, tidy])
        #expect(selectGiven(richProblem(), [tidy]) == [tidy])
        let a = evaluate(richProblem(), [messy], .union)
        let b = evaluate(richProblem(), [tidy], .union)
        #expect(a.loss == b.loss && a.hiddenGradient == b.hiddenGradient && a.loss > 0)
    }

    @Test("an exported selection given back is the same selection")
    func exportAndBack() {
        let problem = richProblem()
        let blocks = GradientCase.sce(problem) + GradientCase.rece(problem, rounds: 2)
        #expect(selectGiven(problem, blocks) == blocks)
    }

    @Test("default sizes follow their formulas and are capped")
    func defaults() {
        func sized(_ n: Int, _ c: Int, excluded: Set<Int> = []) -> ReferenceProblem {
            line(
                tokens: [Double](repeating: 1, count: n), items: [Double](repeating: 1, count: c), excluded: excluded)
        }
        #expect(defaultSCESizes(sized(10, 1000)) == (6, 6, 256))  // 2·√10 = 6.3
        #expect(defaultSCESizes(sized(7, 300)) == (5, 5, 256))  // 2·√7 = 5.3
        #expect(defaultSCESizes(sized(9, 20, excluded: [3])) == (6, 6, 19))
        #expect(defaultSCESizes(sized(2, 5)) == (2, 2, 5))
        #expect(defaultSCESizes(sized(1, 5)) == (2, 1, 5))
        #expect(defaultSCESizes(sized(0, 5)) == (0, 0, 5))
        #expect(defaultRECESizes(sized(100, 50)) == (24, 24))  // √(4·3·50) = 24.5
        #expect(defaultRECESizes(sized(100, 50), neighbourChunks: 0) == (14, 14))
        #expect(defaultRECESizes(sized(100, 50), neighbourChunks: 10) == (64, 50))  // √4200 = 64.8; n_b uncapped
        #expect(defaultRECESizes(sized(100, 50, excluded: [1, 2]), neighbourChunks: 10) == (64, 48))
        #expect(defaultRECESizes(sized(3, 1)) == (3, 1))
        #expect(defaultRECESizes(sized(0, 5)) == (1, 1))
    }
}
