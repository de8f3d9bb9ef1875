/// What stands at each position of the model's input when `length` tokens are to come out in one pass.
///
/// Positions hold trained vectors ("proto-tokens", arXiv 2505.21189), told apart by number, or, in the baseline that
/// decodes token by token, the text's own tokens.
enum Arrangement: String, Codable, CaseIterable, Sendable {
    /// [e] × N: one vector at every position.
    case single
    /// [e] × N/2 then [m] × N/2.
    case halves
    /// [e, m] × N/2.
    case alternating
    /// [e] then [m] × (N − 1): the paper's form.
    case leading
    /// [e] then the text's first N − 1 tokens: "cramming" (arXiv 2502.13063), decoded one token after the other.
    case cramming

    /// The arrangements that decode in one pass.
    static let onePass: [Arrangement] = [.single, .halves, .alternating, .leading]

    /// How a table names it.
    var notation: String {
        switch self {
        case .single: "[e]×N"
        case .halves: "[e]×N/2 [m]×N/2"
        case .alternating: "[e,m]×N/2"
        case .leading: "[e] [m]×(N−1)"
        case .cramming: "[e] and the tokens so far"
        }
    }

    /// Trained vectors of one text.
    var vectorCount: Int {
        switch self {
        case .single, .cramming: 1
        case .halves, .alternating, .leading: 2
        }
    }

    enum Slot: Equatable {
        /// Trained vector 0 (e) or 1 (m).
        case vector(Int)
        /// The embedding of the text's token of this number.
        case token(Int)
    }

    /// The positions 0 ..< `length`, whose outputs are to be the text's tokens 0 ..< `length`.
    func slots(length: Int) -> [Slot] {
        (0..<length).map { position in
            switch self {
            case .single: .vector(0)
            case .halves: .vector(position < (length + 1) / 2 ? 0 : 1)
            case .alternating: .vector(position % 2)
            case .leading: .vector(position == 0 ? 0 : 1)
            case .cramming: position == 0 ? .vector(0) : .token(position - 1)
            }
        }
    }
}
