extension ConformanceCase {
    /// Sizes that have shown bugs elsewhere: nothing, one, odd, a power of two and its neighbours.
    static let awkward = [1, 2, 3, 13, 31, 64, 65, 127, 128, 129]

    /// A case of any loss with any mixture of options, the same for the same seed.
    public init(random seed: Int) {
        self.init()
        self.seed = seed
        var dice = Dice(seed)
        loss = dice.pick([0, 1, 1, 1, 2, 2, 3, 3])
        union = dice.integer(0...1)
        tokens = dice.chance(0.02) ? 0 : dice.chance(0.5) ? dice.pick(ConformanceCase.awkward) : dice.integer(1...90)
        items = dice.chance(0.5) ? dice.pick(ConformanceCase.awkward) : dice.integer(1...300)
        width = dice.chance(0.5) ? dice.pick(ConformanceCase.awkward) : dice.integer(1...48)
        // The oracle is slow: one large dimension at a time, now and then two.
        while tokens * items * width > (dice.chance(0.05) ? 2_000_000 : 500_000) {
            switch dice.integer(0...2) {
            case 0: tokens = max(1, tokens / 2)
            case 1: items = max(1, items / 2)
            default: width = max(1, width / 2)
            }
        }
        chooseSelection(&dice)
        chooseNumbers(&dice)
        chooseOutputs(&dice)
    }

    private mutating func chooseSelection(_ dice: inout Dice) {
        directions = dice.pick([0, 0, 1, kind == .sce ? 2 : 1])
        buckets = dice.chance(0.2) && directions != 0 && kind != .given ? 0 : dice.integer(1...14)
        if kind == .given && dice.chance(0.03) { buckets = 0 }
        tokensPerBucket = kind == .sce && dice.chance(0.2) ? 0 : dice.integer(1...max(2, tokens + 2))
        itemsPerBucket = dice.integer(1...max(2, items + 2))
        if dice.chance(0.5) {
            tokensPerBucket = min(tokensPerBucket, 20)
            itemsPerBucket = min(itemsPerBucket, 40)
        }
        chunks = dice.chance(0.3) ? 0 : dice.integer(1...20)
        neighbours = dice.pick([0, 1, 1, 2, 30])
        rounds = dice.integer(1...4)
        repeats = dice.integer(0...1)
        logWeights = dice.integer(0...1)
        detached = dice.integer(0...1)
    }

    private mutating func chooseNumbers(_ dice: inout Dice) {
        data = dice.pick([0, 0, 1, 1, 1, 2, 3, 4])
        scale = dice.pick([100, 100, 170, 31])
        bias = dice.pick([0, 0, 1, 2])
        weights = dice.pick([0, 0, 1, 2, 2, dice.chance(0.1) ? 3 : 1])
        ignored = dice.pick([0, 0, 20, 50, dice.chance(0.1) ? 100 : 20])
        ignoreIndex = dice.pick([-100, -100, -1, 0, items + 5])
        excluded = dice.chance(0.4) ? dice.integer(0...max(0, items / 2)) : 0
        reduction = dice.integer(0...2)
        denominator = reduction == 0 && dice.chance(0.3) ? 1 : 0
        upstream = dice.chance(0.7) ? 1 : 0
        inputPadding = dice.pick([0, 0, 1, 3, 16])
        wideTargets = dice.integer(0...1)
        tempting = dice.integer(0...1)
        poison = dice.chance(0.15) ? dice.integer(1...5) : 0
        if poison == 5 { weights = 2 }
        // A pair that a detached block holds first is hidden later as 0·NaN: what that comes to is nobody's promise.
        if poison == 1 || poison == 2 { detached = 0 }
    }

    private mutating func chooseOutputs(_ dice: inout Dice) {
        let all = dice.chance(0.5)
        wantsHidden = all || dice.chance(0.5) ? 1 : 0
        wantsCatalog = all || dice.chance(0.5) ? 1 : 0
        wantsBias = all || dice.chance(0.5) ? 1 : 0
        wantsScale = dice.chance(0.4) ? 1 : 0
        form = dice.integer(0...2)
        outputPadding = dice.pick([0, 0, 1, 5])
        limit = dice.pick([0, 0, 1, 2])
    }
}
