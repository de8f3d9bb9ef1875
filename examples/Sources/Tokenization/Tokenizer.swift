import ExampleSupport
import Foundation

/// Byte-level BPE as in Hugging Face's `tokenizer.json`: text to token ids and back.
///
///     let tokenizer = try Tokenizer(folder: "model")
///     let ids = tokenizer.encode("Hello, world")
///     tokenizer.decode(ids)  // "Hello, world"
///
/// Reads the model BPE, the pre-tokenizers ByteLevel, Split (the expressions of GPT-2, Llama 3 and Qwen), Digits and
/// Sequence, the normalizer NFC or none, the decoder ByteLevel, added tokens, and the post-processors ByteLevel and
/// TemplateProcessing. Everything else is refused by name. Letters, digits and blanks are those of the Unicode version
/// of Swift's standard library.
///
/// Any number of threads may use one tokenizer.
public struct Tokenizer: Sendable {
    /// The least number that is above every token id.
    public let vocabularySize: Int
    /// Tokens that `encode` puts before and after a text when asked to (`TemplateProcessing`).
    public let prefix: [Int32]
    public let suffix: [Int32]

    let file: TokenizerFile
    private let preTokenizer: PreTokenizer
    private let usesNFC: Bool
    private let merges: BytePairMerges
    /// Added tokens that are looked for in the text as it came, and in the normalised text.
    private let rawTokens: AddedTokens
    private let normalizedTokens: AddedTokens
    private let ids: [String: Int32]
    private let specialIDs: Set<Int32>
    /// What each token stands for: the bytes from `ends[id − 1]` to `ends[id]`.
    private let bytes: [UInt8]
    private let ends: [Int]
    private let names: [Int32: String]

    // MARK: Reading

    /// The tokenizer in `folder`/tokenizer.json. - Throws: `TokenizerError`.
    public init(folder: String) throws {
        try self.init(contentsOf: (folder as NSString).appendingPathComponent(Self.fileName))
    }

