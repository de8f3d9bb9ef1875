import ShortlistCore

/// Scratch of every kernel, for planning.
extension VulkanStream {
    func scratch(for kernel: KernelShape, limit: Int) -> ScratchNeed {
        func fixed(_ bytes: Int) -> ScratchNeed { ScratchNeed(least: bytes, planned: bytes) }
        switch kernel {
        case .projectAndSelect(let queries, let items, _, let k):
            return isComposed(.projectAndSelect)
                ? fixed(composedScratch(for: kernel))
                : SelectPlan.scratch(
                    queries: queries, items: items, k: k, limit: limit, sweep, forced: options.listCapacity)
        case .hash: return isComposed(.hash) ? fixed(composedScratch(for: kernel)) : .none
        case .targetRanks: return isComposed(.targetRanks) ? fixed(composedScratch(for: kernel)) : .none
        case .sortByKey(let count, _): return SortPlan.scratch(count)
        case .gram(let rows, let width): return GramPlan.scratch(rows: rows, width: width, limit: limit)
        case .addProduct: return .none
        case .combine(let tokens): return fixed(padded(divided(tokens, 256) * 32))
        case .blockLogSumExp(let shape): return ScorePlan(shape, limit: limit, sweep).scratch
        case .blockGradient(let shape, let gradients):
            return GradientPlan(shape, gradients, limit: limit, sweep).scratch
        case .targetGradient(let tokens, let width, _): return fixed(TargetPlan.bytes(tokens, width: width))
        case .touchedItems: return fixed(padded(4))
        case .evaluateDense: return .none
        }
    }
}

/// A size as `reserve` rounds it.
func padded(_ bytes: Int) -> Int {
    bytes > Int.max - Memory.alignment ? .max : (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
}
