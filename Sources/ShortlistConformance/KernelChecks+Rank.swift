import ShortlistCore
import ShortlistReference

extension ConformanceSuite {
    /// `countAbove` and `targetRanks`: exact on small integers and special values.
    func rankKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        var dice = Dice(15)
        for items in [1, 13, 127, 128, 129, 600, 2100] {
            for shape in RowShape.allCases {
                let queries = [1, 13, 129][dice.integer(0...2)]
                let tight = dice.chance(0.5)
                kernelCase("ranks queries=\(queries) items=\(items) rows=\(shape) tight=\(tight)", into: &report) {
                    (report) throws(ShortlistError) in
                    let options = TopCase(queries, items, 1, shape, &dice)
                    try ranks(stream, options, tight: tight, &dice, into: &report)
                }
            }
        }
    }

    private func ranks(
        _ stream: any Stream, _ options: TopCase, tight: Bool, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let (queries, items, width) = (options.queries, options.items, options.width)
        let bias = options.bias
        let scores = ReferenceKernels.logits(
            options.x.map(Double.init), options.y.map(Double.init), dimension: width,
            bias: bias.map { $0.map(Double.init) })
        let allowed = (0..<items).filter { !options.excluded.contains($0) }
        let targets = (0..<queries).map { _ in dice.pick(allowed) }
        let want = ReferenceKernels.targetRanks(
            scores, columns: items, targets: targets, excluded: Set(options.excluded), seen: options.seen
        ).map { $0 - 1 }
        let shape = KernelShape.targetRanks(queries: queries, items: items, width: width)
        try KernelBench.open(stream, bytes: 1 << 24, kernels: [shape], tight: tight) { (bench) throws(ShortlistError) in
            let exclusions = Exclusions(
                forAll: options.excluded.isEmpty ? nil : try bench.vector(options.excluded.map(Int32.init)),
                offsets: try bench.vector(options.seen.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }),
                ids: try bench.vector(options.seen.flatMap { $0.map(Int32.init) }),
                bias: try bias.map { (values) throws(ShortlistError) in try bench.vector(values) })
            let x = RowSource(try bench.matrix(options.x, rows: queries, columns: width))
            let set = ItemSet(
                matrix: try bench.matrix(options.y, rows: items, columns: width), bias: exclusions.bias,
                excluded: exclusions.forAll)
            let ids = try bench.vector(targets.map(Int32.init))
            let own = try bench.vector(targets.indices.map { Float(scores[$0 * items + targets[$0]]) })
            let counts = try bench.room(queries, Int64(-5))
            try stream.targetRanks(
                x, set, targets: ids, targetScores: own, exclusions: exclusions, counts: counts)
            let got = try bench.read(counts).map(Int.init)
            report.expect(
                got == want, "a rank counts greater scores, and equal ones of lower index, NaN below all",
                "\(got.prefix(20)) not \(want.prefix(20))")
            let merged = try bench.room(queries, Int64(0))
            var first = 0
            while first < items {
                let range = first..<min(items, first + 90)
                let (tile, _) = try bench.output(rows: queries, columns: range.count)
                try stream.logits(x, RowSource(set.matrix), range: range, into: tile)
                try stream.countAbove(
                    tile, first: first, targets: ids, targetScores: own, exclusions: exclusions, counts: merged)
                first = range.upperBound
            }
            report.expect(try bench.read(merged).map(Int.init) == want, "countAbove over tiles makes the same counts")
        }
    }
}
