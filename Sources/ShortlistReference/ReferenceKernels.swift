/// One obvious, slow Double reference for each kernel of a backend. Matrices are flat and row-major.
public enum ReferenceKernels {
    /// Logits of `x` (rows × d) against `y` (columns × d): `scale·⟨x_r, y_c⟩ + bias_c`, rows × columns.
    ///
    /// With scale 1 and no bias this is also the projection of vectors on directions.
    public static func logits(
        _ x: [Double], _ y: [Double], dimension d: Int, scale: Double = 1, bias: [Double]? = nil
    ) -> [Double] {
        let rows = x.count / d
        let columns = y.count / d
        var z = [Double](repeating: 0, count: rows * columns)
        for r in 0..<rows {
            for c in 0..<columns {
                var sum = 0.0
                for k in 0..<d { sum += x[r * d + k] * y[c * d + k] }
                z[r * columns + c] = scale * sum + (bias?[c] ?? 0)
            }
        }
        return z
    }

    /// For each row the column of its largest value: ties to the lower column, NaN below everything, −0 equal to +0.
    /// A row of NaN alone gives 0. With projections for values, this is RECE's hash.
    public static func argmax(_ values: [Double], rows: Int, columns: Int) -> [Int] {
        (0..<rows).map { r in
            var best = 0
            for c in 1..<max(1, columns) {
                let value = values[r * columns + c]
                let largest = values[r * columns + best]
                if value > largest || (largest.isNaN && !value.isNaN) { best = c }
            }
            return best
        }
    }

    /// For each row its `k` largest values with their columns, largest first.
    ///
    /// Ties go to the lower column; NaN stands below everything, −∞ included; −0 equals +0. A NaN that is needed to fill
    /// the list is returned as it is. Places for which no column is left have id −1 and score −∞.
    ///
    /// - Parameters:
    ///   - excluded: columns that no row may return.
    ///   - seen: per row, further columns that this row may not return; may repeat columns.
    /// - Returns: ids and scores, rows × k each.
    public static func topK(
        _ values: [Double], rows: Int, columns: Int, k: Int, excluded: Set<Int> = [], seen: [[Int]]? = nil
    ) -> (ids: [Int], scores: [Double]) {
        var ids: [Int] = []
        var scores: [Double] = []
        for r in 0..<rows {
            let leftOut = excluded.union(seen?[r] ?? [])
            let row = Array(values[r * columns..<(r + 1) * columns])
            let order = (0..<columns).filter { !leftOut.contains($0) }
                .sorted { outranks(row[$0], $0, row[$1], $1) }
                .prefix(k)
            let missing = k - order.count
            ids += order + [Int](repeating: -1, count: missing)
            scores += order.map { row[$0] } + [Double](repeating: -.infinity, count: missing)
        }
        return (ids, scores)
    }

    /// Whether value `a` at index `i` comes before value `b` at index `j` in a descending order.
    static func outranks(_ a: Double, _ i: Int, _ b: Double, _ j: Int) -> Bool {
        if a.isNaN != b.isNaN { return b.isNaN }
        return a == b || a.isNaN ? i < j : a > b
    }

    /// The permutation that sorts by (key, place): entry p of the result is the place of the p-th smallest key.
    public static func stableSort(byKey keys: [Int]) -> [Int] {
        keys.indices.sorted { keys[$0] != keys[$1] ? keys[$0] < keys[$1] : $0 < $1 }
    }

    /// Where each of `count` things stands in `order`: entry `order[p]` of the result is p; −1 for what it does not hold.
    public static func inverse(of order: [Int], count: Int) -> [Int] {
        (0..<count).map { thing in order.firstIndex(of: thing) ?? -1 }
    }

    /// For each place of `ids` the last place before it that holds the same id; −1 for an id's first place.
    public static func previousPlaces(_ ids: [Int]) -> [Int] {
        ids.indices.map { place in ids[..<place].lastIndex(of: ids[place]) ?? -1 }
    }

    /// The rows of `matrix` (any × d) named by `ids`, in that order: ids.count × d.
    public static func gather(_ matrix: [Double], dimension d: Int, ids: [Int]) -> [Double] {
        ids.flatMap { matrix[$0 * d..<($0 + 1) * d] }
    }

    /// `matrix` (any × d) with row r of `rows` added to its row `ids[r]`; an id may come more than once.
    public static func scatterAdd(
        _ rows: [Double], ids: [Int], into matrix: [Double], dimension d: Int
    ) -> [Double] {
        var sum = matrix
        for (r, id) in ids.enumerated() {
            for k in 0..<d { sum[id * d + k] += rows[r * d + k] }
        }
        return sum
    }
}
