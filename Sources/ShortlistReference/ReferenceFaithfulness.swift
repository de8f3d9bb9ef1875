/// How near one gradient is to another: of a sampled loss to full CE's, or of an implementation to the oracle's.
public enum ReferenceFaithfulness {
    /// `⟨a, b⟩ / (‖a‖·‖b‖)`, taken over all elements as one vector. 1 if both are zero, 0 if one is.
    public static func cosine(_ a: [Double], _ b: [Double]) -> Double {
        let norms = dot(a, a).squareRoot() * dot(b, b).squareRoot()
        if norms == 0 { return dot(a, a) == dot(b, b) ? 1 : 0 }
        return dot(a, b) / norms
    }

    /// `‖a − reference‖² / ‖reference‖²`. Against a zero reference: 0 if `a` is zero too, else +∞.
    public static func normalisedMeanSquaredError(_ a: [Double], reference: [Double]) -> Double {
        precondition(a.count == reference.count, "lengths differ")
        var error = 0.0
        for k in a.indices { error += (a[k] - reference[k]) * (a[k] - reference[k]) }
        return error == 0 ? 0 : error / dot(reference, reference)
    }
}
