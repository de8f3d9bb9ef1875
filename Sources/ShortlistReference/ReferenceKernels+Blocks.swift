import Glibc

extension ReferenceKernels {
    /// `log Σ e^z` over the row's *candidates* of a block: every column whose item is not the row's target.
    ///
    /// The target's own logit is joined later (a token's target seldom stands in its block), by `logAddExp`.
    ///
    /// - Parameters:
    ///   - logits: rows × items.count, log-weights in.
    ///   - items: the item of each column; whether a column is the target is decided by it, never by the logit.
    ///   - targets: the target item of each row.
    /// - Returns: one number a row: −∞ with no candidate, NaN if a candidate's logit is not finite (−∞ included: items
    ///   of bias −∞ do not belong in a block).
    public static func blockLogSumExp(_ logits: [Double], items: [Int], targets: [Int]) -> [Double] {
        targets.indices.map { r in
            let row = items.indices.filter { items[$0] != targets[r] }.map { logits[r * items.count + $0] }
            guard let lead = row.max() else { return -.infinity }
            guard row.allSatisfy(\.isFinite) else { return .nan }
            return lead + log(row.reduce(0) { $0 + exp($1 - lead) })
        }
    }

    /// `log(e^a + e^b)`; joins a block's log-sum-exp with the target's logit, or two blocks of disjoint items.
    public static func logAddExp(_ a: Double, _ b: Double) -> Double {
        if a.isNaN || b.isNaN { return .nan }
        if a == b { return a + log(2.0) }
        return max(a, b) + log1p(exp(-abs(a - b)))
    }

    /// What the candidates of one block do to the gradients: the `p_ij` part, without the target's `−1`.
    ///
    /// With `P_rc = g_r·e^{z_rc − lse_r}`, 0 where column c is row r's target or `g_r` is 0:
    /// `dX = s·P·Y` (rows × d), `dY = s·Pᵀ·X` (columns × d), `db = Pᵀ·1` (columns).
    ///
    /// - Parameters:
    ///   - logits: rows × columns, log-weights in.
    ///   - logSumExp: the complete normaliser of each row (target and all blocks in).
    ///   - g: dObjective/dℓ of each row.
    ///   - x: rows × d, y: columns × d.
    public static func blockGradient(
        _ logits: [Double], items: [Int], targets: [Int], logSumExp: [Double], g: [Double],
        x: [Double], y: [Double], dimension d: Int, scale: Double = 1
    ) -> (hidden: [Double], items: [Double], bias: [Double]) {
        var dX = [Double](repeating: 0, count: targets.count * d)
        var dY = [Double](repeating: 0, count: items.count * d)
        var db = [Double](repeating: 0, count: items.count)
        for r in targets.indices where g[r] != 0 {
            for c in items.indices where items[c] != targets[r] {
                let p = g[r] * exp(logits[r * items.count + c] - logSumExp[r])
                db[c] += p
                for k in 0..<d {
                    dX[r * d + k] += scale * p * y[c * d + k]
                    dY[c * d + k] += scale * p * x[r * d + k]
                }
            }
        }
        return (dX, dY, db)
    }

    /// `XᵀX` of `x` (rows × d): d × d.
    public static func gram(_ x: [Double], dimension d: Int) -> [Double] {
        var sum = [Double](repeating: 0, count: d * d)
        for r in 0..<x.count / d {
            for a in 0..<d {
                for b in 0..<d { sum[a * d + b] += x[r * d + a] * x[r * d + b] }
            }
        }
        return sum
    }

    /// The lower triangular L with `L·Lᵀ = matrix` (d × d, symmetric), zeros above the diagonal; nil if a pivot is not
    /// positive (then the matrix is not positive definite) or not a number.
    public static func cholesky(_ matrix: [Double], dimension d: Int) -> [Double]? {
        var l = [Double](repeating: 0, count: d * d)
        for r in 0..<d {
            for c in 0...r {
                var rest = matrix[r * d + c]
                for k in 0..<c { rest -= l[r * d + k] * l[c * d + k] }
                if r == c {
                    guard rest > 0 else { return nil }
                    l[r * d + r] = rest.squareRoot()
                } else {
                    l[r * d + c] = rest / l[c * d + c]
                }
            }
        }
        return l
    }
}
