import Foundation
import Testing

@testable import NeuralLayers

/// The layers of decoder-only language models.
@Suite struct DecoderLayerTests {
    @Test(arguments: [6, 16, 37]) func `root-mean-square normalisation agrees with finite differences`(width: Int) {
        var numbers = TestNumbers(11)
        var layout = ParameterLayout()
        let layer = RMSNorm("norm", width: width, epsilon: 1e-5, in: &layout)
        let parameters = TestTile(1, layout.count, &numbers)
        let gradients = TestTile(1, layout.count)
        let (x, y, dy) = (TestTile(3, width, &numbers), TestTile(3, width), TestTile(3, width, &numbers))
        let (inverse, dx) = (TestTile(3, 1), TestTile(3, width))
        func loss() -> Double {
            layer.forward(x.tile, parameters.tile.base, into: y.tile, inverse: inverse.tile)
            return weighted(y.tile, dy.tile)
        }
        _ = loss()
        let blocks = ParameterBlocks(values: parameters.tile.base, gradients: gradients.tile.base)
        layer.backward(dy.tile, x.tile, inverse: inverse.tile, blocks, into: dx.tile)
        expectGradient(dx.tile.base, at: x.tile.base, count: 3 * width, "x", step: 3e-3, loss: loss)
        expectGradient(gradients.tile.base, at: parameters.tile.base, count: width, "gain", loss: loss)
        let once = dx.values
        layer.backward(dy.tile, x.tile, inverse: inverse.tile, blocks, into: dx.tile, accumulating: true)
        #expect(zip(dx.values, once).allSatisfy { abs($0 - 2 * $1) < 1e-5 })
    }

    @Test func `root-mean-square normalisation gives rows of mean square 1 and takes no mean off`() {
        var numbers = TestNumbers(12)
        var layout = ParameterLayout()
        let layer = RMSNorm("norm", width: 64, epsilon: 1e-8, in: &layout)
        let parameters = TestTile(1, layout.count)
        parameters.tile.fill(1)
        let (x, y, inverse) = (TestTile(2, 64, &numbers), TestTile(2, 64), TestTile(2, 1))
        for index in 0..<x.tile.count { x.tile.base[index] += 2 }
        layer.forward(x.tile, parameters.tile.base, into: y.tile, inverse: inverse.tile)
        for row in 0..<2 {
            let values = (0..<64).map { Double(y.tile.row(row)[$0]) }
            #expect(abs(values.reduce(0) { $0 + $1 * $1 } / 64 - 1) < 1e-5)
            #expect(values.reduce(0, +) / 64 > 0.5)
        }
    }

    @Test(arguments: Activation.allCases) func `gated activations agree with finite differences`(
        activation: Activation
    ) {
        var numbers = TestNumbers(13)
        let (gate, up) = (TestTile(5, 9, &numbers), TestTile(5, 9, &numbers))
        let (y, dy) = (TestTile(5, 9), TestTile(5, 9, &numbers))
        for index in 0..<45 where abs(gate.tile.base[index]) < 0.05 { gate.tile.base[index] = 0.5 }
        let (gateSlope, upSlope) = (TestTile(5, 9), TestTile(5, 9))
        let (dGate, dUp) = (TestTile(5, 9), TestTile(5, 9))
        let layer = GatedActivation(activation)
        func loss() -> Double {
            gateSlope.tile.copy(from: gate.tile)
            upSlope.tile.copy(from: up.tile)
            layer.forward(gate: gateSlope.tile, up: upSlope.tile, into: y.tile)
            return weighted(y.tile, dy.tile)
        }
        _ = loss()
        layer.backward(
            dy.tile, gateSlope: gateSlope.tile, upSlope: upSlope.tile, dGate: dGate.tile, dUp: dUp.tile)
        // In place of dy as well.
        let inPlace = TestTile(5, 9)
        inPlace.tile.copy(from: dy.tile)
        layer.backward(
            inPlace.tile, gateSlope: gateSlope.tile, upSlope: upSlope.tile, dGate: dGate.tile, dUp: inPlace.tile)
        #expect(inPlace.values == dUp.values)
        expectGradient(dGate.tile.base, at: gate.tile.base, count: 45, "gate", loss: loss)
        expectGradient(dUp.tile.base, at: up.tile.base, count: 45, "up", loss: loss)
    }

    @Test(arguments: Activation.allCases) func `an activation that keeps its slope is the same function`(
        activation: Activation
    ) {
        var numbers = TestNumbers(18)
        let (x, dy) = (TestTile(5, 9, &numbers), TestTile(5, 9, &numbers))
        let (y, kept, dx, slope) = (TestTile(5, 9), TestTile(5, 9), TestTile(5, 9), TestTile(5, 9))
        activation.forward(x.tile, into: y.tile)
        activation.backward(dy.tile, x.tile, into: dx.tile)
        slope.tile.copy(from: x.tile)
        activation.forwardKeepingSlope(slope.tile, into: kept.tile)
        slope.tile.multiply(by: dy.tile)
        #expect(zip(kept.values, y.values).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(slope.values == dx.values)
    }

    // MARK: Rotary positions

