/// From the file's parts to what they do. Whatever is not supported is refused by its name.
extension TokenizerFile {
    /// - Throws: `NotByteLevelBPE`.
    func meaning() throws -> Meaning {
        guard truncation == nil else { throw NotByteLevelBPE(reason: "truncation is not supported") }
        guard padding == nil else { throw NotByteLevelBPE(reason: "padding is not supported") }
        let usesNFC = try normalizer.map { try Self.usesNFC($0) } ?? false
        guard let preTokenizer else {
            throw NotByteLevelBPE(reason: "there is no pre_tokenizer; byte-level BPE has a ByteLevel one")
        }
        var byteLevels = 0
        let words = try Self.words(preTokenizer, &byteLevels)
        guard byteLevels == 1 else {
            throw NotByteLevelBPE(reason: "the pre_tokenizer has \(byteLevels) ByteLevel parts where 1 is wanted")
        }
        guard let decoder, decoder.type == "ByteLevel" else {
            throw NotByteLevelBPE(
                reason: "the decoder \(decoder?.type ?? "null") is not supported; this reads ByteLevel")
        }
        let template = try postProcessor.map { try Self.template($0) }
        try checkModel()
        try checkAddedTokens()
        return Meaning(
            usesNFC: usesNFC, preTokenizer: words, prefix: template?.prefix ?? [], suffix: template?.suffix ?? [])
    }

    struct Meaning {
        let usesNFC: Bool
        let preTokenizer: PreTokenizer
        /// Tokens that go before and after an encoded text.
        let prefix: [Int32]
        let suffix: [Int32]
    }

    private static func usesNFC(_ component: Component) throws -> Bool {
        switch component.type {
        case "NFC": return true
        case "Sequence": return try (component.normalizers ?? []).map(usesNFC).contains(true)
        default:
            throw NotByteLevelBPE(reason: "the normalizer \(component.type) is not supported; this reads NFC and none")
        }
    }

    private static func words(_ component: Component, _ byteLevels: inout Int) throws -> PreTokenizer {
        switch component.type {
        case "ByteLevel":
            byteLevels += 1
            // Both are on where an older file leaves them out.
            return .byteLevel(
                addPrefixSpace: component.addPrefixSpace ?? true, usesPattern: component.useRegex ?? true)
        case "Digits":
            return .digits(individual: component.individualDigits ?? false)
        case "Split":
            return try split(component)
        case "Sequence":
            let parts = component.pretokenizers ?? []
            // ByteLevel respells the text: a part behind it would see other characters.
            if let place = parts.firstIndex(where: { $0.type == "ByteLevel" }), place != parts.count - 1 {
                throw NotByteLevelBPE(reason: "the pre_tokenizer \(parts[place + 1].type) stands behind ByteLevel")
            }
            return .sequence(try parts.map { try words($0, &byteLevels) })
        default:
            throw NotByteLevelBPE(
                reason: "the pre_tokenizer \(component.type) is not supported; this reads ByteLevel, Split, Digits and "
                    + "Sequence")
        }
    }

    private static func split(_ component: Component) throws -> PreTokenizer {
        guard let expression = component.pattern?.regex else {
            let text = component.pattern?.string
            throw NotByteLevelBPE(
                reason: "Split by the text \(text.map { "\"\($0)\"" } ?? "null") is not supported; this knows the "
                    + "regular expressions of GPT-2, Llama 3 and Qwen")
        }
        guard let pattern = SplitPattern(expression) else {
            throw NotByteLevelBPE(
                reason: "Split by the regular expression \(expression) is not supported; this knows those of GPT-2, "
                    + "Llama 3 and Qwen")
        }
        // The known expressions match every character, so that nothing lies between matches: to isolate the matches
        // and to remove what is not a match are the same.
        switch (component.behavior, component.invert ?? false) {
        case ("Isolated", _), ("Removed", true): return .split(pattern)
        case (let behavior, let invert):
            throw NotByteLevelBPE(
                reason: "Split with the behavior \(behavior ?? "null")\(invert ? ", inverted," : "") is not supported; "
                    + "this reads Isolated")
        }
    }

    private static func template(_ component: Component) throws -> (prefix: [Int32], suffix: [Int32]) {
        switch component.type {
        case "ByteLevel": return ([], [])  // about offsets, which are not computed here
        case "Sequence":
            let parts = try (component.processors ?? []).map(template)
            return (parts.reversed().flatMap(\.prefix), parts.flatMap(\.suffix))
        case "TemplateProcessing":
            var (prefix, suffix): ([Int32], [Int32]) = ([], [])
            var texts = 0
            for piece in component.single ?? [] {
                if piece.sequence != nil { texts += 1 }
                guard let name = piece.specialToken?.id else { continue }
                guard let ids = component.specialTokens?[name]?.ids else {
                    throw NotByteLevelBPE(reason: "TemplateProcessing names the token \(name) and gives no id for it")
                }
                if texts == 0 { prefix += ids } else { suffix += ids }
            }
            guard texts == 1 else {
                throw NotByteLevelBPE(reason: "TemplateProcessing uses a single text \(texts) times where 1 is wanted")
            }
            return (prefix, suffix)
        default:
            throw NotByteLevelBPE(
                reason: "the post_processor \(component.type) is not supported; this reads ByteLevel, "
                    + "TemplateProcessing and Sequence")
        }
    }

    private func checkModel() throws {
        func refuse(_ reason: String) -> NotByteLevelBPE { NotByteLevelBPE(reason: "model: \(reason)") }
        if let dropout = model.dropout, dropout != 0 { throw refuse("dropout \(dropout) is not supported") }
        if model.byteFallback == true { throw refuse("byte_fallback is not supported: every byte has its own token") }
        for (field, text) in [
            ("continuing_subword_prefix", model.continuingSubwordPrefix), ("end_of_word_suffix", model.endOfWordSuffix),
        ] {
            if let text, !text.isEmpty { throw refuse("\(field) \"\(text)\" is not supported") }
        }
    }

    private func checkAddedTokens() throws {
        for token in addedTokens {
            func refuse(_ reason: String) -> NotByteLevelBPE {
                NotByteLevelBPE(reason: "added_tokens: \"\(token.content)\": \(reason)")
            }
            if token.content.isEmpty { throw refuse("the content is empty") }
            if token.id < 0 { throw refuse("the id \(token.id) is negative") }
            if token.isSingleWord { throw refuse("single_word is not supported") }
            if token.stripsLeft { throw refuse("lstrip is not supported") }
            if token.stripsRight { throw refuse("rstrip is not supported") }
        }
    }
}
