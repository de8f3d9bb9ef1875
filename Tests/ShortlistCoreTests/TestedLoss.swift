import ShortlistCPU
import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import Testing

/// A loss by name, with small sizes that make several tiles, blocks and rounds.
enum TestedLoss: String, CaseIterable, Sendable {
    case crossEntropy, sceMaximum, sceUnion, sceMix, receOneRound, receThreeRounds, givenMaximum, givenUnion

    var isMaximum: Bool { [.sceMaximum, .sceMix, .givenMaximum].contains(self) }

    /// Blocks handed in by the caller: overlapping, with a repeated item, an ignored token, an excluded item.
    static let lists: CandidateLists = {
        var lists = CandidateLists(blocks: [
            (tokens: [0, 1, 5, 9, 30], items: [7, 3, 40, 3, 2]), (tokens: [], items: [8]),
            (tokens: [9, 5, 12, 2], items: [3, 41, 40, 39]), (tokens: [4], items: []),
            (tokens: [2, 0, 9], items: Array(5..<45)),
        ])
        lists.contributesToCatalogGradient = [true, true, false, true, true]
        return lists
    }()

    /// The loss, valid during `body`.
    func with<R>(_ body: (any Loss) throws -> R) throws -> R {
        switch self {
        case .crossEntropy: return try body(CrossEntropy())
        case .sceMaximum, .sceUnion:
            return try body(
                SCE(
                    bucketCount: 9, tokensPerBucket: 14, itemsPerBucket: 20, directions: .gaussian, seed: 4, step: 2,
                    combination: self == .sceUnion ? .union : .max))
        case .sceMix:
            return try body(SCE(bucketCount: 12, tokensPerBucket: 10, itemsPerBucket: 16, directions: .mix, seed: 8))
        case .receOneRound, .receThreeRounds:
            return try body(
                RECE(
                    bucketCount: 16, chunkCount: 7, neighbourChunks: 1, rounds: self == .receOneRound ? 1 : 3, seed: 6))
        case .givenMaximum, .givenUnion:
            var outcome: Result<R, any Error>?
            try TestedLoss.lists.withView { (view) throws(ShortlistError) in
                outcome = Result {
                    try body(GivenCandidates(view, combination: self == .givenUnion ? .union : .max))
                }
            }
            return try #require(outcome).get()
        }
    }
}

func evaluator(_ backend: any Backend, threads: Int? = 2) throws(ShortlistError) -> Evaluator {
    Evaluator(stream: try backend.makeStream(device: 0, options: StreamOptions(threads: threads)))
}

/// The optional kernels: those that the plain backend leaves to their default implementations.
let optionalKernels = KernelSet(.projectAndSelect).union(KernelSet(.hash)).union(KernelSet(.targetRanks))

/// Backends that have to agree: the CPU with its own kernels, the CPU with composed ones, the plain one.
let backends: [any Backend] = [PlainBackend(), CPUBackend(), CPUBackend(composed: optionalKernels)]
