import CShortlistKernels

/// Where the gradients of loaded tokens are summed; nil for what is not wanted.
struct TileSums {
    /// dX of the loaded rows.
    let hidden: UnsafeMutablePointer<Float>?
    /// dY and db of items that stand together.
    let catalog: UnsafeMutablePointer<Float>?
    let bias: UnsafeMutablePointer<Float>?
    /// Σ g p z by loaded row, with logits z that carry the scale.
    let dots: UnsafeMutablePointer<Double>?
}

extension BlockScorer {
    /// Makes the logits of the loaded rows and the block's items `part` again, turns them into g·p, and adds what they
    /// give to `sums`.
    ///
    /// - Parameters:
    ///   - logSumExp, coefficient: by loaded row.
    ///   - row: where in `sums.catalog` and `sums.bias` a tile begins, from the place in the block of its first item.
    func addGradients(
        _ part: Range<Int>, logSumExp: UnsafePointer<Float>, _ coefficient: UnsafePointer<Float>, into sums: TileSums,
        row: (Int) -> Int
    ) {
        var start = part.lowerBound
        while start < part.upperBound {
            let tile = tile(from: start, to: part.upperBound)
            let items = items(tile)
            let bias = bias(tile)
            let place = row(start)
            var first = 0
            while first < count {
                let rows = first..<min(count, first + size.tokens)
                score(rows, tile, items)
                sl_softmax_rows(
                    logits, size.items, rows.count, tile.count, bias, logSumExp + first, coefficient + first,
                    sums.dots.map { $0 + first })
                if let target = sums.hidden {
                    BLAS.multiply(
                        rows.count, width, tile.count, alpha: scale, logits, size.items, items.base, items.stride,
                        beta: 1, target + first * width, width)
                }
                if let target = sums.catalog {
                    BLAS.transposedMultiply(
                        tile.count, width, rows.count, alpha: scale, logits, size.items, hidden + first * width, width,
                        beta: 1, target + place * width, width)
                }
                if let target = sums.bias {
                    sl_add_column_sums(logits, size.items, rows.count, tile.count, target + place)
                }
                first = rows.upperBound
            }
            start = tile.upperBound
        }
    }
}
