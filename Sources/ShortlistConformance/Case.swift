/// One case: sizes, options and a seed for its numbers. Every field is an integer, so that a case prints as one line,
/// is read back from it, and shrinks field by field without a word about what the fields mean.
public struct ConformanceCase: Sendable, Equatable, CustomStringConvertible {
    public enum LossKind: Int { case crossEntropy, sce, rece, given }
    public enum Data: Int, CaseIterable { case integers, gaussian, clustered, large, lowRank }
    public enum Directions: Int { case given, gaussian, mix }
    public enum Poison: Int { case none, nanToken, infiniteToken, nanItem, infiniteItem, weightlessToken }
    public enum CatalogForm: Int { case store, accumulate, rows }
    public enum Limit: Int { case none, least, between, someLogits }

    public var seed = 1
    /// `LossKind`.
    public var loss = 0
    /// 0 max, 1 union.
    public var union = 0
    /// `Directions`.
    public var directions = 0
    /// N, C, d.
    public var tokens = 1
    public var items = 1
    public var width = 1
    /// n_b (blocks of given candidates), b_x and b_y (the largest of given candidates); 0 for the default.
    public var buckets = 1
    public var tokensPerBucket = 1
    public var itemsPerBucket = 1
    /// n_c (0 for the default), n_ec, r.
    public var chunks = 1
    public var neighbours = 0
    public var rounds = 1
    /// Given candidates: items may stand twice in a block; log-weights; some blocks off for dY.
    public var repeats = 0
    public var logWeights = 0
    public var detached = 0
    /// `Data`.
    public var data = 0
    /// s in hundredths.
    public var scale = 100
    /// 0 none, 1 finite, 2 some −∞.
    public var bias = 0
    /// 0 none, 1 positive, 2 some zero, 3 all zero.
    public var weights = 0
    /// Tokens in a hundred that are ignored.
    public var ignored = 0
    public var ignoreIndex = -100
    /// Items excluded.
    public var excluded = 0
    /// 0 mean, 1 sum, 2 none.
    public var reduction = 0
    public var denominator = 0
    /// 0: one; 1: another number, or one a token.
    public var upstream = 0
    public var inputPadding = 0
    public var outputPadding = 0
    public var wantsHidden = 0
    public var wantsCatalog = 0
    public var wantsBias = 0
    public var wantsScale = 0
    /// `CatalogForm`.
    public var form = 0
    public var wideTargets = 0
    /// `Limit`.
    public var limit = 0
    /// `Poison`, beside what is always poisoned: gaps.
    public var poison = 0
    /// What rows of ignored tokens and of items left out hold: 0 NaN, which shows when it is read; 1 long vectors, which
    /// a selection would take.
    public var tempting = 0

    public init() {}

    struct Field: Sendable {
        let name: String
        let path: any WritableKeyPath<ConformanceCase, Int> & Sendable
        /// What shrinking strives for.
        let plain: Int

        init(_ name: String, _ path: any WritableKeyPath<ConformanceCase, Int> & Sendable) {
            self.name = name
            self.path = path
            plain = ConformanceCase()[keyPath: path]
        }
    }

    /// In the order in which shrinking tries them: options off first, then sizes down.
    static let fields: [Field] = [
        .init("tempting", \.tempting), .init("poison", \.poison), .init("limit", \.limit), .init("form", \.form),
        .init("scaleGradient", \.wantsScale),
        .init("biasGradient", \.wantsBias), .init("catalogGradient", \.wantsCatalog),
        .init("hiddenGradient", \.wantsHidden), .init("outputPadding", \.outputPadding),
        .init("inputPadding", \.inputPadding), .init("wideTargets", \.wideTargets), .init("upstream", \.upstream),
        .init("denominator", \.denominator), .init("reduction", \.reduction), .init("excluded", \.excluded),
        .init("ignoreIndex", \.ignoreIndex), .init("ignored", \.ignored), .init("weights", \.weights),
        .init("bias", \.bias), .init("scale", \.scale), .init("detached", \.detached),
        .init("logWeights", \.logWeights), .init("repeats", \.repeats), .init("data", \.data),
        .init("directions", \.directions), .init("rounds", \.rounds), .init("neighbours", \.neighbours),
        .init("chunks", \.chunks), .init("buckets", \.buckets), .init("tokensPerBucket", \.tokensPerBucket),
        .init("itemsPerBucket", \.itemsPerBucket), .init("tokens", \.tokens), .init("items", \.items),
        .init("width", \.width), .init("union", \.union), .init("loss", \.loss), .init("seed", \.seed),
    ]

    /// The fields that are not plain, on one line.
    public var description: String {
        let words = ConformanceCase.fields.reversed().filter { self[keyPath: $0.path] != $0.plain }
            .map { "\($0.name)=\(self[keyPath: $0.path])" }
        return words.isEmpty ? "plain" : words.joined(separator: " ")
    }

    /// Reads what `description` printed; nil for an unknown field or a value that is no integer.
    public init?(line: String) {
        self.init()
        for word in line.split(separator: " ") where word != "plain" {
            let parts = word.split(separator: "=")
            guard parts.count == 2, let value = Int(parts[1]),
                let field = ConformanceCase.fields.first(where: { $0.name == parts[0] })
            else { return nil }
            self[keyPath: field.path] = value
        }
    }

    /// Room beside the least for the logits of about a hundred tokens against all items, and for tiles.
    var someLogits: Int { 4 * 100 * items + 4_000_000 }
    var kind: LossKind { LossKind(rawValue: loss) ?? .crossEntropy }
    var isMaximum: Bool { union == 0 && (kind == .sce || kind == .given) }
    var wantsGradients: Bool { wantsHidden + wantsCatalog + wantsBias + wantsScale > 0 }
}

extension ConformanceCase {
    /// The simplest case that still fails: options switched off and sizes lowered, one at a time, while `fails` says so.
    public func shrunk(attempts: Int = 300, while fails: (ConformanceCase) -> Bool) -> ConformanceCase {
        var best = self
        var left = attempts
        var improved = true
        while improved && left > 0 {
            improved = false
            for field in ConformanceCase.fields where field.name != "seed" {
                let value = best[keyPath: field.path]
                var tried: Set<Int> = [value]
                for smaller in [field.plain, (field.plain + value) / 2, value - 1] where left > 0 {
                    let ordered = value < field.plain ? smaller == field.plain : smaller >= min(field.plain, value)
                    guard ordered, tried.insert(smaller).inserted else { continue }
                    var candidate = best
                    candidate[keyPath: field.path] = smaller
                    left -= 1
                    if fails(candidate) {
                        best = candidate
                        improved = true
                        break
                    }
                }
            }
        }
        return best
    }
}
