import Glibc
import ShortlistReference
import Testing

private typealias K = ReferenceKernels

@Suite("Kernel references")
struct KernelTests {
    @Test("logits are s·⟨x, y⟩ + b, row by row")
    func logits() {
        let x: [Double] = [1, 2, 0, -1]
        let y: [Double] = [3, 1, 0, 0, -2, 5]
        #expect(K.logits(x, y, dimension: 2) == [5, 0, 8, -1, 0, -5])
        #expect(K.logits(x, y, dimension: 2, scale: 2, bias: [10, 20, 30]) == [20, 20, 46, 8, 20, 20])
        let problem = richProblem()
        let all = K.logits(problem.hidden, problem.catalog, dimension: 3, scale: 1.7, bias: problem.itemBias)
        #expect(near(all[4 * 11 + 10], problem.logit(4, 10)) && all[4 * 11 + 6] == -.infinity)
    }

    @Test("argmax: ties to the lower column, NaN below everything, −0 equal to +0")
    func argmax() {
        let rows: [[Double]] = [
            [1, 3, 3], [.nan, -.infinity, .nan], [-0.0, 0, -1], [.nan, .nan, .nan], [2, .nan, 5], [-3, -2, -2],
            [0, -0.0, 0], [7, .nan, 7],
        ]
        #expect(K.argmax(rows.flatMap { $0 }, rows: 8, columns: 3) == [1, 1, 0, 0, 2, 1, 0, 0])
    }

    @Test("top-k: descending, ties to the lower column, NaN last, −0 equal to +0, −1 and −∞ for what is missing")
    func topK() {
        let values: [Double] = [1, 3, 2, 3, -5, -0.0, .nan, 0, -.infinity, 0]
        let found = K.topK(values, rows: 2, columns: 5, k: 4)
        #expect(found.ids == [1, 3, 2, 0, 0, 2, 4, 3])
        #expect(found.scores == [3, 3, 2, 1, 0, 0, 0, -.infinity])
        let all = K.topK(values, rows: 2, columns: 5, k: 6)
        #expect(all.ids == [1, 3, 2, 0, 4, -1, 0, 2, 4, 3, 1, -1])
        #expect(all.scores[10].isNaN && all.scores[11] == -.infinity && all.scores[5] == -.infinity)
        let fewer = K.topK(values, rows: 2, columns: 5, k: 3, excluded: [3], seen: [[1, 1, 2], []])
        #expect(fewer.ids == [0, 4, -1, 0, 2, 4])
        #expect(fewer.scores == [1, -5, -.infinity, 0, 0, 0])
        #expect(K.topK([], rows: 2, columns: 0, k: 1).ids == [-1, -1])
    }

    @Test("the sort by key keeps the order of equal keys")
    func stableSort() {
        #expect(K.stableSort(byKey: [2, 0, 1, 0, 2, 1, 0]) == [1, 3, 6, 2, 5, 0, 4])
        #expect(K.stableSort(byKey: []) == [])
        var dice = Dice(4)
        let keys = dice.integers(500, 0...6)
        let order = K.stableSort(byKey: keys)
        #expect(Set(order).count == 500)
        #expect(zip(order, order.dropFirst()).allSatisfy { (keys[$0], $0) < (keys[$1], $1) })
    }

    @Test("the inverse of an order gives each thing its place, and places are linked to the previous of the same id")
    func inverseAndLinks() {
        #expect(K.inverse(of: [3, 0, 4], count: 5) == [1, -1, -1, 0, 2])
        #expect(K.previousPlaces([7, 2, 7, 7, 2, 1]) == [-1, -1, 0, 2, 1, -1])
    }

