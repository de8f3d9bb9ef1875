import ExampleSupport
import Shortlist
import Testing

@testable import quickstart

@Suite struct RecentItemsModelTests {
    /// Windows that are full, partly filled and empty, items that repeat, two tokens that share an item.
    let histories: [ArraySlice<Int32>] = [[0, 1, 2, 3, 4][1...], [5], [], [6, 6, 1], [4, 4, 4, 4]]

    private func model() throws -> RecentItemsModel {
        let model = try RecentItemsModel(items: 8, dimension: 5, window: 3, seed: 3)
        // Weights and offset as they are after some training: no two alike.
        for table in [model.mix, model.offset] {
            for index in table.elements.indices { table.elements[index] = Float((index * 7) % 11) / 5 - 1 }
        }
        return model
    }

    @Test func `the hidden state is the offset and the weighed embeddings of the last items`() throws {
        let model = try model()
        let hidden = try model.hidden(histories)
        for column in 0..<5 {
            let (input, mix) = (model.input, model.mix)
            let full =
                mix[0, column] * input[4, column] + mix[1, column] * input[3, column]
                + mix[2, column] * input[2, column]
            #expect(abs(hidden[0, column] - model.offset[0, column] - full) < 1e-6)
            #expect(abs(hidden[1, column] - model.offset[0, column] - mix[0, column] * input[5, column]) < 1e-6)
            #expect(hidden[2, column] == model.offset[0, column])
        }
    }

    @Test func `every gradient agrees with finite differences`() throws {
        let model = try model()
        let upstream = try Matrix(rows: histories.count, columns: 5, (0..<25).map { Float(($0 * 5) % 13) / 6 - 1 })
        /// Σ upstream ⊙ hidden: linear in every single parameter, so that central differences are exact but for rounding.
        func objective() throws -> Double {
            let hidden = try model.hidden(histories)
            return withExtendedLifetime(hidden) {
                zip(hidden.elements, upstream.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
        }
        let gradients = try model.backward(histories, hiddenGradient: upstream)
        #expect(gradients.input.ids == [1, 2, 3, 4, 5, 6])
        let input = try Matrix(rows: 8, columns: 5)
        for (row, id) in gradients.input.ids.enumerated() {
            for column in 0..<5 { input[Int(id), column] = gradients.input.rows[row, column] }
        }
        for (table, gradient) in [(model.input, input), (model.mix, gradients.mix), (model.offset, gradients.offset)] {
            for index in table.elements.indices {
                let value = table.elements[index]
                table.elements[index] = value + 0.125
                let above = try objective()
                table.elements[index] = value - 0.125
                let below = try objective()
                table.elements[index] = value
                #expect(abs((above - below) / 0.25 - Double(gradient.elements[index])) < 1e-4)
            }
        }
    }

    @Test func `a second backward pass is not disturbed by the first`() throws {
        let model = try model()
        let upstream = try Matrix(rows: 5, columns: 5, [Float](repeating: 1, count: 25))
        let first = try model.backward(histories, hiddenGradient: upstream)
        let second = try model.backward(histories, hiddenGradient: upstream)
        #expect(first.input.ids == second.input.ids)
        #expect(Array(first.input.rows.elements) == Array(second.input.rows.elements))
    }

    @Test func `the seed decides the start`() throws {
        let models = try [1, 1, 2].map { try RecentItemsModel(items: 4, dimension: 3, window: 2, seed: $0) }
        #expect(Array(models[0].input.elements) == Array(models[1].input.elements))
        #expect(Array(models[0].input.elements) != Array(models[2].input.elements))
        #expect(Array(models[0].input.elements) != Array(models[0].output.elements))
    }
}
