import ExampleSupport
import ExampleTestSupport
import Foundation
import Testing
import Tokenization

@testable import lm

@Suite struct TextSourceTests {
    @Test func `files come in their order, and a folder's texts in the order of their names`() throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(
            atPath: scratch.path("folder/inner"), withIntermediateDirectories: true)
        _ = try scratch.file("folder/b.txt", "b")
        _ = try scratch.file("folder/inner/c.MD", "c")
        _ = try scratch.file("folder/a.rst", "a")
        _ = try scratch.file("folder/code.py", "py")
        _ = try scratch.file("folder/.hidden.txt", "hidden")
        _ = try scratch.file("folder/picture.png", Data([0xFF, 0xFE]))
        _ = try scratch.file("folder/empty.txt", "")
        let last = try scratch.file("z.any", Data([0xEF, 0xBB, 0xBF]) + Data("naïve\r\n".utf8))
        let source = try TextSource([scratch.path("folder"), last])
        #expect(source.documents.map(\.text) == ["a", "b", "py", "c", "naïve\r\n"])
        #expect(source.byteCount == 13)
    }

    @Test func `each path that cannot be used is named with the reason`() throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(atPath: scratch.path("none"), withIntermediateDirectories: true)
        let cases: [(String, String)] = [
            (scratch.path("missing.txt"), "no such file or folder"), (scratch.path("none"), "no file ends in .md, .py"),
            (try scratch.file("latin.txt", Data([0x61, 0xE9, 0x62])), "not UTF-8"),
            (try scratch.file("packed.gz", Data([0x1F, 0x8B, 0x08])), "compressed"),
            (try scratch.file("empty.txt", ""), "no text"),
        ]
        for (path, reason) in cases {
            let error = #expect(throws: TextError.self) { try TextSource([path]) }
            #expect(error?.path == path && error?.reason.contains(reason) ?? false, "\(error?.description ?? "")")
        }
    }
}

@Suite struct StoryGrammarTests {
    @Test func `the same seed tells the same stories, and another seed others`() {
        func text(_ seed: UInt64) -> [String] {
            var grammar = StoryGrammar(seed: seed)
            return grammar.documents(bytes: 50_000).map(\.text)
        }
        #expect(text(1) == text(1))
        #expect(Set(text(1)).isDisjoint(with: text(2)))
        #expect((50_000..<52_000).contains(text(1).reduce(0) { $0 + $1.utf8.count }))
    }

    @Test func `quotation marks close, and a hero keeps one pronoun`() {
        var grammar = StoryGrammar(seed: 3)
        for _ in 0..<300 {
            let story = grammar.story()
            for paragraph in story.components(separatedBy: "\n\n") {
                #expect(paragraph.filter { $0 == "\"" }.count.isMultiple(of: 2), "\(story)")
            }
            // The second paragraph tells of the hero alone.
            let words = story.components(separatedBy: "\n\n")[1].split { !$0.isLetter }.map { $0.lowercased() }
            #expect(words.contains("she") != words.contains("he"), "\(story)")
            if words.contains("she") { #expect(!words.contains("his")) } else { #expect(!words.contains("her")) }
        }
    }
}

@Suite struct TokenStreamTests {
    private static let tokenizer = try! Tokenizer.train(
        on: ["the cat sat on the mat"], vocabularySize: 260, specialTokens: [endOfText])

    private func stream(bytes: Int, context: Int, share: Double = 0.05) throws -> TokenStream {
        var grammar = StoryGrammar(seed: 1)
        return try TokenStream(
            TextSource(grammar.documents(bytes: bytes)), Self.tokenizer, separator: 0, context: context, share: share)
    }

    @Test func `every document stands between two separators`() throws {
        let source = TextSource([
            .init(name: "a", text: "xy z"), .init(name: "b", text: String(repeating: "w", count: 99)),
        ])
        let stream = try TokenStream(source, Self.tokenizer, separator: 0, context: 3, share: 0.1)
        let texts = stream.tokens.split(separator: 0).map { Self.tokenizer.decode($0) }
        #expect(texts == source.documents.map(\.text))
        #expect(stream.tokens.first == 0 && stream.tokens.last == 0 && stream.tokens.count(where: { $0 == 0 }) == 3)
    }

    @Test(arguments: [(4_000, 8, 0.01), (20_000, 32, 0.05), (60_000, 16, 0.5), (3_000, 64, 0.02)])
    func `training never sees a token that validates, and validation predicts each of its tokens once`(
        bytes: Int, context: Int, share: Double
    ) throws {
        let stream = try stream(bytes: bytes, context: context, share: share)
        var isValidation = [Bool](repeating: false, count: stream.tokens.count)
        for range in stream.validation { for place in range { isValidation[place] = true } }
        let held = Double(isValidation.count { $0 }) / Double(isValidation.count)
        #expect(held <= max(1.05 * share, Double(context + 1) / Double(isValidation.count)) && held > 0.5 * share)
        for epoch in 0..<5 {
            for start in stream.windows(epoch: epoch, context: context, seed: 1) {
                #expect(start >= 0 && !isValidation[start...start + context].contains(true))
            }
        }
        var predicted = [Int](repeating: 0, count: stream.tokens.count)
        for window in stream.validationWindows(context: context) {
            #expect(window.count <= context && !window.isEmpty)
            for place in window {
                #expect(isValidation[place] && isValidation[place + 1])
                predicted[place + 1] += 1
            }
        }
        for range in stream.validation {
            #expect(predicted[range.lowerBound] == 0 && predicted[range.dropFirst()].allSatisfy { $0 == 1 })
        }
    }

    @Test func `an epoch reads nearly all of the training text once, and each epoch cuts it anew`() throws {
        let stream = try stream(bytes: 60_000, context: 32)
        let epochs = (0..<3).map { stream.windows(epoch: $0, context: 32, seed: 1) }
        for starts in epochs {
            #expect(Double(starts.count * 32) > 0.9 * Double(stream.trainingCount))
            #expect(starts != starts.sorted())
            let sorted = starts.sorted()
            #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $1 - $0 >= 32 })
        }
        #expect(Set(epochs[0]) != Set(epochs[1]) && Set(epochs[1]) != Set(epochs[2]))
        #expect(epochs[1] == stream.windows(epoch: 1, context: 32, seed: 1))
        #expect(epochs[1] != stream.windows(epoch: 1, context: 32, seed: 2))
    }

    @Test func `a text shorter than two windows is an error that gives both lengths`() throws {
        let error = #expect(throws: TextError.self) {
            try TokenStream(
                TextSource([.init(name: "short.txt", text: "a b c")]), Self.tokenizer, separator: 0, context: 16,
                share: 0.1)
        }
        #expect(error?.path == "short.txt" && error?.reason.contains("a context of 16") ?? false)
    }
}
