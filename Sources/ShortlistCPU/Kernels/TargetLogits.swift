import CShortlistKernels
import ShortlistCore

extension CPUStream {
    func targetLogits(
        _ tokens: TokenSet, _ items: ItemSet, scale: Float, into result: Vector<Float>
    ) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(.targetLogits))
        let hidden = try source(tokens.hidden)
        let targets = try pointer(tokens.targets)
        let catalog = try matrix(items.matrix)
        let bias = try optionalPointer(items.bias)
        let result = try pointer(result)
        try parallelRanges(tokens.count, grain: 1024) { range, _ in
            for token in range {
                let item = Int(targets[token])
                let dot = sl_dot(hidden.row(token), catalog.row(item), catalog.columns)
                result[token] = scale * dot + (bias?[item] ?? 0)
            }
        }
    }
}
