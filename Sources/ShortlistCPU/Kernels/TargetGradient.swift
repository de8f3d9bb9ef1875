import CShortlistKernels
import Glibc
import ShortlistCore

extension CPUStream {
    /// The target's part: (p_t − 1) = expm1(−ℓ), without cancellation. 4·n·width flops.
    func targetGradient(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, state: TokenState, coefficients: Vector<Float>,
        into targets: GradientTargets
    ) throws(ShortlistError) {
        let (_, need) = CombineTiling.choose(for: tokens.count, limit: try opened().scratchLimit)
        let area = try openScratch(.targetGradient, need)
        let output = try resolve(targets)
        let hidden = try source(tokens.hidden)
        let ids = try pointer(tokens.targets)
        let catalog = try matrix(items.matrix)
        let bias = try optionalPointer(items.bias)
        let losses = try pointer(state.losses)
        let logits = try pointer(state.targetLogits)
        let coefficients = try pointer(coefficients)
        let width = catalog.columns

        func term(_ token: Int) -> Float {
            Float(Double(coefficients[token]) * expm1(-Double(losses[token])))
        }

        var cutter = area.shared()
        let runs = (tokens.count + CombineTiling.grain - 1) / CombineTiling.grain
        let partials = cutter.take(Double.self, runs)
        try parallelRanges(tokens.count, grain: CombineTiling.grain) { range, run in
            partials[run] = 0
            for token in range where coefficients[token] != 0 {
                let item = Int(ids[token])
                if let target = output.hidden {
                    let row = hidden.rows.map { Int($0[token]) } ?? token
                    sl_axpy(scale * term(token), catalog.row(item), target.row(row), width)
                }
                if output.scale != nil {
                    let product = (Double(logits[token]) - Double(bias?[item] ?? 0)) / Double(scale)
                    partials[run] += Double(term(token)) * product
                }
            }
        }
        if let scale = output.scale { for run in 0..<runs { scale.pointee += partials[run] } }

        guard output.catalog != nil || output.bias != nil else { return }
        // Each worker owns items and looks at every token, in order: no two write to one row.
        let parts = threads
        try parallel(parts, workers: threads) { part, _ in
            for token in 0..<tokens.count where coefficients[token] != 0 {
                let item = Int(ids[token])
                guard parts == 1 || (item >> 4) % parts == part else { continue }
                let row = output.row(of: item)
                if let target = output.catalog {
                    sl_axpy(scale * term(token), hidden.row(token), target.row(row), width)
                }
                output.bias?[row] += term(token)
            }
        }
    }
}
