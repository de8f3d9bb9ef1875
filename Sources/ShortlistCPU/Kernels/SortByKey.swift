import ShortlistCore

/// A stable radix sort, eight bits a pass, in runs that are counted and scattered in parallel.
struct SortTiling: KernelTiling {
    var runs: Int
    static let levels = [SortTiling(runs: 64), SortTiling(runs: 8), SortTiling(runs: 1)]

    func scratch(for count: Int) -> TileScratch {
        var fixed = ScratchSize()
        fixed.add(Int32.self, count)
        fixed.add(Int32.self, runs * 256)
        return TileScratch(fixed: fixed.bytes, perWorker: 0)
    }
}

extension CPUStream {
    func sortByKey(
        _ keys: Vector<Int32>, keyBound: Int, excluding excluded: Vector<Int32>?, into order: Vector<Int32>
    ) throws(ShortlistError) {
        let (tiling, need) = SortTiling.choose(for: order.count, limit: try opened().scratchLimit)
        let area = try openScratch(.sortByKey, need)
        let count = order.count
        let keys = try pointer(keys)
        let result = try pointer(order)
        var cutter = area.shared()
        let other = cutter.take(Int32.self, count)
        let histograms = cutter.take(Int32.self, tiling.runs * 256)

        var passes = 1
        while passes < 4 && keyBound > 1 << (8 * passes) { passes += 1 }
        // Passes alternate between the two buffers so that the last one lands in `result`.
        var source = passes % 2 == 0 ? result : other
        var target = passes % 2 == 0 ? other : result
        try listKept(count, excluded, into: source)

        let run = max(1, (count + tiling.runs - 1) / tiling.runs)
        let runs = (count + run - 1) / run
        for pass in 0..<passes {
            let shift = Int32(8 * pass)
            let from = source
            let to = target
            try parallel(runs, workers: threads) { task, _ in
                let mine = histograms + task * 256
                mine.update(repeating: 0, count: 256)
                for place in task * run..<min(count, (task + 1) * run) {
                    mine[Int(keys[Int(from[place])] >> shift & 255)] += 1
                }
            }
            var sum: Int32 = 0
            for digit in 0..<256 {
                for task in 0..<runs {
                    let here = histograms[task * 256 + digit]
                    histograms[task * 256 + digit] = sum
                    sum += here
                }
            }
            try parallel(runs, workers: threads) { task, _ in
                let mine = histograms + task * 256
                for place in task * run..<min(count, (task + 1) * run) {
                    let id = from[place]
                    let digit = Int(keys[Int(id)] >> shift & 255)
                    to[Int(mine[digit])] = id
                    mine[digit] += 1
                }
            }
            swap(&source, &target)
        }
    }

    /// The ids 0, 1, … without the excluded ones.
    private func listKept(
        _ count: Int, _ excluded: Vector<Int32>?, into ids: UnsafeMutablePointer<Int32>
    ) throws(ShortlistError) {
        let skip = try optionalPointer(excluded)
        let skipCount = excluded?.count ?? 0
        var next = 0
        var id: Int32 = 0
        var skipped = 0
        while next < count {
            if let skip, skipped < skipCount, skip[skipped] == id {
                skipped += 1
            } else {
                ids[next] = id
                next += 1
            }
            id += 1
        }
    }

    func invert(_ order: Vector<Int32>, into places: Vector<Int32>) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.invert))
        let from = try pointer(order)
        let to = try pointer(places)
        if places.count != order.count { to.update(repeating: -1, count: places.count) }
        try parallelRanges(order.count, grain: 1 << 16) { range, _ in
            for place in range { to[Int(from[place])] = Int32(place) }
        }
    }

    func link(
        _ ids: Vector<Int32>, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.linkTokens))
        let ids = try pointer(ids)
        let tail = try pointer(last)
        let before = try pointer(previous)
        tail.update(repeating: -1, count: last.count)
        for slot in 0..<previous.count {
            let id = Int(ids[slot])
            before[slot] = tail[id]
            tail[id] = Int32(slot)
        }
    }

    func linkItems(
        _ ids: Vector<Int32>, map: ItemMap, last: Vector<Int32>, previous: Vector<Int32>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.linkTokens))
        let ids = try pointer(ids)
        let map = try resolve(map)
        let tail = try pointer(last)
        let before = try pointer(previous)
        tail.update(repeating: -1, count: last.count)
        for place in 0..<previous.count {
            let row = map.row(of: ids[place])
            before[place] = tail[row]
            tail[row] = Int32(place)
        }
    }
}
