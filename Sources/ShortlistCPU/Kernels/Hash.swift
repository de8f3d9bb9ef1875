import CShortlistKernels
import ShortlistCore

struct HashTiling: KernelTiling {
    struct Shape {
        var rows: Int
        var directions: Int
        var width: Int
    }
    /// Rows of a task.
    var rows: Int

    static let levels = [HashTiling(rows: 240), HashTiling(rows: 60), HashTiling(rows: 12)]

    /// Directions as the strips of any instruction set hold them.
    func columns(_ shape: Shape) -> Int { (max(shape.directions, 1) + 31) / 32 * 32 }

    func scratch(for shape: Shape) -> TileScratch {
        var fixed = ScratchSize()
        fixed.add(Float.self, columns(shape) * shape.width)
        var worker = ScratchSize()
        worker.add(Float.self, 16 * rows)
        worker.add(Int32.self, 16 * rows)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

extension CPUStream {
    /// 2·rows·directions·width flops; no score is stored.
    func hash(_ rows: RowSource, directions: DeviceMatrix, into keys: Vector<Int32>) throws(ShortlistError) {
        if isComposed(.hash) { return try composedHash(rows, directions: directions, into: keys) }
        let shape = HashTiling.Shape(rows: rows.count, directions: directions.rows, width: rows.width)
        let (tiling, need) = HashTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.hash, need)
        let source = try source(rows)
        let planes = try matrix(directions)
        let keys = try pointer(keys)
        var shared = area.shared()
        let strips = shared.take(Float.self, tiling.columns(shape) * shape.width)
        sl_pack_strips(planes.row(0), planes.stride, nil, 0, planes.rows, shape.width, strips)
        try parallel((source.count + tiling.rows - 1) / tiling.rows, workers: area.workers) { task, worker in
            var cutter = area.worker(worker)
            let best = cutter.take(Float.self, 16 * tiling.rows)
            let index = cutter.take(Int32.self, 16 * tiling.rows)
            let first = task * tiling.rows
            sl_hash_rows(
                strips, planes.rows, shape.width, source.matrix.row(0), source.matrix.stride, source.rows, first,
                min(tiling.rows, source.count - first), best, index, keys + first)
        }
    }
}
