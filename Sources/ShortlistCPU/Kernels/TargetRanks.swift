import CShortlistKernels
import ShortlistCore

struct RankTiling: KernelTiling {
    struct Shape {
        var queries: Int
        var items: Int
        var width: Int
    }
    var queries: Int
    var items: Int
    static let levels = [
        RankTiling(queries: 256, items: 512), RankTiling(queries: 128, items: 256),
        RankTiling(queries: 32, items: 128), RankTiling(queries: 1, items: 64),
    ]

    func scratch(for shape: Shape) -> TileScratch {
        let group = min(queries, max(1, shape.queries))
        var fixed = ScratchSize()
        fixed.add(Float.self, group * shape.width)
        var worker = ScratchSize()
        worker.add(Float.self, group * items)
        worker.add(Int64.self, group)
        return TileScratch(fixed: fixed.bytes, perWorker: worker.bytes)
    }
}

extension CPUStream {
    /// 2·queries·items·width flops; counts are integers, so the order of tiles does not matter.
    func targetRanks(
        _ queries: RowSource, _ items: ItemSet, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        if isComposed(.targetRanks) {
            return try composedTargetRanks(
                queries, items, targets: targets, targetScores: targetScores, exclusions: exclusions, counts: counts)
        }
        let shape = RankTiling.Shape(queries: queries.count, items: items.count, width: queries.width)
        let (tiling, need) = RankTiling.choose(for: shape, limit: try opened().scratchLimit)
        let area = try openScratch(.targetRanks, need)
        let source = try source(queries)
        let catalog = try matrix(items.matrix)
        let ranking = TargetRanking(
            targets: try pointer(targets), scores: try pointer(targetScores), exclusions: try resolve(exclusions))
        let result = try pointer(counts)
        let width = queries.width
        let capacity = min(tiling.queries, max(1, queries.count))
        let tiles = (items.count + tiling.items - 1) / tiling.items
        var start = 0
        while start < queries.count {
            let group = start..<min(start + capacity, queries.count)
            var shared = area.shared()
            let rows = source.tile(group, scratch: shared.take(Float.self, capacity * width))
            for worker in 0..<area.workers {
                var cutter = area.worker(worker)
                _ = cutter.take(Float.self, capacity * tiling.items)
                cutter.take(Int64.self, capacity).update(repeating: 0, count: group.count)
            }
            try parallel(tiles, workers: area.workers) { task, worker in
                var cutter = area.worker(worker)
                let scores = cutter.take(Float.self, capacity * tiling.items)
                let mine = cutter.take(Int64.self, capacity)
                let range = task * tiling.items..<min(items.count, (task + 1) * tiling.items)
                BLAS.multiplyTransposed(
                    group.count, range.count, width, rows.base, rows.stride, catalog.row(range.lowerBound),
                    catalog.stride, scores, tiling.items)
                for index in 0..<group.count {
                    mine[index] += ranking.countAbove(
                        group.lowerBound + index, scores + index * tiling.items, range.count, first: range.lowerBound)
                }
            }
            for index in 0..<group.count {
                var sum: Int64 = 0
                for worker in 0..<area.workers {
                    var cutter = area.worker(worker)
                    _ = cutter.take(Float.self, capacity * tiling.items)
                    sum += cutter.take(Int64.self, capacity)[index]
                }
                result[group.lowerBound + index] = sum
            }
            start = group.upperBound
        }
    }

    func countAbove(
        _ scores: DeviceMatrix, first: Int, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.countAbove))
        let tile = try matrix(scores)
        let ranking = TargetRanking(
            targets: try pointer(targets), scores: try pointer(targetScores), exclusions: try resolve(exclusions))
        let result = try pointer(counts)
        try parallel(tile.rows, workers: threads) { query, _ in
            result[query] += ranking.countAbove(query, tile.row(query), tile.columns, first: first)
        }
    }
}

/// Counting what stands above a target, excluded columns and the target itself left out.
private struct TargetRanking {
    let targets: UnsafePointer<Int32>
    let scores: UnsafePointer<Float>
    let exclusions: HostExclusions

    func countAbove(_ query: Int, _ line: UnsafeMutablePointer<Float>, _ columns: Int, first: Int) -> Int64 {
        if let bias = exclusions.bias { for column in 0..<columns { line[column] += bias[first + column] } }
        let own = exclusions.own(query)
        let target = targets[query]
        var count: Int64 = 0
        forEachKeptRun(
            columns: columns, first: first, excluded: exclusions.forAll, excludedCount: exclusions.forAllCount,
            also: own.ids, ownCount: own.count
        ) { run in
            count += sl_count_above(
                line + run.lowerBound, run.count, Int32(first + run.lowerBound), scores[query], target)
            // The target's own column may score above its separately computed score by a rounding error.
            let place = Int(target) - first
            if run.contains(place) {
                count -= sl_count_above(line + place, 1, target, scores[query], target)
            }
        }
        return count
    }
}
