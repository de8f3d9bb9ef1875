import ExampleSupport
import Foundation

/// Where the texts to reconstruct come from.
enum TextSource: String, CaseIterable, Codable, Sendable {
    /// Passages of --text, from random places.
    case natural
    /// The model's own continuation of such passages.
    case continuation
    /// Words of --text, each drawn on its own.
    case randomWords = "random-words"

    /// Tokens of natural text that a continuation starts from.
    static let promptLength = 32

    /// `count` texts of exactly `length` tokens each; the same for the same seed, and a shorter length gives prefixes of
    /// the same natural and random texts.
    ///
    /// - Throws: `TextSourceError` when the text is too short.
    func texts(_ count: Int, length: Int, from text: String, model: FrozenModel, seed: UInt64) throws -> [[Int32]] {
        var generator = SeededGenerator(seed: seed, stream: 0x7E87)
        switch self {
        case .natural:
            return try passages(count, length, of: text, model, &generator)
        case .continuation:
            let prompts = try passages(count, Self.promptLength, of: text, model, &generator)
            return try prompts.enumerated().map { place, prompt in
                try model.sample(after: prompt, count: length, seed: seed &+ UInt64(place))
            }
        case .randomWords:
            let words = Array(
                Set(
                    text.split { !($0.isASCII && $0.isLetter) }.filter { (3...12).contains($0.count) }.map {
                        $0.lowercased()
                    })
            ).sorted()
            guard words.count >= 100 else {
                throw TextSourceError(
                    reason:
                        "random words are drawn from the words of --text, and it has \(words.count) different ones; "
                        + "100 are wanted")
            }
            return try (0..<count).map { place in
                var generator = SeededGenerator(seed: seed, stream: UInt64(place) + 1)
                var drawn = ""
                var tokens: [Int32] = []
                // A word may share a token with its neighbour: what is drawn is tokenised as a whole.
                while tokens.count <= length {
                    for _ in 0...length / 2 {
                        drawn += (drawn.isEmpty ? "" : " ") + words[generator.index(below: words.count)]
                    }
                    tokens = try model.encode(drawn)
                }
                return Array(tokens.prefix(length))
            }
        }
    }

    private func passages(
        _ count: Int, _ length: Int, of text: String, _ model: FrozenModel, _ generator: inout SeededGenerator
    ) throws -> [[Int32]] {
        let tokens = try model.encode(text)
        // Places are drawn in `count` equal parts of the text, so that passages do not overlap.
        let part = tokens.count / max(1, count)
        guard part >= length, length > 0 else {
            throw TextSourceError(
                reason:
                    "\(count) passages of \(length) tokens do not fit into --text, which has \(tokens.count) tokens; "
                    + "give a longer text, fewer --texts or a shorter length")
        }
        // One draw a passage that does not depend on the length: shorter passages are prefixes of longer ones as long
        // as these fit.
        return (0..<count).map { place in
            let offset = Int(generator.uniform() * Double(part / 2))
            let start = place * part + min(offset, part - length)
            return Array(tokens[start..<start + length])
        }
    }
}

struct TextSourceError: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
