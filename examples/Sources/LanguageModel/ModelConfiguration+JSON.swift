import Foundation
import NeuralLayers

extension ModelConfiguration {
    /// What a `config.json` says. Absent fields have the defaults of `transformers`; the sizes that a model hangs on must
    /// be there. Fields that change the arithmetic in ways that are not supported are refused by name; others, such as
    /// rates of dropout, say nothing about a model that is run, and are passed over.
    ///
    /// - Throws: `ConfigurationError`, which names the field.
    public init(json: Data) throws {
        do {
            self = try JSONDecoder().decode(ConfigurationFile.self, from: json).configuration
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError("the file", "it is not a JSON object")
        }
        try validate()
    }

    /// A `config.json` that `transformers` and `init(json:)` read.
    public func json() throws -> Data {
        // The shortest decimals that make the same Float.
        func decimal(_ value: Float) -> Double { Double(value.description) ?? Double(value) }
        var rope: [String: Any] = ["rope_type": "default", "rope_theta": rotaryBase]
        var fields: [String: Any] = [
            "architectures": [family.architecture],
            "model_type": family.modelType,
            "vocab_size": vocabularySize,
            "hidden_size": width,
            "intermediate_size": innerWidth,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "hidden_act": activation.rawValue,
            "attention_bias": attentionBias,
            "tie_word_embeddings": tiedEmbeddings,
            "max_position_embeddings": maximumPositions,
            "initializer_range": initialDeviation,
            "rope_theta": rotaryBase,
            "bos_token_id": beginningToken.map { $0 as Any } ?? NSNull(),
            "eos_token_id": endTokens.isEmpty ? NSNull() : endTokens.count == 1 ? endTokens[0] as Any : endTokens,
            "torch_dtype": "float32",
        ]
        switch family {
        case .llama:
            fields["rms_norm_eps"] = decimal(normEpsilon)
            fields["num_key_value_heads"] = keyHeads
            fields["head_dim"] = headWidth
            fields["mlp_bias"] = feedForwardBias
        case .gptNeoX:
            fields["layer_norm_eps"] = decimal(normEpsilon)
            fields["use_parallel_residual"] = parallelResidual
            // The names of older and newer versions of transformers.
            fields["rotary_pct"] = rotaryFraction
            fields["rotary_emb_base"] = rotaryBase
            fields["partial_rotary_factor"] = rotaryFraction
            rope["partial_rotary_factor"] = rotaryFraction
        }
        fields["rope_parameters"] = rope
        return try JSONSerialization.data(
            withJSONObject: fields, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }
}

/// The JSON object of a `config.json`, field by field.
private struct ConfigurationFile: Decodable {
    let configuration: ModelConfiguration

    init(from decoder: any Decoder) throws {
        let fields = Fields(try decoder.container(keyedBy: FieldName.self), path: "")
        let family = try Self.family(fields)
        guard !fields.has("quantization_config") else {
            throw ConfigurationError("quantization_config", "quantized weights are not supported")
        }
        guard try fields.optional("rope_interleaved") != true else {
            throw ConfigurationError("rope_interleaved", "pairs of neighbouring columns are not supported")
        }
        let heads: Int = try fields.required("num_attention_heads")
        let width: Int = try fields.required("hidden_size")
        let rope = try Rope(fields)
        var configuration = ModelConfiguration(
            family: family,
            vocabularySize: try fields.required("vocab_size"),
            width: width,
            innerWidth: try fields.required("intermediate_size"),
            layers: try fields.required("num_hidden_layers"),
            heads: heads,
            keyHeads: heads,
            headWidth: try Self.headWidth(family, fields, width, heads),
            activation: try Self.activation(fields, family == .llama ? .silu : .gelu),
            normEpsilon: 0,
            rotaryBase: rope.base,
            rotaryFraction: rope.fraction ?? (family == .llama ? 1 : 0.25),
            parallelResidual: false,
            attentionBias: try fields.optional("attention_bias") ?? (family == .gptNeoX),
            feedForwardBias: true,
            tiedEmbeddings: try fields.optional("tie_word_embeddings") ?? false,
            maximumPositions: try fields.optional("max_position_embeddings") ?? 2048,
            initialDeviation: try fields.optional("initializer_range") ?? 0.02,
            beginningToken: try fields.optional("bos_token_id"),
            endTokens: try Self.endTokens(fields))
        switch family {
        case .llama:
            configuration.normEpsilon = try fields.optional("rms_norm_eps") ?? 1e-6
            configuration.keyHeads = try fields.optional("num_key_value_heads") ?? heads
            configuration.feedForwardBias = try fields.optional("mlp_bias") ?? false
        case .gptNeoX:
            configuration.normEpsilon = try fields.optional("layer_norm_eps") ?? 1e-5
            configuration.parallelResidual = try fields.optional("use_parallel_residual") ?? true
        }
        self.configuration = configuration
    }

