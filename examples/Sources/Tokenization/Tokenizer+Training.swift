import HeapModule

extension Tokenizer {
    /// Byte-level BPE trained on texts, with GPT-2's pattern for words: the most frequent pair of neighbouring tokens
    /// becomes a token, again and again; of equally frequent pairs the one with the lower ids.
    ///
    /// The same texts give the same tokenizer. Special tokens come first, then the 256 bytes, then merges in their order.
    /// Costs a pass over the text, and for each merge the words that hold its pair.
    ///
    /// - Parameters:
    ///   - vocabularySize: tokens in all; fewer where no pair is left that is frequent enough.
    ///   - specialTokens: tokens such as `<|endoftext|>` that never come from merges.
    ///   - minimumFrequency: how often a pair must occur to be merged.
    /// - Throws: `TokenizerTrainingError`.
    public static func train(
        on texts: some Sequence<String>, vocabularySize: Int, specialTokens: [String] = [], minimumFrequency: Int = 2
    ) throws(TokenizerTrainingError) -> Tokenizer {
        let least = specialTokens.count + 256
        guard vocabularySize >= least else {
            throw TokenizerTrainingError(
                reason: "a vocabulary of \(vocabularySize) is too small: \(specialTokens.count) special tokens and 256 "
                    + "bytes need \(least)")
        }
        guard Set(specialTokens).count == specialTokens.count else {
            throw TokenizerTrainingError(reason: "a special token is named twice in \(specialTokens)")
        }
        for name in specialTokens where name.isEmpty || ByteAlphabet.bytes(of: name)?.count ?? 2 < 2 {
            throw TokenizerTrainingError(
                reason: "the special token \"\(name)\" is not usable: two characters or more are wanted")
        }
        // Bytes in the order of their characters, which is the order of other trainers.
        let alphabet = (UInt8.min...UInt8.max).sorted { ByteAlphabet.scalars[Int($0)] < ByteAlphabet.scalars[Int($1)] }
        var byteTokens = [Int32](repeating: 0, count: 256)
        for (place, byte) in alphabet.enumerated() { byteTokens[Int(byte)] = Int32(specialTokens.count + place) }

        var words = WordTable()
        var counts: [Int] = []
        for var text in texts {
            text.withUTF8 { text in
                PreTokenizer.byteLevel(addPrefixSpace: false, usesPattern: true).split(text) { word in
                    let number = words.number(of: word)
                    if number == counts.count { counts.append(1) } else { counts[number] += 1 }
                }
            }
        }
        var training = MergeTraining(
            names: specialTokens + alphabet.map { ByteAlphabet.spelling([$0]) },
            words: (0..<words.count).map { words.word($0).map { byteTokens[Int($0)] } }, counts: counts)
        training.run(vocabularySize: vocabularySize, minimumFrequency: minimumFrequency)

        var file = TokenizerFile(
            model: TokenizerFile.Model(
                vocabulary: Dictionary(uniqueKeysWithValues: zip(training.names, 0...)), merges: training.merges))
        file.addedTokens = specialTokens.enumerated().map { TokenizerFile.AddedToken(id: Int32($0), content: $1) }
        var byteLevel = TokenizerFile.Component(type: "ByteLevel")
        byteLevel.addPrefixSpace = false
        byteLevel.trimOffsets = true
        byteLevel.useRegex = true
        file.preTokenizer = byteLevel
        file.postProcessor = byteLevel
        file.decoder = byteLevel
        do {
            return try Tokenizer(file, path: "the trained tokenizer")
        } catch {
            throw TokenizerTrainingError(reason: "\(error)")
        }
    }
}

/// Why no tokenizer could be trained.
public struct TokenizerTrainingError: Error, Sendable, Equatable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
}

/// The merges on their way: words as tokens, how often each pair occurs, and in which words.
private struct MergeTraining {
    private(set) var names: [String]
    private(set) var merges: [[String]] = []
    private var tokens: [String: Int32]
    private var words: [[Int32]]
    private let wordCounts: [Int]
    private var pairs: [TokenPair: Occurrences] = [:]
    private var queue = Heap<Candidate>()

    private struct Occurrences {
        var count = 0
        /// Words that hold the pair, or held it.
        var words: [Int32] = []
    }

    /// Greater is merged sooner: by count, then the pair with lower ids.
    private struct Candidate: Comparable {
        let count: Int
        let pair: TokenPair

        static func < (a: Candidate, b: Candidate) -> Bool {
            a.count != b.count ? a.count < b.count : b.pair < a.pair
        }
    }

    init(names: [String], words: [[Int32]], counts: [Int]) {
        self.names = names
        self.words = words
        wordCounts = counts
        tokens = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        for (number, word) in words.enumerated() {
            for (left, right) in zip(word, word.dropFirst()) {
                add(TokenPair(left: left, right: right), counts[number], in: Int32(number))
            }
        }
        queue = Heap(pairs.map { Candidate(count: $0.value.count, pair: $0.key) })
    }

    private mutating func add(_ pair: TokenPair, _ count: Int, in word: Int32) {
        pairs[pair, default: Occurrences()].count += count
        // Words come in order, so that a repeated one is the last.
        if count > 0, pairs[pair]?.words.last != word { pairs[pair]?.words.append(word) }
    }

    mutating func run(vocabularySize: Int, minimumFrequency: Int) {
        while names.count < vocabularySize, let best = queue.popMax() {
            guard let occurrences = pairs[best.pair] else { continue }
            // A count in the queue may be from before other merges took some of the pairs.
            guard occurrences.count == best.count else {
                if occurrences.count > 0 { queue.insert(Candidate(count: occurrences.count, pair: best.pair)) }
                continue
            }
            guard best.count >= max(1, minimumFrequency) else { return }
            merge(best.pair, occurrences.words)
        }
    }

    private mutating func merge(_ pair: TokenPair, _ holders: [Int32]) {
        let (left, right) = (names[Int(pair.left)], names[Int(pair.right)])
        // Two pairs may spell one token: "ab" + "c" and "a" + "bc".
        let token = tokens[left + right] ?? Int32(names.count)
        if Int(token) == names.count {
            names.append(left + right)
            tokens[left + right] = token
        }
        merges.append([left, right])
        pairs[pair] = nil
        var changed: Set<TokenPair> = []
        for holder in holders { replace(pair, by: token, in: holder, &changed) }
        for pair in changed {
            if let count = pairs[pair]?.count, count > 0 { queue.insert(Candidate(count: count, pair: pair)) }
        }
    }

    /// Merges every `pair` in a word, from the left, and moves the counts of its neighbours.
    private mutating func replace(
        _ pair: TokenPair, by token: Int32, in holder: Int32, _ changed: inout Set<TokenPair>
    ) {
        let count = wordCounts[Int(holder)]
        let old = words[Int(holder)]
        var new: [Int32] = []
        var place = 0
        while place < old.count {
            guard place + 1 < old.count, old[place] == pair.left, old[place + 1] == pair.right else {
                new.append(old[place])
                place += 1
                continue
            }
            if let before = new.last {
                let lost = TokenPair(left: before, right: pair.left)
                if lost != pair { add(lost, -count, in: holder) }
                let gained = TokenPair(left: before, right: token)
                add(gained, count, in: holder)
                changed.insert(gained)
            }
            new.append(token)
            place += 2
            if place < old.count {
                let lost = TokenPair(left: pair.right, right: old[place])
                if lost != pair { add(lost, -count, in: holder) }
                let gained = TokenPair(left: token, right: old[place])
                add(gained, count, in: holder)
                changed.insert(gained)
            }
        }
        words[Int(holder)] = new
    }
}
