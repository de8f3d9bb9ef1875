import NeuralLayers

/// Causal self-attention with rotary positions: out(attention(rotate(q(x)), rotate(k(x)), v(x))).
struct SelfAttention {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let attention: CausalAttention
    let rotary: RotaryEmbedding

    init(_ name: String, _ configuration: ModelConfiguration, in layout: inout ParameterLayout) {
        let width = configuration.width
        let (queryWidth, keyWidth) = (
            configuration.heads * configuration.headWidth, configuration.keyHeads * configuration.headWidth
        )
        // GPT-NeoX's files keep the first three in one tensor; see TensorMap.
        let names =
            switch configuration.family {
            case .llama: ["q_proj", "k_proj", "v_proj", "o_proj"]
            case .gptNeoX: ["query", "key", "value", "dense"]
            }
        let bias = configuration.attentionBias
        query = Linear("\(name).\(names[0])", inputs: width, outputs: queryWidth, bias: bias, in: &layout)
        key = Linear("\(name).\(names[1])", inputs: width, outputs: keyWidth, bias: bias, in: &layout)
        value = Linear("\(name).\(names[2])", inputs: width, outputs: keyWidth, bias: bias, in: &layout)
        output = Linear("\(name).\(names[3])", inputs: queryWidth, outputs: width, bias: bias, in: &layout)
        attention = CausalAttention(
            heads: configuration.heads, keyHeads: configuration.keyHeads, headWidth: configuration.headWidth)
        rotary = configuration.rotaryEmbedding
    }

    struct Saved {
        let input: Tile
        /// After the rotation.
        let q: Tile, k: Tile
        let v: Tile
        let attended: Tile, logSumExp: Tile
    }

    /// Rows of a pass: whose sequences they are, and how their positions turn.
    struct Rows {
        let starts: [Int32]
        let angles: Tile
    }

    func forward(
        _ x: Tile, _ rows: Rows, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, _ arena: Arena, scores: Arena
    ) -> Saved {
        let saved = project(x, rows, parameters, arena)
        attention.forward(
            q: saved.q, k: saved.k, v: saved.v, starts: rows.starts, dropout: nil, firstRow: 0, into: saved.attended,
            logSumExp: saved.logSumExp, scratch: scores)
        output.forward(saved.attended, parameters, into: y)
        return saved
    }

    /// As `forward`, for rows that follow those of `cache`, to which theirs are added.
    func forward(
        _ x: Tile, _ rows: Rows, _ parameters: UnsafeMutablePointer<Float>, into y: Tile, cache: KeyValueCache,
        _ arena: Arena, scores: Arena
    ) {
        let saved = project(x, rows, parameters, arena)
        let before = cache.rows
        cache.append(keys: saved.k, values: saved.v)
        attention.forward(
            q: saved.q, keys: cache.keys, values: cache.values, before: before, into: saved.attended, scratch: scores)
        output.forward(saved.attended, parameters, into: y)
    }

    private func project(
        _ x: Tile, _ rows: Rows, _ parameters: UnsafeMutablePointer<Float>, _ arena: Arena
    ) -> Saved {
        let saved = Saved(
            input: x, q: arena.take(x.rows, query.outputs), k: arena.take(x.rows, key.outputs),
            v: arena.take(x.rows, value.outputs), attended: arena.take(x.rows, query.outputs),
            logSumExp: arena.take(x.rows, attention.heads))
        query.forward(x, parameters, into: saved.q)
        key.forward(x, parameters, into: saved.k)
        value.forward(x, parameters, into: saved.v)
        rotary.apply(saved.q, starts: rows.starts, angles: rows.angles)
        rotary.apply(saved.k, starts: rows.starts, angles: rows.angles)
        return saved
    }

    func backward(
        _ dy: Tile, _ saved: Saved, _ rows: Rows, _ blocks: ParameterBlocks, into dx: Tile, _ arena: Arena,
        scores: Arena
    ) {
        let dAttended = arena.take(dy.rows, query.outputs)
        output.backward(dy, saved.attended, blocks, into: dAttended)
        let dq = arena.take(dy.rows, query.outputs)
        let (dk, dv) = (arena.take(dy.rows, key.outputs), arena.take(dy.rows, value.outputs))
        attention.backward(
            dAttended, q: saved.q, k: saved.k, v: saved.v, output: saved.attended, logSumExp: saved.logSumExp,
            starts: rows.starts, dropout: nil, firstRow: 0, dq: dq, dk: dk, dv: dv, scratch: scores)
        rotary.apply(dq, starts: rows.starts, angles: rows.angles, backwards: true)
        rotary.apply(dk, starts: rows.starts, angles: rows.angles, backwards: true)
        query.backward(dq, saved.input, blocks, into: dx)
        key.backward(dk, saved.input, blocks, into: dx, accumulating: true)
        value.backward(dv, saved.input, blocks, into: dx, accumulating: true)
    }
}
