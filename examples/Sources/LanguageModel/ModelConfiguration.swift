import NeuralLayers

/// Everything that decides a model's function and the shapes of its parameters: what Hugging Face's `config.json` says.
public struct ModelConfiguration: Sendable, Equatable {
    public enum Family: String, Sendable, CaseIterable {
        /// RMSNorm, rotary positions over whole heads, SwiGLU, grouped-query attention.
        case llama
        /// LayerNorm, rotary positions over a part of each head, GELU; Pythia is one.
        case gptNeoX

        /// The name in `architectures`.
        public var architecture: String {
            switch self {
            case .llama: "LlamaForCausalLM"
            case .gptNeoX: "GPTNeoXForCausalLM"
            }
        }

        /// The name in `model_type`.
        public var modelType: String {
            switch self {
            case .llama: "llama"
            case .gptNeoX: "gpt_neox"
            }
        }
    }

    public var family: Family
    /// Rows of the embeddings. `vocab_size`
    public var vocabularySize: Int
    /// Columns of the embeddings and hidden states. `hidden_size`
    public var width: Int
    /// Columns inside the feed-forward layers. `intermediate_size`
    public var innerWidth: Int
    /// `num_hidden_layers`
    public var layers: Int
    /// `num_attention_heads`
    public var heads: Int
    /// Heads of keys and values, each of which serves heads / keyHeads heads of queries. `num_key_value_heads`
    public var keyHeads: Int
    /// Columns of one head. `head_dim`
    public var headWidth: Int
    /// `hidden_act`
    public var activation: Activation
    /// `rms_norm_eps` or `layer_norm_eps`
    public var normEpsilon: Float
    /// `rope_theta`, or in older files of GPT-NeoX `rotary_emb_base`
    public var rotaryBase: Double = 10_000
    /// The part of each head that turns. `partial_rotary_factor`, or in older files `rotary_pct`
    public var rotaryFraction: Double
    /// Attention and feed-forward layer read the same input, and both are added to it. `use_parallel_residual`
    public var parallelResidual: Bool
    /// `attention_bias`
    public var attentionBias: Bool
    /// `mlp_bias`; always true in GPT-NeoX.
    public var feedForwardBias: Bool
    /// The head's rows are the embeddings. `tie_word_embeddings`
    public var tiedEmbeddings: Bool
    /// How long the sequences were that the model was trained on. Nothing stops at it: rotary positions go on, as they do
    /// in `transformers`, and quality falls. `max_position_embeddings`
    public var maximumPositions: Int
    /// Standard deviation of new parameters. `initializer_range`
    public var initialDeviation: Double = 0.02
    /// `bos_token_id`
    public var beginningToken: Int?
    /// Any of them ends a text. `eos_token_id`
    public var endTokens: [Int] = []

    /// A Llama. `innerWidth` is by default 8/3 of the width, rounded up to a multiple of 32.
    public static func llama(
        vocabularySize: Int, width: Int, layers: Int, heads: Int, keyHeads: Int? = nil, innerWidth: Int? = nil,
        maximumPositions: Int = 2048, tiedEmbeddings: Bool = true
    ) -> ModelConfiguration {
        ModelConfiguration(
            family: .llama, vocabularySize: vocabularySize, width: width,
            innerWidth: innerWidth ?? (8 * width / 3 + 31) / 32 * 32, layers: layers, heads: heads,
            keyHeads: keyHeads ?? heads, headWidth: heads > 0 ? width / heads : 0, activation: .silu, normEpsilon: 1e-6,
            rotaryFraction: 1, parallelResidual: false, attentionBias: false, feedForwardBias: false,
            tiedEmbeddings: tiedEmbeddings, maximumPositions: maximumPositions)
    }

