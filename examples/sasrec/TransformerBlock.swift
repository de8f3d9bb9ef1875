import NeuralLayers

/// Where a block's normalisation stands.
enum NormStyle: String, Codable, Sendable, CaseIterable {
    /// x + f(norm(x)), as in the paper's text (Kang and McAuley 2018, section III-B).
    case pre
    /// As in the authors' and the popular PyTorch code: queries are normalised, keys and values are not, and the
    /// residual starts from the normalised input.
    case published
}

/// One SASRec block: causal self-attention, then two pointwise layers, each with its residual.
struct TransformerBlock {
    let style: NormStyle
    let attentionNorm: LayerNorm
    let query: Linear
    let key: Linear
    let value: Linear
    let attention: CausalAttention
    let output: Linear
    let feedForwardNorm: LayerNorm
    let expand: Linear
    let contract: Linear
    let activation: Activation

    init(_ name: String, _ shape: ModelShape, in layout: inout ParameterLayout) {
        let width = shape.dimension
        func linear(_ part: String, _ inputs: Int, _ outputs: Int) -> Linear {
            Linear("\(name).\(part)", inputs: inputs, outputs: outputs, in: &layout)
        }
        style = shape.norm
        activation = shape.activation
        attentionNorm = LayerNorm("\(name).attention_norm", width: width, in: &layout)
        query = linear("attention.query", width, width)
        key = linear("attention.key", width, width)
        value = linear("attention.value", width, width)
        attention = CausalAttention(heads: shape.heads, headWidth: width / shape.heads)
        output = linear("attention.output", width, width)
        feedForwardNorm = LayerNorm("\(name).feed_forward_norm", width: width, in: &layout)
        expand = linear("feed_forward.expand", width, shape.feedForward)
        contract = linear("feed_forward.contract", shape.feedForward, width)
    }

    /// What forward leaves for backward.
    struct Saved {
        let input: Tile
        let normed: Tile, normedUnit: Tile, normedInverse: Tile
        let q: Tile, k: Tile, v: Tile
        let attended: Tile, logSumExp: Tile
        let middle: Tile
        let middleNormed: Tile, middleUnit: Tile, middleInverse: Tile
        let inner: Tile, activated: Tile
        let result: Tile
    }

    /// The draws of a block's three dropouts.
    struct Drops {
        let probabilities: Dropout
        let inner: Dropout
        let result: Dropout
    }

    func forward(
        _ x: Tile, _ chunk: PackedBatch.Chunk, _ parameters: UnsafeMutablePointer<Float>, _ drops: Drops?,
        _ arena: Arena,
        scratch: Arena
    ) -> Saved {
        let (rows, width) = (x.rows, x.columns)
        let firstRow = chunk.rows.lowerBound
        let saved = Saved(
            input: x,
            normed: arena.take(rows, width), normedUnit: arena.take(rows, width), normedInverse: arena.take(rows, 1),
            q: arena.take(rows, width), k: arena.take(rows, width), v: arena.take(rows, width),
            attended: arena.take(rows, width), logSumExp: arena.take(rows, attention.heads),
            middle: arena.take(rows, width),
            middleNormed: arena.take(rows, width), middleUnit: arena.take(rows, width),
            middleInverse: arena.take(rows, 1),
            inner: arena.take(rows, expand.outputs), activated: arena.take(rows, expand.outputs),
            result: arena.take(rows, width))

        attentionNorm.forward(
            x, parameters, into: saved.normed, normalized: saved.normedUnit, inverse: saved.normedInverse)
        let source = style == .pre ? saved.normed : x
        query.forward(saved.normed, parameters, into: saved.q)
        key.forward(source, parameters, into: saved.k)
        value.forward(source, parameters, into: saved.v)
        attention.forward(
            q: saved.q, k: saved.k, v: saved.v, starts: chunk.starts, dropout: drops?.probabilities, firstRow: firstRow,
            into: saved.attended, logSumExp: saved.logSumExp, scratch: scratch)
        output.forward(saved.attended, parameters, into: saved.middle)
        saved.middle.add(style == .pre ? x : saved.normed)

        feedForwardNorm.forward(
            saved.middle, parameters, into: saved.middleNormed, normalized: saved.middleUnit,
            inverse: saved.middleInverse)
        expand.forward(saved.middleNormed, parameters, into: saved.inner)
        activation.forward(saved.inner, into: saved.activated)
        drops?.inner.apply(saved.activated, firstRow: firstRow)
        contract.forward(saved.activated, parameters, into: saved.result)
        drops?.result.apply(saved.result, firstRow: firstRow)
        saved.result.add(style == .pre ? saved.middle : saved.middleNormed)
        return saved
    }

    /// - Parameter dy: dL/d result; used up.
    /// - Returns: dL/d input.
    func backward(
        _ dy: Tile, _ saved: Saved, _ chunk: PackedBatch.Chunk, _ blocks: ParameterBlocks, _ drops: Drops?,
        _ arena: Arena, scratch: Arena
    ) -> Tile {
        let (rows, width) = (dy.rows, dy.columns)
        let firstRow = chunk.rows.lowerBound

        let dResult = arena.take(rows, width)
        dResult.copy(from: dy)
        drops?.result.apply(dResult, firstRow: firstRow)
        let dInner = arena.take(rows, expand.outputs)
        contract.backward(dResult, saved.activated, blocks, into: dInner)
        drops?.inner.apply(dInner, firstRow: firstRow)
        activation.backward(dInner, saved.inner, into: dInner)
        let dMiddleNormed = dResult
        expand.backward(dInner, saved.middleNormed, blocks, into: dMiddleNormed)
        let dMiddle: Tile
        switch style {
        case .pre:
            dMiddle = dy
            feedForwardNorm.backward(
                dMiddleNormed, normalized: saved.middleUnit, inverse: saved.middleInverse, blocks, into: dMiddle,
                accumulating: true)
        case .published:
            dMiddle = dMiddleNormed
            dMiddleNormed.add(dy)
            feedForwardNorm.backward(
                dMiddleNormed, normalized: saved.middleUnit, inverse: saved.middleInverse, blocks, into: dMiddle)
        }

        let dAttended = arena.take(rows, width)
        output.backward(dMiddle, saved.attended, blocks, into: dAttended)
        let (dq, dk, dv) = (arena.take(rows, width), arena.take(rows, width), arena.take(rows, width))
        attention.backward(
            dAttended, q: saved.q, k: saved.k, v: saved.v, output: saved.attended, logSumExp: saved.logSumExp,
            starts: chunk.starts, dropout: drops?.probabilities, firstRow: firstRow, dq: dq, dk: dk, dv: dv,
            scratch: scratch)
        let dNormed = dAttended
        query.backward(dq, saved.normed, blocks, into: dNormed)
        switch style {
        case .pre:
            key.backward(dk, saved.normed, blocks, into: dNormed, accumulating: true)
            value.backward(dv, saved.normed, blocks, into: dNormed, accumulating: true)
            attentionNorm.backward(
                dNormed, normalized: saved.normedUnit, inverse: saved.normedInverse, blocks, into: dMiddle,
                accumulating: true)
            return dMiddle
        case .published:
            dNormed.add(dMiddle)
            let dInput = dMiddle
            key.backward(dk, saved.input, blocks, into: dInput)
            value.backward(dv, saved.input, blocks, into: dInput, accumulating: true)
            attentionNorm.backward(
                dNormed, normalized: saved.normedUnit, inverse: saved.normedInverse, blocks, into: dInput,
                accumulating: true)
            return dInput
        }
    }
}