    @Test(arguments: [8, 4, 0]) func `rotary positions agree with finite differences`(dimensions: Int) {
        var numbers = TestNumbers(14)
        let layer = RotaryEmbedding(headWidth: 8, dimensions: dimensions)
        let starts = attentionStarts([3, 1, 4])
        let arena = Arena()
        let angles = layer.angles(at: 0..<4, in: arena)
        let (x, y, dy) = (TestTile(8, 16, &numbers), TestTile(8, 16), TestTile(8, 16, &numbers))
        let dx = TestTile(8, 16)
        dx.tile.copy(from: dy.tile)
        layer.apply(dx.tile, starts: starts, angles: angles, backwards: true)
        expectGradient(dx.tile.base, at: x.tile.base, count: x.tile.count, "x") {
            y.tile.copy(from: x.tile)
            layer.apply(y.tile, starts: starts, angles: angles)
            return weighted(y.tile, dy.tile)
        }
        withExtendedLifetime(arena) {}
    }

    /// The definition, in Double, with the pairs (j, j + dimensions/2).
    @Test(arguments: [10_000, 500_000] as [Double], [8, 4])
    func `a head's pairs of columns turn by position × base^(−2j / dimensions)`(base: Double, dimensions: Int) {
        var numbers = TestNumbers(15)
        let layer = RotaryEmbedding(headWidth: 8, dimensions: dimensions, base: base)
        let x = TestTile(5, 16, &numbers)
        let y = TestTile(5, 16)
        y.tile.copy(from: x.tile)
        let arena = Arena()
        // Two sequences; the table begins at position 7, as it does after seven rows of a cache.
        layer.apply(y.tile, starts: attentionStarts([3, 2]), angles: layer.angles(at: 7..<10, in: arena))
        for (row, position) in [7, 8, 9, 7, 8].enumerated() {
            for head in 0..<2 {
                let (from, to) = (x.tile.row(row) + 8 * head, y.tile.row(row) + 8 * head)
                for pair in 0..<dimensions / 2 {
                    let angle = Double(position) * pow(base, -2 * Double(pair) / Double(dimensions))
                    let (a, b) = (Double(from[pair]), Double(from[pair + dimensions / 2]))
                    #expect(abs(Double(to[pair]) - (a * cos(angle) - b * sin(angle))) < 1e-5)
                    #expect(abs(Double(to[pair + dimensions / 2]) - (b * cos(angle) + a * sin(angle))) < 1e-5)
                }
                for column in dimensions..<8 { #expect(to[column] == from[column]) }
            }
        }
        withExtendedLifetime(arena) {}
    }

    // MARK: Attention with a cache

    @Test(arguments: [1, 3, 70, 130], [64, 5]) func `attention over kept keys is attention over the sequence`(
        before: Int, blockRows: Int
    ) {
        var numbers = TestNumbers(16)
        let rows = 131
        let layer = CausalAttention(heads: 4, keyHeads: 2, headWidth: 8, blockRows: blockRows)
        let (q, k, v) = (TestTile(rows, 32, &numbers), TestTile(rows, 16, &numbers), TestTile(rows, 16, &numbers))
        let (whole, sums) = (TestTile(rows, 32), TestTile(rows, 4))
        layer.forward(
            q: q.tile, k: k.tile, v: v.tile, starts: attentionStarts([rows]), dropout: nil, firstRow: 0,
            into: whole.tile, logSumExp: sums.tile, scratch: Arena())
        let last = Tile(q.tile.row(before), rows: rows - before, columns: 32)
        let parts = TestTile(rows - before, 32)
        layer.forward(
            q: last, keys: k.tile, values: v.tile, before: before, into: parts.tile, scratch: Arena())
        #expect(zip(parts.values, whole.values.dropFirst(before * 32)).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    // MARK: Frozen parameters

    @Test func `frozen parameters leave dL-dx as it is`() {
        var numbers = TestNumbers(17)
        var layout = ParameterLayout()
        let linear = Linear("linear", inputs: 16, outputs: 16, in: &layout)
        let rms = RMSNorm("rms", width: 16, in: &layout)
        let norm = LayerNorm("norm", width: 16, in: &layout)
        let parameters = TestTile(1, layout.count, &numbers)
        let gradients = TestTile(1, layout.count)
        let (x, y, dy) = (TestTile(3, 16, &numbers), TestTile(3, 16), TestTile(3, 16, &numbers))
        let (unit, inverse) = (TestTile(3, 16), TestTile(3, 1))
        func run(_ gradients: UnsafeMutablePointer<Float>?) -> [[Float]] {
            let blocks = ParameterBlocks(values: parameters.tile.base, gradients: gradients)
            let results = [TestTile(3, 16), TestTile(3, 16), TestTile(3, 16)]
            linear.backward(dy.tile, x.tile, blocks, into: results[0].tile)
            rms.forward(x.tile, parameters.tile.base, into: y.tile, inverse: inverse.tile)
            rms.backward(dy.tile, x.tile, inverse: inverse.tile, blocks, into: results[1].tile)
            norm.forward(
                x.tile, parameters.tile.base, into: y.tile, normalized: unit.tile, inverse: inverse.tile)
            norm.backward(
                dy.tile, normalized: unit.tile, inverse: inverse.tile, blocks, into: results[2].tile)
            return results.map(\.values)
        }
        let trained = run(gradients.tile.base)
        #expect(trained == run(nil))
        #expect(layout.entries.allSatisfy { entry in entry.range.contains { gradients.values[$0] != 0 } })
    }
}
