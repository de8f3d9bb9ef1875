import ShortlistCore

/// The paper's Mix, B = Ωᵀ X with Gaussian Ω (n × n_b), without Ω.
///
/// The rows of Ωᵀ X are independent N(0, XᵀX). So for d ≤ n_b, with XᵀX = L Lᵀ, B = G Lᵀ with Gaussian G (n_b × d)
/// has the same distribution at n·d² + n_b·d² flops instead of n·n_b·d. For d > n_b, Ω is drawn a tile at a time.
struct MixVectors {
    /// Rows of Ω drawn at a time.
    static let tileRows = 256

    let gram: Vector<Double>
    let factor: Vector<Double>
    let line: Vector<Double>
    let tile: Vector<Float>

    static func factorises(buckets: Int, width: Int) -> Bool { width <= buckets }

    init(buckets: Int, tokens: Int, width: Int, from source: inout some VectorSource) throws(ShortlistError) {
        let factorises = MixVectors.factorises(buckets: buckets, width: width)
        gram = try source.reserve(Double.self, count: factorises ? width * width : 0)
        factor = try source.reserve(Double.self, count: factorises ? width * width : 0)
        line = try source.reserve(Double.self, count: factorises ? width : 0)
        tile = try source.reserve(Float.self, count: factorises ? 0 : min(tokens, MixVectors.tileRows) * buckets)
    }
}

extension SCE {
    func mixKernels(buckets: Int, _ shape: ProblemShape) -> [KernelShape] {
        MixVectors.factorises(buckets: buckets, width: shape.width)
            ? [.gram(rows: shape.tokens, width: shape.width)]
            : [.addProduct(rows: min(shape.tokens, MixVectors.tileRows), width: shape.width)]
    }

    func mix(
        into directions: DeviceMatrix, _ vector: Vector<Float>, _ vectors: MixVectors, _ problem: Problem,
        on stream: any Stream, report: inout Report
    ) throws(ShortlistError) {
        let buckets = directions.rows
        let width = directions.columns
        guard MixVectors.factorises(buckets: buckets, width: width) else {
            return try mixByTiles(into: directions, vectors, problem, on: stream)
        }
        try stream.gram(problem.tokens.hidden, into: vectors.gram)
        var outcome = CholeskyOutcome.noTrace
        try stream.read(vectors.gram) { (gram) throws(ShortlistError) in
            try stream.write(vectors.factor) { (factor) throws(ShortlistError) in
                outcome = jitteredCholesky(gram, into: factor, width)
            }
        }
        try drawNormal(
            vector, rows: buckets, columns: width, seed: seed, step: step, stream: .directions, on: stream)
        switch outcome {
        case .noTrace:
            report.notes.insert(.mixFellBackToGaussian)
            return
        case .failed:
            throw ShortlistError(
                .numericalFailure,
                "Mix: the Gram matrix of the hidden states has no Cholesky factor even with jitter 1·trace/d; "
                    + "are they finite? Gaussian directions need none")
        case .factored(let attempts):
            if attempts > 1 { report.notes.insert(.mixJitterRaised) }
        }
        try stream.read(vectors.factor) { (factor) throws(ShortlistError) in
            try stream.write(vectors.line) { (line) throws(ShortlistError) in
                try stream.write(vector) { (values) throws(ShortlistError) in
                    multiplyByFactor(values, factor, line, width)
                }
            }
        }
    }

    private func mixByTiles(
        into directions: DeviceMatrix, _ vectors: MixVectors, _ problem: Problem, on stream: any Stream
    ) throws(ShortlistError) {
        try stream.fill(directions, with: 0)
        let hidden = problem.tokens.hidden
        var first = 0
        while first < hidden.count {
            let range = first..<min(hidden.count, first + MixVectors.tileRows)
            try drawNormal(
                vectors.tile, rows: range.count, columns: directions.rows, seed: seed, step: step, stream: .mixing,
                firstRow: first, on: stream)
            let tile = DeviceMatrix(
                buffer: vectors.tile.buffer, offset: vectors.tile.offset, rows: range.count, columns: directions.rows,
                rowStride: directions.rows)
            let rows =
                hidden.rows.map { RowSource(hidden.matrix, rows: $0.slice(range)) }
                ?? RowSource(hidden.matrix.rowRange(range))
            try stream.addProduct(transposed: tile, rows, into: directions)
            first = range.upperBound
        }
    }
}

enum CholeskyOutcome {
    case factored(attempts: Int)
    /// The trace is zero or not finite.
    case noTrace
    case failed
}

/// Lower factor of gram + jitter, jitter 1e-6·trace/d, at most six tenfold retries (losses.md, SCE 1).
private func jitteredCholesky(
    _ gram: UnsafeBufferPointer<Double>, into factor: UnsafeMutableBufferPointer<Double>, _ width: Int
) -> CholeskyOutcome {
    var trace = 0.0
    for index in 0..<width { trace += gram[index * width + index] }
    guard trace > 0, trace.isFinite else { return .noTrace }
    var jitter = 1e-6 * trace / Double(width)
    for attempt in 1...7 {
        if cholesky(gram, jitter: jitter, into: factor, width) { return .factored(attempts: attempt) }
        jitter *= 10
    }
    return .failed
}

private func cholesky(
    _ gram: UnsafeBufferPointer<Double>, jitter: Double, into factor: UnsafeMutableBufferPointer<Double>, _ width: Int
) -> Bool {
    for row in 0..<width {
        for column in 0...row {
            var sum = gram[row * width + column]
            if row == column { sum += jitter }
            for k in 0..<column { sum -= factor[row * width + k] * factor[column * width + k] }
            if row == column {
                guard sum > 0, sum.isFinite else { return false }
                factor[row * width + row] = sum.squareRoot()
            } else {
                factor[row * width + column] = sum / factor[column * width + column]
            }
        }
    }
    return true
}

/// rows := rows · Lᵀ, one row at a time through `line`.
private func multiplyByFactor(
    _ rows: UnsafeMutableBufferPointer<Float>, _ factor: UnsafeBufferPointer<Double>,
    _ line: UnsafeMutableBufferPointer<Double>, _ width: Int
) {
    for row in 0..<rows.count / max(width, 1) {
        let values = UnsafeMutableBufferPointer(rebasing: rows[row * width..<(row + 1) * width])
        // Entry j needs the first j + 1 draws: Σ_{k ≤ j} g_k L_jk.
        for j in 0..<width {
            var sum = 0.0
            for k in 0...j { sum += Double(values[k]) * factor[j * width + k] }
            line[j] = sum
        }
        for j in 0..<width { values[j] = Float(line[j]) }
    }
}
