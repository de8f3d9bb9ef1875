import ShortlistCore

/// What a batch holds, found before anything is planned or written.
struct CheckedBatch {
    /// Valid tokens.
    var tokens: Int
    var shape: ProblemShape
}

func checkIds(_ ids: UnsafeBufferPointer<Int32>, below bound: Int, what: String) throws(ShortlistError) {
    for (place, id) in ids.enumerated() where id < 0 || Int(id) >= bound {
        throw ShortlistError(.indexOutOfRange, "\(what) \(id) at place \(place); there are \(bound)")
    }
}

extension Batch {
    /// Checks everything that can be checked without memory, and counts the valid tokens.
    func check(_ catalog: Catalog, exclusions: ExclusionList) throws(ShortlistError) -> CheckedBatch {
        let rows = hidden.rows
        guard hidden.columns == catalog.width else {
            throw ShortlistError(
                .invalidArgument,
                "hidden states have \(hidden.columns) columns, the catalog's items have \(catalog.width)")
        }
        guard targets.count == rows else {
            throw ShortlistError(.invalidArgument, "\(targets.count) targets for \(rows) hidden states")
        }
        guard rows < Int(Int32.max) else {
            throw ShortlistError(.unsupported, "\(rows) tokens; a call takes fewer than 2147483647")
        }
        guard scale > 0, scale.isFinite else {
            throw ShortlistError(.invalidWeight, "scale \(scale); it must be positive and finite")
        }
        if let denominator {
            guard reduction == .mean else {
                throw ShortlistError(.invalidArgument, "a denominator goes with reduction mean, not \(reduction)")
            }
            guard denominator > 0, denominator.isFinite else {
                throw ShortlistError(.invalidWeight, "denominator \(denominator); it must be positive and finite")
            }
        }
        if let weights {
            guard weights.count == rows else {
                throw ShortlistError(.invalidArgument, "\(weights.count) weights for \(rows) tokens")
            }
            for (token, weight) in weights.enumerated() where !(weight >= 0) || weight == .infinity {
                throw ShortlistError(
                    .invalidWeight, "weight \(weight) of token \(token); weights are finite and not negative")
            }
        }
        let valid = try countValid(catalog.itemCount, exclusions)
        return CheckedBatch(
            tokens: valid,
            shape: ProblemShape(
                rows: rows, tokens: valid, items: catalog.itemCount,
                selectable: catalog.itemCount - exclusions.count, width: catalog.width))
    }

    private func countValid(_ items: Int, _ exclusions: ExclusionList) throws(ShortlistError) -> Int {
        var valid = 0
        for token in 0..<targets.count {
            let target = targets[token]
            if target == ignoreIndex { continue }
            guard target >= 0, target < Int64(items) else {
                throw ShortlistError(
                    .targetOutOfRange, "target \(target) of token \(token); items are 0 to \(items - 1)")
            }
            if exclusions.contains(Int32(target)) {
                throw ShortlistError(
                    .excludedTarget, "target \(target) of token \(token) is excluded (or has a bias of −∞)")
            }
            valid += 1
        }
        return valid
    }
}

/// The items that are never candidates, ascending and distinct: the caller's, and those with a bias of −∞.
///
/// Memory: 4 bytes an excluded item, kept between calls.
final class ExclusionList {
    private var memory: Memory?
    private(set) var count = 0

    private var ids: UnsafeMutablePointer<Int32>? { memory?.base.assumingMemoryBound(to: Int32.self) }
    var values: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: ids, count: count) }

    func load(_ excluded: UnsafeBufferPointer<Int32>, _ catalog: Catalog) throws(ShortlistError) {
        try checkIds(excluded, below: catalog.itemCount, what: "excluded item")
        var hidden = 0
        if let bias = catalog.bias { for value in bias where value == -.infinity { hidden += 1 } }
        let room = (excluded.count + hidden) * MemoryLayout<Int32>.stride
        count = 0
        guard room > 0 else { return }
        if (memory?.byteCount ?? 0) < room { memory = try Memory(byteCount: room, for: "excluded items") }
        guard let ids else { return }
        var total = 0
        for id in excluded {
            ids[total] = id
            total += 1
        }
        if hidden > 0, let bias = catalog.bias {
            for (id, value) in bias.enumerated() where value == -.infinity {
                ids[total] = Int32(id)
                total += 1
            }
        }
        sortInPlace(UnsafeMutableBufferPointer(start: ids, count: total))
        for place in 0..<total where place == 0 || ids[place] != ids[count - 1] {
            ids[count] = ids[place]
            count += 1
        }
    }

    func contains(_ id: Int32) -> Bool {
        guard count > 0, let ids else { return false }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < count && ids[low] == id
    }
}
