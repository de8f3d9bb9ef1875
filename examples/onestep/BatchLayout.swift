import LanguageModel
import Shortlist

/// Where everything stands while the same texts are in the batch: which rows of the model's input hold which vector,
/// the targets, and room for the passes. Made anew only when the texts or the form of their vectors change.
final class BatchLayout {
    /// The texts, ascending, and what else decides the layout.
    let active: [Int]
    let textCount: Int
    let sharesSecond: Bool

    let lengths: [Int]
    let targets: [Int32]
    /// The rows of the vectors' table that the texts use, ascending.
    let rows: [Int32]
    let hidden: Matrix
    /// dL/d hidden, then dL/d input.
    let gradient: Matrix
    private let inputs: Matrix
    private let sequences: PackedSequences
    /// Input rows that hold a vector: which row of the input, which of the table, which place in `rows`.
    private let places: [(input: Int, table: Int, place: Int)]

    /// - Throws: `ShortlistError` when memory runs out.
    init(_ objective: Objective, _ active: [Int], _ vectors: ProtoTokens) throws {
        self.active = active
        textCount = vectors.textCount
        sharesSecond = vectors.sharesSecond
        lengths = active.map { objective.texts[$0].count }
        targets = active.flatMap { objective.texts[$0] }
        let used = Set(active.flatMap(vectors.rows)).sorted()
        rows = used.map { Int32($0) }
        let place = Dictionary(uniqueKeysWithValues: zip(used, 0...))
        let width = objective.model.width
        inputs = try Matrix(rows: targets.count, columns: width)
        hidden = try Matrix(rows: targets.count, columns: width)
        gradient = try Matrix(rows: targets.count, columns: width)
        // Small chunks, so that a few short texts are enough work for several threads.
        sequences = PackedSequences(lengths: lengths, rowsPerChunk: FrozenModel.rowsPerChunk)
        var places: [(input: Int, table: Int, place: Int)] = []
        var at = 0
        for text in active {
            for slot in objective.arrangement.slots(length: objective.texts[text].count) {
                switch slot {
                case .vector(let vector):
                    let row = vectors.row(text: text, vector: vector)
                    places.append((at, row, place[row]!))
                case .token(let index):
                    // The model stands still, and so do these.
                    _ = inputs.row(at).update(
                        fromContentsOf: objective.model.embedding(of: objective.texts[text][index]))
                }
                at += 1
            }
        }
        self.places = places
    }

    func serves(_ active: [Int], _ vectors: ProtoTokens) -> Bool {
        self.active == active && textCount == vectors.textCount && sharesSecond == vectors.sharesSecond
    }

    /// Puts the vectors into the input and runs the model: `hidden` has what it makes of them.
    func forward(_ model: FrozenModel, _ vectors: ProtoTokens) {
        for (input, table, _) in places {
            _ = inputs.row(input).update(fromContentsOf: vectors.table.row(table))
        }
        model.forward(inputs, sequences, into: hidden)
    }

    /// From dL/d hidden in `gradient`: dL/d vector, a row for each of `rows`. The last forward pass must be this
    /// layout's.
    func vectorGradient(_ model: FrozenModel) throws -> Matrix {
        try model.backward(gradient)
        let sums = try Matrix(rows: rows.count, columns: gradient.columns)
        for (input, _, place) in places {
            let (to, from) = (sums.row(place), gradient.row(input))
            for column in to.indices { to[column] += from[column] }
        }
        return sums
    }

    /// A list of one value a token as one list a text.
    func split<Element>(_ values: [Element]) -> [[Element]] {
        var start = 0
        return lengths.map { length in
            defer { start += length }
            return Array(values[start..<start + length])
        }
    }
}
