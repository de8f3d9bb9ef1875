import Tokenization

extension CausalLanguageModel {
    /// A model and its tokenizer from one folder in Hugging Face's layout.
    ///
    /// - Throws: what reading either throws, and `TokenizerMismatch`.
    public static func withTokenizer(folder: String) throws -> (CausalLanguageModel, Tokenizer) {
        let model = try CausalLanguageModel(folder: folder)
        let tokenizer = try Tokenizer(folder: folder)
        // A model may have more rows than its tokenizer has tokens.
        guard tokenizer.vocabularySize <= model.configuration.vocabularySize else {
            throw TokenizerMismatch(
                folder: folder, tokens: tokenizer.vocabularySize, rows: model.configuration.vocabularySize)
        }
        return (model, tokenizer)
    }
}

/// A tokenizer with tokens that the model has no embeddings for.
public struct TokenizerMismatch: Error, CustomStringConvertible {
    public let folder: String
    public let tokens: Int
    public let rows: Int
    public var description: String {
        "\(folder): tokenizer.json has \(tokens) tokens and the model embeddings for \(rows); they are not of one model"
    }
}
