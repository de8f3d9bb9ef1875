/// How text is cut into words; merges never cross from one word to the next.
indirect enum PreTokenizer: Sendable, Equatable {
    /// `ByteLevel`: a space before the text where there is none, if asked for; GPT-2's pattern, if asked for.
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    /// `Split` with each match for itself.
    case split(SplitPattern)
    /// `Digits`: numbers apart from the rest, as a run or one by one.
    case digits(individual: Bool)
    case sequence([PreTokenizer])

    /// Calls `emit` with the words of `text` in order; they are borrowed for the call. No word is empty.
    func split(_ text: UnsafeBufferPointer<UInt8>, _ emit: (UnsafeBufferPointer<UInt8>) -> Void) {
        guard !text.isEmpty else { return }
        switch self {
        case .byteLevel(true, let usesPattern) where text[0] != UInt8(ascii: " "):
            ([UInt8(ascii: " ")] + text).withUnsafeBufferPointer { text in
                PreTokenizer.byteLevel(addPrefixSpace: false, usesPattern: usesPattern).split(text, emit)
            }
        case .byteLevel(_, true): SplitPattern.gpt2.split(text, emit)
        case .byteLevel(_, false): emit(text)
        case .split(let pattern): pattern.split(text, emit)
        case .digits(let individual): Self.digits(text, individual: individual, emit)
        case .sequence(let parts): Self.sequence(parts[...], text, emit)
        }
    }

    private static func sequence(
        _ parts: ArraySlice<PreTokenizer>, _ text: UnsafeBufferPointer<UInt8>,
        _ emit: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        guard let first = parts.first else { return emit(text) }
        first.split(text) { sequence(parts.dropFirst(), $0, emit) }
    }

    private static func digits(
        _ text: UnsafeBufferPointer<UInt8>, individual: Bool, _ emit: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var start = 0
        var position = 0
        var inNumber = false
        while position < text.count {
            let (kind, next) = scalarClass(text, position)
            let isNumber = kind == .number
            if position > start, isNumber != inNumber || (isNumber && individual) {
                emit(UnsafeBufferPointer(rebasing: text[start..<position]))
                start = position
            }
            inNumber = isNumber
            position = next
        }
        emit(UnsafeBufferPointer(rebasing: text[start...]))
    }
}
