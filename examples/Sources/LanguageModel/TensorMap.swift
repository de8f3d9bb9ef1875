/// Where the parameters stand in Hugging Face's files: each tensor of a file and the pieces of `parameters` it is made
/// of.
struct TensorMap {
    /// `count` numbers from `inTensor` of the tensor are those from `inParameters` of the parameters.
    struct Piece {
        let inTensor: Int
        let inParameters: Int
        let count: Int
    }

    struct Tensor {
        let name: String
        let shape: [Int]
        let pieces: [Piece]
    }

    let embeddings: String
    let outputEmbeddings: String
    let tensors: [Tensor]

    init(_ model: CausalLanguageModel) {
        let configuration = model.configuration
        let prefix = Self.prefix(configuration.family)
        switch configuration.family {
        case .llama: (embeddings, outputEmbeddings) = (prefix + "embed_tokens.weight", "lm_head.weight")
        case .gptNeoX: (embeddings, outputEmbeddings) = (prefix + "embed_in.weight", "embed_out.weight")
        }
        var tensors: [Tensor] = []
        let entries = model.layout.entries
        // GPT-NeoX keeps query, key and value of one head after the other: rows (head, which of the three, column).
        let parts = [".attention.query.", ".attention.key.", ".attention.value."]
        for entry in entries where !parts.dropFirst().contains(where: { entry.name.contains($0) }) {
            let isVector = entry.name.hasSuffix(".bias") || entry.name.hasSuffix("norm.weight")
            guard configuration.family == .gptNeoX, entry.name.contains(parts[0]) else {
                tensors.append(
                    Tensor(
                        name: prefix + entry.name, shape: isVector ? [entry.count] : [entry.rows, entry.columns],
                        pieces: [Piece(inTensor: 0, inParameters: entry.offset, count: entry.count)]))
                continue
            }
            let block = entry.count / configuration.heads
            var pieces: [Piece] = []
            for (place, part) in parts.enumerated() {
                let name = entry.name.replacing(parts[0], with: part)
                guard let entry = entries.first(where: { $0.name == name }) else { continue }
                for head in 0..<configuration.heads {
                    pieces.append(
                        Piece(
                            inTensor: (3 * head + place) * block, inParameters: entry.offset + head * block,
                            count: block))
                }
            }
            tensors.append(
                Tensor(
                    name: prefix + entry.name.replacing(parts[0], with: ".attention.query_key_value."),
                    shape: isVector ? [3 * entry.count] : [3 * entry.rows, entry.columns], pieces: pieces))
        }
        self.tensors = tensors
    }

    /// What all names but the head's begin with.
    private static func prefix(_ family: ModelConfiguration.Family) -> String {
        switch family {
        case .llama: "model."
        case .gptNeoX: "gpt_neox."
        }
    }

    /// A tensor that the last layer has.
    static func lastNorm(_ configuration: ModelConfiguration) -> String {
        "\(prefix(configuration.family))layers.\(configuration.layers - 1).input_layernorm.weight"
    }

    /// Whether a tensor of a file says nothing about the model: what older versions of `transformers` stored beside
    /// weights, tables of positions and masks.
    static func isBuffer(_ name: String) -> Bool {
        [".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"].contains { name.hasSuffix($0) }
    }
}