    private static func family(_ fields: Fields) throws -> ModelConfiguration.Family {
        let known = ModelConfiguration.Family.allCases
        let architectures: [String]? = try fields.optional("architectures")
        let modelType: String? = try fields.optional("model_type")
        if let architectures, let named = architectures.first {
            guard architectures.count == 1, let family = known.first(where: { $0.architecture == named }) else {
                throw ConfigurationError(
                    "architectures",
                    "\(architectures.joined(separator: ", ")) is not supported; there are: "
                        + known.map(\.architecture).joined(separator: ", "))
            }
            guard modelType == nil || modelType == family.modelType else {
                throw ConfigurationError("model_type", "\(modelType ?? "") does not go with \(named)")
            }
            return family
        }
        guard let modelType else { throw ConfigurationError("architectures", "it is missing, and so is model_type") }
        guard let family = known.first(where: { $0.modelType == modelType }) else {
            throw ConfigurationError(
                "model_type",
                "\(modelType) is not supported; there are: \(known.map(\.modelType).joined(separator: ", "))")
        }
        return family
    }

    private static func headWidth(
        _ family: ModelConfiguration.Family, _ fields: Fields, _ width: Int, _ heads: Int
    ) throws -> Int {
        if family == .llama, let width: Int = try fields.optional("head_dim") { return width }
        guard heads > 0, width % heads == 0 else {
            throw ConfigurationError("num_attention_heads", "\(heads) heads do not divide hidden_size \(width)")
        }
        return width / heads
    }

    private static func activation(_ fields: Fields, _ usual: Activation) throws -> Activation {
        guard let name: String = try fields.optional("hidden_act") else { return usual }
        guard let activation = name == "swish" ? .silu : Activation(rawValue: name) else {
            throw ConfigurationError(
                "hidden_act",
                "\(name) is not supported; there are: \(Activation.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return activation
    }

    private static func endTokens(_ fields: Fields) throws -> [Int] {
        if let one: Int = try? fields.optional("eos_token_id") { return [one] }
        return try fields.optional("eos_token_id") ?? []
    }

    /// Rotary positions, which have moved from field to field over the years.
    private struct Rope {
        let base: Double
        let fraction: Double?

        init(_ fields: Fields) throws {
            var base: Double? = try fields.optional("rope_theta") ?? fields.optional("rotary_emb_base")
            var fraction: Double? = try fields.optional("partial_rotary_factor") ?? fields.optional("rotary_pct")
            for name in ["rope_scaling", "rope_parameters"] where fields.has(name) {
                let rope = try fields.object(name)
                let type: String? = try rope.optional("rope_type") ?? rope.optional("type")
                guard type == nil || type == "default" else {
                    throw ConfigurationError("\(name).rope_type", "\(type ?? "") is not supported; there is: default")
                }
                let known = ["rope_type", "type", "rope_theta", "partial_rotary_factor"]
                if let other = rope.names.first(where: { !known.contains($0) && rope.has($0) }) {
                    throw ConfigurationError("\(name).\(other)", "it is not supported")
                }
                // As in transformers, what stands here counts before what stands outside.
                base = try rope.optional("rope_theta") ?? base
                fraction = try rope.optional("partial_rotary_factor") ?? fraction
            }
            self.base = base ?? 10_000
            self.fraction = fraction
        }
    }
}

private struct FieldName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// The fields of a JSON object; null is as good as absent.
private struct Fields {
    private let container: KeyedDecodingContainer<FieldName>
    private let path: String

    init(_ container: KeyedDecodingContainer<FieldName>, path: String) {
        self.container = container
        self.path = path
    }

    var names: [String] { container.allKeys.map(\.stringValue).sorted() }

    func has(_ name: String) -> Bool {
        container.contains(FieldName(name)) && (try? container.decodeNil(forKey: FieldName(name))) != true
    }

    func optional<Value: Decodable>(_ name: String) throws -> Value? {
        guard has(name) else { return nil }
        do {
            return try container.decode(Value.self, forKey: FieldName(name))
        } catch {
            throw ConfigurationError(path + name, "it is not \(Self.kind(Value.self))")
        }
    }

    func required<Value: Decodable>(_ name: String) throws -> Value {
        guard let value: Value = try optional(name) else { throw ConfigurationError(path + name, "it is missing") }
        return value
    }

    func object(_ name: String) throws -> Fields {
        do {
            return Fields(
                try container.nestedContainer(keyedBy: FieldName.self, forKey: FieldName(name)), path: "\(name).")
        } catch {
            throw ConfigurationError(path + name, "it is not an object")
        }
    }

    private static func kind<Value>(_ type: Value.Type) -> String {
        switch type {
        case is Int.Type: "a whole number"
        case is Float.Type, is Double.Type: "a number"
        case is Bool.Type: "true or false"
        case is String.Type: "a string"
        case is [Int].Type: "a whole number or a list of them"
        default: "a list of strings"
        }
    }
}
