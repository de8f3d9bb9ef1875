/// The stream of the generator that directions come from.
private let directionStream: UInt32 = 0

/// SCE's `gaussian` directions: n_b rows of d independent N(0, 1) numbers (f32 values in Double).
public func gaussianDirections(bucketCount: Int, dimension: Int, seed: UInt64, step: UInt64) -> [[Double]] {
    directions(rows: 0..<bucketCount, dimension: dimension, seed: seed, step: step)
}

/// RECE's directions: one set for each round, round ρ from the generator's rows ρ·n_b ..< (ρ+1)·n_b.
public func receDirections(
    rounds: Int, bucketCount: Int, dimension: Int, seed: UInt64, step: UInt64
) -> [[[Double]]] {
    (0..<rounds).map { round in
        directions(
            rows: round * bucketCount..<(round + 1) * bucketCount, dimension: dimension, seed: seed, step: step)
    }
}

/// What SCE's Mix comes to.
public enum ReferenceMix: Sendable, Equatable {
    /// The n_b mixed directions.
    case directions([[Double]])
    /// The trace of the Gram matrix is zero or not finite: plain Gaussian directions are used, and reported.
    case plainGaussian
    /// No jitter made the Gram matrix positive definite: an error.
    case failed
}

/// Mix (arXiv 2409.18721) through the Gram matrix: `B = G·Lᵀ` where `L·Lᵀ = XᵀX + jitter·I` over the valid tokens.
///
/// The rows of the paper's `ΩᵀX`, Ω Gaussian, are independent N(0, XᵀX), and so are the rows of B but for the jitter:
/// `1e-6·trace/d`, raised tenfold up to six times while the matrix has no factor.
///
/// - Parameter gaussian: G, n_b rows of d numbers.
public func mixDirections(_ problem: ReferenceProblem, gaussian: [[Double]]) -> ReferenceMix {
    let d = problem.dimension
    let x = ReferenceKernels.gather(problem.hidden, dimension: d, ids: problem.validTokens)
    let gram = ReferenceKernels.gram(x, dimension: d)
    let trace = (0..<d).reduce(0) { $0 + gram[$1 * d + $1] }
    guard trace > 0, trace.isFinite else { return .plainGaussian }
    var jitter = 1e-6 * trace / Double(d)
    for _ in 0...6 {
        var raised = gram
        for k in 0..<d { raised[k * d + k] += jitter }
        if let factor = ReferenceKernels.cholesky(raised, dimension: d) {
            let rows = (0..<d).map { Array(factor[$0 * d..<($0 + 1) * d]) }
            return .directions(gaussian.map { g in rows.map { dot(g, $0) } })
        }
        jitter *= 10
    }
    return .failed
}

/// Mix as the paper writes it: `B = Ωᵀ·X` over the valid tokens, in their order.
///
/// - Parameter omega: Ω, one row of n_b numbers for each valid token.
public func mixDirections(_ problem: ReferenceProblem, omega: [[Double]]) -> [[Double]] {
    let valid = problem.validTokens
    precondition(omega.count == valid.count, "one row of Ω for each valid token")
    return (0..<(omega.first?.count ?? 0)).map { k in
        var direction = [Double](repeating: 0, count: problem.dimension)
        for (row, i) in zip(omega, valid) {
            for (a, x) in problem.token(i).enumerated() { direction[a] += row[k] * x }
        }
        return direction
    }
}

private func directions(rows: Range<Int>, dimension d: Int, seed: UInt64, step: UInt64) -> [[Double]] {
    let numbers = ReferenceKernels.normals(rows: rows, columns: d, seed: seed, step: step, stream: directionStream)
    return (0..<rows.count).map { r in numbers[r * d..<(r + 1) * d].map(Double.init) }
}
