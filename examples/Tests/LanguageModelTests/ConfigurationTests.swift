import Foundation
import LanguageModel
import Testing

@Suite struct ConfigurationTests {
    private let llama: [String: Any] = [
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    ]
    private let neoX: [String: Any] = [
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "vocab_size": 100, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    ]

    private func read(_ fields: [String: Any], _ changes: [String: Any] = [:]) throws -> ModelConfiguration {
        let fields = fields.merging(changes) { $1 }
        return try ModelConfiguration(json: JSONSerialization.data(withJSONObject: fields))
    }

    private func fault(_ fields: [String: Any], _ changes: [String: Any]) -> String {
        do {
            return "it was taken as \(try read(fields, changes))"
        } catch {
            return "\(error)"
        }
    }

    @Test func `fields are read, and absent ones have the defaults of transformers`() throws {
        var configuration = try read(llama)
        #expect(configuration.family == .llama && configuration.vocabularySize == 100 && configuration.width == 32)
        #expect(configuration.innerWidth == 48 && configuration.layers == 3 && configuration.heads == 4)
        #expect(configuration.keyHeads == 4 && configuration.headWidth == 8 && configuration.activation == .silu)
        #expect(configuration.normEpsilon == 1e-6 && configuration.rotaryBase == 10_000)
        #expect(configuration.rotaryDimensions == 8 && !configuration.tiedEmbeddings && !configuration.attentionBias)
        #expect(configuration.beginningToken == nil && configuration.endTokens == [])
        configuration = try read(
            llama,
            [
                "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-5, "rope_theta": 5e5,
                "tie_word_embeddings": true, "attention_bias": true, "mlp_bias": true, "bos_token_id": 7,
                "eos_token_id": [8, 9], "rope_scaling": NSNull(), "max_position_embeddings": 64,
            ])
        #expect(configuration.keyHeads == 2 && configuration.headWidth == 16 && configuration.normEpsilon == 1e-5)
        #expect(configuration.rotaryBase == 5e5 && configuration.tiedEmbeddings && configuration.attentionBias)
        #expect(
            configuration.feedForwardBias && configuration.beginningToken == 7 && configuration.endTokens == [8, 9])
        #expect(configuration.maximumPositions == 64)
        configuration = try read(neoX)
        #expect(configuration.rotaryDimensions == 2 && configuration.parallelResidual && configuration.attentionBias)
        #expect(configuration.activation == .gelu && configuration.normEpsilon == 1e-5)
        configuration = try read(
            neoX, ["use_parallel_residual": false, "rotary_pct": 0.5, "rotary_emb_base": 500, "eos_token_id": 3])
        #expect(!configuration.parallelResidual && configuration.rotaryDimensions == 4)
        #expect(configuration.rotaryBase == 500 && configuration.endTokens == [3])
    }

    @Test func `rope_parameters count before the older fields`() throws {
        let rope: [String: Any] = ["rope_type": "default", "rope_theta": 123, "partial_rotary_factor": 0.5]
        let configuration = try read(
            neoX, ["rope_parameters": rope, "rotary_pct": 0.25, "rotary_emb_base": 10_000])
        #expect(configuration.rotaryBase == 123 && configuration.rotaryDimensions == 4)
    }

    @Test func `what is written is read back as it was`() throws {
        for tiny in TinyModel.allCases {
            var configuration = tiny.configuration
            configuration.normEpsilon = 1e-6
            configuration.rotaryBase = 12_345.5
            configuration.beginningToken = 3
            configuration.endTokens = tiny == .llama ? [1, 2] : tiny == .neoXParallel ? [] : [4]
            #expect(try ModelConfiguration(json: try configuration.json()) == configuration)
            #expect(String(decoding: try configuration.json(), as: UTF8.self).contains("e-06"))
        }
    }

    @Test(arguments: [
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    ])
    func `a size that is missing or impossible is refused by name`(field: String) {
        #expect(fault(llama, [field: NSNull()]) == "\(field): it is missing")
        #expect(fault(llama, [field: "many"]) == "\(field): it is not a whole number")
        #expect(fault(llama, [field: -4]).hasPrefix("\(field): -4 "))
    }

    @Test func `what changes the arithmetic and is not supported is refused by name`() {
        #expect(
            fault(llama, ["architectures": ["GPT2LMHeadModel"]])
                == "architectures: GPT2LMHeadModel is not supported; there are: LlamaForCausalLM, GPTNeoXForCausalLM")
        #expect(fault(llama, ["architectures": NSNull(), "model_type": "gpt2"]).hasPrefix("model_type: gpt2 "))
        #expect(fault(llama, ["architectures": NSNull(), "model_type": NSNull()]).hasPrefix("architectures: "))
        #expect(fault(llama, ["model_type": "gpt_neox"]).hasPrefix("model_type: gpt_neox does not go with "))
        #expect(
            fault(llama, ["rope_scaling": ["type": "linear", "factor": 2.0]]).hasPrefix("rope_scaling.rope_type: "))
        #expect(
            fault(llama, ["rope_parameters": ["rope_type": "llama3", "rope_theta": 5]])
                == "rope_parameters.rope_type: llama3 is not supported; there is: default")
        #expect(fault(llama, ["rope_scaling": ["factor": 2.0]]) == "rope_scaling.factor: it is not supported")
        #expect(fault(llama, ["partial_rotary_factor": 0.5]).hasPrefix("partial_rotary_factor: Llama "))
        #expect(
            fault(llama, ["hidden_act": "gelu_new"]).hasPrefix("hidden_act: gelu_new is not supported; there are: "))
        #expect(fault(llama, ["quantization_config": ["bits": 4]]).hasPrefix("quantization_config: "))
        #expect(fault(llama, ["num_key_value_heads": 3]).hasPrefix("num_key_value_heads: 3 does not divide the 4 "))
        #expect(fault(llama, ["num_attention_heads": 5]).hasPrefix("num_attention_heads: 5 heads do not divide "))
        #expect(fault(llama, ["rope_interleaved": true]).hasPrefix("rope_interleaved: "))
        #expect(fault(llama, ["hidden_size": 1 << 30, "intermediate_size": 1 << 30]).hasPrefix("hidden_size: with "))
        #expect(fault(llama, ["head_dim": 7]).hasPrefix("partial_rotary_factor: "))
        #expect(fault(llama, ["rms_norm_eps": 0]).hasPrefix("rms_norm_eps: 0"))
        #expect(fault(neoX, ["rotary_pct": 0.125]).hasPrefix("partial_rotary_factor: 0.125 of heads of 8 "))
        #expect(fault(neoX, ["rotary_pct": 1.5]).hasPrefix("partial_rotary_factor: 1.5 "))
        #expect(fault(neoX, ["tie_word_embeddings": "no"]) == "tie_word_embeddings: it is not true or false")
    }

    @Test func `what is no JSON object is refused`() {
        for text in ["", "[1, 2]", "{\"vocab_size\": "] {
            #expect(throws: ConfigurationError.self) { try ModelConfiguration(json: Data(text.utf8)) }
        }
    }
}
