/// What a loss and its gradients must be.
///
/// A gradient element is a sum over terms. Beside each stands its *magnitude* `Σ|terms|`, with which a tolerance is
/// scaled: an element that is small because large terms cancel cannot be asked to be accurate to its own size.
public struct ReferenceResult: Sendable {
    /// The reduced loss; for the reduction `none` the sum of `weightedLosses`.
    public var loss = 0.0
    /// `w_i ℓ_i`, N numbers: what the reduction `none` returns. 0 where the token does not count or `w_i` is 0.
    public var weightedLosses: [Double]
    /// `ℓ_i`, N numbers, without the weight; 0 where the token does not count.
    public var tokenLosses: [Double]
    /// `log(e^{z_it} + Σ_{j∈J_i} e^{z_ij})`, N numbers; under `maximum` the winning block's. 0 where it does not count.
    public var logSumExp: [Double]
    /// `max |z|` over the target and every candidate (log-weight in) of every block that holds the token; N numbers,
    /// NaN where the loss is.
    public var largestLogit: [Double]
    /// Whether the token is valid and in at least one block; N flags.
    public var counted: [Bool]
    /// Tokens that count.
    public var tokensCounted = 0
    /// Tokens that count and whose loss is not finite, whatever their weight.
    public var tokensNonFinite = 0
    /// `Σ w_i` over the tokens that count.
    public var totalWeight = 0.0
    /// Under `maximum` the block through which the token's gradient flows; −1 for the others. N numbers.
    public var winners: [Int]
    /// Under `maximum` the largest block loss less the second largest; +∞ where there is no second. N numbers.
    public var winnerMargins: [Double]
    /// Under `maximum` the largest block loss less that of `winners[i]`: 0 unless the caller named winners. N numbers.
    public var winnerShortfalls: [Double]

    /// dX, N × d.
    public var hiddenGradient: [Double]
    public var hiddenMagnitude: [Double]
    /// dY, C × d.
    public var catalogGradient: [Double]
    public var catalogMagnitude: [Double]
    /// db, C numbers.
    public var biasGradient: [Double]
    public var biasMagnitude: [Double]
    /// dL/ds. Its terms are the products `g_i (p_ij − 1[j = t_i]) x_ik y_jk`, taken one by one.
    public var scaleGradient = 0.0
    public var scaleMagnitude = 0.0

    init(tokenCount n: Int, itemCount c: Int, dimension d: Int) {
        let tokens = [Double](repeating: 0, count: n)
        (weightedLosses, tokenLosses, logSumExp, largestLogit) = (tokens, tokens, tokens, tokens)
        (winnerMargins, winnerShortfalls) = ([Double](repeating: .infinity, count: n), tokens)
        (counted, winners) = ([Bool](repeating: false, count: n), [Int](repeating: -1, count: n))
        hiddenGradient = [Double](repeating: 0, count: n * d)
        catalogGradient = [Double](repeating: 0, count: c * d)
        biasGradient = [Double](repeating: 0, count: c)
        (hiddenMagnitude, catalogMagnitude, biasMagnitude) = (hiddenGradient, catalogGradient, biasGradient)
    }
}

/// What an f32 implementation may differ by on the same selection.
extension ReferenceResult {
    /// `8ε·(1 + max_j|z_ij|)`, ε = 2⁻²⁴·√d: what f32 may do to a logit of token `i`.
    public func logitBound(token i: Int, dimension d: Int) -> Double {
        8 * 0x1p-24 * Double(d).squareRoot() * (1 + largestLogit[i])
    }

    /// `|Δℓ_i| ≤ 1e-5·ℓ_i + 8ε·(1 + max_j|z_ij|)`.
    public func lossBound(token i: Int, dimension d: Int) -> Double {
        1e-5 * tokenLosses[i] + logitBound(token: i, dimension: d)
    }

    /// The largest `logitBound` of a token that counts and is finite: times a magnitude of dY, db or ds, the bound of
    /// that element (an element of `dX_i` has its own token's bound).
    public func largestLogitBound(dimension d: Int) -> Double {
        var largest = 0.0
        for i in counted.indices where counted[i] && tokenLosses[i].isFinite {
            largest = max(largest, logitBound(token: i, dimension: d))
        }
        return largest
    }
}
