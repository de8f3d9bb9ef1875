import Shortlist
import ShortlistReference

/// A problem with everything in it (bias, weights, ignored tokens), and the oracle's form of it.
struct Fixture {
    let hidden: Matrix
    let items: Matrix
    let bias: Matrix
    let targets: [Int32]
    let weights: [Float]
    let tokens = 60
    let itemCount = 140
    let width = 7

    init() throws {
        hidden = try Matrix(rows: tokens, columns: width)
        items = try Matrix(rows: itemCount, columns: width)
        bias = try Matrix(rows: itemCount, columns: 1)
        Philox.fillNormal(hidden.mutableView, seed: 11, step: 0, stream: 7)
        Philox.fillNormal(items.mutableView, seed: 12, step: 0, stream: 7)
        Philox.fillNormal(bias.mutableView, seed: 13, step: 0, stream: 7)
        let count = itemCount
        targets = (0..<tokens).map { $0 % 9 == 4 ? -100 : Int32($0 * 17 % count) }
        weights = (0..<tokens).map { Float($0 % 5) * 0.5 }
    }

    func problem(
        _ reduction: ReferenceReduction = .mean, weighted: Bool = true, upstream: [Double]? = nil, scale: Double = 1
    ) -> ReferenceProblem {
        ReferenceProblem(
            hidden: hidden.elements.map(Double.init), catalog: items.elements.map(Double.init), dimension: width,
            targets: targets.map(Int.init), itemBias: bias.elements.map(Double.init), ignoreIndex: -100,
            weights: weighted ? weights.map(Double.init) : nil, scale: scale, reduction: reduction, upstream: upstream)
    }
}

/// Whether every element is within what f32 logits of this size (at most about 15) leave: 8·2⁻²⁴·√7·16 is 2e-5.
func near(_ got: some Sequence<Float>, _ want: [Double], _ magnitude: [Double]) -> Bool {
    let got = Array(got)
    guard got.count == want.count else { return false }
    return got.indices.allSatisfy { abs(Double(got[$0]) - want[$0]) <= 2e-5 * magnitude[$0] + 1e-30 }
}
