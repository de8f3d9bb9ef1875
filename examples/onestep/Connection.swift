import ExampleSupport
import NeuralLayers
import Shortlist

/// The way between two solutions A and B of one text: straight, or along a quadratic Bézier curve
/// (1 − t)²·A + 2t(1 − t)·C + t²·B whose middle C is trained so that the text comes out all along (arXiv 2505.21189,
/// section 4, after Garipov et al., 2018).
struct Connection {
    let model: FrozenModel
    let text: [Int32]
    let arrangement: Arrangement
    let a: [[Float]]
    let b: [[Float]]

    /// A point of the way at t: (middle, t) ↦ vectors.
    private func point(_ t: Float, through middle: [[Float]]?) -> [[Float]] {
        a.indices.map { vector in
            a[vector].indices.map { column in
                let (start, end) = (a[vector][column], b[vector][column])
                guard let middle else { return (1 - t) * start + t * end }
                return (1 - t) * (1 - t) * start + 2 * t * (1 - t) * middle[vector][column] + t * t * end
            }
        }
    }

    private func vectors(_ ts: [Float], through middle: [[Float]]?) throws -> ProtoTokens {
        let vectors = try ProtoTokens(arrangement, texts: ts.count, sharesSecond: false, width: model.width)
        for (place, t) in ts.enumerated() {
            for (vector, values) in point(t, through: middle).enumerated() {
                _ = vectors.table.row(vectors.row(text: place, vector: vector)).update(fromContentsOf: values)
            }
        }
        return vectors
    }

    private func objective(_ count: Int) -> Objective {
        Objective(model, texts: Array(repeating: text, count: count), arrangement: arrangement)
    }

    /// The share of right tokens at each of `ts`.
    func accuracies(at ts: [Float], through middle: [[Float]]?) throws -> [Double] {
        try objective(ts.count).hits(Array(ts.indices), vectors(ts, through: middle)).map {
            Double($0.count { $0 }) / Double($0.count)
        }
    }

    /// Trains C from the middle of A and B: at every step the loss at `points` places of the curve, one drawn in each
    /// of as many equal parts of it, goes down.
    func trainedMiddle(
        steps: Int, points: Int, adam: AdamSettings, seed: UInt64, log: ProgressLog
    ) throws -> [[Float]] {
        var middle = point(0.5, through: nil)
        let table = try Matrix(rows: middle.count, columns: model.width)
        let gradient = try Matrix(rows: middle.count, columns: model.width)
        let optimizer = try Adam(rows: table.rows, columns: table.columns, adam)
        let objective = objective(points)
        var generator = SeededGenerator(seed: seed, stream: 0xB21E)
        for (vector, values) in middle.enumerated() { _ = table.row(vector).update(fromContentsOf: values) }
        for step in 0..<steps {
            try Interrupt.check()
            let ts = (0..<points).map { (Float($0) + Float(generator.uniform())) / Float(points) }
            let vectors = try vectors(ts, through: middle)
            let found = try objective.evaluate(Array(ts.indices), vectors, loss: CrossEntropy())
            gradient.elements.update(repeating: 0)
            for (place, t) in ts.enumerated() {
                for vector in middle.indices {
                    let from = found.gradient.row(vectors.row(text: place, vector: vector))
                    let to = gradient.row(vector)
                    for column in to.indices { to[column] += 2 * t * (1 - t) * from[column] }
                }
            }
            optimizer.step(table, .all(gradient))
            for vector in middle.indices { middle[vector] = Array(table.row(vector)) }
            log.passing {
                let loss = found.tokenLosses.joined().reduce(0) { $0 + Double($1) } / Double(points * text.count)
                return "curve   step \(step)/\(steps)   loss \(fixed(loss, 4)) a token"
            }
        }
        return middle
    }
}