    /// The tokenizer in a file as `tokenizer.json`. - Throws: `TokenizerError`.
    public init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            throw TokenizerError(file: path, reason: exists ? "it cannot be read" : "there is no such file")
        }
        let file: TokenizerFile
        do {
            file = try JSONDecoder().decode(TokenizerFile.self, from: data)
        } catch let error as NotByteLevelBPE {
            throw TokenizerError(file: path, reason: error.reason)
        } catch let error as DecodingError {
            throw TokenizerError(file: path, reason: error.summary)
        }
        try self.init(file, path: path)
    }

    static let fileName = "tokenizer.json"

    init(_ file: TokenizerFile, path: String) throws {
        func refuse(_ reason: String) -> TokenizerError { TokenizerError(file: path, reason: reason) }
        let meaning: TokenizerFile.Meaning
        do {
            meaning = try file.meaning()
            merges = try file.merges()
        } catch let error as NotByteLevelBPE {
            throw refuse(error.reason)
        }
        self.file = file
        preTokenizer = meaning.preTokenizer
        usesNFC = meaning.usesNFC
        prefix = meaning.prefix
        suffix = meaning.suffix

        var names: [Int32: String] = [:]
        var ids = file.model.vocabulary
        for (name, id) in file.model.vocabulary {
            if let other = names.updateValue(name, forKey: id) {
                throw refuse("the tokens \([name, other].sorted()) have the same id \(id)")
            }
        }
        let added = Dictionary(file.addedTokens.map { ($0.id, $0) }) { _, last in last }
        for token in file.addedTokens {
            if let other = file.model.vocabulary[token.content], other != token.id {
                throw refuse(
                    "the added token \"\(token.content)\" has the id \(token.id), and \(other) in the vocabulary")
            }
            ids[token.content] = token.id
            names[token.id] = token.content
        }
        guard let largest = names.keys.max() else { throw refuse("the vocabulary is empty") }
        guard largest < 1 << 24 else { throw refuse("the token id \(largest) is not plausible") }
        vocabularySize = Int(largest) + 1
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for id in 0...largest {
            if let name = names[id] {
                bytes += added[id] == nil ? ByteAlphabet.bytes(of: name) ?? Array(name.utf8) : Array(name.utf8)
            }
            ends.append(bytes.count)
        }
        for id in meaning.prefix + meaning.suffix where names[id] == nil {
            throw refuse("TemplateProcessing uses the token id \(id), which there is not")
        }
        self.ids = ids
        self.names = names
        self.bytes = bytes
        self.ends = ends
        specialIDs = Set(file.addedTokens.filter(\.isSpecial).map(\.id))
        rawTokens = AddedTokens(file.addedTokens.filter { !$0.isNormalized }.map { ($0.content, $0.id) })
        let usesNFC = meaning.usesNFC
        normalizedTokens = AddedTokens(
            file.addedTokens.filter(\.isNormalized).map {
                (usesNFC ? $0.content.precomposedStringWithCanonicalMapping : $0.content, $0.id)
            })
    }

    // MARK: Tokens

    /// The id of a token by its spelling in the vocabulary (a space is "Ġ"), or of an added token; nil if there is none.
    public func id(of token: String) -> Int32? { ids[token] }

    /// The spelling of a token; nil for an id that is not used.
    public func token(_ id: Int32) -> String? { names[id] }

    /// Whether `id` is a special token, such as the one that ends a text.
    public func isSpecial(_ id: Int32) -> Bool { specialIDs.contains(id) }

    // MARK: Encoding

    /// The tokens of `text`. Text that spells an added token (`<|endoftext|>`) becomes that token.
    ///
    /// - Parameter addingSpecialTokens: put `prefix` before and `suffix` behind, as the model wants for whole texts.
    public func encode(_ text: String, addingSpecialTokens: Bool = true) -> [Int32] {
        var tokens = addingSpecialTokens ? prefix : []
        var words = WordTokens(merges)
        var text = text
        text.withUTF8 { bytes in
            rawTokens.split(bytes) { part in
                withNormalized(part) { part in
                    normalizedTokens.split(part) { part in
                        preTokenizer.split(part) { words.append($0, to: &tokens) }
                    } token: {
                        tokens.append($0)
                    }
                }
            } token: {
                tokens.append($0)
            }
        }
        if addingSpecialTokens { tokens += suffix }
        return tokens
    }

    private func withNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        // ASCII is its own normal form.
        guard usesNFC, text.contains(where: { $0 >= 0x80 }) else { return body(text) }
        var normalized = String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping
        normalized.withUTF8(body)
    }

    /// Calls `word` with the words of `text` as the merges see them.
    func words(of text: String, _ word: (UnsafeBufferPointer<UInt8>) -> Void) {
        var text = text
        text.withUTF8 { withNormalized($0) { preTokenizer.split($0, word) } }
    }

    // MARK: Decoding

    /// The bytes that `tokens` stand for, one after the other. They need not be UTF-8, as a character may be cut. An id
    /// that is not used stands for nothing: models often have more rows than their tokenizer has tokens.
    ///
    /// - Parameter skippingSpecialTokens: leave out tokens as `<|endoftext|>`.
    public func bytes(of tokens: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> [UInt8] {
        var found: [UInt8] = []
        for token in tokens where !(skippingSpecialTokens && specialIDs.contains(token)) {
            let id = Int(token)
            guard ends.indices.contains(id) else { continue }
            found += bytes[(id == 0 ? 0 : ends[id - 1])..<ends[id]]
        }
        return found
    }

    /// The text of `tokens`. Bytes that are not UTF-8 become U+FFFD: `bytes(of:)` has them as they are.
    public func decode(_ tokens: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> String {
        String(decoding: bytes(of: tokens, skippingSpecialTokens: skippingSpecialTokens), as: UTF8.self)
    }

    // MARK: Writing

    /// Writes `tokenizer.json`, and `tokenizer_config.json` for Python's `transformers`.
    ///
    /// - Parameters:
    ///   - endOfText: the token that begins and ends texts, where there is one.
    ///   - maximumLength: the longest input of the model, in tokens.
    /// - Throws: `FileWriteError`.
    public func write(to folder: String, endOfText: String? = nil, maximumLength: Int? = nil) throws {
        func write(_ value: some Encodable, _ name: String) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            try WritableFile((folder as NSString).appendingPathComponent(name)).write(try encoder.encode(value))
        }
        try write(file, Self.fileName)
        try write(TokenizerConfiguration(endOfText: endOfText, maximumLength: maximumLength), "tokenizer_config.json")
    }
}