    @Test("gather and scatter-add name rows, and a repeated row adds up")
    func gatherAndScatter() {
        let matrix: [Double] = [1, 2, 3, 4, 5, 6]
        #expect(K.gather(matrix, dimension: 2, ids: [2, 0, 2]) == [5, 6, 1, 2, 5, 6])
        #expect(K.gather(matrix, dimension: 2, ids: []) == [])
        #expect(
            K.scatterAdd([10, 20, 30, 40, 50, 60], ids: [1, 0, 1], into: matrix, dimension: 2)
                == [31, 42, 63, 84, 5, 6])
    }

    @Test("the Gram matrix is XᵀX and Cholesky gives its factor back")
    func gramAndCholesky() throws {
        #expect(K.gram([1, 2, 3, 4, 5, 6], dimension: 2) == [35, 44, 44, 56])
        #expect(K.cholesky([4, 2, 2, 5], dimension: 2) == [2, 0, 1, 2])
        #expect(K.cholesky([25, 15, -5, 15, 18, 0, -5, 0, 11], dimension: 3) == [5, 0, 0, 3, 3, 0, -1, 1, 3])
        #expect(K.cholesky([1, 2, 2, 1], dimension: 2) == nil)
        #expect(K.cholesky([0], dimension: 1) == nil)
        #expect(K.cholesky([.nan], dimension: 1) == nil)
        let gram = K.gram(richProblem().hidden, dimension: 3)
        let l = try #require(K.cholesky(gram, dimension: 3))
        for r in 0..<3 {
            for c in 0..<3 { #expect(near((0..<3).reduce(0) { $0 + l[r * 3 + $1] * l[c * 3 + $1] }, gram[r * 3 + c])) }
        }
        #expect(l[1] == 0 && l[2] == 0 && l[5] == 0)
    }

    @Test("a block's log-sum-exp leaves the target's column out, by index")
    func blockLogSumExp() {
        let z = [ln(1.0), ln(3), ln(4), ln(3), 1e4, -1e4, 1e4, 0, .nan, 0, 5, .infinity].map { Double($0) }
        let found = K.blockLogSumExp(z, items: [7, 2, 9], targets: [2, 3, 9, 9])
        // Equal logits do not make a column the target; only its item does.
        #expect(near(found[0], ln(5)) && found[1] == 1e4)
        #expect(near(found[2], 1e4))
        #expect(near(found[3], 5 + log1p(exp(-5))))
        #expect(K.blockLogSumExp([3], items: [7], targets: [7]) == [-.infinity])
        for bad in [Double.nan, .infinity, -.infinity] {
            #expect(K.blockLogSumExp([bad, 3, 1], items: [7, 8, 9], targets: [9])[0].isNaN)
        }
    }

    @Test("joined log-sum-exps are those of the whole")
    func logAddExp() {
        #expect(near(K.logAddExp(ln(2), ln(5)), ln(7)) && near(K.logAddExp(ln(5), ln(2)), ln(7)))
        #expect(near(K.logAddExp(3, 3), 3 + ln(2)))
        #expect(K.logAddExp(-.infinity, 4) == 4 && K.logAddExp(4, -.infinity) == 4)
        #expect(K.logAddExp(-.infinity, -.infinity) == -.infinity)
        #expect(K.logAddExp(1e4, -1e4) == 1e4)
        #expect(K.logAddExp(.nan, 1).isNaN && K.logAddExp(1, .nan).isNaN)
    }

    @Test("the block kernels put together give the loss and gradients of the whole")
    func blocksGiveTheLoss() throws {
        let problem = richProblem(reduction: .none, upstream: GradientCase.perToken)
        let whole = evaluate(problem, selectAll(problem), .union)
        let tokens = problem.validTokens
        let targets = tokens.map { problem.targets[$0] }
        let x = K.gather(problem.hidden, dimension: 3, ids: tokens)
        let g = tokens.map { problem.weight($0) * problem.upstream[$0] }
        let parts = [[1, 2, 3], [4, 10], [5, 7, 8]].map { items in
            (items: items, y: K.gather(problem.catalog, dimension: 3, ids: items))
        }
        let logits = parts.map { part in
            K.logits(x, part.y, dimension: 3, scale: 1.7, bias: part.items.map { problem.itemBias![$0] })
        }
        var lse = tokens.map { problem.logit($0, problem.targets[$0]) }
        for (part, z) in zip(parts, logits) {
            lse = zip(lse, K.blockLogSumExp(z, items: part.items, targets: targets)).map(K.logAddExp)
        }
        #expect(allNear(lse, tokens.map { whole.logSumExp[$0] }))

        var dX = [Double](repeating: 0, count: tokens.count * 3)
        var dY = [Double](repeating: 0, count: 33)
        var db = [Double](repeating: 0, count: 11)
        for (part, z) in zip(parts, logits) {
            let block = K.blockGradient(
                z, items: part.items, targets: targets, logSumExp: lse, g: g, x: x, y: part.y, dimension: 3, scale: 1.7)
            dX = zip(dX, block.hidden).map(+)
            dY = K.scatterAdd(block.items, ids: part.items, into: dY, dimension: 3)
            db = K.scatterAdd(block.bias, ids: part.items, into: db, dimension: 1)
        }
        for (r, i) in tokens.enumerated() {
            let t = problem.targets[i]
            let a = g[r] * (exp(problem.logit(i, t) - lse[r]) - 1)
            for k in 0..<3 {
                dX[r * 3 + k] += 1.7 * a * problem.item(t)[k]
                dY[t * 3 + k] += 1.7 * a * problem.token(i)[k]
            }
            db[t] += a
        }
        #expect(allNear(dX, K.gather(whole.hiddenGradient, dimension: 3, ids: tokens), relative: 1e-11))
        #expect(allNear(dY, whole.catalogGradient, relative: 1e-11))
        #expect(allNear(db, whole.biasGradient, relative: 1e-11))
        #expect(whole.biasGradient.contains { abs($0) > 0.1 })
    }

    @Test("a row of g = 0 adds nothing to a block's gradient, even if its logits are NaN")
    func blockGradientSkips() {
        let found = K.blockGradient(
            [.nan, 0], items: [4, 5], targets: [1], logSumExp: [.nan], g: [0], x: [1], y: [2, 3], dimension: 1)
        #expect(found.hidden == [0] && found.items == [0, 0] && found.bias == [0, 0])
    }
}

