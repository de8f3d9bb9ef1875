import CShortlistKernels
import ShortlistCore

struct HashTiling: KernelTiling {
    struct Shape {
        var rows: Int
        var directions: Int
        var width: Int
    }
    var rows: Int
    var directions: Int

    static let levels = [
        HashTiling(rows: 256, directions: 1024), HashTiling(rows: 128, directions: 512),
        HashTiling(rows: 32, directions: 128), HashTiling(rows: 8, directions: 32),
    ]

    func scratch(for shape: Shape) -> TileScratch {
        let columns = min(directions, max(shape.directions, 1))
        var worker = ScratchSize()
        worker.add(Float.self, rows * columns)
        worker.add(Float.self, rows * shape.width)
        worker.add(Float.self, rows)
        worker.add(Int32.self, rows)
        return TileScratch(fixed: 0, perWorker: worker.bytes)
    }
}

extension CPUStream {
    /// 2·rows·directions·width flops; the scores of a tile stay in the cache.
    func hash(_ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>) throws(ShortlistError) {
        if isComposed(.hash) { return try composedHash(rows, directions: directions, into: keys) }
        let shape = HashTiling.Shape(rows: rows.count, directions: directions.rows, width: rows.width)
        let (tiling, need) = HashTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.hash, need)
        let source = try source(rows)
        let planes = try matrix(directions)
        let keys = try pointer(keys)
        let columns = min(tiling.directions, max(planes.rows, 1))
        try parallel((source.count + tiling.rows - 1) / tiling.rows, workers: area.workers) { task, worker in
            var cutter = area.worker(worker)
            let scores = cutter.take(Float.self, tiling.rows * columns)
            let gathered = cutter.take(Float.self, tiling.rows * source.matrix.columns)
            let best = cutter.take(Float.self, tiling.rows)
            let index = cutter.take(Int32.self, tiling.rows)
            let range = task * tiling.rows..<min(source.count, (task + 1) * tiling.rows)
            let tile = source.tile(range, scratch: gathered)
            var first = 0
            while first < planes.rows {
                let count = min(columns, planes.rows - first)
                BLAS.multiplyTransposed(
                    range.count, count, source.matrix.columns, tile.base, tile.stride, planes.row(first), planes.stride,
                    scores, columns)
                sl_argmax_rows(scores, columns, range.count, count, index)
                for row in 0..<range.count {
                    let value = scores[row * columns + Int(index[row])]
                    // An earlier tile wins ties; a number beats a NaN.
                    if first == 0 || value > best[row] || (best[row].isNaN && !value.isNaN) {
                        best[row] = value
                        keys[range.lowerBound + row] = Int32(first) + index[row]
                    }
                }
                first += count
            }
        }
    }
}
