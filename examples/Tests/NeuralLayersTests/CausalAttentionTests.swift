import Foundation
import Testing

@testable import NeuralLayers

@Suite struct CausalAttentionTests {
    /// The definition, in Double: every row attends to the rows of its sequence up to itself.
    private func plain(_ q: Tile, _ k: Tile, _ v: Tile, heads: Int, width: Int, lengths: [Int]) -> [Double] {
        var output = [Double](repeating: 0, count: q.count)
        let starts = attentionStarts(lengths)
        for row in 0..<q.rows {
            for head in 0..<heads {
                let columns = head * width..<(head + 1) * width
                let keys = Int(starts[row])...row
                let scores = keys.map { key in
                    columns.reduce(0.0) { $0 + Double(q.row(row)[$1]) * Double(k.row(key)[$1]) }
                        / Double(width).squareRoot()
                }
                let sum = scores.reduce(0) { $0 + exp($1) }
                for column in columns {
                    output[row * q.columns + column] =
                        zip(keys, scores).reduce(0) { $0 + exp($1.1) / sum * Double(v.row($1.0)[column]) }
                }
            }
        }
        return output
    }

    @Test(arguments: [[1], [70], [3, 1, 5, 2], [130, 1, 64, 7]], [64, 5])
    func `packed sequences attend as if each were alone, whatever the block`(lengths: [Int], blockRows: Int) {
        var numbers = TestNumbers(6)
        let rows = lengths.reduce(0, +)
        let (q, k, v) = (TestTile(rows, 16, &numbers), TestTile(rows, 16, &numbers), TestTile(rows, 16, &numbers))
        let (y, sums) = (TestTile(rows, 16), TestTile(rows, 2))
        CausalAttention(heads: 2, headWidth: 8, blockRows: blockRows).forward(
            q: q.tile, k: k.tile, v: v.tile, starts: attentionStarts(lengths), dropout: nil, firstRow: 0, into: y.tile,
            logSumExp: sums.tile, scratch: Arena())
        let expected = plain(q.tile, k.tile, v.tile, heads: 2, width: 8, lengths: lengths)
        #expect(zip(y.values, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    }

    @Test func `large scores do not overflow`() {
        var numbers = TestNumbers(7)
        let (q, k, v) = (TestTile(9, 4, &numbers), TestTile(9, 4, &numbers), TestTile(9, 4, &numbers))
        q.tile.scale(by: 300)
        let (y, sums) = (TestTile(9, 4), TestTile(9, 1))
        CausalAttention(heads: 1, headWidth: 4).forward(
            q: q.tile, k: k.tile, v: v.tile, starts: attentionStarts([9]), dropout: nil, firstRow: 0, into: y.tile,
            logSumExp: sums.tile, scratch: Arena())
        #expect(y.values.allSatisfy { $0.isFinite })
    }
}
