import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import LanguageModel
import Tokenization

struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity", abstract: "How well a model predicts a text.",
        discussion: """
            The text is read in windows that do not overlap; every token is predicted from those of its window before \
            it, the first one of a document from the token that begins a text.
            """)

    @Argument(help: "A folder with config.json, model.safetensors and tokenizer.json.")
    var folder: String

    @Argument(help: "UTF-8 files, and folders of .txt, .md, .rst and .py.")
    var texts: [String]

    @Option(help: "Tokens of a window (default: as many as the model was trained on).")
    var context: Int?

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context must be at least 1, not \(context)") }
    }

    func run() throws {
        let (model, tokenizer) = try CausalLanguageModel.withTokenizer(folder: folder)
        let source = try TextSource(texts)
        let configuration = model.configuration
        guard let beginning = configuration.beginningToken ?? configuration.endTokens.first else {
            throw TextError(path: folder, reason: "the model has no token that begins a text")
        }
        let length = context ?? configuration.maximumPositions
        var tokens: [Int32] = []
        var windows: [Range<Int>] = []
        for document in source.documents {
            let first = tokens.count
            tokens.append(Int32(beginning))
            tokens += tokenizer.encode(document.text, addingSpecialTokens: false)
            windows += stride(from: first, to: tokens.count - 1, by: length).map {
                $0..<min($0 + length, tokens.count - 1)
            }
        }
        let result = try Evaluation(model, tokens, windows: windows, tokenizer, contextSettings.makeContext())
        var table = TextTable(header: ["text", "bytes", "tokens", "nats/token", "perplexity", "bits/byte"])
        table.append([
            texts.joined(separator: ", "), grouped(result.bytes), grouped(result.tokens), fixed(result.loss, 4),
            fixed(result.perplexity, 2), fixed(result.bitsPerByte, 3),
        ])
        print(table)
    }
}
