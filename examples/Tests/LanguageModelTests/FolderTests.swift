import ExampleSupport
import Foundation
import LanguageModel
import Shortlist
import Testing

@Suite struct FolderTests {
    @Test(arguments: TinyModel.allCases)
    func `a model written and read again is the same to the bit`(tiny: TinyModel) throws {
        try withTemporaryFolder { folder in
            let model = try tiny.model()
            // A folder that is not there yet, and once more over what is there.
            let place = folder.appending(path: "models/one").path
            try model.write(to: place)
            try model.write(to: place)
            let read = try CausalLanguageModel(folder: place)
            var configuration = model.configuration
            configuration.initialDeviation = read.configuration.initialDeviation
            #expect(read.configuration == configuration)
            #expect(Array(read.parameters.elements) == Array(model.parameters.elements))
            #expect(Array(read.embeddings.elements) == Array(model.embeddings.elements))
            #expect(Array(read.outputEmbeddings.elements) == Array(model.outputEmbeddings.elements))
            #expect((read.outputEmbeddings === read.embeddings) == model.configuration.tiedEmbeddings)
            #expect(
                Set(try FileManager.default.contentsOfDirectory(atPath: place)) == ["config.json", "model.safetensors"])
        }
    }

    @Test func `the same seed makes the same model, another one another`() throws {
        let configuration = TinyModel.llamaUntied.configuration
        let models = try [4, 4, 5].map { try CausalLanguageModel(configuration: configuration, seed: $0) }
        #expect(Array(models[0].parameters.elements) == Array(models[1].parameters.elements))
        #expect(Array(models[0].outputEmbeddings.elements) == Array(models[1].outputEmbeddings.elements))
        #expect(Array(models[0].parameters.elements) != Array(models[2].parameters.elements))
        #expect(models[0].outputEmbeddings !== models[0].embeddings)
    }

    @Test func `new matrices have the stated deviation, gains are 1 and biases 0`() throws {
        var configuration = ModelConfiguration.gptNeoX(vocabularySize: 50, width: 64, layers: 1, heads: 4)
        configuration.initialDeviation = 0.05
        let model = try CausalLanguageModel(configuration: configuration, seed: 1)
        for entry in model.layout.entries {
            let values = model.parameters.elements[entry.range]
            if entry.name.hasSuffix(".bias") {
                #expect(values.allSatisfy { $0 == 0 })
            } else if entry.name.hasSuffix("norm.weight") {
                #expect(values.allSatisfy { $0 == 1 })
            } else {
                let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(entry.count)
                #expect(abs(square.squareRoot() - 0.05) < 0.003, "\(entry.name)")
            }
        }
    }

    // MARK: What is wrong with a folder

    /// A copy of a fixture, changed by `change`, and what reading it says.
    private func fault(_ name: String, _ change: (URL) throws -> Void) throws -> String {
        var message = ""
        try withTemporaryFolder { folder in
            let copy = folder.appending(path: "model")
            try FileManager.default.copyItem(at: fixture(name), to: copy)
            try change(copy)
            do {
                _ = try CausalLanguageModel(folder: copy.path)
                message = "the folder was read"
            } catch {
                message = "\(error)".replacing(copy.path, with: "MODEL")
            }
        }
        return message
    }

    /// Writes the fixture's tensors anew without one, or with another in its place.
    private func rewrite(_ folder: URL, _ name: String, shape: [Int]? = nil, adding: [String] = []) throws {
        let path = folder.appending(path: "model.safetensors").path
        let file = try SafetensorsFile(contentsOf: path)
        var writer = SafetensorsWriter()
        for other in file.names where other != name {
            let shape = try #require(file.shape(of: other))
            try writer.add(other, shape: shape, try file.floats(other, shape: shape))
        }
        if let shape { try writer.add(name, shape: shape, [Float](repeating: 1, count: shape.reduce(1, *))) }
        for other in adding { try writer.add(other, shape: [2], [Float](repeating: 1, count: 2)) }
        try writer.write(to: path)
    }

    private func configure(_ folder: URL, _ field: String, _ value: Any) throws {
        let file = folder.appending(path: "config.json")
        var fields = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        fields[field] = value
        try JSONSerialization.data(withJSONObject: fields).write(to: file)
    }

    @Test func `a folder or a file that is not there is named`() throws {
        #expect(throws: ModelFolderError.self) { try CausalLanguageModel(folder: "/nowhere/model") }
        #expect(
            try fault("neox-parallel") { try FileManager.default.removeItem(at: $0.appending(path: "config.json")) }
                == "MODEL/config.json: there is no such file")
        #expect(
            try fault("neox-parallel") {
                try FileManager.default.removeItem(at: $0.appending(path: "model.safetensors"))
            } == "MODEL: there is neither model.safetensors nor model.safetensors.index.json")
        #expect(
            try fault("llama-sharded-bf16") {
                try FileManager.default.removeItem(at: $0.appending(path: "model-00002-of-00003.safetensors"))
            } == "MODEL/model-00002-of-00003.safetensors: there is no such file")
    }

    @Test func `a missing tensor is named`() throws {
        let name = "gpt_neox.layers.1.attention.query_key_value.bias"
        #expect(
            try fault("neox-parallel") { try rewrite($0, name) }
                == "MODEL/model.safetensors, tensor \"\(name)\": there is no such tensor")
        #expect(
            try fault("llama-biased-untied") { try rewrite($0, "lm_head.weight") }
                == "MODEL/model.safetensors, tensor \"lm_head.weight\": there is no such tensor")
        #expect(
            try fault("llama-sharded-bf16") { folder in
                // The index says that it is in a file that does not have it.
                let index = folder.appending(path: "model.safetensors.index.json")
                let text = try String(contentsOf: index, encoding: .utf8)
                try text.replacing(
                    "\"model.norm.weight\": \"model-00003", with: "\"model.norm.weight\": \"model-00001"
                ).write(to: index, atomically: true, encoding: .utf8)
            }.hasPrefix("MODEL/model-00001-of-00003.safetensors, tensor \"model.norm.weight\": there is no such tensor")
        )
    }

    @Test func `more layers than the file has are refused before memory is taken for them`() throws {
        #expect(
            try fault("neox-parallel") { try configure($0, "num_hidden_layers", 2_000_000) }
                == "MODEL/model.safetensors, tensor \"gpt_neox.layers.1999999.input_layernorm.weight\": there is no such "
                + "tensor")
    }

    @Test func `a tensor of another shape is named with both shapes`() throws {
        let name = "model.layers.0.mlp.down_proj.weight"
        #expect(
            try fault("llama-biased-untied") { try rewrite($0, name, shape: [12, 8]) }
                == "MODEL/model.safetensors, tensor \"\(name)\": it has the shape [12, 8] where [8, 12] is wanted")
        #expect(
            try fault("llama-biased-untied") { try configure($0, "vocab_size", 14) }
                == "MODEL/model.safetensors, tensor \"model.embed_tokens.weight\": it has the shape [13, 8] where "
                + "[14, 8] is wanted")
    }

    @Test func `a tensor that the model has no place for is named, and stored masks are passed over`() throws {
        #expect(
            try fault("llama-biased-untied") { try rewrite($0, "", adding: ["model.layers.0.extra.weight"]) }
                == "MODEL/model.safetensors, tensor \"model.layers.0.extra.weight\": a LlamaForCausalLM as config.json "
                + "has it has no such tensor")
        // Biases that the configuration leaves out.
        #expect(
            try fault("llama-biased-untied") { try configure($0, "mlp_bias", false) }.contains(
                "mlp.down_proj.bias\": a LlamaForCausalLM as config.json has it has no such tensor"))
        #expect(
            try fault("llama-biased-untied") {
                try rewrite($0, "", adding: ["model.layers.0.self_attn.rotary_emb.inv_freq"])
            } == "the folder was read")
    }

    @Test func `a file that is cut short is named`() throws {
        let message = try fault("llama-grouped-tied") { folder in
            let file = folder.appending(path: "model.safetensors")
            let bytes = try Data(contentsOf: file)
            try bytes.prefix(bytes.count - 100).write(to: file)
        }
        #expect(message.hasPrefix("MODEL/model.safetensors, tensor ") && message.contains("data offsets"))
        #expect(
            try fault("llama-grouped-tied") {
                try Data("{\"vocab_size\": 1".utf8).write(to: $0.appending(path: "config.json"))
            } == "MODEL/config.json: the file: it is not a JSON object")
    }

    @Test func `an architecture that is not supported is named`() throws {
        #expect(
            try fault("llama-grouped-tied") { try configure($0, "architectures", ["MistralForCausalLM"]) }
                == "MODEL/config.json: architectures: MistralForCausalLM is not supported; there are: LlamaForCausalLM, "
                + "GPTNeoXForCausalLM")
    }

    @Test func `a head beside tied embeddings must be the embeddings`() throws {
        #expect(
            try fault("llama-grouped-tied") { try rewrite($0, "lm_head.weight", shape: [13, 8]) }
                == "MODEL/model.safetensors, tensor \"lm_head.weight\": it differs from model.embed_tokens.weight, and "
                + "tie_word_embeddings says that they are one")
    }

    @Test func `an index that leads out of the folder or is none is refused`() throws {
        func index(_ text: String) throws -> String {
            try fault("llama-sharded-bf16") {
                try text.write(
                    to: $0.appending(path: "model.safetensors.index.json"), atomically: true, encoding: .utf8)
            }
        }
        #expect(
            try index("{\"weight_map\": {\"a\": \"../b.safetensors\"}}")
                == "MODEL/model.safetensors.index.json: the file \"../b.safetensors\" of a is not in the folder")
        #expect(
            try index("{\"weights\": {}}")
                == "MODEL/model.safetensors.index.json: it has no weight_map from names of tensors to names of files")
    }

    @Test func `a folder that cannot be made is named`() throws {
        let model = try TinyModel.llama.model()
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "file")
            try Data().write(to: file)
            do {
                try model.write(to: file.path)
                Issue.record("a model was written where a file stands")
            } catch let error as ModelFolderError {
                #expect(error.file == file.path && error.reason.hasPrefix("the folder cannot be made: "))
            }
        }
    }
}
