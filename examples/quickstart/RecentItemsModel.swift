import ExampleSupport
import Shortlist

/// Predicts the next item from the last few: the hidden state is a learned mix of their embeddings,
///
///     hidden = offset + Σₖ mixₖ ⊙ input[the item k steps back]
///
/// with one weight per step back and dimension. The library's losses compare it with the catalog, the output
/// embeddings, which are a table of their own.
final class RecentItemsModel {
    let window: Int
    let dimension: Int
    /// Output embeddings, one row per item: what the losses call the catalog.
    let output: Matrix
    let input: Matrix
    /// Row k weighs the item k steps back.
    let mix: Matrix
    /// What is predicted before anything is known of a user: one row.
    let offset: Matrix

    private var inputRow: [Int32]

    init(items: Int, dimension: Int, window: Int, seed: UInt64) throws {
        self.window = window
        self.dimension = dimension
        output = try Matrix(rows: items, columns: dimension)
        input = try Matrix(rows: items, columns: dimension)
        mix = try Matrix(rows: window, columns: dimension)
        offset = try Matrix(rows: 1, columns: dimension)
        inputRow = [Int32](repeating: -1, count: items)

        // Rows of the tables have length about 1; the latest item weighs most.
        var generator = SeededGenerator(seed: seed, stream: 2)
        let spread = (3 / Double(dimension)).squareRoot()
        for table in [output, input] {
            for index in table.elements.indices {
                table.elements[index] = Float((2 * generator.uniform() - 1) * spread)
            }
        }
        for step in 0..<window {
            for column in 0..<dimension { mix[step, column] = 1 / Float(step + 1) }
        }
    }

    var tables: [Matrix] { [output, input, mix, offset] }

    /// The hidden states for histories given oldest first, one row each.
    func hidden(_ histories: [ArraySlice<Int32>]) throws -> Matrix {
        let hidden = try Matrix(rows: histories.count, columns: dimension)
        let start = offset.row(0)
        for (token, history) in histories.enumerated() {
            let state = hidden.row(token)
            for column in 0..<dimension { state[column] = start[column] }
            for (step, item) in history.suffix(window).reversed().enumerated() {
                let weight = mix.row(step)
                let embedding = input.row(Int(item))
                for column in 0..<dimension { state[column] += weight[column] * embedding[column] }
            }
        }
        return hidden
    }

    struct Gradients {
        /// Rows of `input` that some history has in its window.
        var input: (ids: [Int32], rows: Matrix)
        var mix: Matrix
        var offset: Matrix
    }

    /// The chain rule by hand: from the gradient of the loss with respect to the hidden states to that of every parameter
    /// but the catalog, whose gradient the loss itself gives.
    func backward(_ histories: [ArraySlice<Int32>], hiddenGradient: Matrix) throws -> Gradients {
        let ids = numberInputRows(histories)
        let gradients = Gradients(
            input: (ids, try Matrix(rows: ids.count, columns: dimension)),
            mix: try Matrix(rows: window, columns: dimension),
            offset: try Matrix(rows: 1, columns: dimension))
        let offsetGradient = gradients.offset.row(0)
        for (token, history) in histories.enumerated() {
            let upstream = hiddenGradient.row(token)
            for column in 0..<dimension { offsetGradient[column] += upstream[column] }
            for (step, item) in history.suffix(window).reversed().enumerated() {
                let weight = mix.row(step)
                let embedding = input.row(Int(item))
                let weightGradient = gradients.mix.row(step)
                let embeddingGradient = gradients.input.rows.row(Int(inputRow[Int(item)]))
                for column in 0..<dimension {
                    weightGradient[column] += upstream[column] * embedding[column]
                    embeddingGradient[column] += upstream[column] * weight[column]
                }
            }
        }
        for id in ids { inputRow[Int(id)] = -1 }
        return gradients
    }

    /// The distinct items in the windows, ascending; `inputRow` then says which gradient row is whose.
    private func numberInputRows(_ histories: [ArraySlice<Int32>]) -> [Int32] {
        var ids: [Int32] = []
        for history in histories {
            for item in history.suffix(window) where inputRow[Int(item)] < 0 {
                inputRow[Int(item)] = 0
                ids.append(item)
            }
        }
        ids.sort()
        for (row, id) in ids.enumerated() { inputRow[Int(id)] = Int32(row) }
        return ids
    }
}
