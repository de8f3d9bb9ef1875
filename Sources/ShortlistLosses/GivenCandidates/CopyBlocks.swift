import ShortlistCore

extension GivenCandidates {
    /// Copies the blocks: rows to ordinals without ignored ones, items ascending, once each, without excluded ones.
    func copyBlocks(
        _ problem: Problem, _ vectors: Vectors, on stream: any Stream
    ) throws(ShortlistError) -> (tokens: Int, items: Int) {
        try fillOrdinals(problem, vectors, on: stream)
        var tokenCount = 0
        var itemCount = 0
        try stream.write(vectors.ranges) { (ranges) throws(ShortlistError) in
            for block in 0..<ranges.count {
                let tokenStart = tokenCount
                let itemStart = itemCount
                try copyTokens(of: block, at: &tokenCount, vectors, on: stream)
                try copyItems(of: block, at: &itemCount, problem, vectors, on: stream)
                ranges[block] = BlockRange(
                    tokens: tokenStart..<tokenCount, items: itemStart..<itemCount,
                    contributesToCatalogGradient: blocks.contributesToCatalogGradient?[block] ?? true)
            }
        }
        return (tokenCount, itemCount)
    }

    private func fillOrdinals(
        _ problem: Problem, _ vectors: Vectors, on stream: any Stream
    ) throws(ShortlistError) {
        try stream.write(vectors.seen) { $0.update(repeating: -1) }
        try stream.write(vectors.ordinals) { (ordinals) throws(ShortlistError) in
            guard let rows = problem.tokens.hidden.rows else {
                for row in 0..<ordinals.count { ordinals[row] = Int32(row) }
                return
            }
            ordinals.update(repeating: -1)
            try stream.read(rows) { (rows) throws(ShortlistError) in
                for (ordinal, row) in rows.enumerated() { ordinals[Int(row)] = Int32(ordinal) }
            }
        }
    }

    private func copyTokens(
        of block: Int, at next: inout Int, _ vectors: Vectors, on stream: any Stream
    ) throws(ShortlistError) {
        var end = next
        try stream.read(vectors.ordinals) { (ordinals) throws(ShortlistError) in
            try stream.write(vectors.seen) { (seen) throws(ShortlistError) in
                try stream.write(vectors.tokens) { (target) throws(ShortlistError) in
                    for place in blocks.tokenOffsets[block]..<blocks.tokenOffsets[block + 1] {
                        let ordinal = ordinals[Int(blocks.tokens[place])]
                        guard ordinal >= 0 else { continue }
                        guard seen[Int(ordinal)] != Int32(block) else {
                            throw ShortlistError(
                                .invalidArgument,
                                "token \(blocks.tokens[place]) stands twice in candidate block \(block)")
                        }
                        seen[Int(ordinal)] = Int32(block)
                        target[end] = ordinal
                        end += 1
                    }
                }
            }
        }
        next = end
    }

    private func copyItems(
        of block: Int, at next: inout Int, _ problem: Problem, _ vectors: Vectors, on stream: any Stream
    ) throws(ShortlistError) {
        let start = blocks.itemOffsets[block]
        let count = blocks.itemOffsets[block + 1] - start
        var end = next
        try stream.write(vectors.keys) { (keys) throws(ShortlistError) in
            // Item above place: sorting by item keeps the first place of a repeated one first.
            for place in 0..<count {
                keys[place] = UInt64(UInt32(bitPattern: blocks.items[start + place])) << 32 | UInt64(UInt32(place))
            }
            sortInPlace(UnsafeMutableBufferPointer(rebasing: keys[0..<count]))
            try withExcluded(problem, on: stream) { (excluded) throws(ShortlistError) in
                try stream.write(vectors.items) { (target) throws(ShortlistError) in
                    var skip = 0
                    var previous: Int32 = -1
                    for key in keys[0..<count] {
                        let item = Int32(bitPattern: UInt32(truncatingIfNeeded: key >> 32))
                        while skip < excluded.count && excluded[skip] < item { skip += 1 }
                        if item == previous || (skip < excluded.count && excluded[skip] == item) { continue }
                        previous = item
                        target[end] = item
                        // The key's place survives at the front: the log-weights are copied by it below.
                        keys[end - next] = key
                        end += 1
                    }
                }
            }
            guard let weights = blocks.logWeights, let vector = vectors.logWeights else { return }
            try stream.write(vector) { (target) throws(ShortlistError) in
                for place in next..<end {
                    target[place] = weights[start + Int(UInt32(truncatingIfNeeded: keys[place - next]))]
                }
            }
        }
        next = end
    }

    private func withExcluded(
        _ problem: Problem, on stream: any Stream,
        _ body: (UnsafeBufferPointer<Int32>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        guard let excluded = problem.items.excluded else {
            return try body(UnsafeBufferPointer(start: nil, count: 0))
        }
        try stream.read(excluded, body)
    }
}
