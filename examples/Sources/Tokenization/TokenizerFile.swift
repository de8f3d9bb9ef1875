/// `tokenizer.json` as it stands in the file. What it means is decided in `TokenizerFile+Meaning.swift`.
///
/// A field that this type does not know is an error and not passed over: it may change what is computed.
struct TokenizerFile: Codable, Equatable {
    var version: String? = "1.0"
    var truncation: NotSupported?
    var padding: NotSupported?
    var addedTokens: [AddedToken] = []
    var normalizer: Component?
    var preTokenizer: Component?
    var postProcessor: Component?
    var decoder: Component?
    var model: Model

    enum CodingKeys: String, CodingKey, CaseIterable {
        case version, truncation, padding, normalizer, decoder, model
        case addedTokens = "added_tokens"
        case preTokenizer = "pre_tokenizer"
        case postProcessor = "post_processor"
    }

    /// A value of any kind that makes the file unusable when it is there.
    struct NotSupported: Codable, Equatable {
        init(from decoder: any Decoder) throws {}
        func encode(to encoder: any Encoder) throws {}
    }

    struct AddedToken: Codable, Equatable {
        var id: Int32
        var content: String
        var isSingleWord = false
        var stripsLeft = false
        var stripsRight = false
        var isNormalized = false
        var isSpecial = true

        enum CodingKeys: String, CodingKey, CaseIterable {
            case id, content
            case isSingleWord = "single_word"
            case stripsLeft = "lstrip"
            case stripsRight = "rstrip"
            case isNormalized = "normalized"
            case isSpecial = "special"
        }
    }

    /// A normalizer, pre-tokenizer, post-processor or decoder: its type, and the fields of all the types known here.
    struct Component: Codable, Equatable {
        var type: String
        // ByteLevel
        var addPrefixSpace: Bool?
        var trimOffsets: Bool?
        var useRegex: Bool?
        // Split
        var pattern: Pattern?
        var behavior: String?
        var invert: Bool?
        // Digits
        var individualDigits: Bool?
        // Sequence, of each kind
        var normalizers: [Component]?
        var pretokenizers: [Component]?
        var processors: [Component]?
        var decoders: [Component]?
        // TemplateProcessing
        var single: [TemplatePiece]?
        var pair: [TemplatePiece]?
        var specialTokens: [String: TemplateToken]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case type, pattern, behavior, invert, normalizers, pretokenizers, processors, decoders, single, pair
            case addPrefixSpace = "add_prefix_space"
            case trimOffsets = "trim_offsets"
            case useRegex = "use_regex"
            case individualDigits = "individual_digits"
            case specialTokens = "special_tokens"
        }

        init(type: String) { self.type = type }

