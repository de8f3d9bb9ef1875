import ExampleSupport
import NeuralLayers
import Shortlist

/// Hidden states of whole histories: what rankings and recommendations start from.
final class Ranker {
    private let model: SASRecModel
    private let workers: Workers
    private let memory = SASRecModel.Memory()
    private var hidden: Matrix

    init(_ model: SASRecModel, threads: Int) throws {
        self.model = model
        workers = Workers(threads)
        hidden = try Matrix(rows: 0, columns: model.shape.dimension)
    }

    /// The hidden state after the last item of each history, one row each. A history without items has a row of zeros,
    /// which likes all items alike.
    func queries(_ histories: [ArraySlice<Int32>]) throws -> Matrix {
        let width = model.shape.dimension
        let queries = try Matrix(rows: histories.count, columns: width)
        let places = histories.indices.filter { !histories[$0].isEmpty }
        let batch = PackedBatch(
            places.lazy.map { histories[$0] }, maximumLength: model.shape.maximumLength,
            positions: model.shape.positions)
        if hidden.rows < batch.rows { hidden = try Matrix(rows: batch.rows, columns: width) }
        model.forward(batch, dropout: nil, into: hidden, memory, workers)
        for (place, row) in zip(places, batch.lastRows) {
            queries.row(place).baseAddress!.update(from: hidden.row(row).baseAddress!, count: width)
        }
        return queries
    }
}
