import Testing

@testable import NeuralLayers

@Suite struct DropoutTests {
    private func mask(_ dropout: Dropout, rows: Int, columns: Int, firstRow: Int = 0) -> [Float] {
        let ones = TestTile(rows, columns)
        ones.tile.fill(1)
        dropout.apply(ones.tile, firstRow: firstRow)
        return ones.values
    }

    @Test(arguments: [0.1, 0.5, 0.6, 0.9] as [Float]) func `the stated share is dropped and the rest scaled`(
        rate: Float
    ) {
        let values = mask(Dropout(rate: rate, seed: 1, step: 2, site: 3), rows: 1000, columns: 64)
        let dropped = Double(values.count { $0 == 0 }) / Double(values.count)
        #expect(abs(dropped - Double(rate)) < 0.01)
        #expect(values.allSatisfy { $0 == 0 || $0 == 1 / (1 - rate) })
        // Columns and rows alike: no line of the mask is all one kind.
        for row in 0..<1000 { #expect(Set(values[row * 64..<(row + 1) * 64]).count == 2 || rate == 0.1 || rate == 0.9) }
    }

    @Test func `a rate of 0 changes nothing and a rate of 1 leaves nothing`() {
        #expect(mask(Dropout(rate: 0, seed: 1, step: 1, site: 1), rows: 10, columns: 10).allSatisfy { $0 == 1 })
        #expect(mask(Dropout(rate: 1, seed: 1, step: 1, site: 1), rows: 10, columns: 10).allSatisfy { $0 == 0 })
    }

    @Test func `the mask does not depend on how the rows are split`() {
        let dropout = Dropout(rate: 0.5, seed: 4, step: 5, site: 6)
        let whole = mask(dropout, rows: 10, columns: 7)
        #expect(whole == mask(dropout, rows: 4, columns: 7) + mask(dropout, rows: 6, columns: 7, firstRow: 4))
    }

    @Test func `seeds, steps and sites have masks of their own`() {
        let masks = [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)].map { seed, step, site in
            mask(Dropout(rate: 0.5, seed: UInt64(seed), step: UInt64(step), site: site), rows: 100, columns: 64)
        }
        for (first, a) in masks.enumerated() {
            for b in masks[(first + 1)...] {
                let same = Double(zip(a, b).count { $0 == $1 }) / Double(a.count)
                #expect(abs(same - 0.5) < 0.02)
            }
        }
    }
}
