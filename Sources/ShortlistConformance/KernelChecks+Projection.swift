import ShortlistCore
import ShortlistReference

extension ConformanceSuite {
    /// `gram`, `addProduct`, `logits`: exact on small integers.
    func projectionKernels(_ stream: any Stream, into report: inout ConformanceReport) {
        var dice = Dice(11)
        for rows in [0, 1, 13, 127, 128, 129, 700] {
            for width in [1, 13, 64, 127, 128, 129] where rows * width < 60_000 {
                for tight in [false, true] {
                    kernelCase("gram rows=\(rows) width=\(width) tight=\(tight)", into: &report) {
                        (report) throws(ShortlistError) in
                        try gram(stream, rows, width, tight: tight, &dice, into: &report)
                    }
                    kernelCase("addProduct rows=\(rows) width=\(width) tight=\(tight)", into: &report) {
                        (report) throws(ShortlistError) in
                        try addProduct(stream, rows, width, tight: tight, &dice, into: &report)
                    }
                }
            }
        }
        for (queries, items, width) in [
            (1, 1, 1), (13, 129, 13), (127, 128, 129), (128, 13, 1), (129, 600, 3), (0, 5, 4), (5, 0, 4),
        ] {
            kernelCase("logits queries=\(queries) items=\(items) width=\(width)", into: &report) {
                (report) throws(ShortlistError) in
                try logits(stream, queries, items, width, &dice, into: &report)
            }
        }
    }

    private func gram(
        _ stream: any Stream, _ rows: Int, _ width: Int, tight: Bool, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let numbers = ExactNumbers(rows * width, &dice)
        let listed = dice.distinct(rows / 2, below: max(rows, 1)).sorted()
        try KernelBench.open(stream, kernels: [.gram(rows: rows, width: width)], tight: tight) {
            (bench) throws(ShortlistError) in
            let x = try bench.matrix(numbers.single, rows: rows, columns: width)
            let all = try bench.room(width * width, 7.0)
            try stream.gram(RowSource(x), into: all)
            report.expect(
                try bench.read(all) == ReferenceKernels.gram(numbers.double, dimension: width),
                "the Gram matrix is exact on small integers, both triangles")
            let some = try bench.room(width * width, 7.0)
            try stream.gram(RowSource(x, rows: try bench.vector(listed.map(Int32.init))), into: some)
            let gathered = ReferenceKernels.gather(numbers.double, dimension: width, ids: listed)
            report.expect(
                try bench.read(some) == ReferenceKernels.gram(gathered, dimension: width),
                "the Gram matrix of listed rows is of those rows alone")
        }
    }

    private func addProduct(
        _ stream: any Stream, _ rows: Int, _ width: Int, tight: Bool, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let columns = [1, 13, 70][dice.integer(0...2)]
        let x = ExactNumbers(rows * width, &dice)
        let left = ExactNumbers(rows * columns, &dice)
        let before = ExactNumbers(columns * width, &dice)
        let order = dice.shuffled(Array(0..<rows))
        try KernelBench.open(stream, kernels: [.addProduct(rows: rows, width: width)], tight: tight) {
            (bench) throws(ShortlistError) in
            let (result, memory) = try bench.output(rows: columns, columns: width, fill: before.single)
            let source = RowSource(
                try bench.matrix(x.single, rows: rows, columns: width), rows: try bench.vector(order.map(Int32.init)))
            try stream.addProduct(
                transposed: try bench.matrix(left.single, rows: rows, columns: columns), source, into: result)
            try bench.fetch(result, into: memory)
            var want = before.double
            for (place, row) in order.enumerated() {
                for c in 0..<columns {
                    for k in 0..<width {
                        want[c * width + k] += left.double[place * columns + c] * x.double[row * width + k]
                    }
                }
            }
            report.expect(memory.isIntact, "addProduct writes its result alone")
            report.expect(memory.values.map(Double.init) == want, "addProduct adds leftᵀ·rows, exact on small integers")
        }
    }

    private func logits(
        _ stream: any Stream, _ queries: Int, _ items: Int, _ width: Int, _ dice: inout Dice,
        into report: inout ConformanceReport
    ) throws(ShortlistError) {
        let (x, y) = (ExactNumbers(queries * width, &dice), ExactNumbers(items * width, &dice))
        let want = ReferenceKernels.logits(x.double, y.double, dimension: width)
        let range = items / 3..<items
        let some = dice.shuffled(Array(0..<queries)).prefix(queries / 2)
        try KernelBench.open(stream) { (bench) throws(ShortlistError) in
            let left = try bench.matrix(x.single, rows: queries, columns: width)
            let right = RowSource(try bench.matrix(y.single, rows: items, columns: width))
            let (all, allMemory) = try bench.output(rows: queries, columns: range.count)
            try stream.logits(RowSource(left), right, range: range, into: all)
            let (part, partMemory) = try bench.output(rows: some.count, columns: range.count)
            try stream.logits(
                RowSource(left, rows: try bench.vector(some.map(Int32.init))), right, range: range, into: part)
            try bench.fetch(all, into: allMemory)
            try bench.fetch(part, into: partMemory)
            let pick = { (q: Int) in range.map { want[q * items + $0] } }
            report.expect(
                allMemory.isIntact && allMemory.values.map(Double.init) == (0..<queries).flatMap(pick),
                "logits of a range of items are exact on small integers")
            report.expect(
                partMemory.isIntact && partMemory.values.map(Double.init) == some.flatMap(pick),
                "logits of listed queries are theirs")
        }
    }
}
