import Testing

@testable import NeuralLayers

/// Every layer's backward against central differences of its forward.
@Suite struct LayerGradientTests {
    @Test(arguments: [true, false]) func `linear layers agree with finite differences`(bias: Bool) {
        var numbers = TestNumbers(1)
        var layout = ParameterLayout()
        let layer = Linear("layer", inputs: 5, outputs: 3, bias: bias, in: &layout)
        let parameters = TestTile(1, layout.count, &numbers)
        let gradients = TestTile(1, layout.count)
        let (x, y, dy) = (TestTile(4, 5, &numbers), TestTile(4, 3), TestTile(4, 3, &numbers))
        let dx = TestTile(4, 5)
        let blocks = ParameterBlocks(values: parameters.tile.base, gradients: gradients.tile.base)
        func loss() -> Double {
            layer.forward(x.tile, parameters.tile.base, into: y.tile)
            return weighted(y.tile, dy.tile)
        }
        _ = loss()
        layer.backward(dy.tile, x.tile, blocks, into: dx.tile)
        expectGradient(dx.tile.base, at: x.tile.base, count: 20, "x", loss: loss)
        for entry in layout.entries {
            expectGradient(
                gradients.tile.base + entry.offset, at: parameters.tile.base + entry.offset, count: entry.count,
                entry.name, loss: loss)
        }
        let once = dx.values
        layer.backward(dy.tile, x.tile, blocks, into: dx.tile, accumulating: true)
        #expect(zip(dx.values, once).allSatisfy { abs($0 - 2 * $1) < 1e-5 })
    }

    @Test(arguments: [6, 16, 37]) func `layer normalisation agrees with finite differences`(width: Int) {
        var numbers = TestNumbers(2)
        var layout = ParameterLayout()
        let layer = LayerNorm("norm", width: width, epsilon: 1e-5, in: &layout)
        let parameters = TestTile(1, layout.count, &numbers)
        let gradients = TestTile(1, layout.count)
        let (x, y, dy) = (TestTile(3, width, &numbers), TestTile(3, width), TestTile(3, width, &numbers))
        let (unit, inverse, dx) = (TestTile(3, width), TestTile(3, 1), TestTile(3, width))
        func loss() -> Double {
            layer.forward(x.tile, parameters.tile.base, into: y.tile, normalized: unit.tile, inverse: inverse.tile)
            return weighted(y.tile, dy.tile)
        }
        _ = loss()
        layer.backward(
            dy.tile, normalized: unit.tile, inverse: inverse.tile,
            ParameterBlocks(values: parameters.tile.base, gradients: gradients.tile.base), into: dx.tile)
        expectGradient(dx.tile.base, at: x.tile.base, count: 3 * width, "x", step: 3e-3, loss: loss)
        for entry in layout.entries {
            expectGradient(
                gradients.tile.base + entry.offset, at: parameters.tile.base + entry.offset, count: entry.count,
                entry.name, loss: loss)
        }
    }

    @Test func `layer normalisation gives rows of mean 0 and variance 1`() {
        var numbers = TestNumbers(3)
        var layout = ParameterLayout()
        let layer = LayerNorm("norm", width: 64, in: &layout)
        let parameters = TestTile(1, layout.count)
        layer.gain.tile(in: parameters.tile.base).fill(1)
        let (x, y, unit, inverse) = (TestTile(2, 64, &numbers), TestTile(2, 64), TestTile(2, 64), TestTile(2, 1))
        layer.forward(x.tile, parameters.tile.base, into: y.tile, normalized: unit.tile, inverse: inverse.tile)
        for row in 0..<2 {
            let values = (0..<64).map { Double(y.tile.row(row)[$0]) }
            #expect(abs(values.reduce(0, +) / 64) < 1e-6)
            #expect(abs(values.reduce(0) { $0 + $1 * $1 } / 64 - 1) < 1e-5)
        }
    }

    @Test(arguments: Activation.allCases) func `activations agree with finite differences`(activation: Activation) {
        var numbers = TestNumbers(4)
        let (x, y, dy, dx) = (TestTile(5, 9, &numbers), TestTile(5, 9), TestTile(5, 9, &numbers), TestTile(5, 9))
        // Away from the kink, where the derivative jumps.
        for index in 0..<45 where abs(x.tile.base[index]) < 0.05 { x.tile.base[index] = 0.5 }
        activation.backward(dy.tile, x.tile, into: dx.tile)
        expectGradient(dx.tile.base, at: x.tile.base, count: 45, "x") {
            activation.forward(x.tile, into: y.tile)
            return weighted(y.tile, dy.tile)
        }
    }

    struct AttentionCase: Sendable, CustomTestStringConvertible {
        var heads = 1
        var keyHeads = 1
        var lengths: [Int]
        var blockRows = 64
        var dropout: Float = 0
        var testDescription: String {
            "\(heads)/\(keyHeads) heads, \(lengths), blocks of \(blockRows), drop \(dropout)"
        }
    }

    @Test(arguments: [
        AttentionCase(lengths: [1]), AttentionCase(lengths: [5]),
        AttentionCase(heads: 2, keyHeads: 2, lengths: [3, 1, 4]),
        AttentionCase(heads: 4, keyHeads: 2, lengths: [4, 3]), AttentionCase(lengths: [7, 2, 6], blockRows: 4),
        AttentionCase(heads: 2, keyHeads: 1, lengths: [6, 5], blockRows: 3, dropout: 0.4),
    ])
    func `attention agrees with finite differences`(test: AttentionCase) {
        var numbers = TestNumbers(5)
        let width = 4
        let layer = CausalAttention(
            heads: test.heads, keyHeads: test.keyHeads, headWidth: width, blockRows: test.blockRows)
        let rows = test.lengths.reduce(0, +)
        let starts = attentionStarts(test.lengths)
        let (q, k, v) = (
            TestTile(rows, test.heads * width, &numbers), TestTile(rows, test.keyHeads * width, &numbers),
            TestTile(rows, test.keyHeads * width, &numbers)
        )
        let (y, dy) = (TestTile(rows, test.heads * width), TestTile(rows, test.heads * width, &numbers))
        let sums = TestTile(rows, test.heads)
        let dropout = Dropout(rate: test.dropout, seed: 3, step: 2, site: 1)
        func loss() -> Double {
            layer.forward(
                q: q.tile, k: k.tile, v: v.tile, starts: starts, dropout: dropout, firstRow: 10, into: y.tile,
                logSumExp: sums.tile, scratch: Arena())
            return weighted(y.tile, dy.tile)
        }
        _ = loss()
        let (dq, dk, dv) = (
            TestTile(rows, test.heads * width), TestTile(rows, test.keyHeads * width),
            TestTile(rows, test.keyHeads * width)
        )
        layer.backward(
            dy.tile, q: q.tile, k: k.tile, v: v.tile, output: y.tile, logSumExp: sums.tile, starts: starts,
            dropout: dropout, firstRow: 10, dq: dq.tile, dk: dk.tile, dv: dv.tile, scratch: Arena())
        expectGradient(dq.tile.base, at: q.tile.base, count: q.tile.count, "q", loss: loss)
        expectGradient(dk.tile.base, at: k.tile.base, count: k.tile.count, "k", loss: loss)
        expectGradient(dv.tile.base, at: v.tile.base, count: v.tile.count, "v", loss: loss)
    }
}

/// For sequences of these lengths end to end: the first row of each row's sequence.
func attentionStarts(_ lengths: [Int]) -> [Int32] {
    var starts: [Int32] = []
    for length in lengths { starts += [Int32](repeating: Int32(starts.count), count: length) }
    return starts
}
