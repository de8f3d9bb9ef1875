import ShortlistCore

/// Projections and top-k: what `projectAndSelect` and `hash` are composed of, and the products of SCE's Mix.
extension PlainStream {
    func logits(
        _ queries: RowSource, _ items: RowSource, range: Range<Int>, into scores: DeviceMatrix
    ) throws(ShortlistError) {
        try open(.logits)
        let (queries, items, result) = (try rows(queries), try rows(items), try rows(scores))
        for query in 0..<queries.count {
            for (column, item) in range.enumerated() {
                result[query][column] = Float(dot(queries[query], items[item], queries.width))
            }
        }
    }

    func selectTop(
        _ scores: DeviceMatrix, first: Int, exclusions: Exclusions, k: Int, best: Vector<UInt64>
    ) throws(ShortlistError) {
        try open(.selectTop)
        let (tile, left) = (try rows(scores), try resolve(exclusions))
        let best = try elements(best)
        for query in 0..<tile.count {
            let mine = UnsafeMutableBufferPointer(rebasing: best[query * k..<(query + 1) * k])
            // The place of the least key: empty ones are 0 and go first.
            var least = indexOfLeast(mine)
            for column in 0..<tile.width where !left.excludes(first + column, for: query) {
                let score = tile[query][column] + (left.bias?[first + column] ?? 0)
                let key = TopKey.make(score: score, id: Int32(first + column))
                guard key > mine[least] else { continue }
                mine[least] = key
                least = indexOfLeast(mine)
            }
        }
    }

    private func indexOfLeast(_ keys: UnsafeMutableBufferPointer<UInt64>) -> Int {
        var least = 0
        for place in keys.indices where keys[place] < keys[least] { least = place }
        return least
    }

    func unpackTop(
        _ best: Vector<UInt64>, k: Int, order: TopOrder, into top: TopOutput
    ) throws(ShortlistError) {
        try opened().checkStop()
        let (best, ids, scores) = (try elements(best), try elements(top.ids), try optionalElements(top.scores))
        for start in stride(from: 0, to: ids.count, by: max(k, 1)) {
            for place in start..<start + k {
                // Selection sort: the first of what is left comes here.
                var next = place
                for other in place..<start + k where comesBefore(best[other], best[next], order) { next = other }
                best.swapAt(place, next)
                let key = best[place]
                ids[place] = key == 0 ? -1 : TopKey.id(key)
                scores?[place] = key == 0 ? -.infinity : TopKey.score(key)
            }
        }
    }

    /// A key holds the complement of its id in its lower half, so that in both orders the larger number comes first and
    /// an empty place, 0, last.
    private func comesBefore(_ a: UInt64, _ b: UInt64, _ order: TopOrder) -> Bool {
        switch order {
        case .byScore: a > b
        case .byIndex: UInt32(truncatingIfNeeded: a) > UInt32(truncatingIfNeeded: b)
        }
    }

    func gram(_ rows: RowSource, into result: Vector<Double>) throws(ShortlistError) {
        try open(.gram)
        let rows = try self.rows(rows)
        let result = try elements(result)
        for a in 0..<rows.width {
            try opened().checkStop()
            for b in 0..<rows.width {
                var sum = 0.0
                for row in 0..<rows.count { sum += Double(rows[row][a]) * Double(rows[row][b]) }
                result[a * rows.width + b] = sum
            }
        }
    }

    func addProduct(
        transposed left: DeviceMatrix, _ rows: RowSource, into result: DeviceMatrix
    ) throws(ShortlistError) {
        try open(.addProduct)
        let (left, right, result) = (try self.rows(left), try self.rows(rows), try self.rows(result))
        for a in 0..<left.width {
            for b in 0..<right.width {
                var sum = 0.0
                for row in 0..<right.count { sum += Double(left[row][a]) * Double(right[row][b]) }
                result[a][b] += Float(sum)
            }
        }
    }
}

/// What a ranking leaves out, resolved to memory.
struct PlainExclusions {
    var forAll: UnsafeMutableBufferPointer<Int32>?
    var offsets: UnsafeMutableBufferPointer<Int>?
    var ids: UnsafeMutableBufferPointer<Int32>?
    var bias: UnsafeMutableBufferPointer<Float>?

    func excludes(_ id: Int, for query: Int) -> Bool {
        if let forAll, isListed(id, in: forAll[...]) { return true }
        guard let offsets, let ids else { return false }
        return isListed(id, in: ids[offsets[query]..<offsets[query + 1]])
    }
}

/// Whether an ascending list holds `id`.
func isListed(_ id: Int, in ids: Slice<UnsafeMutableBufferPointer<Int32>>) -> Bool {
    var (low, high) = (ids.startIndex, ids.endIndex)
    while low < high {
        let middle = (low + high) / 2
        if Int(ids[middle]) < id { low = middle + 1 } else { high = middle }
    }
    return low < ids.endIndex && Int(ids[low]) == id
}

extension PlainStream {
    func resolve(_ exclusions: Exclusions) throws(ShortlistError) -> PlainExclusions {
        PlainExclusions(
            forAll: try optionalElements(exclusions.forAll), offsets: try optionalElements(exclusions.offsets),
            ids: try optionalElements(exclusions.ids), bias: try optionalElements(exclusions.bias))
    }
}
