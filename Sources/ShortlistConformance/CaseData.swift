import ShortlistCore
import ShortlistLosses
import ShortlistReference

/// The numbers of a case, in guarded memory, and the same in the oracle's arrays.
final class CaseData {
    let options: ConformanceCase
    let hidden: Guarded<Float>
    let catalogItems: Guarded<Float>
    let bias: Guarded<Float>?
    let weights: Guarded<Float>?
    let targets32: Guarded<Int32>
    let targets64: Guarded<Int64>
    let excluded: Guarded<Int32>
    /// Given directions, all rounds; nil where they are drawn.
    let directions: Guarded<Float>?
    /// Given candidates as the caller has them.
    let lists: CandidateLists
    let tokenOffsets: Guarded<Int>
    let blockTokens: Guarded<Int32>
    let itemOffsets: Guarded<Int>
    let blockItems: Guarded<Int32>
    let logWeights: Guarded<Float>?
    let flags: UnsafeMutableBufferPointer<Bool>
    let upstreamOne: Float
    let upstreamPerToken: Guarded<Float>?
    let denominator: Double?
    let problem: ReferenceProblem
    let catalog: Catalog
    /// ‖x‖ of each token, and the largest ‖y‖ of an item that is finite and not left out.
    let hiddenNorms: [Double]
    let longestItem: Double

    /// Directions a round.
    var bucketRows: Int { max(1, options.buckets) }

    /// - Parameter stream: the one that will use the data; a GPU keeps a copy of the catalog.
    init(_ options: ConformanceCase, on stream: any Stream) throws(ShortlistError) {
        self.options = options
        var dice = Dice(options.seed &* 7919 &+ 17)
        let numbers = CaseNumbers(options, &dice)
        let (n, c, d) = (options.tokens, options.items, options.width)
        hidden = Guarded(rows: n, columns: d, padding: options.inputPadding)
        hidden.set(numbers.hidden)
        catalogItems = Guarded(rows: c, columns: d, padding: options.inputPadding)
        catalogItems.set(numbers.catalog)
        bias = numbers.bias.map { Guarded(rows: 1, sentinel: poison, $0) }
        weights = numbers.weights.map { Guarded(rows: 1, sentinel: poison, $0) }
        targets32 = Guarded(numbers.targets.map(Int32.init))
        targets64 = Guarded(numbers.targets.map(Int64.init))
        excluded = Guarded(numbers.excludedList)

        let rounds = options.kind == .rece ? options.rounds : 1
        let given = options.directions == ConformanceCase.Directions.given.rawValue
        let bucketRows = max(1, options.buckets)
        if given && (options.kind == .sce || options.kind == .rece) {
            let values = (0..<rounds * bucketRows * d).map { _ -> Float in
                options.data == 0 ? Float(dice.integer(-2...2)) : Float(dice.normal())
            }
            directions = Guarded(rows: rounds * bucketRows, columns: d, padding: options.inputPadding)
            directions?.set(values)
        } else {
            directions = nil
        }

        lists = CaseData.blocks(options, &dice)
        tokenOffsets = Guarded(lists.tokenOffsets)
        blockTokens = Guarded(lists.tokens)
        itemOffsets = Guarded(lists.itemOffsets)
        blockItems = Guarded(lists.items)
        logWeights = lists.logWeights.map { Guarded(rows: 1, sentinel: poison, $0) }
        flags = .allocate(capacity: max(1, lists.blockCount))
        for block in 0..<lists.blockCount { flags[block] = lists.contributesToCatalogGradient?[block] ?? true }

        upstreamOne = options.upstream == 0 ? 1 : -0.7
        let perToken = (0..<n).map { _ in dice.chance(0.1) ? 0 : Float(dice.unit() * 3 - 1) }
        upstreamPerToken =
            options.upstream == 1 && options.reduction == 2 ? Guarded(rows: 1, sentinel: poison, perToken) : nil
        denominator = options.reduction == 0 && options.denominator == 1 ? 3.25 : nil
        catalog = try Catalog(items: try catalogItems.view(), bias: bias?.readOnly, on: stream)

        func norms(_ values: [Float]) -> [Double] {
            (0..<values.count / d).map { row in
                values[row * d..<(row + 1) * d].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            }
        }
        hiddenNorms = norms(numbers.hidden)
        longestItem =
            norms(numbers.catalog).enumerated().filter { $0.element.isFinite && !numbers.leftOut.contains($0.offset) }
            .map(\.element).max() ?? 0
        let doubles = { (values: [Float]) in values.map(Double.init) }
        var upstream = [Double(upstreamOne)]
        if options.reduction == 2 {
            upstream = upstreamPerToken.map { doubles($0.values) } ?? Array(repeating: upstream[0], count: n)
        }
        problem = ReferenceProblem(
            hidden: doubles(numbers.hidden), catalog: doubles(numbers.catalog), dimension: d,
            targets: numbers.targets, itemBias: numbers.bias.map(doubles), ignoreIndex: options.ignoreIndex,
            weights: numbers.weights.map(doubles), scale: Double(CaseData.scale(options)),
            excludedItems: Set(numbers.excludedList.map(Int.init)),
            reduction: [.mean, .sum, .none][options.reduction], denominator: denominator, upstream: upstream)
    }