@Suite("Ranks and ranking metrics")
struct RankingTests {
    @Test("a rank counts greater scores, and equal ones of a lower index")
    func ranks() {
        let scores: [Double] = [2, 5, 5, 1, 5]
        let five = (0..<5).flatMap { _ in scores }
        #expect(K.targetRanks(five, columns: 5, targets: [0, 1, 2, 3, 4]) == [4, 1, 2, 5, 3])
        #expect(K.targetRanks([-0.0, 0, 0, -0.0], columns: 2, targets: [1, 0]) == [2, 1])
    }

    @Test("seen and excluded items are removed, the query's own target never")
    func removed() {
        let scores: [Double] = [2, 5, 5, 1, 5]
        let found = K.targetRanks(
            (0..<3).flatMap { _ in scores }, columns: 5, targets: [4, 4, 3], excluded: [2],
            seen: [[], [1, 4, 1], [3, 0]])
        #expect(found == [2, 1, 3])
    }

    @Test("NaN ranks below everything, and among NaN the lower index first")
    func nan() {
        let scores: [Double] = [.nan, -.infinity, .nan, 3]
        #expect(K.targetRanks((0..<4).flatMap { _ in scores }, columns: 4, targets: [0, 1, 2, 3]) == [3, 2, 4, 1])
    }

    @Test("a rank is the target's place in the full top-k list")
    func ranksMatchTopK() throws {
        var dice = Dice(12)
        let scores = dice.integers(20 * 30, 0...7).map(Double.init)
        let targets = dice.integers(20, 0...29)
        let ranks = K.targetRanks(scores, columns: 30, targets: targets)
        let lists = K.topK(scores, rows: 20, columns: 30, k: 30).ids
        for q in 0..<20 { #expect(lists[q * 30 + ranks[q] - 1] == targets[q]) }
    }

    @Test("HR, NDCG and MRR at k follow from the ranks")
    func metrics() {
        let ranks = [1, 3, 7, 2]
        #expect(K.hitRate(ranks: ranks, k: 3) == 0.75 && K.hitRate(ranks: ranks, k: 2) == 0.5)
        #expect(K.hitRate(ranks: ranks, k: 7) == 1)
        #expect(near(K.ndcg(ranks: ranks, k: 3), (1 + 0.5 + 1 / log2(3)) / 4))
        #expect(near(K.reciprocalRank(ranks: ranks, k: 3), (1 + 1.0 / 3 + 0.5) / 4))
        #expect(K.reciprocalRank(ranks: ranks, k: 1) == 0.25 && K.ndcg(ranks: ranks, k: 1) == 0.25)
        #expect(K.hitRate(ranks: [], k: 5) == 0 && K.ndcg(ranks: [], k: 5) == 0)
    }
}

@Suite("Faithfulness")
struct FaithfulnessTests {
    @Test("the cosine is that of the angle")
    func cosine() {
        typealias F = ReferenceFaithfulness
        #expect(near(F.cosine([3, 4], [4, 3]), 0.96))
        #expect(near(F.cosine([1, 2, 2], [-2, -4, -4]), -1))
        #expect(F.cosine([1, 0], [0, 9]) == 0)
        #expect(F.cosine([0, 0], [0, 0]) == 1 && F.cosine([0, 0], [1, 0]) == 0)
    }

    @Test("the normalised mean squared error is taken against the reference")
    func error() {
        typealias F = ReferenceFaithfulness
        #expect(F.normalisedMeanSquaredError([1, 3], reference: [1, 2]) == 0.2)
        #expect(F.normalisedMeanSquaredError([1, 2], reference: [1, 3]) == 0.1)
        #expect(F.normalisedMeanSquaredError([0], reference: [0]) == 0)
        #expect(F.normalisedMeanSquaredError([1], reference: [0]) == .infinity)
        #expect(F.normalisedMeanSquaredError([.nan], reference: [1]).isNaN)
    }

    @Test("a wider shortlist is more faithful to CE")
    func wider() {
        let problem = richProblem()
        let full = evaluate(problem, selectAll(problem), .union)
        let cosines = [1, 3, 8].map { width in
            let blocks = selectSCE(
                problem, directions: randomDirections(4, 3, seed: 47), tokensPerBucket: 7, itemsPerBucket: width)
            return ReferenceFaithfulness.cosine(
                evaluate(problem, blocks, .union).hiddenGradient, full.hiddenGradient)
        }
        #expect(cosines[0] < cosines[1] && cosines[1] < cosines[2] - 1e-6 && near(cosines[2], 1))
    }
}
