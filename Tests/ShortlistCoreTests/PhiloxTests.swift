import ShortlistCore
import ShortlistReference
import Testing

@Suite("Philox")
struct PhiloxTests {
    @Test(
        "The generator gives Random123's published known answers",
        arguments: [
            ([0, 0, 0, 0], [0, 0], [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
            (
                [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF], [0xFFFF_FFFF, 0xFFFF_FFFF],
                [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
            ),
            (
                [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0],
                [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
            ),
        ] as [([UInt32], [UInt32], [UInt32])])
    func knownAnswers(_ counter: [UInt32], _ key: [UInt32], _ answer: [UInt32]) {
        let words = Philox.block(
            counter: SIMD4(counter[0], counter[1], counter[2], counter[3]), key: SIMD2(key[0], key[1]))
        #expect([words.x, words.y, words.z, words.w] == answer)
    }

    private func draw(
        _ rows: Int, _ columns: Int, seed: UInt64, step: UInt64, stream: UInt32, firstRow: Int = 0
    ) throws -> [Float] {
        let matrix = try Matrix(rows: rows, columns: columns)
        Philox.fillNormal(matrix.mutableView, seed: seed, step: step, stream: stream, firstRow: firstRow)
        return Array(matrix.elements)
    }

    @Test(
        "Normal draws are the oracle's, bit for bit",
        arguments: [
            (0, 0, 0, 0), (1, 0, 0, 1), (0x0123_4567_89AB_CDEF, 0x00FE_DCBA_9876_5432, 5, 0),
            (.max, Philox.stepLimit - 1, 1 << 31, 1), (1 << 32, 1 << 32, 0xFFFF_FFF0, 255),
        ] as [(UInt64, UInt64, Int, UInt32)])
    func matchesOracle(_ seed: UInt64, _ step: UInt64, _ firstRow: Int, _ stream: UInt32) throws {
        // 13 columns: the last block of four is used in part.
        let drawn = try draw(9, 13, seed: seed, step: step, stream: stream, firstRow: firstRow)
        let oracle = ReferenceKernels.normals(
            rows: firstRow..<firstRow + 9, columns: 13, seed: seed, step: step, stream: stream)
        #expect(drawn.map(\.bitPattern) == oracle.map(\.bitPattern))
    }

    @Test("Any block of a draw has the entries of the whole, whatever its stride, and touches nothing between rows")
    func subBlocks() throws {
        let whole = try draw(40, 23, seed: 5, step: 9, stream: 0)
        for (first, rows, columns, gap) in [(0, 40, 23, 0), (7, 5, 23, 3), (39, 1, 1, 0), (11, 20, 4, 1), (3, 2, 6, 9)]
        {
            let memory = try Matrix(rows: rows, columns: columns + gap)
            memory.elements.update(repeating: -777)
            let view = try MutableMatrixView(
                memory.elements.baseAddress!, rows: rows, columns: columns, rowStride: columns + gap)
            Philox.fillNormal(view, seed: 5, step: 9, stream: 0, firstRow: first)
            for row in 0..<rows {
                let expected = whole[(first + row) * 23..<(first + row) * 23 + columns]
                #expect(Array(memory.row(row)) == Array(expected) + Array(repeating: -777, count: gap))
            }
        }
    }

    @Test("Seed, step and stream each change every entry")
    func independence() throws {
        let draws = [
            try draw(8, 8, seed: 1, step: 0, stream: 0), try draw(8, 8, seed: 2, step: 0, stream: 0),
            try draw(8, 8, seed: 1 << 32, step: 0, stream: 0), try draw(8, 8, seed: 1, step: 1, stream: 0),
            try draw(8, 8, seed: 1, step: 1 << 32, stream: 0), try draw(8, 8, seed: 1, step: 0, stream: 1),
            try draw(8, 8, seed: 1, step: 0, stream: 0, firstRow: 8),
        ]
        for a in draws.indices {
            for b in draws.indices where b > a {
                #expect(zip(draws[a], draws[b]).allSatisfy { $0 != $1 }, "draws \(a) and \(b)")
            }
        }
    }

    @Test("An empty draw writes nothing")
    func empty() throws {
        var sentinel: Float = 4
        Philox.fillNormal(try MutableMatrixView(&sentinel, rows: 0, columns: 5), seed: 0, step: 0, stream: 0)
        Philox.fillNormal(try MutableMatrixView(&sentinel, rows: 1, columns: 0), seed: 0, step: 0, stream: 0)
        #expect(sentinel == 4)
    }

    @Test("Draws have mean 0, variance 1, no skew and a normal's kurtosis, and neighbours are uncorrelated")
    func moments() throws {
        let values = try draw(1000, 200, seed: 11, step: 3, stream: 0).map(Double.init)
        let n = Double(values.count)
        let moment = { (power: Int) in
            values.reduce(0) { sum, x in sum + (0..<power).reduce(1) { product, _ in product * x } } / n
        }
        // Five standard errors each: 1, √2, √15 and √96 over √n.
        #expect(abs(moment(1)) < 5 / n.squareRoot())
        #expect(abs(moment(2) - 1) < 5 * (2 / n).squareRoot())
        #expect(abs(moment(3)) < 5 * (15 / n).squareRoot())
        #expect(abs(moment(4) - 3) < 5 * (96 / n).squareRoot())
        for lag in [1, 2, 3, 4, 200] {
            let product = (0..<values.count - lag).reduce(0) { $0 + values[$1] * values[$1 + lag] } / n
            #expect(abs(product) < 5 / n.squareRoot(), "lag \(lag)")
        }
        #expect(values.allSatisfy { abs($0) < 6.7 })
    }
}