    deinit { flags.deallocate() }

    private static func scale(_ options: ConformanceCase) -> Float { Float(max(1, options.scale)) / 100 }

    /// Ragged blocks: some empty, tokens in no order, items repeated where the case asks for it.
    private static func blocks(_ options: ConformanceCase, _ dice: inout Dice) -> CandidateLists {
        var lists = CandidateLists(tokenOffsets: [0], tokens: [], itemOffsets: [0], items: [])
        guard options.kind == .given else { return lists }
        for _ in 0..<options.buckets {
            let most = min(options.tokens, max(1, options.tokensPerBucket))
            lists.tokens += dice.distinct(dice.integer(0...most), below: options.tokens).map(Int32.init)
            let count = dice.integer(0...max(1, options.itemsPerBucket))
            lists.items +=
                options.repeats == 1
                ? (0..<count).map { _ in Int32(dice.integer(0...options.items - 1)) }
                : dice.distinct(min(count, options.items), below: options.items).map(Int32.init)
            lists.tokenOffsets.append(lists.tokens.count)
            lists.itemOffsets.append(lists.items.count)
        }
        if options.logWeights == 1 { lists.logWeights = lists.items.map { _ in Float(dice.unit() * 4 - 2) } }
        if options.detached == 1 {
            lists.contributesToCatalogGradient = (0..<options.buckets).map { _ in dice.chance(0.6) }
        }
        return lists
    }

    var targets: Targets {
        options.wideTargets == 1 ? .int64(targets64.readOnly) : .int32(targets32.readOnly)
    }

    func batch() throws(ShortlistError) -> Batch {
        Batch(
            hidden: try hidden.view(), targets: targets, weights: weights?.readOnly,
            ignoreIndex: Int64(options.ignoreIndex), excludedItems: excluded.readOnly,
            scale: CaseData.scale(options), reduction: [.mean, .sum, .none][options.reduction],
            denominator: denominator)
    }

    var upstream: Upstream {
        upstreamPerToken.map { .perToken($0.readOnly) } ?? .one(upstreamOne)
    }

    var combination: Combination { options.isMaximum ? .max : .union }

    func makeLoss() throws(ShortlistError) -> any Loss {
        switch options.kind {
        case .crossEntropy: return CrossEntropy()
        case .sce:
            var source = SCE.Directions.gaussian
            if options.directions == ConformanceCase.Directions.mix.rawValue { source = .mix }
            if let directions { source = .given(try directions.view()) }
            return SCE(
                bucketCount: options.buckets > 0 ? options.buckets : nil,
                tokensPerBucket: options.tokensPerBucket > 0 ? options.tokensPerBucket : nil,
                itemsPerBucket: max(1, options.itemsPerBucket), directions: source, seed: drawSeed, step: drawStep,
                combination: combination)
        case .rece:
            return RECE(
                bucketCount: options.buckets > 0 ? options.buckets : nil,
                chunkCount: options.chunks > 0 ? options.chunks : nil, neighbourChunks: options.neighbours,
                rounds: options.rounds,
                directions: try directions.map { (given) throws(ShortlistError) in .given(try given.view()) }
                    ?? .gaussian,
                seed: drawSeed, step: drawStep)
        case .given:
            let view = CandidateView(
                tokenOffsets: tokenOffsets.readOnly, tokens: blockTokens.readOnly, itemOffsets: itemOffsets.readOnly,
                items: blockItems.readOnly, logWeights: logWeights?.readOnly,
                contributesToCatalogGradient: lists.contributesToCatalogGradient == nil
                    ? nil : UnsafeBufferPointer(start: flags.baseAddress, count: lists.blockCount))
            return GivenCandidates(view, combination: combination)
        }
    }

    /// Seeds that use both halves of their words.
    var drawSeed: UInt64 { UInt64(truncatingIfNeeded: options.seed) &* 0x1_0000_0001_0003 }
    var drawStep: UInt64 { UInt64(truncatingIfNeeded: options.seed) &* 0x1_0000_0011 & (1 << 56 - 1) }

    /// The caller's blocks as the oracle takes them, repeats and all.
    var givenBlocks: [ReferenceBlock] {
        (0..<lists.blockCount).map { block in
            let items = lists.itemOffsets[block]..<lists.itemOffsets[block + 1]
            return ReferenceBlock(
                tokens: lists.tokens[lists.tokenOffsets[block]..<lists.tokenOffsets[block + 1]].map(Int.init),
                items: lists.items[items].map(Int.init), logWeights: lists.logWeights?[items].map(Double.init),
                contributesToCatalogGradient: lists.contributesToCatalogGradient?[block] ?? true)
        }
    }

    /// Whether everything that was lent to read still holds what it held.
    var inputsAreIntact: Bool {
        hidden.isIntact && catalogItems.isIntact && (bias?.isIntact ?? true) && (weights?.isIntact ?? true)
            && targets32.isIntact && targets64.isIntact && excluded.isIntact && (directions?.isIntact ?? true)
            && zip(hidden.values, problem.hidden).allSatisfy { same(Double($0), $1) }
            && zip(catalogItems.values, problem.catalog).allSatisfy { same(Double($0), $1) }
            && targets32.values.map(Int.init) == problem.targets
    }

    private func same(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }
}
