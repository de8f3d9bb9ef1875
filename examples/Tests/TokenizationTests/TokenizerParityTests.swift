import Foundation
import Testing

@testable import Tokenization

/// Held to what the Python package `tokenizers` does: see make_fixtures.py.
@Suite struct TokenizerParityTests {
    static let families = ["gpt2", "neox", "llama3", "qwen", "digits", "prefix"]

    @Test(arguments: families)
    func `awkward text becomes the tokens that the tokenizers package gives`(family: String) throws {
        let cases = try Fixtures.cases()
        let expected = try #require(cases.expected[family])
        let tokenizer = try Fixtures.tokenizer(family)
        #expect(expected.ids.count == cases.texts.count && cases.texts.count > 60)
        for (text, ids) in zip(cases.texts, expected.ids) {
            #expect(tokenizer.encode(text, addingSpecialTokens: false) == ids, "\(text.debugDescription)")
        }
        #expect(tokenizer.encode("one text") == expected.withSpecial)
    }

    @Test(arguments: families)
    func `any tokens become the text that the tokenizers package gives`(family: String) throws {
        let tokenizer = try Fixtures.tokenizer(family)
        let expected = try #require(try Fixtures.cases().expected[family])
        #expect(expected.decodings.count > 15)
        for decoding in expected.decodings {
            #expect(Array(tokenizer.decode(decoding.ids).utf8) == Array(decoding.text.utf8))
            #expect(
                Array(tokenizer.decode(decoding.ids, skippingSpecialTokens: true).utf8)
                    == Array(decoding.withoutSpecial.utf8))
        }
    }

    @Test func `training gives the merges and ids that the tokenizers package gives`() throws {
        let text = try String(contentsOf: Fixtures.url("training.txt"), encoding: .utf8)
        let trained = try Tokenizer.train(
            on: [text], vocabularySize: 700, specialTokens: ["<|endoftext|>"], minimumFrequency: 2)
        let expected = try Fixtures.tokenizer("gpt2").file.model
        #expect(trained.vocabularySize == 700)
        #expect(trained.file.model.merges == expected.merges)
        #expect(trained.file.model.vocabulary == expected.vocabulary)
    }
}

enum Fixtures {
    struct Cases: Decodable {
        let texts: [String]
        let expected: [String: Expected]
    }

    struct Expected: Decodable {
        let ids: [[Int32]]
        let withSpecial: [Int32]
        let decodings: [Decoding]

        enum CodingKeys: String, CodingKey {
            case ids, decodings
            case withSpecial = "with_special"
        }
    }

    struct Decoding: Decodable {
        let ids: [Int32]
        let text: String
        let withoutSpecial: String

        enum CodingKeys: String, CodingKey {
            case ids, text
            case withoutSpecial = "without_special"
        }
    }

    static func url(_ name: String) throws -> URL {
        try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
    }

    static func cases() throws -> Cases {
        try JSONDecoder().decode(Cases.self, from: Data(contentsOf: url("cases.json")))
    }

    static func tokenizer(_ family: String) throws -> Tokenizer {
        try Tokenizer(contentsOf: url("\(family).json").path)
    }
}
