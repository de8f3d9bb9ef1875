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
        fileprivate let layout: BatchLayout
        fileprivate let pass: Int
    }

    private var last: BatchLayout?
    /// Passes through the model so far: tells whether hidden states are still those of an evaluation.
    private var passes = 0

    init(_ model: FrozenModel, texts: [[Int32]], arrangement: Arrangement) {
        self.model = model
        self.texts = texts
        self.arrangement = arrangement
    }

    /// The layout of the batch, kept as long as the same texts are in it.
    private func layout(_ active: [Int], _ vectors: ProtoTokens) throws -> BatchLayout {
        if let last, last.serves(active, vectors) { return last }
        let made = try BatchLayout(self, active, vectors)
        last = made
        return made
    }

    /// The loss of the texts numbered `active` and its gradient.
    ///
    /// - Parameter active: ascending, not empty.
    func evaluate(_ active: [Int], _ vectors: ProtoTokens, loss: any Loss) throws -> Evaluation {
        let layout = try layout(active, vectors)
        layout.forward(model, vectors)
        passes += 1
        var losses = [Float](repeating: 0, count: layout.targets.count)
        let result = try losses.withUnsafeMutableBufferPointer { losses in
            try layout.targets.withUnsafeBufferPointer { targets in
                try model.context.evaluate(
                    loss, Batch(hidden: layout.hidden.view, targets: .int32(targets), reduction: .sum),
                    catalog: model.catalog, into: GradientOutputs(hidden: layout.gradient.mutableView),
                    tokenOutputs: TokenOutputs(losses: losses))
            }
        }
        return Evaluation(
            tokenLosses: layout.split(losses), rows: layout.rows, gradient: try layout.vectorGradient(model),
            workspaceBytes: result.report.workspaceUsed, layout: layout, pass: passes)
    }

    /// Whether each token is the model's first choice, one list for each text of `active`. Exact: the whole vocabulary
    /// is ranked.
    func hits(_ active: [Int], _ vectors: ProtoTokens) throws -> [[Bool]] {
        let layout = try layout(active, vectors)
        layout.forward(model, vectors)
        passes += 1
        return try hits(layout)
    }

    /// The same for the vectors that were just evaluated, whose hidden states are still there: no second pass.
    ///
    /// - Parameter evaluation: the objective's last.
    func hits(of evaluation: Evaluation) throws -> [[Bool]] {
        precondition(evaluation.pass == passes, "the hidden states of an earlier evaluation are gone")
        return try hits(evaluation.layout)
    }

    private func hits(_ layout: BatchLayout) throws -> [[Bool]] {
        let ranks = try model.context.targetRanks(layout.hidden, targets: layout.targets, in: model.catalog)
        return layout.split(ranks.map { $0 == 1 })
    }

    /// What the model says in one pass for arrangements without tokens: its first choice at each of `length` positions.
    func decode(text: Int, _ vectors: ProtoTokens) throws -> [Int32] {
        let layout = try layout([text], vectors)
        layout.forward(model, vectors)
        passes += 1
        return try model.context.topK(layout.hidden, in: model.catalog, k: 1).ids
    }
}
