/// Ragged candidate blocks in host memory: what a caller hands in (mined or in-batch negatives) and what a selection
/// is exported as.
///
/// Block k pairs the tokens `tokens[tokenOffsets[k] ..< tokenOffsets[k+1]]` (rows of X) with the items
/// `items[itemOffsets[k] ..< itemOffsets[k+1]]` (rows of the catalog). An item that stands twice in a block counts
/// once (its first log-weight stands); a token may stand once in a block and in many blocks; a token's own target
/// never counts as a candidate.
///
/// Offsets begin at 0, never decrease, and end at the number of tokens (items). What breaks these rules is found when a
/// call uses the lists: `invalidArgument`, or `indexOutOfRange` for an id.
public struct CandidateLists: Sendable, Equatable {
    /// Blocks + 1 places in `tokens`.
    public var tokenOffsets: [Int]
    /// Rows of X.
    public var tokens: [Int32]
    /// Blocks + 1 places in `items`.
    public var itemOffsets: [Int]
    /// Rows of the catalog.
    public var items: [Int32]
    /// Added to the logit of the candidate, parallel to `items`: −log q of a sampled candidate, log(C/m) of a tail.
    /// Finite, or `invalidWeight`; to hide a candidate, leave it out.
    public var logWeights: [Float]?
    /// One flag a block: blocks marked `false` act on dX and on the normaliser and contribute nothing of their
    /// candidates to dY and db.
    public var contributesToCatalogGradient: [Bool]?

    public var blockCount: Int { max(tokenOffsets.count - 1, 0) }

    public init(
        tokenOffsets: [Int], tokens: [Int32], itemOffsets: [Int], items: [Int32], logWeights: [Float]? = nil,
        contributesToCatalogGradient: [Bool]? = nil
    ) {
        self.tokenOffsets = tokenOffsets
        self.tokens = tokens
        self.itemOffsets = itemOffsets
        self.items = items
        self.logWeights = logWeights
        self.contributesToCatalogGradient = contributesToCatalogGradient
    }

    /// Blocks given as lists, for small cases.
    public init(blocks: [(tokens: [Int32], items: [Int32])]) {
        self.init(tokenOffsets: [0], tokens: [], itemOffsets: [0], items: [])
        for block in blocks {
            tokens += block.tokens
            items += block.items
            tokenOffsets.append(tokens.count)
            itemOffsets.append(items.count)
        }
    }
}

/// `CandidateLists` in borrowed memory; nothing is copied until the call that uses it, which must happen while it is
/// valid.
///
/// The fields mean what those of `CandidateLists` mean.
public struct CandidateView: @unchecked Sendable {
    // Sendable: read-only; the maker keeps the memory alive and unchanged.
    public var tokenOffsets: UnsafeBufferPointer<Int>
    public var tokens: UnsafeBufferPointer<Int32>
    public var itemOffsets: UnsafeBufferPointer<Int>
    public var items: UnsafeBufferPointer<Int32>
    public var logWeights: UnsafeBufferPointer<Float>?
    public var contributesToCatalogGradient: UnsafeBufferPointer<Bool>?

    public var blockCount: Int { max(tokenOffsets.count - 1, 0) }

    public init(
        tokenOffsets: UnsafeBufferPointer<Int>, tokens: UnsafeBufferPointer<Int32>,
        itemOffsets: UnsafeBufferPointer<Int>, items: UnsafeBufferPointer<Int32>,
        logWeights: UnsafeBufferPointer<Float>? = nil, contributesToCatalogGradient: UnsafeBufferPointer<Bool>? = nil
    ) {
        self.tokenOffsets = tokenOffsets
        self.tokens = tokens
        self.itemOffsets = itemOffsets
        self.items = items
        self.logWeights = logWeights
        self.contributesToCatalogGradient = contributesToCatalogGradient
    }
}

extension CandidateLists {
    /// Lends the lists as a view, which is valid for the duration of `body`.
    public func withView<R>(_ body: (CandidateView) throws(ShortlistError) -> R) throws(ShortlistError) -> R {
        // `withUnsafeBufferPointer` is called for its pointers alone; `body`'s own error type is carried by a Result.
        var outcome = Result<R, ShortlistError>.failure(ShortlistError(.internalError, "candidate lists not lent"))
        tokenOffsets.withUnsafeBufferPointer { tokenOffsets in
            tokens.withUnsafeBufferPointer { tokens in
                itemOffsets.withUnsafeBufferPointer { itemOffsets in
                    items.withUnsafeBufferPointer { items in
                        withOptionalBuffer(logWeights) { weights in
                            withOptionalBuffer(contributesToCatalogGradient) { flags in
                                let view = CandidateView(
                                    tokenOffsets: tokenOffsets, tokens: tokens, itemOffsets: itemOffsets,
                                    items: items, logWeights: weights, contributesToCatalogGradient: flags)
                                outcome = Result { () throws(ShortlistError) -> R in try body(view) }
                            }
                        }
                    }
                }
            }
        }
        return try outcome.get()
    }
}

private func withOptionalBuffer<E>(_ array: [E]?, _ body: (UnsafeBufferPointer<E>?) -> Void) {
    guard let array else { return body(nil) }
    array.withUnsafeBufferPointer { body($0) }
}
