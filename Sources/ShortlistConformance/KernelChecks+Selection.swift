import ShortlistCore
import ShortlistReference

extension ConformanceSuite {
    /// `projectAndSelect`, `selectTop` with `unpackTop`, `hash`: exact, ties, NaN, −0 and −∞ included.
    func selectionKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        var dice = Dice(12)
        for items in [1, 13, 127, 128, 129, 600, 2100] {
            for k in [1, 13, 128, items, items + 5] {
                for shape in RowShape.allCases {
                    let queries = [1, 3, 17, 129][dice.integer(0...(items < 600 ? 3 : 1))]
                    let tight = dice.chance(0.5)
                    kernelCase(
                        "top queries=\(queries) items=\(items) k=\(k) rows=\(shape) tight=\(tight)", into: &report
                    ) {
                        (report) throws(ShortlistError) in
                        try select(stream, TopCase(queries, items, k, shape, &dice), tight: tight, into: &report)
                    }
                }
            }
        }
        for (rows, directions, width) in [
            (0, 3, 2), (1, 1, 1), (13, 129, 13), (129, 127, 3), (300, 2500, 2), (128, 128, 128), (9, 33, 1),
        ] {
            for tight in [false, true] {
                kernelCase("hash rows=\(rows) directions=\(directions) width=\(width) tight=\(tight)", into: &report) {
                    (report) throws(ShortlistError) in
                    try hash(stream, rows, directions, width, tight: tight, &dice, into: &report)
                }
            }
        }
    }

    /// What the rows hold, for a selection to stumble over.
    enum RowShape: CaseIterable {
        /// Small integers of width 5: many ties.
        case integers
        /// Each row beats all before it, so that every one passes the threshold.
        case ascending
        case descending
        case equal
        /// NaN, −0, +0, ±∞ among few values.
        case special
    }

    struct TopCase {
        let queries: Int
        let items: Int
        let k: Int
        let width: Int
        let x: [Float]
        let y: [Float]
        let bias: [Float]?
        let excluded: [Int]
        let seen: [[Int]]
        /// Rows in the order that a row source lists them; scores follow this order.
        let listed: [Int32]?

        init(_ queries: Int, _ items: Int, _ k: Int, _ shape: RowShape, _ dice: inout Dice) {
            (self.queries, self.items, self.k) = (queries, items, k)
            width = shape == .integers ? 5 : 1
            let special: [Float] = [.nan, -0.0, 0, -.infinity, .infinity, 1, -1]
            switch shape {
            case .integers: (x, y) = (ExactNumbers(queries * 5, &dice).single, ExactNumbers(items * 5, &dice).single)
            case .ascending: (x, y) = (Array(repeating: 1, count: queries), (0..<items).map(Float.init))
            case .descending: (x, y) = (Array(repeating: 1, count: queries), (0..<items).map { Float(-$0) })
            case .equal: (x, y) = (Array(repeating: 1, count: queries), Array(repeating: 2, count: items))
            case .special: (x, y) = (Array(repeating: 1, count: queries), (0..<items).map { _ in dice.pick(special) })
            }
            bias = dice.chance(0.4) ? (0..<items).map { _ in Float(dice.integer(-2...2)) } : nil
            excluded = dice.chance(0.5) ? dice.distinct(items / 4, below: items).sorted() : []
            let seenMost = dice.chance(0.5) ? items / 2 : 0
            seen = (0..<queries).map { _ in
                (0..<dice.integer(0...seenMost)).map { _ in dice.integer(0...items - 1) }.sorted()
            }
            listed = dice.chance(0.3) && bias == nil ? dice.shuffled(Array(0..<items)).map(Int32.init) : nil
        }

        var want: (ids: [Int], scores: [Double]) {
            let rows = (listed ?? (0..<items).map(Int32.init)).flatMap { row in
                y[Int(row) * width..<(Int(row) + 1) * width].map(Double.init)
            }
            let scores = ReferenceKernels.logits(
                x.map(Double.init), rows, dimension: width, bias: bias.map { $0.map(Double.init) })
            return ReferenceKernels.topK(
                scores, rows: queries, columns: items, k: k, excluded: Set(excluded), seen: seen)
        }
    }

    private func select(
        _ stream: any Stream, _ options: TopCase, tight: Bool, into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let (queries, items, k) = (options.queries, options.items, options.k)
        let shape = KernelShape.projectAndSelect(queries: queries, items: items, width: options.width, k: k)
        let want = options.want
        var native: (ids: [Int32], scores: [Float]) = ([], [])
        try KernelBench.open(stream, bytes: 1 << 24, kernels: [shape], tight: tight) { (bench) throws(ShortlistError) in
            let exclusions = Exclusions(
                forAll: options.excluded.isEmpty ? nil : try bench.vector(options.excluded.map(Int32.init)),
                offsets: try bench.vector(options.seen.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }),
                ids: try bench.vector(options.seen.flatMap { $0.map(Int32.init) }),
                bias: try options.bias.map { (values) throws(ShortlistError) in try bench.vector(values) })
            let x = RowSource(try bench.matrix(options.x, rows: queries, columns: options.width))
            let y = RowSource(
                try bench.matrix(options.y, rows: items, columns: options.width),
                rows: try options.listed.map { (rows) throws(ShortlistError) in try bench.vector(rows) })
            let ids = try bench.room(queries * k, Int32(77))
            let scores = try bench.room(queries * k, Float(77))
            try stream.projectAndSelect(
                TopRequest(queries: x, rows: y, exclusions: exclusions, k: k, order: .byScore),
                into: TopOutput(ids: ids, scores: scores))
            native = (try bench.read(ids), try bench.read(scores))
            report.expect(
                native.ids.map(Int.init) == want.ids,
                "top-k takes the largest, ties to the lower index, NaN last, −0 equal to +0",
                "\(native.ids.prefix(40)) not \(want.ids.prefix(40))")
            report.expect(
                zip(native.scores, want.scores).allSatisfy { Double($0) == $1 || ($0.isNaN && $1.isNaN) },
                "top-k returns the scores it ranked by, −∞ for missing places",
                "\(native.scores.prefix(20)) not \(want.scores.prefix(20))")
            try stream.projectAndSelect(
                TopRequest(queries: x, rows: y, exclusions: exclusions, k: k, order: .byIndex),
                into: TopOutput(ids: ids))
            let byIndex = (0..<queries).flatMap { query in
                let row = want.ids[query * k..<(query + 1) * k]
                return row.filter { $0 >= 0 }.sorted() + row.filter { $0 < 0 }
            }
            report.expect(
                try bench.read(ids).map(Int.init) == byIndex, "ordered by index, ids ascend and missing places are last"
            )
            guard options.listed == nil else { return }
            try mergeTiles(bench, options, x, y, exclusions, want.ids, into: &report)
        }
    }

    /// The same through `logits`, `selectTop` a tile at a time, and `unpackTop`.
    private func mergeTiles(
        _ bench: KernelBench, _ options: TopCase, _ x: RowSource, _ y: RowSource, _ exclusions: Exclusions,
        _ want: [Int], into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let best = try bench.room(options.queries * options.k, UInt64(0))
        var first = 0
        while first < options.items {
            let range = first..<min(options.items, first + 100)
            let (tile, _) = try bench.output(rows: options.queries, columns: range.count)
            try bench.stream.logits(x, y, range: range, into: tile)
            try bench.stream.selectTop(tile, first: first, exclusions: exclusions, k: options.k, best: best)
            first = range.upperBound
        }
        let ids = try bench.room(options.queries * options.k, Int32(77))
        try bench.stream.unpackTop(best, k: options.k, order: .byScore, into: TopOutput(ids: ids))
        report.expect(
            try bench.read(ids).map(Int.init) == want, "tiles merged by selectTop make the same top-k")
    }

    private func hash(
        _ stream: any Stream, _ rows: Int, _ directions: Int, _ width: Int, tight: Bool, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let x = ExactNumbers(rows * width, &dice, poisoned: rows > 2 ? width : nil)
        let r = ExactNumbers(directions * width, &dice)
        let want = ReferenceKernels.argmax(
            ReferenceKernels.logits(x.double, r.double, dimension: width), rows: rows, columns: directions)
        let listed = dice.shuffled(Array(0..<rows))
        let shape = KernelShape.hash(rows: rows, directions: directions, width: width)
        try KernelBench.open(stream, bytes: 1 << 23, kernels: [shape], tight: tight) { (bench) throws(ShortlistError) in
            let planes = try bench.matrix(r.single, rows: directions, columns: width)
            let matrix = try bench.matrix(x.single, rows: rows, columns: width)
            let keys = try bench.room(rows, Int32(-9))
            try stream.hash(RowSource(matrix), directions: planes, into: keys)
            report.expect(
                try bench.read(keys).map(Int.init) == want,
                "a hash is the best direction, ties to the lower, and direction 0 for a row of NaN")
            try stream.hash(
                RowSource(matrix, rows: try bench.vector(listed.map(Int32.init))), directions: planes, into: keys)
            report.expect(
                try bench.read(keys).map(Int.init) == listed.map { want[$0] },
                "listed rows have the hashes of their rows")
        }
    }
}
