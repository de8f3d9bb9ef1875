import HeapModule

/// Two tokens side by side.
struct TokenPair: Hashable, Comparable, Sendable {
    let left: Int32
    let right: Int32

    static func < (a: TokenPair, b: TokenPair) -> Bool { (a.left, a.right) < (b.left, b.right) }
}

/// Byte-pair encoding of one word: from single bytes, the pair that training merged first is merged first, and among
/// equal pairs the one on the left, until no pair has a merge.
struct BytePairMerges: Sendable {
    struct Merge: Sendable, Equatable {
        let rank: Int32
        let token: Int32
    }

    /// The token of each byte.
    let bytes: [Int32]
    let merges: [TokenPair: Merge]
    /// Words that are tokens as a whole and skip the merges (`ignore_merges`); empty when there are none.
    let wholeWords: [[UInt8]: Int32]

    /// Appends the tokens of `word`, in O(n log n) for n bytes.
    func encode(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [Int32]) {
        if !wholeWords.isEmpty, let token = wholeWords[Array(word)] { return tokens.append(token) }
        guard word.count > 1 else { return tokens.append(contentsOf: word.map { bytes[Int($0)] }) }

        // A list of symbols; a merge puts its token at the left one's place and takes the right one out.
        var symbols = word.map { bytes[Int($0)] }
        var next = Array(1...word.count)
        var previous = Array(-1..<word.count - 1)
        var candidates = Heap<Candidate>()
        func consider(_ place: Int) {
            guard place >= 0, next[place] < symbols.count else { return }
            let pair = TokenPair(left: symbols[place], right: symbols[next[place]])
            if let merge = merges[pair] { candidates.insert(Candidate(merge: merge, place: place, pair: pair)) }
        }
        for place in 0..<word.count - 1 { consider(place) }
        while let candidate = candidates.popMin() {
            let place = candidate.place
            let right = next[place]
            // An earlier merge may have taken either side: symbols that are gone have the token −1.
            guard right < symbols.count, symbols[place] == candidate.pair.left, symbols[right] == candidate.pair.right
            else { continue }
            symbols[place] = candidate.merge.token
            symbols[right] = -1
            next[place] = next[right]
            if next[place] < symbols.count { previous[next[place]] = place }
            consider(previous[place])
            consider(place)
        }
        for symbol in symbols where symbol >= 0 { tokens.append(symbol) }
    }

    private struct Candidate: Comparable {
        let merge: Merge
        let place: Int
        let pair: TokenPair

        static func < (a: Candidate, b: Candidate) -> Bool { (a.merge.rank, a.place) < (b.merge.rank, b.place) }
    }
}