        /// A type that is not known is refused by its own name, before any of its fields.
        static let types: Set<String> = ["ByteLevel", "Split", "Digits", "Sequence", "NFC", "TemplateProcessing"]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decode(String.self, forKey: .type)
            guard Self.types.contains(type) else { return }
            try decoder.refuseUnknown(CodingKeys.self)
            func read<Value: Decodable>(_ key: CodingKeys, _: Value.Type) throws -> Value? {
                try container.decodeIfPresent(Value.self, forKey: key)
            }
            addPrefixSpace = try read(.addPrefixSpace, Bool.self)
            trimOffsets = try read(.trimOffsets, Bool.self)
            useRegex = try read(.useRegex, Bool.self)
            pattern = try read(.pattern, Pattern.self)
            behavior = try read(.behavior, String.self)
            invert = try read(.invert, Bool.self)
            individualDigits = try read(.individualDigits, Bool.self)
            normalizers = try read(.normalizers, [Component].self)
            pretokenizers = try read(.pretokenizers, [Component].self)
            processors = try read(.processors, [Component].self)
            decoders = try read(.decoders, [Component].self)
            single = try read(.single, [TemplatePiece].self)
            pair = try read(.pair, [TemplatePiece].self)
            specialTokens = try read(.specialTokens, [String: TemplateToken].self)
        }
    }

    /// `{"Regex": …}` or `{"String": …}`.
    struct Pattern: Codable, Equatable {
        var regex: String?
        var string: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case regex = "Regex"
            case string = "String"
        }
    }

    /// `{"SpecialToken": {"id": "<s>", …}}` or `{"Sequence": {"id": "A", …}}`.
    struct TemplatePiece: Codable, Equatable {
        var specialToken: Part?
        var sequence: Part?

        struct Part: Codable, Equatable {
            var id: String
            var typeID: Int

            enum CodingKeys: String, CodingKey {
                case id
                case typeID = "type_id"
            }
        }

        enum CodingKeys: String, CodingKey {
            case specialToken = "SpecialToken"
            case sequence = "Sequence"
        }
    }

    struct TemplateToken: Codable, Equatable {
        var id: String
        var ids: [Int32]
        var tokens: [String]
    }

    struct Model: Codable, Equatable {
        var type: String? = "BPE"
        var dropout: Double?
        var unknownToken: String?
        var continuingSubwordPrefix: String?
        var endOfWordSuffix: String?
        var fusesUnknown: Bool? = false
        var byteFallback: Bool? = false
        var ignoresMerges: Bool? = false
        var vocabulary: [String: Int32]
        var merges: Merges

        enum CodingKeys: String, CodingKey, CaseIterable {
            case type, dropout, merges
            case unknownToken = "unk_token"
            case continuingSubwordPrefix = "continuing_subword_prefix"
            case endOfWordSuffix = "end_of_word_suffix"
            case fusesUnknown = "fuse_unk"
            case byteFallback = "byte_fallback"
            case ignoresMerges = "ignore_merges"
            case vocabulary = "vocab"
        }

        init(vocabulary: [String: Int32], merges: [[String]]) {
            self.vocabulary = vocabulary
            self.merges = Merges(pairs: merges)
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decodeIfPresent(String.self, forKey: .type)
            // Another model's fields would be reported before its type: the type is what matters.
            guard type == nil || type == "BPE" else {
                throw NotByteLevelBPE(reason: "the model type \(type ?? "") is not supported; this reads BPE")
            }
            try decoder.refuseUnknown(CodingKeys.self)
            dropout = try container.decodeIfPresent(Double.self, forKey: .dropout)
            unknownToken = try container.decodeIfPresent(String.self, forKey: .unknownToken)
            continuingSubwordPrefix = try container.decodeIfPresent(String.self, forKey: .continuingSubwordPrefix)
            endOfWordSuffix = try container.decodeIfPresent(String.self, forKey: .endOfWordSuffix)
            fusesUnknown = try container.decodeIfPresent(Bool.self, forKey: .fusesUnknown)
            byteFallback = try container.decodeIfPresent(Bool.self, forKey: .byteFallback)
            ignoresMerges = try container.decodeIfPresent(Bool.self, forKey: .ignoresMerges)
            vocabulary = try container.decode([String: Int32].self, forKey: .vocabulary)
            merges = try container.decode(Merges.self, forKey: .merges)
        }
    }

    /// Either `["a b", …]`, as older files have it, or `[["a", "b"], …]`. Written in the second form.
    struct Merges: Codable, Equatable {
        var pairs: [[String]]

        init(pairs: [[String]]) { self.pairs = pairs }

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            pairs = []
            pairs.reserveCapacity(list.count ?? 0)
            // The first merge tells the form of all.
            guard !list.isAtEnd, let first = try? list.decode(String.self) else {
                while !list.isAtEnd { pairs.append(try list.decode([String].self)) }
                return
            }
            func pair(_ line: String) -> [String] {
                line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            }
            pairs.append(pair(first))
            while !list.isAtEnd { pairs.append(pair(try list.decode(String.self))) }
        }

        func encode(to encoder: any Encoder) throws { try pairs.encode(to: encoder) }
    }
}

/// What a decoder finds that this reader does not support.
struct NotByteLevelBPE: Error { let reason: String }

extension TokenizerFile {
    init(from decoder: any Decoder) throws {
        try decoder.refuseUnknown(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decodeIfPresent(String.self, forKey: .version)
        truncation = try container.decodeIfPresent(NotSupported.self, forKey: .truncation)
        padding = try container.decodeIfPresent(NotSupported.self, forKey: .padding)
        addedTokens = try container.decodeIfPresent([AddedToken].self, forKey: .addedTokens) ?? []
        normalizer = try container.decodeIfPresent(Component.self, forKey: .normalizer)
        preTokenizer = try container.decodeIfPresent(Component.self, forKey: .preTokenizer)
        postProcessor = try container.decodeIfPresent(Component.self, forKey: .postProcessor)
        self.decoder = try container.decodeIfPresent(Component.self, forKey: .decoder)
        model = try container.decode(Model.self, forKey: .model)
    }

    /// Nulls are written out: other readers want the fields to be there.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(truncation, forKey: .truncation)
        try container.encode(padding, forKey: .padding)
        try container.encode(addedTokens, forKey: .addedTokens)
        try container.encode(normalizer, forKey: .normalizer)
        try container.encode(preTokenizer, forKey: .preTokenizer)
        try container.encode(postProcessor, forKey: .postProcessor)
        try container.encode(decoder, forKey: .decoder)
        try container.encode(model, forKey: .model)
    }
}

extension Decoder {
    /// - Throws: `NotByteLevelBPE` when the object here has a key outside `Keys`.
    fileprivate func refuseUnknown<Keys: CodingKey & CaseIterable>(_: Keys.Type) throws {
        let known = Set(Keys.allCases.map(\.stringValue))
        let found = try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let unknown = found.filter({ !known.contains($0) }).min() else { return }
        let place = codingPath.map(\.stringValue).joined(separator: ".")
        throw NotByteLevelBPE(reason: "\(place.isEmpty ? "" : "\(place): ")the field \(unknown) is not known")
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
