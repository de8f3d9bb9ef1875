import CShortlistKernels
import ShortlistCore

/// The required kernels that optional ones are composed of, and plain utilities.
extension CPUStream {
    func logits(
        _ queries: RowSource, _ items: RowSource, range: Range<Int>, into scores: DeviceMatrix
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.logits))
        let left = try source(queries)
        let right = try source(items)
        let result = try matrix(scores)
        let width = queries.width
        guard left.rows != nil || right.rows != nil else {
            return BLAS.multiplyTransposed(
                left.count, range.count, width, left.row(0), left.matrix.stride, right.row(range.lowerBound),
                right.matrix.stride, result.base, result.stride)
        }
        try parallelRanges(left.count, grain: 16) { rows, _ in
            for row in rows {
                for column in range {
                    result.row(row)[column - range.lowerBound] = sl_dot(left.row(row), right.row(column), width)
                }
            }
        }
    }

    func selectTop(
        _ scores: DeviceMatrix, first: Int, exclusions: Exclusions, k: Int, best: Vector<UInt64>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.selectTop))
        let tile = try matrix(scores)
        let hidden = try resolve(exclusions)
        let best = try pointer(best)
        try parallel(tile.rows, workers: threads) { query, _ in
            let mine = best + query * k
            let own = hidden.own(query)
            forEachKeptRun(
                columns: tile.columns, first: first, excluded: hidden.forAll, excludedCount: hidden.forAllCount,
                also: own.ids, ownCount: own.count
            ) { run in
                for column in run {
                    let score = tile.row(query)[column] + (hidden.bias?[first + column] ?? 0)
                    let key = TopKey.make(score: score, id: Int32(first + column))
                    // The least key stands first; a new one that beats it takes its place.
                    guard key > mine[0] else { continue }
                    mine[0] = key
                    var least = 0
                    for place in 1..<max(k, 1) where mine[place] < mine[least] { least = place }
                    (mine[0], mine[least]) = (mine[least], mine[0])
                }
            }
        }
    }

    func unpackTop(
        _ best: Vector<UInt64>, k: Int, order: TopOrder, into top: TopOutput
    ) throws(ShortlistError) {
        let best = try pointer(best)
        let ids = try pointer(top.ids)
        let scores = try optionalPointer(top.scores)
        try parallel(top.ids.count / max(k, 1), workers: threads) { query, _ in
            let mine = best + query * k
            var count = 0
            for place in 0..<k where mine[place] != 0 {
                mine[count] = mine[place]
                count += 1
            }
            unpack(mine, count: count, k: k, order: order, ids: ids + query * k, scores: scores.map { $0 + query * k })
        }
    }

    func fill(_ target: DeviceMatrix, with value: Float) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.fill))
        let target = try matrix(target)
        try parallelRanges(target.rows, grain: max(1, 1 << 16 / max(1, target.columns))) { rows, _ in
            for row in rows { target.row(row).update(repeating: value, count: target.columns) }
        }
    }

    func fill(_ vector: Vector<Float>, with value: Float) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.fill))
        try pointer(vector).update(repeating: value, count: vector.count)
    }

    func fill(_ vector: Vector<Double>, with value: Double) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.fill))
        try pointer(vector).update(repeating: value, count: vector.count)
    }
}
