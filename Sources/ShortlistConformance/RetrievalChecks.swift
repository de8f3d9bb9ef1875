import ShortlistCore
import ShortlistLosses
import ShortlistReference

/// Sizes of one retrieval.
struct RetrievalCase: CustomStringConvertible {
    var queries: Int
    var items: Int
    var width: Int
    var k: Int
    var seed: Int
    /// Small integers: exact scores, many ties.
    var integers: Bool
    var excluded: Int
    /// Seen items a query, at most; in no order, repeated.
    var seen: Int
    /// With −∞ in it.
    var bias: Bool
    var padding = 0
    /// NaN in one item and one query.
    var poison = false

    var description: String {
        "queries=\(queries) items=\(items) width=\(width) k=\(k) seed=\(seed) integers=\(integers) excluded=\(excluded) "
            + "seen=\(seen) bias=\(bias) padding=\(padding) poison=\(poison)"
    }

    init(
        queries: Int, items: Int, width: Int, k: Int, seed: Int, integers: Bool, excluded: Int = 0, seen: Int = 0,
        bias: Bool = false, padding: Int = 0, poison: Bool = false
    ) {
        self.queries = queries
        self.items = items
        self.width = width
        self.k = k
        self.seed = seed
        self.integers = integers
        self.excluded = excluded
        self.seen = seen
        self.bias = bias
        self.padding = padding
        self.poison = poison
    }

    init(random seed: Int) {
        var dice = Dice(seed)
        self.init(
            queries: dice.pick([1, 2, 13, 40, 129]), items: dice.pick([1, 2, 63, 64, 65, 200, 513, 1100]),
            width: dice.pick([1, 3, 13, 16, 33]), k: dice.pick([1, 2, 10, 63, 64, 65, 700, 3000]), seed: seed,
            integers: dice.chance(0.5), excluded: dice.pick([0, 0, 1, 40]), seen: dice.pick([0, 0, 3, 50]),
            bias: dice.chance(0.5), padding: dice.pick([0, 0, 5]), poison: dice.chance(0.2))
    }
}

/// Its numbers.
final class RetrievalData {
    let options: RetrievalCase
    let queries: Guarded<Float>
    let items: Guarded<Float>
    let bias: Guarded<Float>?
    let excluded: Guarded<Int32>
    let seenOffsets: Guarded<Int>
    let seenIds: Guarded<Int32>
    let seen: [[Int]]
    let targets: Guarded<Int32>
    let catalog: Catalog
    /// Q × C in Double, and how far f32 may be off.
    let scores: [Double]
    let room: [Double]
    let hidden: Set<Int>

