import CShortlistKernels
import Glibc
import ShortlistCore

/// Rows of a source as a tile that a product can read: in place where they lie in order, copied where they are listed.
struct RowTile {
    let base: UnsafePointer<Float>
    let stride: Int
}

/// Items in the strips that `sl_multiply_strips` reads.
struct PackedItems {
    let strips: UnsafePointer<Float>

    /// Room for `count` items.
    static func floats(_ count: Int, width: Int) -> Int { (count + 31) / 32 * 32 * width }

    /// Rows `first`..<`first + count` of a matrix, or of those that `ids` lists.
    init(
        _ matrix: HostMatrix, _ ids: UnsafePointer<Int32>?, _ first: Int, _ count: Int,
        into strips: UnsafeMutablePointer<Float>
    ) {
        sl_pack_strips(matrix.row(0), matrix.stride, ids, first, count, matrix.columns, strips)
        self.strips = UnsafePointer(strips)
    }

    init(_ rows: RowTile, _ count: Int, width: Int, into strips: UnsafeMutablePointer<Float>) {
        sl_pack_strips(rows.base, rows.stride, nil, 0, count, width, strips)
        self.strips = UnsafePointer(strips)
    }
}

extension HostMatrix {
    /// Rows that `ids` lists, to be fetched while products run.
    func ahead(_ ids: UnsafePointer<Int32>, _ count: Int) -> sl_ahead {
        sl_ahead(
            rows: base, stride: stride, width: columns, beside: nil, beside_stride: 0, ids: ids, count: count, done: 0)
    }
}

extension HostRows {
    /// Rows `range`, copied to `scratch` (range.count × width) only when they are listed.
    func tile(_ range: Range<Int>, scratch: UnsafeMutablePointer<Float>) -> RowTile {
        guard let rows else { return RowTile(base: matrix.row(range.lowerBound), stride: matrix.stride) }
        gatherRows(matrix, rows + range.lowerBound, range.count, into: scratch)
        return RowTile(base: scratch, stride: matrix.columns)
    }
}

/// Copies the rows that `ids` lists to consecutive rows of `target`.
func gatherRows(
    _ matrix: HostMatrix, _ ids: UnsafePointer<Int32>, _ count: Int, into target: UnsafeMutablePointer<Float>
) {
    let width = matrix.columns
    for index in 0..<count {
        memcpy(target + index * width, matrix.row(Int(ids[index])), width * MemoryLayout<Float>.stride)
    }
}

/// First place in ascending `ids` that is not below `id`.
func lowerBound(_ ids: UnsafePointer<Int32>, _ count: Int, _ id: Int32) -> Int {
    var low = 0
    var high = count
    while low < high {
        let middle = (low + high) / 2
        if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low
}

/// Walks the columns of a tile that are not excluded, as runs: `body(columns)`, where `first` is the id of column 0.
func forEachKeptRun(
    columns: Int, first: Int, excluded: UnsafePointer<Int32>?, excludedCount: Int,
    also own: UnsafePointer<Int32>?, ownCount: Int, _ body: (Range<Int>) -> Void
) {
    var a = excluded.map { lowerBound($0, excludedCount, Int32(first)) } ?? 0
    var b = own.map { lowerBound($0, ownCount, Int32(first)) } ?? 0
    var start = 0
    while start < columns {
        var stop = columns
        if let excluded, a < excludedCount { stop = min(stop, Int(excluded[a]) - first) }
        if let own, b < ownCount { stop = min(stop, Int(own[b]) - first) }
        if stop > start { body(start..<stop) }
        if stop >= columns { return }
        start = stop + 1
        if let excluded { while a < excludedCount && Int(excluded[a]) - first < start { a += 1 } }
        if let own { while b < ownCount && Int(own[b]) - first < start { b += 1 } }
    }
}

/// The exclusions of a ranking, resolved.
struct HostExclusions {
    let forAll: UnsafePointer<Int32>?
    let forAllCount: Int
    let offsets: UnsafePointer<Int>?
    let ids: UnsafePointer<Int32>?
    let bias: UnsafePointer<Float>?

    func own(_ query: Int) -> (ids: UnsafePointer<Int32>?, count: Int) {
        guard let offsets, let ids else { return (nil, 0) }
        return (ids + offsets[query], offsets[query + 1] - offsets[query])
    }
}

extension CPUStream {
    func resolve(_ exclusions: Exclusions) throws(ShortlistError) -> HostExclusions {
        HostExclusions(
            forAll: try optionalPointer(exclusions.forAll), forAllCount: exclusions.forAll?.count ?? 0,
            offsets: try optionalPointer(exclusions.offsets), ids: try optionalPointer(exclusions.ids),
            bias: try optionalPointer(exclusions.bias))
    }
}
