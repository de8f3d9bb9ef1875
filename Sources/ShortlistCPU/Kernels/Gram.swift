import CShortlistKernels
import ShortlistCore

struct GramTiling: KernelTiling {
    struct Shape {
        var rows: Int
        var width: Int
    }
    /// Partial sums, each of a fixed run of rows, joined in order.
    var partials: Int
    var rows: Int
    static let levels = [
        GramTiling(partials: 16, rows: 256), GramTiling(partials: 4, rows: 64), GramTiling(partials: 1, rows: 8),
    ]

    func scratch(for shape: Shape) -> TileScratch {
        var fixed = ScratchSize()
        fixed.add(Double.self, min(partials, max(1, shape.rows)) * shape.width * shape.width)
        var worker = ScratchSize()
        worker.add(Double.self, rows * shape.width)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

extension CPUStream {
    func gram(_ rows: RowSource, into result: Vector<Double>) throws(ShortlistError) {
        let shape = GramTiling.Shape(rows: rows.count, width: rows.width)
        let (tiling, need) = GramTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.gram, need)
        let source = try source(rows)
        let result = try pointer(result)
        let width = rows.width
        let partials = min(tiling.partials, max(1, rows.count))
        let run = max(1, (rows.count + partials - 1) / partials)
        var shared = area.shared()
        let sums = shared.take(Double.self, partials * width * width)
        try parallel(partials, workers: area.workers) { task, worker in
            var cutter = area.worker(worker)
            let tile = cutter.take(Double.self, tiling.rows * width)
            let sum = sums + task * width * width
            sum.update(repeating: 0, count: width * width)
            var row = task * run
            let end = min(source.count, (task + 1) * run)
            while row < end {
                let count = min(tiling.rows, end - row)
                for index in 0..<count { sl_widen(source.row(row + index), tile + index * width, width) }
                BLAS.addGram(width, count, tile, width, sum)
                row += count
            }
        }
        for i in 0..<width {
            for j in i..<width {
                var sum = 0.0
                for partial in 0..<partials { sum += sums[partial * width * width + i * width + j] }
                result[i * width + j] = sum
                result[j * width + i] = sum
            }
        }
    }
}

/// Scratch of `addProduct`: the rows of a tile where they are listed.
struct ProductTiling: KernelTiling {
    static let levels = [ProductTiling()]
    func scratch(for shape: GramTiling.Shape) -> TileScratch {
        TileScratch(fixed: ScratchSize.bytes(Float.self, shape.rows * shape.width), perWorker: 0)
    }
}

extension CPUStream {
    func addProduct(
        transposed left: DeviceMatrix, _ rows: RowSource, into result: DeviceMatrix
    ) throws(ShortlistError) {
        let shape = GramTiling.Shape(rows: rows.count, width: rows.width)
        let (_, need) = ProductTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.addProduct, need)
        var cutter = area.shared()
        let source = try source(rows)
        let tile = source.tile(0..<rows.count, scratch: cutter.take(Float.self, rows.count * rows.width))
        let left = try matrix(left)
        let result = try matrix(result)
        // Columns of the result are shared out in runs whose width depends on the shape alone.
        let run = 64
        try parallel((rows.width + run - 1) / run, workers: threads) { task, _ in
            let columns = task * run..<min(rows.width, (task + 1) * run)
            BLAS.transposedMultiply(
                left.columns, columns.count, rows.count, left.base, left.stride, tile.base + columns.lowerBound,
                tile.stride, beta: 1, result.base + columns.lowerBound, result.stride)
        }
    }
}
