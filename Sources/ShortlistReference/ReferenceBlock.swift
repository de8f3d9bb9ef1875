/// A candidate block: a set of tokens and a set of items whose logits are computed together.
public struct ReferenceBlock: Sendable, Equatable {
    /// Positions in the batch as the caller gave it (ignored tokens counted), distinct and ascending.
    public var tokens: [Int]
    /// Item indices, distinct and ascending.
    public var items: [Int]
    /// One number an item, in the order of `items`, added to the logit of the *candidate* (never to the target's).
    public var logWeights: [Double]?
    /// False: what the block's candidates do to dY and db is left out. They still act on the normaliser, dX and ds,
    /// and the target's part of dY and db stays, with the p_it of the complete normaliser.
    public var contributesToCatalogGradient: Bool

    public init(
        tokens: [Int], items: [Int], logWeights: [Double]? = nil, contributesToCatalogGradient: Bool = true
    ) {
        self.tokens = tokens
        self.items = items
        self.logWeights = logWeights
        self.contributesToCatalogGradient = contributesToCatalogGradient
    }
}

/// How the blocks that a token is in are brought together.
public enum ReferenceCombination: Sendable, Hashable {
    /// `ℓ_i` is the largest of its blocks' losses (SCE, arXiv 2409.18721).
    case maximum
    /// One shortlist: each distinct item of the token's blocks once, as the first block that holds both has it.
    case union
}

/// CE: one block, all valid tokens × all selectable items.
public func selectAll(_ problem: ReferenceProblem) -> [ReferenceBlock] {
    [ReferenceBlock(tokens: problem.validTokens, items: problem.selectableItems)]
}

/// Given candidates: the caller's blocks, tidied. The number and order of blocks stay, so that winners keep their meaning.
///
/// Ignored tokens, excluded items and items of bias −∞ are dropped; a token or an item that stands in a block twice
/// counts once (for log-weights, the first); both are put in ascending order. Every other selection passes through
/// unchanged.
public func selectGiven(_ problem: ReferenceProblem, _ blocks: [ReferenceBlock]) -> [ReferenceBlock] {
    blocks.map { block in
        let places = ReferenceKernels.stableSort(byKey: block.items)
        var tidy = ReferenceBlock(
            tokens: [], items: [], logWeights: block.logWeights == nil ? nil : [],
            contributesToCatalogGradient: block.contributesToCatalogGradient)
        for i in block.tokens.sorted() where problem.targets[i] != problem.ignoreIndex && tidy.tokens.last != i {
            tidy.tokens.append(i)
        }
        for place in places {
            let item = block.items[place]
            precondition((0..<problem.itemCount).contains(item), "candidate \(item) is out of range")
            guard problem.isSelectable(item), tidy.items.last != item else { continue }
            tidy.items.append(item)
            if let logWeights = block.logWeights { tidy.logWeights!.append(logWeights[place]) }
        }
        return tidy
    }
}
