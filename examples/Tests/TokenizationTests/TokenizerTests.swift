import ExampleSupport
import ExampleTestSupport
import Foundation
import Testing

@testable import Tokenization

@Suite struct TokenizerTests {
    /// Texts of random scalars from everywhere, blanks and ASCII more often than their share.
    private static func randomTexts(_ count: Int) -> [String] {
        var generator = SeededGenerator(seed: 5)
        return (0..<count).map { _ in
            var text = String.UnicodeScalarView()
            for _ in 0..<generator.index(below: 60) {
                let bound = [0x21, 0x80, 0x800, 0x1_0000, 0x11_0000][generator.index(below: 5)]
                text.append(Unicode.Scalar(UInt32(generator.index(below: bound))) ?? " ")
            }
            return String(text)
        }
    }

    @Test(arguments: ["gpt2", "llama3", "digits"])
    func `decoding what was encoded gives the text back, to the byte`(family: String) throws {
        let tokenizer = try Fixtures.tokenizer(family)
        for text in Self.randomTexts(400) + (try Fixtures.cases().texts) {
            let ids = tokenizer.encode(text, addingSpecialTokens: false)
            #expect(tokenizer.bytes(of: ids) == Array(text.utf8), "\(text.debugDescription)")
        }
    }

    @Test func `with NFC the text comes back normalised`() throws {
        let tokenizer = try Fixtures.tokenizer("neox")
        for text in Self.randomTexts(400) {
            let ids = tokenizer.encode(text)
            #expect(
                tokenizer.bytes(of: ids) == Array(text.precomposedStringWithCanonicalMapping.utf8),
                "\(text.debugDescription)")
        }
    }

    @Test func `a tokenizer that was written reads back the same`() throws {
        for family in TokenizerParityTests.families {
            let scratch = try Scratch()
            let tokenizer = try Fixtures.tokenizer(family)
            try tokenizer.write(to: scratch.folder, endOfText: "<|endoftext|>", maximumLength: 64)
            let again = try Tokenizer(folder: scratch.folder)
            #expect(again.file == tokenizer.file && again.prefix == tokenizer.prefix)
            for text in try Fixtures.cases().texts { #expect(again.encode(text) == tokenizer.encode(text)) }
            let configuration = String(decoding: try scratch.contents("tokenizer_config.json"), as: UTF8.self)
            #expect(configuration.contains(#""eos_token":"<|endoftext|>""#) && configuration.contains("64"))
        }
    }

    @Test func `the same expression in another spelling, and as the inverse to remove, gives the same tokens`() throws {
        let scratch = try Scratch()
        func respelled(_ family: String, _ old: String, _ new: String) throws -> Tokenizer {
            let text = try String(contentsOf: Fixtures.url("\(family).json"), encoding: .utf8)
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text)
            return try Tokenizer(contentsOf: scratch.file("\(family).json", changed))
        }
        let removing = try respelled(
            "llama3", #""behavior":"Isolated","invert":false"#, #""behavior":"Removed","invert":true"#)
        let expression = #"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"#
        let splitting = try respelled(
            "gpt2",
            #""pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#,
            #""pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\#(expression)"},"#
                + #""behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"#)
        for (tokenizer, family) in [(removing, "llama3"), (splitting, "gpt2")] {
            let cases = try Fixtures.cases()
            for (text, ids) in zip(cases.texts, try #require(cases.expected[family]).ids) {
                #expect(tokenizer.encode(text, addingSpecialTokens: false) == ids, "\(text.debugDescription)")
            }
        }
    }

    @Test func `an id that is not used stands for nothing`() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        let ids = tokenizer.encode("some text")
        #expect(tokenizer.decode([-1] + ids + [Int32(tokenizer.vocabularySize), .max]) == "some text")
        #expect(tokenizer.token(Int32(tokenizer.vocabularySize)) == nil && tokenizer.token(-1) == nil)
    }

    @Test func `a long word without merges to stop at takes no quadratic time`() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        let text = String(repeating: "entire", count: 100_000)
        let clock = Stopwatch()
        let ids = tokenizer.encode(text)
        #expect(tokenizer.decode(ids) == text)
        #expect(clock.seconds < 60)
    }

    @Test func `training is the same again, and special tokens never come from merges`() throws {
        let text = String(repeating: "the cat sat on the mat <|endoftext|> ", count: 50)
        let tokenizers = try (0..<2).map { _ in
            try Tokenizer.train(on: [text], vocabularySize: 300, specialTokens: ["<|endoftext|>"])
        }
        #expect(tokenizers[0].file == tokenizers[1].file)
        #expect(tokenizers[0].id(of: "<|endoftext|>") == 0 && tokenizers[0].isSpecial(0))
        #expect(tokenizers[0].id(of: "Ġthe") != nil && !tokenizers[0].isSpecial(1))
        #expect(tokenizers[0].encode("a<|endoftext|>b").filter { $0 == 0 }.count == 1)
        #expect(tokenizers[0].decode([0, 1], skippingSpecialTokens: true) == "!")
    }

    @Test func `training stops early where no pair is frequent enough`() throws {
        let tokenizer = try Tokenizer.train(on: ["abab abab"], vocabularySize: 1000)
        #expect(tokenizer.vocabularySize < 270)
        #expect(tokenizer.encode("abab").count == 1)
    }

    @Test(arguments: [
        (255, [String](), "too small: 0 special tokens and 256 bytes need 256"),
        (300, ["<a>", "<a>"], "named twice"), (300, [""], "two characters"), (300, ["x"], "two characters"),
    ])
    func `training names what is wrong with its input`(size: Int, special: [String], message: String) {
        let error = #expect(throws: TokenizerTrainingError.self) {
            try Tokenizer.train(on: ["a text"], vocabularySize: size, specialTokens: special)
        }
        #expect(error?.description.contains(message) ?? false, "\(error?.description ?? "")")
    }
}

