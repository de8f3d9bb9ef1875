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
    ///   - next: places of the items that the worker will read after these.
    ///   - row: where in `sums.catalog` and `sums.bias` a tile begins, from the place of its first item.
    func addGradients(
        _ part: Range<Int>, logSumExp: UnsafePointer<Float>, _ coefficient: UnsafePointer<Float>, into sums: TileSums,
        next: Range<Int>, row: (Int) -> Int
    ) {
        let step = size.tileRows(count)
        var start = part.lowerBound
        while start < part.upperBound {
            let tile = start..<min(part.upperBound, start + size.items)
            let (packed, items) = packedAndRows(tile)
            let bias = bias(tile)
            let place = row(start)
            var ahead = ahead(of: tile, in: part, next: next)
            var first = 0
            while first < count {
                let rows = first..<min(count, first + step)
                score(rows, tile, packed, ahead: &ahead)
                sl_softmax_rows(
                    logits, size.stride, rows.count, tile.count, bias, logSumExp + first, coefficient + first, logits,
                    size.stride, sums.dots.map { $0 + first })
                addProducts(
                    rows, tile, items, hidden: sums.hidden, catalog: sums.catalog.map { $0 + place * width },
                    catalogStride: width)
                if let target = sums.bias {
                    sl_add_column_sums(logits, size.stride, rows.count, tile.count, target + place)
                }
                first = rows.upperBound
            }
            start = tile.upperBound
        }
    }

    /// Adds what a tile of g·p gives to dX of the loaded rows and to dY of the tile's items.
    func addProducts(
        _ rows: Range<Int>, _ tile: Range<Int>, _ items: RowTile, hidden target: UnsafeMutablePointer<Float>?,
        catalog: UnsafeMutablePointer<Float>?, catalogStride: Int
    ) {
        if let target {
            sl_add_product(
                rows.count, width, tile.count, scale, logits, size.stride, 1, items.base, items.stride,
                target + rows.lowerBound * width, width, nil, nil)
        }
        if let catalog {
            sl_add_product(
                tile.count, width, rows.count, scale, logits, 1, size.stride, hidden + rows.lowerBound * width, width,
                catalog, catalogStride, nil, nil)
        }
    }
}
