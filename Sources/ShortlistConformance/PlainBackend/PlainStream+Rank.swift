import ShortlistCore

extension PlainStream {
    func countAbove(
        _ scores: DeviceMatrix, first: Int, targets: Vector<Int32>, targetScores: Vector<Float>,
        exclusions: Exclusions, counts: Vector<Int64>
    ) throws(ShortlistError) {
        try open(.countAbove)
        let (tile, left) = (try rows(scores), try resolve(exclusions))
        let (targets, targetScores, counts) = (
            try elements(targets), try elements(targetScores), try elements(counts)
        )
        for query in 0..<tile.count {
            // The order of keys is the order of ranks: score, then the lower id, NaN last.
            let target = TopKey.make(score: targetScores[query], id: targets[query])
            for column in 0..<tile.width where !left.excludes(first + column, for: query) {
                let id = Int32(first + column)
                let score = tile[query][column] + (left.bias?[first + column] ?? 0)
                if id != targets[query] && TopKey.make(score: score, id: id) > target { counts[query] += 1 }
            }
        }
    }
}
