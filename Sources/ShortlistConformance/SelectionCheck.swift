import ShortlistCore
import ShortlistReference

/// A selection held against the specification: exactly, ties included, on small integers; elsewhere nothing that was
/// left out may beat what was taken by more than projections may be off.
struct SelectionCheck {
    let data: CaseData
    /// The library's blocks.
    let blocks: [ReferenceBlock]
    let report: Report
    private var problem: ReferenceProblem { data.problem }
    private var options: ConformanceCase { data.options }

    func run(into found: inout ConformanceReport) {
        if options.kind == .sce { checkSCE(into: &found) } else { checkRECE(into: &found) }
    }

    // MARK: Directions

    /// The oracle's directions of a round set; nil where the two may differ by more than rounding.
    private func directions(rounds: Int, rows: Int) -> [[[Double]]]? {
        let d = options.width
        if let given = data.directions {
            let values = given.values.map(Double.init)
            return (0..<rounds).map { round in
                (0..<rows).map { Array(values[(round * rows + $0) * d..<(round * rows + $0 + 1) * d]) }
            }
        }
        guard options.kind == .sce, options.directions == ConformanceCase.Directions.mix.rawValue else {
            return receDirections(
                rounds: rounds, bucketCount: rows, dimension: d, seed: data.drawSeed, step: data.drawStep)
        }
        return mixed(rows: rows).map { [$0] }
    }

    private func mixed(rows: Int) -> [[Double]]? {
        let d = options.width
        guard d <= rows else {
            let n = problem.validTokens.count
            let omega = ReferenceKernels.normals(
                rows: 0..<n, columns: rows, seed: data.drawSeed, step: data.drawStep, stream: 1)
            return mixDirections(
                problem, omega: (0..<n).map { omega[$0 * rows..<($0 + 1) * rows].map(Double.init) })
        }
        let gaussian = gaussianDirections(
            bucketCount: rows, dimension: d, seed: data.drawSeed, step: data.drawStep)
        switch mixDirections(problem, gaussian: gaussian) {
        case .directions(let directions): return directions
        case .plainGaussian: return gaussian
        case .failed: return nil
        }
    }

    /// All products exact in f32, in any order.
    private var isExact: Bool { options.data == 0 && data.directions != nil }

    // MARK: SCE

    private func checkSCE(into found: inout ConformanceReport) {
        let defaults = defaultSCESizes(problem)
        let buckets = data.directions?.rows ?? (options.buckets > 0 ? options.buckets : max(1, defaults.bucketCount))
        let wantedTokens = options.tokensPerBucket > 0 ? options.tokensPerBucket : max(1, defaults.bucketCount)
        let tokens = min(wantedTokens, problem.validTokens.count)
        let items = min(max(1, options.itemsPerBucket), problem.selectableItems.count)
        found.expect(
            report.bucketCount == buckets && report.tokensPerBucket == tokens && report.itemsPerBucket == items,
            "the report has n_b, b_x, b_y after capping",
            "\(report.bucketCount), \(report.tokensPerBucket), \(report.itemsPerBucket) not \(buckets), \(tokens), \(items)"
        )
        guard found.expect(blocks.count == buckets, "SCE makes n_b blocks", "\(blocks.count) not \(buckets)"),
            let directions = directions(rounds: 1, rows: buckets)?.first
        else { return }
        if isExact {
            let want = selectSCE(problem, directions: directions, tokensPerBucket: tokens, itemsPerBucket: items)
            for (k, block) in blocks.enumerated() {
                found.expect(
                    block.tokens.sorted() == want[k].tokens && block.items == want[k].items,
                    "on small integers SCE's selection is exact, ties included",
                    "block \(k): \(block.tokens) × \(block.items) not \(want[k].tokens) × \(want[k].items)")
            }
            return
        }
        for (k, block) in blocks.enumerated() {
            let b = directions[k]
            guard b.allSatisfy(\.isFinite) else { continue }
            checkLargest(
                "tokens", block.tokens, of: problem.validTokens, count: tokens, b, into: &found, problem.token)
            checkLargest(
                "items", block.items, of: problem.selectableItems, count: items, b, into: &found, problem.item)
        }
    }

