/// SCE's selection (arXiv 2409.18721, the proposed approach).
///
/// Block k holds the `tokensPerBucket` valid tokens of largest `⟨b_k, x_i⟩` and the `itemsPerBucket` selectable items of
/// largest `⟨b_k, y_j⟩`: signed products, no bias, no scale, ties to the lower index, NaN below everything.
///
/// - Parameters:
///   - directions: B, n_b rows of d numbers.
///   - tokensPerBucket: b_x, capped at the number of valid tokens.
///   - itemsPerBucket: b_y, capped at the number of selectable items.
/// - Returns: n_b blocks. Tokens and items of a block are in ascending order, not in the order of their products.
public func selectSCE(
    _ problem: ReferenceProblem, directions: [[Double]], tokensPerBucket: Int, itemsPerBucket: Int
) -> [ReferenceBlock] {
    directions.map { direction in
        ReferenceBlock(
            tokens: largest(tokensPerBucket, of: problem.validTokens) { dot(direction, problem.token($0)) },
            items: largest(itemsPerBucket, of: problem.selectableItems) { dot(direction, problem.item($0)) })
    }
}

/// SCE's sizes when the caller names none: n_b = b_x = ⌊2√n⌋, b_y = 256, b_x and b_y capped.
public func defaultSCESizes(
    _ problem: ReferenceProblem
) -> (bucketCount: Int, tokensPerBucket: Int, itemsPerBucket: Int) {
    let n = problem.validTokens.count
    let root = floorOfSquareRoot(4 * n)
    return (root, min(root, n), min(256, problem.selectableItems.count))
}

/// The `count` indices (fewer when there are fewer) of largest score, ascending.
private func largest(_ count: Int, of indices: [Int], score: (Int) -> Double) -> [Int] {
    let scores = indices.map(score)
    let places = ReferenceKernels.topK(scores, rows: 1, columns: scores.count, k: min(count, scores.count)).ids
    return places.map { indices[$0] }.sorted()
}

/// `⟨a, b⟩`, summed in order.
func dot(_ a: [Double], _ b: [Double]) -> Double {
    precondition(a.count == b.count, "lengths differ")
    var sum = 0.0
    for k in 0..<a.count { sum += a[k] * b[k] }
    return sum
}

/// ⌊√m⌋, exact for every m ≥ 0 that a test can hold.
func floorOfSquareRoot(_ m: Int) -> Int {
    var root = Int(Double(m).squareRoot())
    while root * root > m { root -= 1 }
    while (root + 1) * (root + 1) <= m { root += 1 }
    return root
}
