/// The numbers of a case as arrays. Rows that must never be read, those of ignored tokens and of items that are excluded
/// or whose bias is −∞, hold NaN or something tempting.
struct CaseNumbers {
    var hidden: [Float]
    var catalog: [Float]
    var bias: [Float]?
    var weights: [Float]?
    var targets: [Int]
    /// In no order, repeats in it.
    var excludedList: [Int32]
    /// Items that are excluded or have a bias of −∞.
    let leftOut: Set<Int>

    init(_ options: ConformanceCase, _ dice: inout Dice) {
        let (n, c, d) = (options.tokens, options.items, options.width)
        let hiddenItems = dice.distinct(min(options.excluded + (options.bias == 2 ? 1 + c / 8 : 0), c - 1), below: c)
        let excluded = Array(hiddenItems.prefix(min(options.excluded, hiddenItems.count)))
        let biased = hiddenItems.dropFirst(excluded.count)
        excludedList = dice.shuffled(excluded + excluded.prefix(2)).map(Int32.init)
        if options.bias > 0 {
            var values = (0..<c).map { _ in options.data == 0 ? Float(dice.integer(-2...2)) : Float(dice.normal()) }
            for item in biased { values[item] = -.infinity }
            bias = values
        }
        let out = Set(hiddenItems)
        leftOut = out
        let possible = (0..<c).filter { !out.contains($0) && $0 != options.ignoreIndex }
        targets = (0..<n).map { _ in
            possible.isEmpty || dice.integer(0...99) < options.ignored ? options.ignoreIndex : dice.pick(possible)
        }
        if options.weights > 0 {
            weights = (0..<n).map { _ in
                options.weights == 3 || (options.weights == 2 && dice.chance(0.3)) ? 0 : Float(dice.unit() * 2 + 0.01)
            }
        }
        catalog = CaseNumbers.items(options, &dice)
        hidden = []
        hidden.reserveCapacity(n * d)
        for token in 0..<n {
            let target = targets[token] == options.ignoreIndex ? 0 : targets[token]
            hidden += CaseNumbers.token(options, Array(catalog[target * d..<(target + 1) * d]), &dice)
        }
        injectPoison(options, &dice)
    }

    /// Rows of Y, finite.
    private static func items(_ options: ConformanceCase, _ dice: inout Dice) -> [Float] {
        let (c, d) = (options.items, options.width)
        let root = Double(d).squareRoot()
        switch ConformanceCase.Data(rawValue: options.data) ?? .gaussian {
        case .integers: return (0..<c * d).map { _ in Float(dice.integer(-2...2)) }
        case .gaussian: return (0..<c * d).map { _ in Float(1.6 * dice.normal() / root.squareRoot()) }
        case .clustered:
            let centres = (0..<8 * d).map { _ in 1.5 * dice.normal() / root.squareRoot() }
            return (0..<c * d).map { place in
                Float(centres[place / d % 8 * d + place % d] + 0.4 * dice.normal() / root.squareRoot())
            }
        case .large: return (0..<c * d).map { _ in Float(60 * dice.normal() / root.squareRoot()) }
        case .lowRank: return (0..<c * d).map { _ in Float(dice.normal() / root) }
        }
    }

    /// A row of X; clustered tokens lie near their target, so that the target leads.
    private static func token(_ options: ConformanceCase, _ target: [Float], _ dice: inout Dice) -> [Float] {
        let d = options.width
        let root = Double(d).squareRoot()
        switch ConformanceCase.Data(rawValue: options.data) ?? .gaussian {
        case .integers: return (0..<d).map { _ in Float(dice.integer(-2...2)) }
        case .gaussian: return (0..<d).map { _ in Float(1.6 * dice.normal() / root.squareRoot()) }
        case .clustered: return target.map { 3 * $0 + Float(0.2 * dice.normal() / root.squareRoot()) }
        case .large: return (0..<d).map { _ in Float(60 * dice.normal() / root.squareRoot()) }
        case .lowRank:
            let (a, b) = (dice.normal(), dice.normal())
            return (0..<d).map { k in Float(8 + a * (k % 2 == 0 ? 1 : -1) + b * Double(k % 3 - 1)) }
        }
    }

    private mutating func injectPoison(_ options: ConformanceCase, _ dice: inout Dice) {
        let d = options.width
        let factor: Float = options.tempting == 1 ? 4 : .nan
        for token in targets.indices where targets[token] == options.ignoreIndex {
            for k in 0..<d { hidden[token * d + k] *= factor }
        }
        for item in leftOut { for k in 0..<d { catalog[item * d + k] *= factor } }
        let valid = targets.indices.filter { targets[$0] != options.ignoreIndex }
        let heavy = valid.filter { (weights?[$0] ?? 1) > 0 }
        let light = valid.filter { weights?[$0] == 0 }
        let items = (0..<options.items).filter { !leftOut.contains($0) }
        func place(_ rows: [Int]) -> Int? {
            rows.isEmpty ? nil : dice.pick(rows) * d + dice.integer(0...d - 1)
        }
        switch ConformanceCase.Poison(rawValue: options.poison) ?? .none {
        case .none: break
        case .nanToken: if let place = place(heavy) { hidden[place] = .nan }
        case .infiniteToken: if let place = place(heavy) { hidden[place] = .infinity }
        case .nanItem: if let place = place(items) { catalog[place] = .nan }
        case .infiniteItem: if let place = place(items) { catalog[place] = -.infinity }
        case .weightlessToken: if let place = place(light) { hidden[place] = .nan }
        }
    }
}
