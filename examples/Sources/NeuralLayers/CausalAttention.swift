import Foundation

/// softmax(Q·Kᵀ/√w)·V inside each of several sequences that lie end to end, every row seeing its own sequence up to
/// itself.
///
/// Rows are worked off in blocks of consecutive rows, whatever sequences they belong to: the keys of a block reach from
/// the start of its first row's sequence to its last row. Short sequences share a block, long ones take several, and no
/// more than block × keys of one head is ever stored. Backward makes the probabilities again from the rows' log-sum-exp
/// (Dao et al., 2022).
public struct CausalAttention: Sendable {
    public let heads: Int
    /// Heads of K and V; each serves heads / keyHeads heads of Q (grouped-query attention).
    public let keyHeads: Int
    /// Columns of one head, w.
    public let headWidth: Int
    private let blockRows: Int

    public init(heads: Int, keyHeads: Int? = nil, headWidth: Int, blockRows: Int = 64) {
        self.heads = heads
        self.keyHeads = keyHeads ?? heads
        self.headWidth = headWidth
        self.blockRows = blockRows
        precondition(heads % self.keyHeads == 0, "heads must be a multiple of key heads")
    }

    private var width: Int { heads * headWidth }
    private var keyWidth: Int { keyHeads * headWidth }
    private var scale: Float { 1 / Float(headWidth).squareRoot() }

    private func keyColumn(_ head: Int) -> Int { head / (heads / keyHeads) * headWidth }

    /// - Parameters:
    ///   - q: rows × heads·w; `k`, `v`: rows × keyHeads·w.
    ///   - starts: for every row the first row of its sequence.
    ///   - output: rows × heads·w.
    ///   - logSumExp: rows × heads, which backward needs.
    ///   - dropout: drops probabilities; nil or inactive for none.
    ///   - firstRow: number of row 0 in the batch, for the dropout's draws.
    ///   - scratch: memory for the scores, given back before the call returns.
    public func forward(
        q: Tile, k: Tile, v: Tile, starts: UnsafePointer<Int32>, dropout: Dropout?, firstRow: Int, into output: Tile,
        logSumExp: Tile, scratch: Arena
    ) {
        for block in blocks(of: q.rows, starts) {
            scratch.reset()
            let scores = scratch.take(block.rows.count, block.keys.count)
            for head in 0..<heads {
                computeScores(block, head, q, k, scores)
                for row in block.rows {
                    let values = scores.row(row - block.rows.lowerBound)
                    let visible = visibleKeys(row, starts, block)
                    logSumExp.row(row)[head] = softmax(values, visible)
                    hide(values, except: visible, block.keys.count)
                    drop(dropout, values + visible.lowerBound, visible.count, row: firstRow + row, head)
                }
                weighted(scores, block, head, v, into: output)
            }
        }
    }

    /// Writes dL/dq, dL/dk and dL/dv.
    ///
    /// - Parameters:
    ///   - dOutput: dL/d output.
    ///   - output, logSumExp: as forward left them.
    public func backward(
        _ dOutput: Tile, q: Tile, k: Tile, v: Tile, output: Tile, logSumExp: Tile, starts: UnsafePointer<Int32>,
        dropout: Dropout?, firstRow: Int, dq: Tile, dk: Tile, dv: Tile, scratch: Arena
    ) {
        dk.fill(0)
        dv.fill(0)
        for block in blocks(of: q.rows, starts) {
            scratch.reset()
            let probabilities = scratch.take(block.rows.count, block.keys.count)
            let kept = scratch.take(block.rows.count, block.keys.count)
            let gradients = scratch.take(block.rows.count, block.keys.count)
            let (rows, keys) = (block.rows.count, block.keys.count)
            let first = block.rows.lowerBound
            for head in 0..<heads {
                let column = keyColumn(head)
                computeScores(block, head, q, k, probabilities)
                Products.timesTransposed(
                    rows, keys, headWidth, dOutput.row(first) + head * headWidth, width,
                    v.row(block.keys.lowerBound) + column, keyWidth, gradients.base, keys)
                for row in block.rows {
                    let values = probabilities.row(row - first)
                    let gradient = gradients.row(row - first)
                    let kept = kept.row(row - first)
                    let visible = visibleKeys(row, starts, block)
                    let normalizer = logSumExp.row(row)[head]
                    for key in visible { values[key] = expf(values[key] - normalizer) }
                    hide(values, except: visible, keys)
                    kept.update(from: values, count: keys)
                    drop(dropout, kept + visible.lowerBound, visible.count, row: firstRow + row, head)
                    drop(dropout, gradient + visible.lowerBound, visible.count, row: firstRow + row, head)
                    // Σⱼ pⱼ·dL/dpⱼ, which is ⟨dL/do, o⟩.
                    let columns = head * headWidth
                    let mean = Vectors.dot(dOutput.row(row) + columns, output.row(row) + columns, headWidth)
                    for key in visible { gradient[key] = values[key] * (gradient[key] - mean) }
                    hide(gradient, except: visible, keys)
                }
                Products.times(
                    rows, headWidth, keys, alpha: scale, gradients.base, keys, k.row(block.keys.lowerBound) + column,
                    keyWidth, dq.row(first) + head * headWidth, width)
                Products.transposedTimes(
                    keys, headWidth, rows, alpha: scale, gradients.base, keys, q.row(first) + head * headWidth, width,
                    beta: 1, dk.row(block.keys.lowerBound) + column, keyWidth)
                Products.transposedTimes(
                    keys, headWidth, rows, kept.base, keys, dOutput.row(first) + head * headWidth, width, beta: 1,
                    dv.row(block.keys.lowerBound) + column, keyWidth)
            }
        }
    }