    /// A GPT-NeoX as Pythia is. `innerWidth` is by default four times the width.
    public static func gptNeoX(
        vocabularySize: Int, width: Int, layers: Int, heads: Int, innerWidth: Int? = nil, maximumPositions: Int = 2048,
        parallelResidual: Bool = true, rotaryFraction: Double = 0.25, tiedEmbeddings: Bool = false
    ) -> ModelConfiguration {
        ModelConfiguration(
            family: .gptNeoX, vocabularySize: vocabularySize, width: width, innerWidth: innerWidth ?? 4 * width,
            layers: layers, heads: heads, keyHeads: heads, headWidth: heads > 0 ? width / heads : 0, activation: .gelu,
            normEpsilon: 1e-5, rotaryFraction: rotaryFraction, parallelResidual: parallelResidual, attentionBias: true,
            feedForwardBias: true, tiedEmbeddings: tiedEmbeddings, maximumPositions: maximumPositions)
    }

    var rotaryEmbedding: RotaryEmbedding {
        RotaryEmbedding(headWidth: headWidth, dimensions: rotaryDimensions, base: rotaryBase)
    }

    /// Columns of each head that turn.
    public var rotaryDimensions: Int { Int(Double(headWidth) * rotaryFraction) }

    /// About as many parameters as there are, in a number that does not overflow.
    private var weightCount: Double {
        let (width, heads) = (Double(width), Double(headWidth) * Double(heads + keyHeads))
        return width * (2 * Double(vocabularySize) + Double(layers) * (2 * heads + 3 * Double(innerWidth)))
    }

    /// - Throws: `ConfigurationError` for what no model can be, naming the field as `config.json` does.
    public func validate() throws {
        let sizes = [
            ("vocab_size", vocabularySize), ("hidden_size", width), ("intermediate_size", innerWidth),
            ("num_hidden_layers", layers), ("num_attention_heads", heads), ("num_key_value_heads", keyHeads),
            ("head_dim", headWidth), ("max_position_embeddings", maximumPositions),
        ]
        for (field, size) in sizes where !(1...Int(Int32.max)).contains(size) {
            throw ConfigurationError(field, "\(size) where a size from 1 to \(Int32.max) is wanted")
        }
        guard weightCount < 1e12 else {
            throw ConfigurationError("hidden_size", "with the other sizes it makes \(weightCount) parameters")
        }
        guard heads % keyHeads == 0 else {
            throw ConfigurationError("num_key_value_heads", "\(keyHeads) does not divide the \(heads) attention heads")
        }
        guard normEpsilon > 0, normEpsilon.isFinite else {
            throw ConfigurationError(
                family == .llama ? "rms_norm_eps" : "layer_norm_eps",
                "\(normEpsilon) where a positive number is wanted")
        }
        guard rotaryBase > 0, rotaryBase.isFinite else {
            throw ConfigurationError("rope_theta", "\(rotaryBase) where a positive number is wanted")
        }
        guard (0...1).contains(rotaryFraction), rotaryDimensions % 2 == 0 else {
            throw ConfigurationError(
                "partial_rotary_factor",
                "\(rotaryFraction) of heads of \(headWidth) columns is not an even number of columns within the head")
        }
        guard initialDeviation >= 0, initialDeviation.isFinite else {
            throw ConfigurationError("initializer_range", "\(initialDeviation) where a number from 0 is wanted")
        }
        switch family {
        case .llama:
            guard rotaryFraction == 1 else {
                throw ConfigurationError("partial_rotary_factor", "Llama turns whole heads, not \(rotaryFraction)")
            }
            guard !parallelResidual else {
                throw ConfigurationError("use_parallel_residual", "Llama has no parallel residual")
            }
        case .gptNeoX:
            guard keyHeads == heads else {
                throw ConfigurationError("num_key_value_heads", "GPT-NeoX has as many as attention heads, \(heads)")
            }
            guard heads * headWidth == width else {
                throw ConfigurationError(
                    "num_attention_heads", "\(heads) heads of \(headWidth) columns do not make hidden_size \(width)")
            }
            guard feedForwardBias else {
                throw ConfigurationError("mlp_bias", "GPT-NeoX's feed-forward layers have biases")
            }
        }
    }
}

/// A field of `config.json` that is missing, impossible, or asks for what is not supported.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let field: String
    public let reason: String

    init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    public var description: String { "\(field): \(reason)" }
}
