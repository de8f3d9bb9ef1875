import ArgumentParser
import CBLAS
import Dispatch
import Shortlist
import Synchronization

/// The products that a loss or a retrieval cannot do without, alone, through OpenBLAS: the floor that the rest stands on.
/// Each is timed at several tile sizes and counts with its best.
struct FloorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floor", abstract: "The products alone, through OpenBLAS.")

    enum Work: String, ExpressibleByArgument, CaseIterable { case ce, sce, rece, topk }

    @Option(help: "Whose products.") var of: Work
    @OptionGroup var size: SizeOptions
    @Option(help: "RECE rounds.") var rounds = 1
    @Option(help: "CE: products of the plan, 3 where logits are kept, 4 where they are made again.") var products = 3

    func run() throws {
        openblas_set_num_threads(1)
        let hidden = try Matrix(rows: size.tokens, columns: size.width)
        let items = try Matrix(rows: size.items, columns: size.width)
        Philox.fillNormal(hidden.mutableView, seed: 1, step: 0, stream: 9)
        Philox.fillNormal(items.mutableView, seed: 2, step: 0, stream: 9)
        let floor = Floor(threads: size.threads, width: size.width, repeats: size.repeats)
        var seconds = 0.0
        var flops = 0.0
        func project(_ directions: Int, onto matrix: Matrix) throws {
            seconds += try floor.projection(directions, onto: matrix)
            flops += 2 * Double(directions) * Double(matrix.rows) * Double(size.width)
        }
        func blocks(_ count: Int, _ tokens: Int, _ items: Int) throws {
            seconds += try floor.blocks(count, tokens, items)
            flops += 6 * Double(count) * Double(tokens) * Double(items) * Double(size.width)
        }
        let root = max(1, Int((4 * Double(size.tokens)).squareRoot()))
        switch of {
        case .topk:
            try project(size.tokens, onto: items)
        case .sce:
            try project(root, onto: hidden)
            try project(root, onto: items)
            try blocks(root, min(root, size.tokens), min(256, size.items))
        case .rece:
            let buckets = max(1, Int((12 * Double(min(size.tokens, size.items))).squareRoot()))
            for _ in 0..<rounds {
                try project(buckets, onto: hidden)
                try project(buckets, onto: items)
                try blocks(buckets, (size.tokens + buckets - 1) / buckets, 3 * ((size.items + buckets - 1) / buckets))
            }
        case .ce:
            seconds += try floor.dense(hidden, items, products: products)
            flops += 2 * Double(products) * Double(size.tokens) * Double(size.items) * Double(size.width)
        }
        try report(
            [seconds],
            [
                "tokens": size.tokens, "items": size.items, "width": size.width, "threads": size.threads,
                "gflops": flops / seconds * 1e-9, "flops": flops, "value": 0.0,
            ])
    }
}

/// Times products on several threads, each call of OpenBLAS on one.
struct Floor {
    let threads: Int
    let width: Int
    let repeats: Int

    /// directions × rows, tile by tile; a tile's scores are written over by the next.
    func projection(_ directions: Int, onto matrix: Matrix) throws -> Double {
        let planes = try Matrix(rows: directions, columns: width)
        Philox.fillNormal(planes.mutableView, seed: 3, step: 0, stream: 9)
        return try [(256, 512), (512, 512), (1024, 256)].map { most, rows in
            let columns = min(most, directions)
            let scores = try Matrix(rows: threads, columns: columns * rows)
            return median { task, worker in
                let first = task * rows
                let count = min(rows, matrix.rows - first)
                for plane in stride(from: 0, to: directions, by: columns) {
                    let here = min(columns, directions - plane)
                    cblas_sgemm(
                        CblasRowMajor, CblasNoTrans, CblasTrans, blasint(here), blasint(count), blasint(width), 1,
                        planes.row(plane).baseAddress!, blasint(width), matrix.row(first).baseAddress!, blasint(width),
                        0, scores.row(worker).baseAddress!, blasint(rows))
                }
            } tasks: {
                (matrix.rows + rows - 1) / rows
            }
        }.min()!
    }

    /// `count` blocks of tokens × items: logits, dX and dY of each, on rows that lie in order.
    func blocks(_ count: Int, _ tokens: Int, _ items: Int) throws -> Double {
        let work = try (0..<threads).map { _ in
            try (
                x: Matrix(rows: tokens, columns: width), y: Matrix(rows: items, columns: width),
                logits: Matrix(rows: tokens, columns: items)
            )
        }
        return median { _, worker in
            let mine = work[worker]
            products(mine.x, mine.y, mine.logits, 3)
        } tasks: {
            count
        }
    }

    /// N × C in tiles, `count` products of each.
    func dense(_ hidden: Matrix, _ items: Matrix, products count: Int) throws -> Double {
        try [(256, 1024), (512, 512), (128, 2048)].map { rows, columns in
            let work = try (0..<threads).map { _ in
                try (
                    x: Matrix(rows: rows, columns: width), y: Matrix(rows: columns, columns: width),
                    logits: Matrix(rows: rows, columns: columns)
                )
            }
            let tiles = Double(hidden.rows) * Double(items.rows) / Double(rows * columns)
            // A part of the tiles is timed and stands for all: they are alike.
            let timedTiles = min(Int(tiles.rounded(.up)), 4096)
            let seconds = median { _, worker in
                let mine = work[worker]
                products(mine.x, mine.y, mine.logits, count)
            } tasks: {
                timedTiles
            }
            return seconds * tiles / Double(timedTiles)
        }.min()!
    }

    /// Logits (twice where there are four products), then dX and dY.
    private func products(_ x: Matrix, _ y: Matrix, _ logits: Matrix, _ count: Int) {
        let (m, n, k) = (blasint(x.rows), blasint(y.rows), blasint(width))
        let (x, y, z) = (x.elements.baseAddress!, y.elements.baseAddress!, logits.elements.baseAddress!)
        for _ in 0..<count - 2 {
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x, k, y, k, 0, z, n)
        }
        // Scaled by 0: the numbers stay what they are however often this runs.
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 0x1p-100, z, n, y, k, 1, x, k)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 0x1p-100, z, n, x, k, 1, y, k)
    }

    private func median(_ body: @escaping (Int, Int) -> Void, tasks: () -> Int) -> Double {
        let count = tasks()
        // Sendable in fact: every worker has memory of its own, and the call returns when all are done.
        nonisolated(unsafe) let body = body
        let seconds = timed(repeats) { _ in
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: threads) { worker in
                while true {
                    let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard task < count else { return }
                    body(task, worker)
                }
            }
        }
        return seconds[seconds.count / 2]
    }
}
