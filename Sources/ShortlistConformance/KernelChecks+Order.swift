import ShortlistCore
import ShortlistReference

extension ConformanceSuite {
    /// `sortByKey`, `invert`, `link`.
    func orderKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        var dice = Dice(13)
        for bound in [1, 2, 255, 256, 257, 65_536, 70_000, 20_000_000] {
            for count in [0, 1, 13, 127, 128, 129, 5000] {
                for tight in [false, true] {
                    kernelCase("sortByKey count=\(count) bound=\(bound) tight=\(tight)", into: &report) {
                        (report) throws(ShortlistError) in
                        try sort(stream, count, bound, tight: tight, &dice, into: &report)
                    }
                }
            }
        }
        for (count, ids) in [(0, 3), (1, 1), (13, 4), (129, 128), (1000, 37)] {
            kernelCase("link count=\(count) ids=\(ids)", into: &report) { (report) throws(ShortlistError) in
                let values = (0..<count).map { _ in dice.integer(0...ids - 1) }
                try KernelBench.open(stream) { (bench) throws(ShortlistError) in
                    let last = try bench.room(ids, Int32(5))
                    let previous = try bench.room(count, Int32(5))
                    try stream.link(try bench.vector(values.map(Int32.init)), last: last, previous: previous)
                    report.expect(
                        try bench.read(previous).map(Int.init) == ReferenceKernels.previousPlaces(values),
                        "link leads from each place to the one before with the same id")
                    report.expect(
                        try bench.read(last).map(Int.init) == (0..<ids).map { values.lastIndex(of: $0) ?? -1 },
                        "link leads from each id to its last place")
                }
            }
        }
    }

    private func sort(
        _ stream: any Stream, _ count: Int, _ bound: Int, tight: Bool, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        // Few distinct keys near both ends beside random ones: stability shows, and every byte of a key counts.
        let keys = (0..<count).map { _ in
            dice.chance(0.3) ? dice.pick([0, bound - 1, bound / 2]) : dice.integer(0...bound - 1)
        }
        let excluded = dice.chance(0.5) ? dice.distinct(count / 3, below: max(count, 1)).sorted() : []
        let kept = (0..<count).filter { !excluded.contains($0) }
        let want = ReferenceKernels.stableSort(byKey: kept.map { keys[$0] }).map { kept[$0] }
        let shape = KernelShape.sortByKey(count: kept.count, keyBound: bound)
        try KernelBench.open(stream, kernels: [shape], tight: tight) { (bench) throws(ShortlistError) in
            let order = try bench.room(kept.count, Int32(-9))
            try stream.sortByKey(
                try bench.vector(keys.map(Int32.init)), keyBound: bound,
                excluding: excluded.isEmpty ? nil : try bench.vector(excluded.map(Int32.init)), into: order)
            let got = try bench.read(order).map(Int.init)
            report.expect(
                got == want, "sorting by key is stable and leaves excluded ids out",
                "\(got.prefix(30)) not \(want.prefix(30))")
            let places = try bench.room(count, Int32(-9))
            try stream.invert(order, into: places)
            report.expect(
                try bench.read(places).map(Int.init) == ReferenceKernels.inverse(of: want, count: count),
                "invert finds each id's place, −1 for one left out")
        }
    }

    /// `touchedItems`, `listItems`, `linkItems`.
    func mapKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        var dice = Dice(14)
        for items in [1, 13, 63, 64, 65, 127, 128, 129, 1000] {
            for dense in [false, true] {
                kernelCase("touched items=\(items) dense=\(dense)", into: &report) { (report) throws(ShortlistError) in
                    try touched(stream, items, dense: dense, &dice, into: &report)
                }
            }
        }
    }

    private func touched(
        _ stream: any Stream, _ items: Int, dense: Bool, _ dice: inout Dice, into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let tokens = 9
        let excluded = dice.distinct(items / 5, below: items).sorted()
        let allowed = (0..<items).filter { !excluded.contains($0) }
        let targets = (0..<tokens).map { _ in dice.pick(allowed) }
        let listed = (0..<3 * items / 2).map { _ in dice.pick(allowed) }
        let want = dense ? allowed : Set(listed + targets).sorted()
        try KernelBench.open(stream, kernels: [.touchedItems(itemCount: items)]) { (bench) throws(ShortlistError) in
            let words = (items + 63) / 64
            let map = ItemMap(bits: try bench.room(words, UInt64.max), before: try bench.room(words, Int32(3)))
            let set = ItemSet(
                matrix: try bench.matrix(Array(repeating: 0, count: items), rows: items, columns: 1), bias: nil,
                excluded: excluded.isEmpty ? nil : try bench.vector(excluded.map(Int32.init)))
            let hidden = RowSource(try bench.matrix(Array(repeating: 0, count: tokens), rows: tokens, columns: 1))
            let tokenSet = TokenSet(hidden: hidden, targets: try bench.vector(targets.map(Int32.init)), weights: nil)
            let places = try bench.vector(listed.map(Int32.init))
            let shape = BlockShape(
                blockCount: 1, maxTokens: tokens, maxItems: listed.count, slotCount: tokens, tokenCount: tokens,
                itemCount: items, width: 1, isDense: dense, onceOnly: false, rounds: 0)
            let blocks = CandidateBlocks(
                arrangement: dense ? .dense : .lists,
                ranges: try bench.vector([BlockRange(tokens: 0..<tokens, items: 0..<listed.count)]),
                tokens: dense ? nil : try bench.vector((0..<tokens).map(Int32.init)), items: dense ? nil : places,
                combination: .union, shape: shape)
            let count = try stream.touchedItems(blocks, tokenSet, items: set, into: map)
            guard
                report.expect(count == want.count, "touched items are counted once each", "\(count) not \(want.count)")
            else { return }
            let ids = try bench.room(count, Int32(-9))
            try stream.listItems(map, into: ids)
            report.expect(try bench.read(ids).map(Int.init) == want, "touched items are listed in ascending order")
            guard !dense else { return }
            let last = try bench.room(count, Int32(-9))
            let previous = try bench.room(listed.count, Int32(-9))
            try stream.linkItems(places, map: map, last: last, previous: previous)
            report.expect(
                try bench.read(previous).map(Int.init) == ReferenceKernels.previousPlaces(listed),
                "linkItems leads from each place to the one before with the same item")
        }
    }
}
