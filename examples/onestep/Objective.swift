import ExampleSupport
import Shortlist

/// Σ −log P(tᵢ | the text's positions): what a fit makes small, for some of several texts at a time.
///
/// Position i of the input predicts token i (no shift). The loss is one of the library's, over the vocabulary as a
/// frozen catalog: the gradient goes to the hidden states alone.
final class Objective {
    let model: FrozenModel
    let texts: [[Int32]]
    let arrangement: Arrangement

    /// What one evaluation found.
    struct Evaluation {
        /// −log P of each token under the loss, in nats, one list for each text that was asked for.
        var tokenLosses: [[Float]]
        /// dΣ/d vector: the rows of the table that the texts use, ascending, and their gradients.
        var rows: [Int32]
        var gradient: Matrix
        var workspaceBytes: Int
    }

    init(_ model: FrozenModel, texts: [[Int32]], arrangement: Arrangement) {
        self.model = model
        self.texts = texts
        self.arrangement = arrangement
    }

    /// The model's input for the texts numbered `active`, one after the other.
    private func inputs(_ active: [Int], _ vectors: ProtoTokens) throws -> Matrix {
        let inputs = try Matrix(rows: active.reduce(0) { $0 + texts[$1].count }, columns: model.width)
        var at = 0
        for text in active {
            for slot in arrangement.slots(length: texts[text].count) {
                let values =
                    switch slot {
                    case .vector(let vector): vectors.table.row(vectors.row(text: text, vector: vector))
                    case .token(let index): model.embedding(of: texts[text][index])
                    }
                _ = inputs.row(at).update(fromContentsOf: values)
                at += 1
            }
        }
        return inputs
    }

    private func targets(_ active: [Int]) -> [Int32] { active.flatMap { texts[$0] } }

    /// The loss of the texts numbered `active` and its gradient.
    ///
    /// - Parameter active: ascending, not empty.
    func evaluate(_ active: [Int], _ vectors: ProtoTokens, loss: any Loss) throws -> Evaluation {
        let inputs = try inputs(active, vectors)
        let lengths = active.map { texts[$0].count }
        let pass = try model.forward(inputs, lengths: lengths)
        let result = try model.context.evaluate(
            loss, hidden: pass.hidden, targets: targets(active), catalog: model.catalog,
            options: BatchOptions(reduction: .sum), gradients: .hidden, returning: .losses)
        guard let hiddenGradient = result.gradients.hidden, let losses = result.tokenLosses else {
            preconditionFailure("asked for and returned")
        }
        let inputGradient = try pass.backward(hiddenGradient)
        let rows = Set(active.flatMap(vectors.rows)).sorted()
        return Evaluation(
            tokenLosses: split(losses, lengths), rows: rows.map { Int32($0) },
            gradient: try sum(inputGradient, active, rows, vectors), workspaceBytes: result.report.workspaceUsed)
    }

    /// The gradients of the positions that hold a vector, added up for each vector.
    private func sum(_ positions: Matrix, _ active: [Int], _ rows: [Int], _ vectors: ProtoTokens) throws -> Matrix {
        let sums = try Matrix(rows: rows.count, columns: model.width)
        let places = Dictionary(uniqueKeysWithValues: zip(rows, 0...))
        var at = 0
        for text in active {
            for slot in arrangement.slots(length: texts[text].count) {
                if case .vector(let vector) = slot, let place = places[vectors.row(text: text, vector: vector)] {
                    let to = sums.row(place)
                    let from = positions.row(at)
                    for column in to.indices { to[column] += from[column] }
                }
                at += 1
            }
        }
        return sums
    }

    /// Whether each token is the model's first choice, one list for each text of `active`. Exact: the whole vocabulary
    /// is ranked.
    func hits(_ active: [Int], _ vectors: ProtoTokens) throws -> [[Bool]] {
        let lengths = active.map { texts[$0].count }
        let hidden = try model.forward(try inputs(active, vectors), lengths: lengths).hidden
        let ranks = try model.context.targetRanks(hidden, targets: targets(active), in: model.catalog)
        return split(ranks.map { $0 == 1 }, lengths)
    }

    /// What the model says in one pass for arrangements without tokens: its first choice at each of `length` positions.
    func decode(text: Int, _ vectors: ProtoTokens) throws -> [Int32] {
        let hidden = try model.forward(try inputs([text], vectors), lengths: [texts[text].count]).hidden
        return try model.context.topK(hidden, in: model.catalog, k: 1).ids
    }

    private func split<Element>(_ values: [Element], _ lengths: [Int]) -> [[Element]] {
        var start = 0
        return lengths.map { length in
            defer { start += length }
            return Array(values[start..<start + length])
        }
    }
}