    /// Attention of rows that come after others whose keys and values were kept: row r of `q` sees the first
    /// `before` + r + 1 rows of `keys`.
    ///
    /// - Parameters:
    ///   - q: the new rows × heads·w.
    ///   - keys, values: before + q.rows rows or more × keyHeads·w, one sequence from its start.
    ///   - before: rows of the sequence before the first row of `q`.
    ///   - output: new rows × heads·w.
    ///   - scratch: as in `forward`.
    public func forward(
        q: Tile, keys: Tile, values: Tile, before: Int, into output: Tile, scratch: Arena
    ) {
        assert(keys.rows >= before + q.rows && values.rows >= before + q.rows)
        for first in stride(from: 0, to: q.rows, by: blockRows) {
            let block = Block(
                rows: first..<min(q.rows, first + blockRows), keys: 0..<before + min(q.rows, first + blockRows))
            scratch.reset()
            let scores = scratch.take(block.rows.count, block.keys.count)
            for head in 0..<heads {
                computeScores(block, head, q, keys, scores)
                for row in block.rows {
                    let weights = scores.row(row - first)
                    let visible = 0..<before + row + 1
                    _ = softmax(weights, visible)
                    hide(weights, except: visible, block.keys.count)
                }
                weighted(scores, block, head, values, into: output)
            }
        }
    }

    /// Makes the scores in `visible` probabilities. - Returns: their log-sum-exp.
    private func softmax(_ values: UnsafeMutablePointer<Float>, _ visible: Range<Int>) -> Float {
        var peak = -Float.infinity
        for key in visible { peak = max(peak, values[key]) }
        var sum: Float = 0
        for key in visible {
            values[key] = expf(values[key] - peak)
            sum += values[key]
        }
        let inverse = 1 / sum
        for key in visible { values[key] *= inverse }
        return peak + logf(sum)
    }

    private func weighted(_ probabilities: Tile, _ block: Block, _ head: Int, _ v: Tile, into output: Tile) {
        Products.times(
            block.rows.count, headWidth, block.keys.count, probabilities.base, probabilities.columns,
            v.row(block.keys.lowerBound) + keyColumn(head), keyWidth,
            output.row(block.rows.lowerBound) + head * headWidth, width)
    }

    // MARK: Blocks of rows

    private struct Block {
        let rows: Range<Int>
        let keys: Range<Int>
    }

    private func blocks(of rows: Int, _ starts: UnsafePointer<Int32>) -> some Sequence<Block> {
        stride(from: 0, to: rows, by: blockRows).lazy.map { first in
            let end = min(rows, first + blockRows)
            return Block(rows: first..<end, keys: Int(starts[first])..<end)
        }
    }

    /// Keys that `row` sees, counted from the block's first key.
    private func visibleKeys(_ row: Int, _ starts: UnsafePointer<Int32>, _ block: Block) -> Range<Int> {
        Int(starts[row]) - block.keys.lowerBound..<row + 1 - block.keys.lowerBound
    }

    private func computeScores(_ block: Block, _ head: Int, _ q: Tile, _ k: Tile, _ scores: Tile) {
        Products.timesTransposed(
            block.rows.count, block.keys.count, headWidth, alpha: scale,
            q.row(block.rows.lowerBound) + head * headWidth, width, k.row(block.keys.lowerBound) + keyColumn(head),
            keyWidth, scores.base, scores.columns)
    }

    private func hide(_ values: UnsafeMutablePointer<Float>, except visible: Range<Int>, _ count: Int) {
        values.update(repeating: 0, count: visible.lowerBound)
        (values + visible.upperBound).update(repeating: 0, count: count - visible.upperBound)
    }

    /// Draws belong to the batch's row, the head and the key's place in the sequence, so that no split changes them.
    private func drop(_ dropout: Dropout?, _ values: UnsafeMutablePointer<Float>, _ count: Int, row: Int, _ head: Int) {
        guard let dropout, dropout.isActive else { return }
        // Spread so that rows' draws rarely meet: a row has at most as many keys as its sequence is long.
        dropout.apply(values, count, from: UInt32(truncatingIfNeeded: (row * heads + head) &* 0x9E37_79B1))
    }
}
