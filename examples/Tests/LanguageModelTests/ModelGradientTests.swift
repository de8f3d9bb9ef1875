import LanguageModel
import NeuralLayers
import Shortlist
import Testing

@Suite struct ModelGradientTests {
    /// Backward through the whole model against central differences: every parameter and every input number, on two
    /// threads and several chunks.
    @Test(arguments: TinyModel.allCases)
    func `the whole model agrees with finite differences`(tiny: TinyModel) throws {
        let model = try tiny.model()
        let sequences = PackedSequences(lengths: [4, 1, 3, 6], rowsPerChunk: 5)
        #expect(sequences.chunks.count == 3)
        let pass = BatchPass(model, workers: Workers(2), gradientBlocks: 2)
        let width = model.configuration.width
        let input = try numbers(sequences.rows, width, 1)
        let upstream = try numbers(sequences.rows, width, 2)
        let hidden = try Matrix(rows: sequences.rows, columns: width)
        func loss() -> Double {
            pass.forward(input, sequences, into: hidden)
            return zip(hidden.elements, upstream.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        _ = loss()
        let gradients = try Matrix(rows: 1, columns: model.layout.count)
        let dInput = try Matrix(rows: sequences.rows, columns: width)
        try pass.backward(upstream, gradients: gradients, into: dInput)
        expectDifferences(dInput.elements, input.elements, "input", loss)
        for entry in model.layout.entries {
            expectDifferences(
                .init(rebasing: gradients.elements[entry.range]),
                .init(rebasing: model.parameters.elements[entry.range]),
                entry.name, loss)
        }
    }

    private func expectDifferences(
        _ gradient: UnsafeMutableBufferPointer<Float>, _ values: UnsafeMutableBufferPointer<Float>, _ what: String,
        _ loss: () -> Double
    ) {
        let step: Float = 4e-3
        let largest = gradient.reduce(0) { max($0, abs($1)) }
        var worst: Float = 0
        for index in values.indices {
            let saved = values[index]
            values[index] = saved + step
            let above = loss()
            values[index] = saved - step
            let below = loss()
            values[index] = saved
            worst = max(worst, abs(Float((above - below) / (2 * Double(step))) - gradient[index]))
        }
        #expect(largest > 0.02, "\(what) has no gradient to compare")
        #expect(worst < 0.01 * max(largest, 0.1), "\(what): off by \(worst) where the largest is \(largest)")
    }

    @Test(arguments: TinyModel.allCases)
    func `without parameters' gradients the input's are the same`(tiny: TinyModel) throws {
        let model = try tiny.model()
        let width = model.configuration.width
        let sequences = PackedSequences(lengths: [4, 3], rowsPerChunk: 4)
        let (input, upstream) = (try numbers(7, width, 3), try numbers(7, width, 4))
        let (hidden, dInput, frozen) = (
            try Matrix(rows: 7, columns: width), try Matrix(rows: 7, columns: width),
            try Matrix(rows: 7, columns: width)
        )
        let gradients = try Matrix(rows: 1, columns: model.layout.count)
        let pass = BatchPass(model, workers: Workers(1))
        pass.forward(input, sequences, into: hidden)
        try pass.backward(upstream, gradients: gradients, into: dInput)
        pass.forward(input, sequences, into: hidden)
        try pass.backward(upstream, into: frozen)
        #expect(Array(dInput.elements) == Array(frozen.elements))
        #expect(dInput.elements.contains { abs($0) > 0.01 })
    }

    @Test(arguments: TinyModel.allCases)
    func `threads do not change a bit of hidden states or gradients`(tiny: TinyModel) throws {
        let model = try tiny.model()
        let width = model.configuration.width
        let sequences = PackedSequences(lengths: [4, 3, 5, 2, 7], rowsPerChunk: 5)
        let (input, upstream) = (try numbers(21, width, 5), try numbers(21, width, 6))
        func run(_ workers: Int) throws -> [[Float]] {
            let (hidden, dInput) = (try Matrix(rows: 21, columns: width), try Matrix(rows: 21, columns: width))
            let gradients = try Matrix(rows: 1, columns: model.layout.count)
            let pass = BatchPass(model, workers: Workers(workers), gradientBlocks: 3)
            pass.forward(input, sequences, into: hidden)
            try pass.backward(upstream, gradients: gradients, into: dInput)
            return [Array(hidden.elements), Array(dInput.elements), Array(gradients.elements)]
        }
        #expect(try run(1) == run(3))
    }

    @Test(arguments: TinyModel.allCases)
    func `packing does not change what a sequence's hidden states are`(tiny: TinyModel) throws {
        let model = try tiny.model()
        let width = model.configuration.width
        let input = try numbers(12, width, 7)
        func hidden(_ lengths: [Int], rowsPerChunk: Int) throws -> [Float] {
            let hidden = try Matrix(rows: 12, columns: width)
            let sequences = PackedSequences(lengths: lengths, rowsPerChunk: rowsPerChunk)
            BatchPass(model, workers: Workers(1)).forward(input, sequences, into: hidden)
            return Array(hidden.elements)
        }
        let together = try hidden([5, 4, 3], rowsPerChunk: 100)
        let apart = try hidden([5, 4, 3], rowsPerChunk: 1)
        let joined = try hidden([12], rowsPerChunk: 100)
        #expect(zip(together, apart).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(zip(together, joined).prefix(5 * width).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(zip(together, joined).suffix(3 * width).contains { abs($0 - $1) > 1e-3 })
    }

    @Test(arguments: TinyModel.allCases)
    func `a batch after others has the gradients that it has alone`(tiny: TinyModel) throws {
        let model = try tiny.model()
        let width = model.configuration.width
        func run(_ pass: BatchPass, _ lengths: [Int], _ seed: Int) throws -> [[Float]] {
            let sequences = PackedSequences(lengths: lengths, rowsPerChunk: 4)
            let (input, upstream) = (
                try numbers(sequences.rows, width, seed), try numbers(sequences.rows, width, seed + 1)
            )
            let hidden = try Matrix(rows: sequences.rows, columns: width)
            let gradients = try Matrix(rows: 1, columns: model.layout.count)
            gradients.elements.update(repeating: 9)
            pass.forward(input, sequences, into: hidden)
            try pass.backward(upstream, gradients: gradients, into: upstream)
            return [Array(hidden.elements), Array(upstream.elements), Array(gradients.elements)]
        }
        let used = BatchPass(model, workers: Workers(1))
        _ = try run(used, [3, 4, 2, 4, 1, 6], 10)
        _ = try run(used, [2], 12)
        let alone = try run(BatchPass(model, workers: Workers(1)), [4, 4, 3], 14)
        #expect(try run(used, [4, 4, 3], 14) == alone)
    }
}
