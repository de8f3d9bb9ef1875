import ShortlistCore

/// Scratch of one kernel at one tiling: a shared area and one area a worker.
struct TileScratch {
    var fixed: Int
    var perWorker: Int

    /// As many workers as fit, at least one. Results never depend on this number.
    func workers(threads: Int, limit: Int) -> Int {
        guard perWorker > 0 else { return threads }
        return max(1, min(threads, (limit - min(limit, fixed)) / perWorker))
    }
}

/// A kernel's choice among its tile sizes.
///
/// The choice depends on shape and limit alone: a tiling that leaves room for four workers is preferred, then any that
/// fits one. How many workers then run may depend on the machine, because it changes no number.
protocol KernelTiling {
    /// Largest first.
    static var levels: [Self] { get }
    associatedtype Shape
    func scratch(for shape: Shape) -> TileScratch
}

extension KernelTiling {
    static func choose(for shape: Shape, limit: Int) -> (tiling: Self, scratch: TileScratch) {
        for workers in [4, 1] {
            for level in levels {
                let scratch = level.scratch(for: shape)
                if scratch.fixed + workers * scratch.perWorker <= limit { return (level, scratch) }
            }
        }
        let smallest = levels[levels.count - 1]
        return (smallest, smallest.scratch(for: shape))
    }

    static func need(for shape: Shape, limit: Int, threads: Int) -> ScratchNeed {
        let smallest = levels[levels.count - 1].scratch(for: shape)
        let (_, chosen) = choose(for: shape, limit: limit)
        let workers = chosen.workers(threads: threads, limit: limit)
        return ScratchNeed(
            least: smallest.fixed + smallest.perWorker, planned: chosen.fixed + workers * chosen.perWorker)
    }
}

/// Scratch of every kernel, for planning.
enum Tiling {
    static func scratch(for kernel: KernelShape, limit: Int, threads: Int, composed: KernelSet) -> ScratchNeed {
        switch kernel {
        case .projectAndSelect(let queries, let items, let width, let k):
            if composed.contains(KernelSet(.projectAndSelect)) { return composedNeed(kernel) }
            return ProjectTiling.need(
                for: .init(queries: queries, items: items, width: width, k: k), limit: limit, threads: threads)
        case .hash(let rows, let directions, let width):
            if composed.contains(KernelSet(.hash)) { return composedNeed(kernel) }
            return HashTiling.need(
                for: .init(rows: rows, directions: directions, width: width), limit: limit, threads: threads)
        case .targetRanks(let queries, let items, let width):
            if composed.contains(KernelSet(.targetRanks)) { return composedNeed(kernel) }
            return RankTiling.need(
                for: .init(queries: queries, items: items, width: width), limit: limit, threads: threads)
        case .sortByKey(let count, _):
            return SortTiling.need(for: count, limit: limit, threads: threads)
        case .gram(let rows, let width):
            return GramTiling.need(for: .init(rows: rows, width: width), limit: limit, threads: threads)
        case .addProduct(let rows, let width):
            return ProductTiling.need(for: .init(rows: rows, width: width), limit: limit, threads: threads)
        case .combine(let tokens):
            return CombineTiling.need(for: tokens, limit: limit, threads: threads)
        case .blockLogSumExp(let shape):
            return ScoreTiling.need(for: shape, limit: limit, threads: threads)
        case .blockGradient(let shape, let gradients):
            let both = BlockGradientTiling.Shape(blocks: shape, gradients: gradients)
            return shape.isDense
                ? DenseGradientTiling.need(for: both, limit: limit, threads: threads)
                : BlockGradientTiling.need(for: both, limit: limit, threads: threads)
        case .targetGradient(let tokens, _, _):
            return CombineTiling.need(for: tokens, limit: limit, threads: threads)
        case .touchedItems:
            return .none
        case .evaluateDense(let shape, let gradients):
            if composed.contains(KernelSet(.evaluateDense)) { return composedNeed(kernel) }
            return KeptTiling.need(
                for: .init(blocks: shape, gradients: gradients), limit: limit, threads: threads)
        }
    }

    private static func composedNeed(_ kernel: KernelShape) -> ScratchNeed {
        let bytes = composedScratch(for: kernel)
        return ScratchNeed(least: bytes, planned: bytes)
    }
}

/// Which of `parts` equal cuts of `count` things, ⌊p·count/parts⌋ ..< ⌊(p + 1)·count/parts⌋, has the thing at `place`.
func part(of place: Int, among count: Int, _ parts: Int) -> Int { ((place + 1) * parts - 1) / count }