/// The tokens of the words of one text: each distinct word is merged once.
private struct WordTokens {
    private let merges: BytePairMerges
    private var words = WordTable()
    /// Where each word's tokens end in `tokens`.
    private var ends: [Int] = []
    private var tokens: [Int32] = []
    /// Bounds the memory for a text of endless new words.
    private static let most = 1 << 18

    init(_ merges: BytePairMerges) { self.merges = merges }

    mutating func append(_ word: UnsafeBufferPointer<UInt8>, to list: inout [Int32]) {
        if words.count == Self.most { self = WordTokens(merges) }
        let number = words.number(of: word)
        if number == ends.count {
            merges.encode(word, into: &tokens)
            ends.append(tokens.count)
        }
        list.append(contentsOf: tokens[(number == 0 ? 0 : ends[number - 1])..<ends[number]])
    }
}

/// `tokenizer_config.json`, by which `AutoTokenizer` finds its class.
private struct TokenizerConfiguration: Encodable {
    let endOfText: String?
    let maximumLength: Int?

    enum CodingKeys: String, CodingKey {
        case tokenizerClass = "tokenizer_class"
        case cleansUpSpaces = "clean_up_tokenization_spaces"
        case beginning = "bos_token"
        case end = "eos_token"
        case maximumLength = "model_max_length"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("PreTrainedTokenizerFast", forKey: .tokenizerClass)
        try container.encode(false, forKey: .cleansUpSpaces)
        try container.encodeIfPresent(endOfText, forKey: .beginning)
        try container.encodeIfPresent(endOfText, forKey: .end)
        try container.encodeIfPresent(maximumLength, forKey: .maximumLength)
    }
}

extension TokenizerFile {
    /// The merges by their tokens' ids.
    ///
    /// - Throws: `NotByteLevelBPE` for a byte without a token, and for a merge of or into a token that there is not.
    fileprivate func merges() throws -> BytePairMerges {
        let vocabulary = model.vocabulary
        let bytes = try (UInt8.min...UInt8.max).map { byte in
            let name = ByteAlphabet.spelling([byte])
            guard let id = vocabulary[name] else {
                throw NotByteLevelBPE(reason: "the vocabulary has no token for the byte \(byte), \"\(name)\"")
            }
            return id
        }
        var merges: [TokenPair: BytePairMerges.Merge] = [:]
        merges.reserveCapacity(model.merges.pairs.count)
        for (rank, pair) in model.merges.pairs.enumerated() {
            guard pair.count == 2 else {
                throw NotByteLevelBPE(
                    reason: "merge \(rank) is \"\(pair.joined(separator: " "))\" where two tokens are wanted")
            }
            func id(_ token: String) throws -> Int32 {
                guard let id = vocabulary[token] else {
                    throw NotByteLevelBPE(
                        reason: "merge \(rank), \"\(pair[0]) \(pair[1])\": there is no token \"\(token)\"")
                }
                return id
            }
            // Of two merges of the same pair the later one holds, as in other readers of this format.
            merges[TokenPair(left: try id(pair[0]), right: try id(pair[1]))] = BytePairMerges.Merge(
                rank: Int32(rank), token: try id(pair[0] + pair[1]))
        }
        var wholeWords: [[UInt8]: Int32] = [:]
        if model.ignoresMerges == true {
            for (name, id) in vocabulary {
                if let bytes = ByteAlphabet.bytes(of: name) { wholeWords[bytes] = id }
            }
        }
        return BytePairMerges(bytes: bytes, merges: merges, wholeWords: wholeWords)
    }
}

extension DecodingError {
    /// Where in the file, and what is wrong there.
    fileprivate var summary: String {
        let (reason, context): (String, Context) =
            switch self {
            case .typeMismatch(let type, let context): ("this is not of the type \(type)", context)
            case .valueNotFound(_, let context): ("there is no value", context)
            case .keyNotFound(let key, let context): ("there is no \(key.stringValue)", context)
            case .dataCorrupted(let context): ("this is not JSON", context)
            @unknown default: ("\(self)", Context(codingPath: [], debugDescription: ""))
            }
        let place = context.codingPath.map(\.stringValue).joined(separator: ".")
        return place.isEmpty ? reason : "\(place): \(reason)"
    }
}
