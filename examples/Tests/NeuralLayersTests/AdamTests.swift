import Shortlist
import Testing

@testable import NeuralLayers

@Suite struct AdamTests {
    /// Two steps computed by hand with learning rate 0.1 and β 0.9, 0.999:
    /// g = 0.5 gives m̂ = 0.5 and v̂ = 0.25, a step of 0.1. Then g = −0.25 gives m = 0.02, m̂ = 0.02 / 0.19 and
    /// v = 0.00031225, v̂ = v / 0.001999 = 0.1562031…, a step of 0.1 · 0.10526316 / 0.3952254 = 0.026633…
    @Test func `dense steps agree with a hand computation`() throws {
        let table = try Matrix(rows: 1, columns: 1, [1])
        let adam = try Adam(rows: 1, columns: 1, AdamSettings(learningRate: 0.1))
        adam.step(table, .all(try Matrix(rows: 1, columns: 1, [0.5])))
        #expect(abs(table[0, 0] - 0.9) < 1e-6)
        adam.step(table, .all(try Matrix(rows: 1, columns: 1, [-0.25])))
        #expect(abs(table[0, 0] - (0.9 - 0.0266337)) < 1e-6)
    }

    @Test func `rows of a gradient mean the same as all of it`() throws {
        let start: [Float] = [1, -1, 2, -2, 3, -3, 4, -4]
        let whole = try Matrix(rows: 4, columns: 2, start)
        let sparse = try Matrix(rows: 4, columns: 2, start)
        let adams = try (Adam(rows: 4, columns: 2, .init()), Adam(rows: 4, columns: 2, .init()))
        for ids in [[1, 3], [0, 1], [], [2]] as [[Int32]] {
            let values: [Float] = ids.flatMap { [Float($0) + 0.5, -0.25] as [Float] }
            let all = try Matrix(rows: 4, columns: 2)
            for (place, id) in ids.enumerated() {
                for column in 0..<2 { all[Int(id), column] = values[2 * place + column] }
            }
            adams.0.step(whole, .all(all))
            adams.1.step(sparse, .rows(ids: ids, try Matrix(rows: ids.count, columns: 2, values)))
            #expect(Array(whole.elements) == Array(sparse.elements))
        }
    }

    @Test func `a dense step moves rows on momentum, a lazy one leaves them alone`() throws {
        for isLazy in [false, true] {
            let table = try Matrix(rows: 2, columns: 1, [1, 1])
            let adam = try Adam(rows: 2, columns: 1, AdamSettings(learningRate: 0.1, isLazy: isLazy))
            adam.step(table, .rows(ids: [0, 1], try Matrix(rows: 2, columns: 1, [1, 1])))
            let before = table[0, 0]
            adam.step(table, .rows(ids: [1], try Matrix(rows: 1, columns: 1, [1])))
            #expect((table[0, 0] == before) == isLazy)
            #expect(table[1, 0] < before)
        }
    }

    @Test func `a lazy row's first step is the full learning rate only while the step count is young`() throws {
        // All rows share the step count: a row first touched at step 2 has m̂ = 0.1 g / 0.19, v̂ = 0.001 g² / 0.001999.
        let table = try Matrix(rows: 2, columns: 1)
        let adam = try Adam(rows: 2, columns: 1, AdamSettings(learningRate: 0.1, isLazy: true))
        adam.step(table, .rows(ids: [0], try Matrix(rows: 1, columns: 1, [3])))
        adam.step(table, .rows(ids: [1], try Matrix(rows: 1, columns: 1, [3])))
        #expect(abs(table[0, 0] + 0.1) < 1e-6)
        #expect(abs(table[1, 0] + 0.1 * 0.5263158 / 0.7072836) < 1e-6)
    }

    @Test func `it finds the minimum of a parabola`() throws {
        let table = try Matrix(rows: 1, columns: 2, [5, -5])
        let adam = try Adam(rows: 1, columns: 2, AdamSettings(learningRate: 0.05))
        for _ in 0..<2000 {
            adam.step(table, .all(try Matrix(rows: 1, columns: 2, [2 * (table[0, 0] - 1), 8 * (table[0, 1] - 2)])))
        }
        #expect(abs(table[0, 0] - 1) < 1e-2 && abs(table[0, 1] - 2) < 1e-2)
    }
}
