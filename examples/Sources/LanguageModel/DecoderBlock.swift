import NeuralLayers

/// One layer of the model: x + attention(norm(x)), then + feedForward(norm(·)) of that sum or, with a parallel residual,
/// of x itself.
struct DecoderBlock {
    let attentionNorm: Normalization
    let attention: SelfAttention
    let feedForwardNorm: Normalization
    let feedForward: FeedForward
    let isParallel: Bool

    init(_ name: String, _ configuration: ModelConfiguration, in layout: inout ParameterLayout) {
        let attentionName = configuration.family == .llama ? "self_attn" : "attention"
        isParallel = configuration.parallelResidual
        attentionNorm = Normalization("\(name).input_layernorm", configuration, in: &layout)
        attention = SelfAttention("\(name).\(attentionName)", configuration, in: &layout)
        feedForwardNorm = Normalization("\(name).post_attention_layernorm", configuration, in: &layout)
        feedForward = FeedForward("\(name).mlp", configuration, in: &layout)
    }

    struct Saved {
        let attentionNorm: Normalization.Saved
        let attention: SelfAttention.Saved
        let feedForwardNorm: Normalization.Saved
        let feedForward: FeedForward.Saved
        let result: Tile
    }

    func forward(
        _ x: Tile, _ rows: SelfAttention.Rows, _ parameters: UnsafeMutablePointer<Float>, _ arena: Arena, scores: Arena
    ) -> Saved {
        let (middle, normed) = (arena.take(x.rows, x.columns), arena.take(x.rows, x.columns))
        let attentionNorm = attentionNorm.forward(x, parameters, into: normed, arena)
        let attention = attention.forward(normed, rows, parameters, into: middle, arena, scores: scores)
        middle.add(x)
        let (normSaved, feedForward, result) = finish(x, middle, parameters, arena)
        return Saved(
            attentionNorm: attentionNorm, attention: attention, feedForwardNorm: normSaved, feedForward: feedForward,
            result: result)
    }

    /// As `forward`, for rows that follow those of `cache`; keeps nothing for backward.
    func forward(
        _ x: Tile, _ rows: SelfAttention.Rows, _ parameters: UnsafeMutablePointer<Float>, cache: KeyValueCache,
        _ arena: Arena, scores: Arena
    ) -> Tile {
        let (middle, normed) = (arena.take(x.rows, x.columns), arena.take(x.rows, x.columns))
        _ = attentionNorm.forward(x, parameters, into: normed, arena)
        attention.forward(normed, rows, parameters, into: middle, cache: cache, arena, scores: scores)
        middle.add(x)
        return finish(x, middle, parameters, arena).result
    }

    /// The second half: from x and x + attention to the result.
    private func finish(
        _ x: Tile, _ middle: Tile, _ parameters: UnsafeMutablePointer<Float>, _ arena: Arena
    ) -> (Normalization.Saved, FeedForward.Saved, result: Tile) {
        let (normed, result) = (arena.take(x.rows, x.columns), arena.take(x.rows, x.columns))
        let norm = feedForwardNorm.forward(isParallel ? x : middle, parameters, into: normed, arena)
        let saved = feedForward.forward(normed, parameters, into: result, arena)
        result.add(middle)
        return (norm, saved, result)
    }

    /// - Parameters:
    ///   - gradient: dL/d result; becomes dL/dx.
    ///   - arena: memory for the call, given back before it returns.
    func backward(
        _ gradient: Tile, _ saved: Saved, _ rows: SelfAttention.Rows, _ blocks: ParameterBlocks, _ arena: Arena,
        scores: Arena
    ) {
        arena.reset()
        let (count, width) = (gradient.rows, gradient.columns)
        let (dFeedForward, dAttention) = (arena.take(count, width), arena.take(count, width))
        feedForward.backward(gradient, saved.feedForward, blocks, into: dFeedForward, arena)
        if !isParallel {
            feedForwardNorm.backward(dFeedForward, saved.feedForwardNorm, blocks, into: gradient, accumulating: true)
        }
        attention.backward(gradient, saved.attention, rows, blocks, into: dAttention, arena, scores: scores)
        // With a parallel residual both halves have seen dL/d result before it changes.
        if isParallel {
            feedForwardNorm.backward(dFeedForward, saved.feedForwardNorm, blocks, into: gradient, accumulating: true)
        }
        attentionNorm.backward(dAttention, saved.attentionNorm, blocks, into: gradient, accumulating: true)
    }
}