    init(_ options: RetrievalCase, on stream: any Stream) throws(ShortlistError) {
        self.options = options
        var dice = Dice(options.seed &* 31 &+ 7)
        let (q, c, d) = (options.queries, options.items, options.width)
        func numbers(_ count: Int) -> [Float] {
            (0..<count).map { _ in options.integers ? Float(dice.integer(-2...2)) : Float(dice.normal()) }
        }
        var x = numbers(q * d)
        var y = numbers(c * d)
        let leftOut = dice.distinct(min(options.excluded + (options.bias ? c / 10 : 0), c - 1), below: c)
        let explicit = Array(leftOut.prefix(options.excluded))
        var b = numbers(c)
        for item in leftOut.dropFirst(explicit.count) { b[item] = -.infinity }
        let open = (0..<c).filter { !leftOut.contains($0) }
        if options.poison {
            x[dice.integer(0...q * d - 1)] = .nan
            y[dice.pick(open) * d] = .nan
            if c > 3 { y[dice.pick(open) * d + d - 1] = .infinity }
        }
        queries = Guarded(rows: q, columns: d, padding: options.padding)
        queries.set(x)
        items = Guarded(rows: c, columns: d, padding: options.padding)
        items.set(y)
        bias = options.bias ? Guarded(rows: 1, sentinel: ShortlistConformance.poison, b) : nil
        excluded = Guarded(dice.shuffled(explicit + explicit.prefix(3)).map(Int32.init))
        seen = (0..<q).map { _ in
            let most = dice.integer(0...options.seen)
            return (0..<most).map { _ in dice.integer(0...c - 1) }
        }
        seenOffsets = Guarded(seen.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) })
        seenIds = Guarded(seen.flatMap { $0.map(Int32.init) })
        targets = Guarded((0..<q).map { _ in Int32(dice.pick(open)) })
        catalog = try Catalog(items: try items.view(), bias: bias?.readOnly, on: stream)
        let (xd, yd) = (x.map(Double.init), y.map(Double.init))
        scores = ReferenceKernels.logits(xd, yd, dimension: d, bias: options.bias ? b.map(Double.init) : nil)
        room = (0..<q * c).map { place in
            let (row, column) = (place / c, place % c)
            let norm = { (v: ArraySlice<Double>) in v.reduce(0) { $0 + $1 * $1 }.squareRoot() }
            return options.integers
                ? 0 : 1e-5 * (norm(xd[row * d..<(row + 1) * d]) * norm(yd[column * d..<(column + 1) * d]) + 1)
        }
        hidden = Set(leftOut)
    }

    func request() throws(ShortlistError) -> RetrievalRequest {
        RetrievalRequest(
            queries: try queries.view(), excludedItems: excluded.readOnly,
            seen: options.seen > 0 ? RaggedIndices(offsets: seenOffsets.readOnly, ids: seenIds.readOnly) : nil)
    }

    /// Top-k under the limit, with what came of it.
    func top(_ evaluator: Evaluator, _ limits: CallLimits) throws(ShortlistError) -> (
        Guarded<Int32>, Guarded<Float>, Report
    ) {
        let ids = Guarded<Int32>(count: options.queries * options.k)
        let scores = Guarded<Float>(columns: options.queries * options.k)
        let report = try evaluator.topK(
            try request(), catalog, k: options.k, ids: ids.buffer, scores: scores.buffer, limits: limits)
        return (ids, scores, report)
    }

    func ranks(_ evaluator: Evaluator, _ limits: CallLimits) throws(ShortlistError) -> (Guarded<Int64>, Report) {
        let ranks = Guarded<Int64>(count: options.queries)
        let report = try evaluator.targetRanks(
            try request(), catalog, targets: .int32(targets.readOnly), ranks: ranks.buffer, limits: limits)
        return (ranks, report)
    }

    /// Ids, scores and ranks as bits; `tight` under the least workspace of one thread's call.
    func bits(_ evaluator: Evaluator, tight: Bool) throws(ShortlistError) -> [UInt32] {
        var (topLimits, rankLimits) = (CallLimits(), CallLimits())
        if tight {
            topLimits.workspace = try evaluator.least { (limits) throws(ShortlistError) in
                _ = try top(evaluator, limits)
            }
            rankLimits.workspace = try evaluator.least { (limits) throws(ShortlistError) in
                _ = try ranks(evaluator, limits)
            }
        }
        let (ids, scores, _) = try top(evaluator, topLimits)
        let ranked = try ranks(evaluator, rankLimits).0
        return ids.values.map { UInt32(bitPattern: $0) } + scores.bits
            + ranked.values.map { UInt32(truncatingIfNeeded: $0) }
    }
}

extension ConformanceSuite {
    /// Top-k and target ranks of random cases against the oracle, without a limit and under the least.
    public func retrieval(seeds: Range<Int>) -> ConformanceReport {
        var report = ConformanceReport()
        do throws(ShortlistError) {
            let evaluator = try evaluator()
            for seed in seeds { retrieval(RetrievalCase(random: seed), on: evaluator, into: &report) }
            for k in [1, 2000, 5000] {
                retrieval(
                    RetrievalCase(queries: 5, items: 4000, width: 8, k: k, seed: k, integers: true, seen: 20),
                    on: evaluator, into: &report)
            }
        } catch {
            report.fail("the backend opens", "\(error)")
        }
        return report
    }

    private func retrieval(_ options: RetrievalCase, on evaluator: Evaluator, into report: inout ConformanceReport) {
        report.cases += 1
        report.context = "\(options)"
        do throws(ShortlistError) {
            let data = try RetrievalData(options, on: evaluator.stream)
            for tight in [false, true] {
                var limits = CallLimits()
                if tight && options.items > data.hidden.count {
                    limits.workspace = try evaluator.least { (limits) throws(ShortlistError) in
                        _ = try data.top(evaluator, limits)
                    }
                }
                data.checkTop(try data.top(evaluator, limits), into: &report)
                if tight {
                    limits.workspace = try evaluator.least { (limits) throws(ShortlistError) in
                        _ = try data.ranks(evaluator, limits)
                    }
                }
                data.checkRanks(try data.ranks(evaluator, limits).0, into: &report)
            }
        } catch {
            report.fail("retrieval succeeds", "\(error)")
        }
    }
}
