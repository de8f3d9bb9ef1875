import ShortlistCore

/// The vectors of a gradient.
struct GradientVectors {
    let coefficients: Vector<Float>
    let scale: Vector<Double>

    init(_ shape: ProblemShape, from source: inout some VectorSource) throws(ShortlistError) {
        coefficients = try source.reserve(Float.self, count: shape.tokens)
        scale = try source.reserve(Double.self, count: 1)
    }
}

/// The gradients of one forward pass.
struct BackwardPass {
    let forward: ForwardPass
    let outputs: GradientOutputs
    let upstream: Upstream

    static func kernels(
        _ blocks: BlockShape, _ shape: ProblemShape, _ outputs: GradientOutputs, _ exclusive: Bool
    ) -> [KernelShape] {
        guard !outputs.isEmpty else { return [] }
        return [
            .blockGradient(blocks, gradients(of: outputs, exclusive)),
            .targetGradient(tokens: shape.tokens, width: shape.width, itemCount: shape.items),
        ]
    }

    /// What a dense block's forward and backward pass in one call runs beside them.
    static func denseKernels(_ blocks: BlockShape, _ outputs: GradientOutputs) -> [KernelShape] {
        guard blocks.isDense, !outputs.isEmpty else { return [] }
        return [.evaluateDense(blocks, gradients(of: outputs, true))]
    }

    private static func gradients(of outputs: GradientOutputs, _ exclusive: Bool) -> BlockGradientShape {
        var gradients = BlockGradientShape(
            hidden: outputs.hidden != nil, catalog: false, bias: false, scale: outputs.scale != nil,
            tokensAreExclusive: exclusive)
        switch outputs.catalog {
        case .none: break
        case .dense(let matrix, let bias, _):
            gradients.catalog = matrix != nil
            gradients.bias = bias != nil
        case .rows(_, let rows, let bias):
            gradients.catalog = rows != nil
            gradients.bias = bias != nil
        }
        return gradients
    }

    /// Returns the rows used of a row-sparse output.
    func run(
        vectors: GradientVectors?, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> Int? {
        let start = monotonicSeconds()
        guard let vectors, let blocks = forward.blocks else { return try writeZeros(on: stream) }
        let (targets, rows) = try bind(vectors, distinct: report.distinctItemsTouched, on: stream)
        let problem = forward.problem
        try stream.coefficients(
            forward.state, problem.tokens, try reduced(on: stream), into: vectors.coefficients)
        try stream.blockGradient(
            blocks, problem.tokens, problem.items, scale: forward.batch.scale, state: forward.state,
            coefficients: vectors.coefficients, into: targets)
        try finish(targets, vectors, rows: rows, on: stream)
        report.seconds.gradient = monotonicSeconds() - start
        return rows
    }

    /// The same for a dense block that has not been scored: its score and combine stages too.
    func evaluateDense(
        vectors: GradientVectors?, on stream: any Stream, report: inout Report
    ) throws(ShortlistError) -> Int? {
        guard let vectors, let blocks = forward.blocks else { return try writeZeros(on: stream) }
        let start = monotonicSeconds()
        let (targets, rows) = try bind(vectors, distinct: report.distinctItemsTouched, on: stream)
        let request = DenseRequest(
            blocks: blocks, tokens: forward.problem.tokens, items: forward.problem.items, scale: forward.batch.scale,
            reduction: try reduced(on: stream), slots: forward.slots(of: blocks), coefficients: vectors.coefficients)
        let seconds = try stream.evaluateDense(request, state: forward.state, into: targets)
        try finish(targets, vectors, rows: rows, on: stream)
        report.seconds.score += seconds.score
        report.seconds.combine = seconds.combine
        report.seconds.gradient = monotonicSeconds() - start - seconds.score - seconds.combine
        return rows
    }

    /// The targets' part, and what is read back.
    private func finish(
        _ targets: GradientTargets, _ vectors: GradientVectors, rows: Int?, on stream: any Stream
    ) throws(ShortlistError) {
        let problem = forward.problem
        try stream.targetGradient(
            problem.tokens, problem.items, scale: forward.batch.scale, state: forward.state,
            coefficients: vectors.coefficients, into: targets)
        if let scale = outputs.scale {
            try stream.read(vectors.scale) { scale.pointee = $0[0] }
        }
        if case .rows(let ids, _, _) = outputs.catalog, let rows {
            let bound = try stream.bindOutput(UnsafeMutableBufferPointer(rebasing: ids[0..<rows]))
            try stream.listItems(problem.itemMap, into: bound)
        }
    }

    private func reduced(on stream: any Stream) throws(ShortlistError) -> ReducedUpstream {
        switch upstream {
        case .one(let value):
            ReducedUpstream(
                reduction: forward.batch.reduction, denominator: forward.batch.denominator, one: value)
        case .perToken(let values):
            ReducedUpstream(
                reduction: forward.batch.reduction, denominator: forward.batch.denominator, one: 1,
                perToken: try stream.bind(values))
        }
    }

    /// Outputs as gradient targets, zero where they are to be stored. Room is checked before anything is written.
    private func bind(
        _ vectors: GradientVectors? = nil, distinct: Int, on stream: any Stream
    ) throws(ShortlistError) -> (GradientTargets, rows: Int?) {
        var targets = GradientTargets()
        var used: Int?
        switch outputs.catalog {
        case .none: break
        case .dense(let matrix, let bias, let accumulate):
            if let matrix { targets.catalog = try stream.bindOutput(matrix) }
            if let bias { targets.bias = try stream.bindOutput(bias) }
            if !accumulate {
                if let matrix = targets.catalog { try stream.fill(matrix, with: 0) }
                if let bias = targets.bias { try stream.fill(bias, with: 0) }
            }
        case .rows(let ids, let rows, let bias):
            guard distinct <= ids.count else {
                throw ShortlistError(
                    .roomTooSmall,
                    "the row-sparse catalog gradient has room for \(ids.count) rows and needs \(distinct)",
                    bytesNeeded: distinct)
            }
            used = distinct
            targets.rows = forward.problem.itemMap
            if let rows {
                // The used rows alone: the rest of the room need not cross a bus.
                let matrix = try stream.bindOutput(
                    MutableMatrixView(
                        unchecked: rows.base, rows: distinct, columns: rows.columns, rowStride: rows.rowStride))
                try stream.fill(matrix, with: 0)
                targets.catalog = matrix
            }
            if let bias {
                let vector = try stream.bindOutput(UnsafeMutableBufferPointer(rebasing: bias[0..<distinct]))
                try stream.fill(vector, with: 0)
                targets.bias = vector
            }
        }
        if let hidden = outputs.hidden {
            let matrix = try stream.bindOutput(hidden)
            try stream.fill(matrix, with: 0)
            targets.hidden = matrix
        }
        if outputs.scale != nil, let vectors {
            try stream.fill(vectors.scale, with: 0)
            targets.scale = vectors.scale
        }
        return (targets, used)
    }

    /// A batch with no valid token: gradients are zero, and a row-sparse one has no row.
    private func writeZeros(on stream: any Stream) throws(ShortlistError) -> Int? {
        outputs.scale?.pointee = 0
        return try bind(distinct: 0, on: stream).rows
    }
}
