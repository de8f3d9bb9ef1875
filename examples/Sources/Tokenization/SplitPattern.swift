/// The regular expressions that split text into words before byte pairs are merged, as scanners written out.
///
/// A vocabulary is bound to its pattern. These are the ones that published models use; another is refused, as a pattern
/// that is nearly right gives tokens that are nearly right.
enum SplitPattern: Sendable, Equatable {
    /// GPT-2's, which GPT-NeoX and Pythia use as well.
    case gpt2
    /// Llama 3's, and Qwen's, which differ in how many digits go together.
    case llama3(digits: Int)

    init?(_ expression: String) {
        guard let pattern = Self.known[expression] else { return nil }
        self = pattern
    }

    /// Each pattern by its usual spelling, first, and by others of the same meaning.
    static let known: [String: SplitPattern] = [
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .llama3(digits: 3),
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .llama3(digits: 1),
    ]

    /// Calls `emit` with every match, in order. Matches cover the whole text: no character matches none of the
    /// alternatives.
    func split(_ text: UnsafeBufferPointer<UInt8>, _ emit: (UnsafeBufferPointer<UInt8>) -> Void) {
        var position = 0
        while position < text.count {
            let end: Int
            switch self {
            case .gpt2: end = Self.gpt2(text, position)
            case .llama3(let digits): end = Self.llama3(text, position, digits: digits)
            }
            emit(UnsafeBufferPointer(rebasing: text[position..<end]))
            position = end
        }
    }

    // Each scanner returns where the match at `start` ends, trying the alternatives in the order of the expression.

    private static func gpt2(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        // 's|'t|'re|'ve|'m|'ll|'d
        if let end = contraction(text, start, ignoringCase: false) { return end }
        let (first, next) = scalarClass(text, start)
        //  ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+
        if first != .space { return run(of: first, text, next) }
        if text[start] == UInt8(ascii: " "), next < text.count {
            let (second, after) = scalarClass(text, next)
            if second != .space { return run(of: second, text, after) }
        }
        return spaces(text, start)
    }

    private static func llama3(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, digits: Int) -> Int {
        // (?i:'s|'t|'re|'ve|'m|'ll|'d)
        if let end = contraction(text, start, ignoringCase: true) { return end }
        let (first, next) = scalarClass(text, start)
        switch first {
        case .letter:
            return run(of: .letter, text, next)
        case .number:
            // \p{N}{1,3}
            var end = next
            for _ in 1..<digits where end < text.count {
                let (more, after) = scalarClass(text, end)
                guard more == .number else { break }
                end = after
            }
            return end
        case .space, .other:
            let isNewline = isNewline(text[start])
            // [^\r\n\p{L}\p{N}]?\p{L}+, then  ?[^\s\p{L}\p{N}]+[\r\n]*
            if !isNewline, next < text.count {
                let (second, after) = scalarClass(text, next)
                if second == .letter { return run(of: .letter, text, after) }
                if second == .other, text[start] == UInt8(ascii: " ") {
                    return newlines(text, run(of: .other, text, after))
                }
            }
            if first == .other { return newlines(text, run(of: .other, text, next)) }
            // \s*[\r\n]+: up to the last line break of the run of blanks.
            let end = run(of: .space, text, next)
            if let last = text[start..<end].lastIndex(where: isNewline(_:)) { return last + 1 }
            return spaces(text, start)
        }
    }

    // MARK: Parts of the expressions

    /// `\s+(?!\S)|\s+`: a run of blanks, without the last one where a word follows, unless it is the only one.
    private static func spaces(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var last = start
        var end = start
        while end < text.count {
            let (kind, next) = scalarClass(text, end)
            guard kind == .space else { break }
            last = end
            end = next
        }
        return end == text.count || last == start ? end : last
    }

    private static func run(of kind: ScalarClass, _ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        while end < text.count {
            let (next, after) = scalarClass(text, end)
            guard next == kind else { break }
            end = after
        }
        return end
    }

    private static func isNewline(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    private static func newlines(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        while end < text.count, isNewline(text[end]) { end += 1 }
        return end
    }

    private static func contraction(
        _ text: UnsafeBufferPointer<UInt8>, _ start: Int, ignoringCase: Bool
    ) -> Int? {
        guard text[start] == UInt8(ascii: "'"), start + 1 < text.count else { return nil }
        func letter(_ index: Int) -> UInt8 {
            guard index < text.count else { return 0 }
            return ignoringCase && (0x41...0x5A).contains(text[index]) ? text[index] | 0x20 : text[index]
        }
        switch (letter(start + 1), letter(start + 2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
            return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        case (0xC5, 0xBF) where ignoringCase:  // ſ, which is an s but for its case
            return start + 3
        default: return nil
        }
    }
}

/// What the expressions tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum ScalarClass: UInt8 {
    case letter, number, space, other

    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = scalar.properties.isWhitespace ? .space : .other
        }
    }

}

/// The class of the scalar at `position` of UTF-8 text, and where the next one begins.
@inline(__always)
func scalarClass(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (ScalarClass, next: Int) {
    let byte = text[position]
    if byte < 0x80 { return (asciiClass(byte), position + 1) }
    let (scalar, next) = scalar(text, position)
    return (ScalarClass(scalar), next)
}

@inline(__always)
private func asciiClass(_ byte: UInt8) -> ScalarClass {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: .letter
    case 0x20, 0x09...0x0D: .space
    case 0x30...0x39: .number
    default: .other
    }
}

/// The scalar at `position`; the text is a string's UTF-8 and so is well-formed.
func scalar(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Unicode.Scalar, next: Int) {
    let first = UInt32(text[position])
    func more(_ index: Int) -> UInt32 { UInt32(text[position + index]) & 0x3F }
    let (value, length): (UInt32, Int) =
        switch first {
        case 0..<0x80: (first, 1)
        case 0x80..<0xE0: ((first & 0x1F) << 6 | more(1), 2)
        case 0xE0..<0xF0: ((first & 0x0F) << 12 | more(1) << 6 | more(2), 3)
        default: ((first & 0x07) << 18 | more(1) << 12 | more(2) << 6 | more(3), 4)
        }
    return (Unicode.Scalar(value)!, position + length)
}
