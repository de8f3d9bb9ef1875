import LanguageModel
import NeuralLayers
import Shortlist
import Testing

@Suite struct DecodingTests {
    @Test(arguments: TinyModel.allCases, [[12], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [5, 1, 4, 2]])
    func `decoding step by step gives the hidden states of the whole sequence`(tiny: TinyModel, steps: [Int]) throws {
        let model = try tiny.model()
        let width = model.configuration.width
        let input = try numbers(12, width, 8)
        let whole = try Matrix(rows: 12, columns: width)
        BatchPass(model, workers: Workers(1)).forward(input, PackedSequences(lengths: [12]), into: whole)
        let state = try DecodingState(model, capacity: 12)
        var hidden: [Float] = []
        for count in steps {
            let rows = Tile(
                input.elements.baseAddress! + state.position * width, rows: count, columns: width)
            let result = state.step(rows)
            hidden += Array(UnsafeBufferPointer(start: result.base, count: result.count))
        }
        #expect(state.position == 12)
        #expect(hidden.count == whole.elements.count)
        #expect(zip(hidden, whole.elements).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func `a sequence taken back goes on as if the rest had never been`() throws {
        let model = try TinyModel.llama.model()
        let width = model.configuration.width
        func step(_ state: DecodingState, _ tokens: [Int32]) -> [Float] {
            let rows = state.step(tokens: tokens)
            return Array(UnsafeBufferPointer(start: rows.base, count: rows.count))
        }
        let (state, fresh) = (
            try DecodingState(model, capacity: 5), try DecodingState(model, capacity: 5)
        )
        _ = step(state, [1, 2, 3, 4, 5])
        state.truncate(to: 2)
        _ = step(fresh, [1, 2])
        let last = step(fresh, [7])
        #expect(last.count == width)
        #expect(step(state, [7]) == last)
    }
}
