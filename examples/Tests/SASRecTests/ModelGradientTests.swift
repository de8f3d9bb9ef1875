import NeuralLayers
import Shortlist
import Testing

@testable import sasrec

@Suite struct ModelGradientTests {
    private func shape(_ norm: NormStyle, heads: Int = 2) -> ModelShape {
        ModelShape(
            items: 11, dimension: 8, blocks: 2, heads: heads, feedForward: 12, maximumLength: 6, norm: norm,
            activation: .gelu)
    }

    /// Backward through the whole model, dropout included, against central differences: every parameter and every
    /// looked-up embedding.
    @Test(arguments: NormStyle.allCases, [0, 0.3] as [Float])
    func `the whole model agrees with finite differences`(norm: NormStyle, rate: Float) throws {
        let model = try SASRecModel(shape(norm))
        model.initialize(.xavier, seed: 5)
        // The initial gains and biases are special points; move away from them.
        for index in model.parameters.elements.indices {
            model.parameters.elements[index] += 0.1 * Float((index * 7919) % 13 - 6) / 6
        }
        for index in model.items.elements.indices { model.items.elements[index] *= 2 }
        let histories: [[Int32]] = [[1, 2, 3, 4], [5, 6], [7, 8, 9, 10, 0, 1, 2, 3]]
        let batch = PackedBatch(histories.map { $0[...] }, maximumLength: 6, positions: .end, rowsPerChunk: 5)
        #expect(batch.chunks.count == 3)
        let key = SASRecModel.DropoutKey(rate: rate, seed: 1, step: 1)
        let (memory, workers) = (SASRecModel.Memory(), Workers(2))
        let hidden = try Matrix(rows: batch.rows, columns: 8)
        let upstream = try Matrix(
            rows: batch.rows, columns: 8, (0..<batch.rows * 8).map { Float(($0 * 31) % 17) / 8 - 1 })
        func loss() -> Double {
            model.forward(batch, dropout: key, into: hidden, memory, workers)
            return zip(hidden.elements, upstream.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        _ = loss()
        let gradient = try Matrix(rows: 1, columns: model.layout.count)
        let inputGradient = try Matrix(rows: batch.rows, columns: 8)
        try model.backward(
            batch, dropout: key, hiddenGradient: upstream, into: gradient, inputGradients: inputGradient, memory,
            workers)

        let itemGradient = try Matrix(rows: 11, columns: 8)
        for (row, item) in batch.items.enumerated() {
            for column in 0..<8 { itemGradient[Int(item), column] += inputGradient[row, column] }
        }
        expectDifferences(itemGradient, model.items, "item embeddings", loss)
        expectDifferences(gradient, model.parameters, "parameters", loss)
    }

    private func expectDifferences(_ gradient: Matrix, _ values: Matrix, _ what: String, _ loss: () -> Double) {
        let step: Float = 4e-3
        let largest = gradient.elements.reduce(0) { max($0, abs($1)) }
        var worst: Float = 0
        for index in values.elements.indices {
            let saved = values.elements[index]
            values.elements[index] = saved + step
            let above = loss()
            values.elements[index] = saved - step
            let below = loss()
            values.elements[index] = saved
            worst = max(worst, abs(Float((above - below) / (2 * Double(step))) - gradient.elements[index]))
        }
        #expect(largest > 0.1, "\(what) have no gradient to compare")
        #expect(worst < 0.01 * largest, "\(what): off by \(worst) where the largest is \(largest)")
    }

    @Test func `packing does not change what a sequence's hidden states are`() throws {
        let model = try SASRecModel(shape(.pre))
        model.initialize(.xavier, seed: 6)
        let histories: [[Int32]] = [[1, 2, 3, 4], [5, 6], [7, 8, 9, 10, 0, 1, 2, 3]]
        let (memory, workers) = (SASRecModel.Memory(), Workers(1))
        func hidden(_ histories: [[Int32]]) throws -> [Float] {
            let batch = PackedBatch(histories.map { $0[...] }, maximumLength: 6, positions: .end)
            let hidden = try Matrix(rows: batch.rows, columns: 8)
            model.forward(batch, dropout: nil, into: hidden, memory, workers)
            return Array(hidden.elements)
        }
        let together = try hidden(histories)
        let apart = try histories.flatMap { try hidden([$0]) }
        #expect(zip(together, apart).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func `a hidden state does not see later items`() throws {
        let model = try SASRecModel(shape(.pre))
        model.initialize(.xavier, seed: 7)
        func hidden(_ items: [Int32]) throws -> Matrix {
            // Positions from the start: from the end they would shift with the length.
            let batch = PackedBatch([items[...]], maximumLength: 6, positions: .start)
            let hidden = try Matrix(rows: batch.rows, columns: 8)
            model.forward(batch, dropout: nil, into: hidden, SASRecModel.Memory(), Workers(1))
            return hidden
        }
        let (short, long) = (try hidden([4, 7, 2]), try hidden([4, 7, 2, 9]))
        for row in 0..<3 {
            for column in 0..<8 { #expect(abs(short[row, column] - long[row, column]) < 1e-6) }
        }
    }
}