/// What a file may hold that is refused, each with the words of the message.
@Suite struct TokenizerErrorTests {
    private func error(_ change: (inout [String: Any]) throws -> Void) throws -> TokenizerError? {
        let scratch = try Scratch()
        let data = try Data(contentsOf: Fixtures.url("gpt2.json"))
        var object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        try change(&object)
        let path = try scratch.file("tokenizer.json", JSONSerialization.data(withJSONObject: object))
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(folder: scratch.folder) }
        #expect(error?.file == path)
        return error
    }

    /// Part of the file, what to put there as JSON, and what the message says.
    private static let parts: [(String, String, String)] = [
        ("normalizer", #"{"type": "Lowercase"}"#, "the normalizer Lowercase"),
        ("normalizer", #"{"type": "Sequence", "normalizers": [{"type": "NFKC"}]}"#, "the normalizer NFKC"),
        ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "_"}"#, "the pre_tokenizer Metaspace"),
        ("pre_tokenizer", "null", "no pre_tokenizer"),
        ("pre_tokenizer", #"{"type": "Digits", "individual_digits": true}"#, "0 ByteLevel parts"),
        (
            "pre_tokenizer", #"{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#,
            #"regular expression \w+"#
        ),
        (
            "pre_tokenizer", #"{"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"}"#,
            #"Split by the text " ""#
        ),
        (
            "pre_tokenizer",
            #"{"type": "Split", "pattern": {"Regex": "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}, "behavior": "MergedWithNext"}"#,
            "MergedWithNext"
        ),
        (
            "pre_tokenizer",
            #"{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}"#,
            "Digits stands behind ByteLevel"
        ),
        ("pre_tokenizer", #"{"type": "ByteLevel", "sparkle": 1}"#, "the field sparkle is not known"),
        ("post_processor", #"{"type": "BertProcessing", "sep": ["x", 1]}"#, "the post_processor BertProcessing"),
        (
            "post_processor",
            #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}}"#,
            "names the token <s>"
        ),
        (
            "post_processor",
            #"{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}"#, "a single text 0 times"
        ),
        ("decoder", "null", "the decoder null"), ("decoder", #"{"type": "WordPiece"}"#, "the decoder WordPiece"),
        ("truncation", #"{"max_length": 5}"#, "truncation"), ("padding", #"{"strategy": "Fixed"}"#, "padding"),
        ("extra", "1", "the field extra is not known"), ("added_tokens", "7", "added_tokens"),
        ("model", #"{"type": "WordPiece", "vocab": {}}"#, "the model type WordPiece"),
        ("model", #"{"type": "Unigram", "unk_id": 0, "vocab": []}"#, "the model type Unigram"),
        ("model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": []}"#, "no token for the byte 0"),
        ("model", #"{"type": "BPE", "merges": []}"#, "there is no vocab"),
    ]

    @Test(arguments: parts.indices)
    func `a part that is not supported is refused by its name and the file's`(index: Int) throws {
        let (part, json, message) = Self.parts[index]
        let error = try error {
            $0[part] = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
        }
        #expect(error?.reason.contains(message) ?? false, "\(error?.reason ?? "")")
    }

    @Test(arguments: [
        ("dropout", "0.1", "dropout 0.1"), ("byte_fallback", "true", "byte_fallback"),
        ("continuing_subword_prefix", #""@@""#, #"continuing_subword_prefix "@@""#),
        ("end_of_word_suffix", #""</w>""#, #"end_of_word_suffix "</w>""#), ("seed", "1", "the field seed"),
        ("merges", #"["a b c"]"#, #"merge 0 is "a b c""#), ("merges", #"[["a"]]"#, #"merge 0 is "a""#),
        ("merges", #"["a ßß"]"#, #"there is no token "ßß""#), ("merges", #"[["~", "}"]]"#, #"there is no token "~}""#),
        ("merges", "[1]", "merges"),
    ])
    func `a model's field that is not supported is refused by its name`(
        field: String, json: String, message: String
    ) throws {
        let error = try error { file in
            var model = try #require(file["model"] as? [String: Any])
            model[field] = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
            file["model"] = model
        }
        #expect(error?.reason.contains(message) ?? false, "\(error?.reason ?? "")")
    }

    @Test(arguments: [
        ("lstrip", true as any Sendable, "lstrip"), ("rstrip", true, "rstrip"), ("single_word", true, "single_word"),
        ("content", "", "empty"), ("id", -1, "negative"), ("id", 1 << 25, "not plausible"), ("id", 3, "the id 3, and"),
    ])
    func `an added token that is not supported is refused by its content`(
        field: String, value: any Sendable, message: String
    ) throws {
        let error = try error { file in
            var tokens = try #require(file["added_tokens"] as? [[String: Any]])
            if field == "id", message != "the id 3, and" { tokens[0]["content"] = "<new>" }
            tokens[0][field] = value
            file["added_tokens"] = tokens
        }
        #expect(error?.reason.contains(message) ?? false, "\(error?.reason ?? "")")
    }

    @Test func `two tokens of one id are named`() throws {
        let error = try error { file in
            var model = try #require(file["model"] as? [String: Any])
            var vocabulary = try #require(model["vocab"] as? [String: Any])
            vocabulary["~~~~"] = 5
            model["vocab"] = vocabulary
            file["model"] = model
        }
        #expect(error?.reason.contains("the same id 5") ?? false, "\(error?.reason ?? "")")
    }

    @Test func `a missing, unreadable or damaged file is named`() throws {
        let scratch = try Scratch()
        let missing = #expect(throws: TokenizerError.self) { try Tokenizer(folder: scratch.folder) }
        #expect(missing?.description == "\(scratch.path("tokenizer.json")): there is no such file")
        let whole = try Data(contentsOf: Fixtures.url("gpt2.json"))
        for length in [0, 10, whole.count - 1] {
            _ = try scratch.file("tokenizer.json", whole.prefix(length))
            let cut = #expect(throws: TokenizerError.self) { try Tokenizer(folder: scratch.folder) }
            #expect(cut?.reason.contains("not JSON") ?? false, "\(cut?.reason ?? "")")
        }
    }
}
