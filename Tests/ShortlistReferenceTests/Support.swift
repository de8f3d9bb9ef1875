import Glibc
import ShortlistReference

/// A small generator of its own, so that the data of these tests does not hang on what they test.
struct Dice {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func unit() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) * 0x1p-53
    }

    mutating func reals(_ count: Int, _ low: Double = -1.5, _ high: Double = 1.5) -> [Double] {
        (0..<count).map { _ in low + (high - low) * unit() }
    }

    mutating func integers(_ count: Int, _ range: ClosedRange<Int>) -> [Int] {
        (0..<count).map { _ in range.lowerBound + Int(unit() * Double(range.count)) }
    }
}

/// N = 9, C = 11, d = 3, plain.
func plainProblem(seed: UInt64 = 1) -> ReferenceProblem {
    var dice = Dice(seed)
    return ReferenceProblem(
        hidden: dice.reals(27), catalog: dice.reals(33), dimension: 3, targets: dice.integers(9, 0...10))
}

/// The same shapes with everything that a problem can carry: bias (item 6 at −∞), padding tokens 2 and 7, a token of
/// weight 0, scale, items 0 and 9 excluded.
func richProblem(
    seed: UInt64 = 2, reduction: ReferenceReduction = .mean, denominator: Double? = nil, upstream: [Double]? = nil
) -> ReferenceProblem {
    var dice = Dice(seed)
    var bias = dice.reals(11, -0.5, 0.5)
    bias[6] = -.infinity
    return ReferenceProblem(
        hidden: dice.reals(27), catalog: dice.reals(33), dimension: 3, targets: [1, 3, -100, 4, 10, 3, 8, -100, 5],
        itemBias: bias, ignoreIndex: -100, weights: [0.5, 2, 3, 0, 1.25, 0.75, 1, 1, 0.3], scale: 1.7,
        excludedItems: [0, 9], reduction: reduction, denominator: denominator, upstream: upstream)
}

/// n rows of d reals.
func randomDirections(_ rows: Int, _ d: Int, seed: UInt64) -> [[Double]] {
    var dice = Dice(seed)
    return (0..<rows).map { _ in dice.reals(d) }
}

/// What the gradients are derivatives of: `upstream · loss`, written without looking at `evaluate`.
///
/// A block that does not act on dY sees `frozen`, everything else sees `problem`; so a derivative by the catalog or the
/// bias of `problem`, with `frozen` held, is the dY and db that such blocks ask for.
func objective(
    _ problem: ReferenceProblem, frozen: ReferenceProblem? = nil, _ blocks: [ReferenceBlock],
    _ combination: ReferenceCombination, winners: [Int]? = nil
) -> Double {
    func z(_ p: ReferenceProblem, _ i: Int, _ j: Int) -> Double {
        var sum = 0.0
        for k in 0..<p.dimension { sum += problem.hidden[i * p.dimension + k] * p.catalog[j * p.dimension + k] }
        return problem.scale * sum + (p.itemBias ?? [Double](repeating: 0, count: p.itemCount))[j]
    }
    var total = 0.0
    var weightOfCounted = 0.0
    for (i, target) in problem.targets.enumerated() where target != problem.ignoreIndex {
        let mine = blocks.indices.filter { blocks[$0].tokens.contains(i) }
        if mine.isEmpty { continue }
        let groups =
            switch combination {
            case .union: [mine]
            case .maximum: winners.map { [[$0[i]]] } ?? mine.map { [$0] }
            }
        var loss = -Double.infinity
        for group in groups {
            var terms: [Int: Double] = [target: exp(z(problem, i, target))]
            for block in group.map({ blocks[$0] }) {
                let seen = block.contributesToCatalogGradient ? problem : frozen ?? problem
                for (place, j) in block.items.enumerated() where terms[j] == nil && !problem.excludedItems.contains(j) {
                    terms[j] = exp(z(seen, i, j) + (block.logWeights?[place] ?? 0))
                }
            }
            loss = max(loss, log(terms.values.reduce(0, +) / terms[target]!))
        }
        let weight = problem.weights?[i] ?? 1
        weightOfCounted += weight
        total += weight * loss * (problem.reduction == .none ? problem.upstream[i] : problem.upstream[0])
    }
    return problem.reduction == .mean ? total / (problem.denominator ?? weightOfCounted) : total
}

/// Whether two numbers agree to `relative` of the larger, or to `absolute`.
func near(_ a: Double, _ b: Double, relative: Double = 1e-12, absolute: Double = 1e-14) -> Bool {
    abs(a - b) <= max(absolute, relative * max(abs(a), abs(b)))
}

func allNear(_ a: [Double], _ b: [Double], relative: Double = 1e-12, absolute: Double = 1e-14) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { near($0, $1, relative: relative, absolute: absolute) }
}

/// The natural logarithm, of Double alone: the type checker has fewer to choose from.
func ln(_ x: Double) -> Double { log(x) }