    /// `taken` are the `count` of largest projection, near-ties apart: projections are within 1e-5·‖b‖·‖v‖.
    private func checkLargest(
        _ what: String, _ taken: [Int], of all: [Int], count: Int, _ direction: [Double],
        into found: inout ConformanceReport, _ vector: (Int) -> [Double]
    ) {
        guard found.expect(taken.count == count, "a block holds b \(what)", "\(taken.count) not \(count)") else {
            return
        }
        let mine = Set(taken)
        let length = norm(direction)
        // Mixed directions come out of a product themselves.
        let relative = options.directions == ConformanceCase.Directions.mix.rawValue ? 2e-5 : 1e-5
        var least = Double.infinity
        var leastRoom = 0.0
        var missed = -Double.infinity
        for index in all {
            let v = vector(index)
            let room = relative * length * norm(v)
            let p = ReferenceKernels.logits(v, direction, dimension: direction.count)[0]
            guard p.isFinite, room.isFinite else { continue }
            if mine.contains(index) {
                if p + room < least + leastRoom { (least, leastRoom) = (p, room) }
            } else {
                missed = max(missed, p - room)
            }
        }
        found.expect(
            missed <= least + leastRoom, "a block takes the \(what) of largest projection",
            "one of \(missed) was left for one of \(least) ± \(leastRoom)")
    }

    private func norm(_ v: [Double]) -> Double { v.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    // MARK: RECE

    private func checkRECE(into found: inout ConformanceReport) {
        let defaults = defaultRECESizes(problem, neighbourChunks: options.neighbours)
        let rows =
            data.directions.map { $0.rows / options.rounds }
            ?? (options.buckets > 0 ? options.buckets : defaults.bucketCount)
        let wanted = options.chunks > 0 ? options.chunks : rows
        let chunks = min(wanted, problem.validTokens.count, problem.selectableItems.count)
        found.expect(
            report.bucketCount == rows && report.chunkCount == chunks && report.rounds == options.rounds,
            "the report has n_b, n_c, r after capping",
            "\(report.bucketCount), \(report.chunkCount), \(report.rounds) not \(rows), \(chunks), \(options.rounds)")
        guard let directions = directions(rounds: options.rounds, rows: rows) else { return }
        let clear = isExact || directions.allSatisfy(hashesAreClear)
        let want = selectRECE(
            problem, directions: directions, chunkCount: wanted, neighbourChunks: options.neighbours)
        guard
            found.expect(
                blocks.map(\.tokens.count) == want.map(\.tokens.count)
                    && blocks.map(\.items.count) == want.map(\.items.count),
                "RECE cuts equal chunks", "\(blocks.map(\.tokens.count)) not \(want.map(\.tokens.count))"),
            clear
        else { return }
        for (k, block) in blocks.enumerated() {
            found.expect(
                block.tokens.sorted() == want[k].tokens && block.items.sorted() == want[k].items,
                "where hashes are clear RECE's selection is the oracle's",
                "block \(k): \(block.tokens.sorted()) × \(block.items.sorted()) not \(want[k].tokens) × \(want[k].items)"
            )
        }
    }

    /// No vector's two best directions are nearer than its projections may be off.
    private func hashesAreClear(_ directions: [[Double]]) -> Bool {
        let vectors = problem.validTokens.map(problem.token) + problem.selectableItems.map(problem.item)
        return vectors.allSatisfy { v in
            let scores = directions.map { ReferenceKernels.logits(v, $0, dimension: v.count)[0] }
            guard scores.allSatisfy(\.isFinite) else { return false }
            let best = scores.max() ?? 0
            let room = 1e-5 * norm(v) * (directions.map(norm).max() ?? 0)
            return scores.count { $0 >= best - 2 * room } == 1
        }
    }
}
