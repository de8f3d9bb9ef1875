import ExampleSupport
import Tokenization

/// A text as tokens: documents one after the other, each behind the token that ends a text, and which stretches of it
/// are for training and which for validation.
struct TokenStream: Sendable {
    let tokens: [Int32]
    /// Where training and validation may look, ascending; windows do not cross from one range to the next.
    let training: [Range<Int>]
    let validation: [Range<Int>]

    /// - Parameters:
    ///   - separator: stands before every document and at the end.
    ///   - context: a stretch for validation is 8 windows of this length, or fewer in a short text.
    ///   - share: how much of the text is for validation: stretches at equal distances.
    /// - Throws: `TextError` when there is less than one window for training and one for validation.
    init(_ text: TextSource, _ tokenizer: Tokenizer, separator: Int32, context: Int, share: Double) throws {
        var tokens = [separator]
        for document in text.documents {
            tokens += tokenizer.encode(document.text, addingSpecialTokens: false)
            tokens.append(separator)
        }
        self.tokens = tokens

        let wanted = Double(tokens.count) * share
        let stretches = max(1, Int(wanted / Double(8 * context + 1)))
        let length = max(context + 1, Int(wanted / Double(stretches)))
        let period = tokens.count / stretches
        // In the middle of each period, so that training has a part on either side.
        validation = (0..<stretches).map { number in
            let start = number * period + (period - length) / 2
            return max(0, start)..<min(tokens.count, start + length)
        }
        let bounds = [0] + validation.flatMap { [$0.lowerBound, $0.upperBound] } + [tokens.count]
        training = stride(from: 0, to: bounds.count, by: 2).map { bounds[$0]..<bounds[$0 + 1] }.filter {
            $0.count > context
        }
        guard period > length, !training.isEmpty else {
            throw TextError(
                path: text.documents[0].name + (text.documents.count > 1 ? " and others" : ""),
                reason: "\(tokens.count) tokens are too few to train and validate with a context of \(context)")
        }
    }

    var trainingCount: Int { training.reduce(0) { $0 + $1.count } }

    /// A number that other texts, other tokens or another split do not have (but for one chance in 2⁶⁴): FNV-1a.
    var fingerprint: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ value: Int) { hash = (hash ^ UInt64(truncatingIfNeeded: value)) &* 0x100_0000_01B3 }
        for token in tokens { add(Int(token)) }
        for range in validation {
            add(range.lowerBound)
            add(range.upperBound)
        }
        return hash
    }

    /// Where the windows of an epoch begin, in the order in which they are trained on: every epoch cuts the text at other
    /// places, and shuffles. A window reads `context` tokens and predicts the `context` tokens one further.
    func windows(epoch: Int, context: Int, seed: UInt64) -> [Int] {
        var generator = SeededGenerator(seed: seed, stream: 1000 + UInt64(epoch))
        var starts: [Int] = []
        for range in training {
            let offset = generator.index(below: min(context, range.count - context))
            starts += stride(from: range.lowerBound + offset, to: range.upperBound - context, by: context)
        }
        generator.shuffle(&starts)
        return starts
    }

    /// Windows that cover validation: each token but the first of a stretch is predicted once; the last window of a
    /// stretch may be shorter.
    func validationWindows(context: Int) -> [Range<Int>] {
        validation.flatMap { range in
            stride(from: range.lowerBound, to: range.upperBound - 1, by: context).map {
                $0..<min($0 + context, range.upperBound - 1)
            }
        }
    }
}
