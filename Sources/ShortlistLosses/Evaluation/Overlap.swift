import ShortlistCore

/// Memory that a call reads or writes, by name.
struct Region {
    let name: String
    let start: UInt
    let byteCount: Int
    /// Bytes from row to row and of a row, for matrices whose columns interleave.
    var stride = 0
    var width = 0

    init(_ name: String, _ start: UnsafeRawPointer?, byteCount: Int) {
        self.name = name
        self.start = UInt(bitPattern: start)
        self.byteCount = byteCount
    }

    init(_ name: String, _ view: MatrixView) {
        self.init(name, view.base, byteCount: view.byteExtent)
        stride = view.rowStride * MemoryLayout<Float>.stride
        width = view.columns * MemoryLayout<Float>.stride
    }

    func overlaps(_ other: Region) -> Bool {
        guard byteCount > 0, other.byteCount > 0 else { return false }
        guard start < other.start + UInt(other.byteCount), other.start < start + UInt(byteCount) else { return false }
        // Two column ranges of one larger matrix interleave without touching.
        guard stride > 0, stride == other.stride else { return true }
        let distance = Int((other.start &- start) % UInt(stride))
        let shift = other.start >= start ? distance : (stride - Int((start - other.start) % UInt(stride))) % stride
        return !(shift >= width && shift + other.width <= stride)
    }
}

/// - Throws: `overlappingMemory` naming the two.
func checkOverlap(outputs: [Region], inputs: [Region]) throws(ShortlistError) {
    for (index, output) in outputs.enumerated() {
        for other in outputs[(index + 1)...] + inputs[...] where output.overlaps(other) {
            throw ShortlistError(.overlappingMemory, "\(output.name) overlaps \(other.name)")
        }
    }
}

extension Batch {
    func regions(_ catalog: Catalog) -> [Region] {
        var regions = [Region("the hidden states", hidden), Region("the catalog", catalog.items)]
        regions.append(targets.region)
        if let weights { regions.append(Region("the weights", weights.baseAddress, byteCount: 4 * weights.count)) }
        if let bias = catalog.bias { regions.append(Region("the bias", bias.baseAddress, byteCount: 4 * bias.count)) }
        regions.append(
            Region("the excluded items", excludedItems.baseAddress, byteCount: 4 * excludedItems.count))
        return regions
    }
}

extension Targets {
    var region: Region {
        switch self {
        case .int32(let values): Region("the targets", values.baseAddress, byteCount: 4 * values.count)
        case .int64(let values): Region("the targets", values.baseAddress, byteCount: 8 * values.count)
        }
    }
}

extension Upstream {
    func regions() -> [Region] {
        guard case .perToken(let values) = self else { return [] }
        return [Region("the upstream gradients", values.baseAddress, byteCount: 4 * values.count)]
    }
}

extension GradientOutputs {
    func regions() -> [Region] {
        var regions: [Region] = []
        if let hidden { regions.append(Region("the hidden gradient", hidden.readOnly)) }
        if let scale { regions.append(Region("the scale gradient", scale, byteCount: 8)) }
        switch catalog {
        case .none: break
        case .dense(let matrix, let bias, _):
            if let matrix { regions.append(Region("the catalog gradient", matrix.readOnly)) }
            if let bias { regions.append(Region("the bias gradient", bias.baseAddress, byteCount: 4 * bias.count)) }
        case .rows(let ids, let rows, let bias):
            regions.append(Region("the gradient's row ids", ids.baseAddress, byteCount: 4 * ids.count))
            if let rows { regions.append(Region("the gradient's rows", rows.readOnly)) }
            if let bias { regions.append(Region("the bias gradient", bias.baseAddress, byteCount: 4 * bias.count)) }
        }
        return regions
    }

    /// Shapes against the call's.
    func check(rows: Int, _ catalog: Catalog) throws(ShortlistError) {
        func matrix(_ name: String, _ view: MutableMatrixView?, _ rows: Int) throws(ShortlistError) {
            guard let view, view.rows != rows || view.columns != catalog.width else { return }
            throw ShortlistError(
                .invalidArgument,
                "\(name) is \(view.rows) × \(view.columns); it must be \(rows) × \(catalog.width)")
        }
        func vector(_ name: String, _ count: Int?, _ wanted: Int) throws(ShortlistError) {
            guard let count, count != wanted else { return }
            throw ShortlistError(.invalidArgument, "\(name) has \(count) values; it must have \(wanted)")
        }
        try matrix("the hidden gradient", hidden, rows)
        switch self.catalog {
        case .none: break
        case .dense(let dense, let bias, _):
            try matrix("the catalog gradient", dense, catalog.itemCount)
            try vector("the bias gradient", bias?.count, catalog.itemCount)
        case .rows(let ids, let sparse, let bias):
            try matrix("the row-sparse catalog gradient (as many rows as ids)", sparse, ids.count)
            try vector("the row-sparse bias gradient (as many as ids)", bias?.count, ids.count)
        }
    }
}

extension TokenOutputs {
    func regions() -> [Region] {
        var regions: [Region] = []
        if let losses { regions.append(Region("the token losses", losses.baseAddress, byteCount: 4 * losses.count)) }
        if let logSumExp {
            regions.append(Region("the log-sum-exps", logSumExp.baseAddress, byteCount: 4 * logSumExp.count))
        }
        return regions
    }

    func check(rows: Int) throws(ShortlistError) {
        for (name, count) in [("token losses", losses?.count), ("log-sum-exps", logSumExp?.count)] {
            guard let count, count != rows else { continue }
            throw ShortlistError(.invalidArgument, "room for \(count) \(name); there are \(rows) tokens")
        }
    }
}
