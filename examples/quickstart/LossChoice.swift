import ArgumentParser
import Shortlist

enum LossName: String, CaseIterable, ExpressibleByArgument, Codable {
    case ce
    case sce
    case rece
}

/// Which losses, and their parameters; what is not given is left to the library's defaults.
struct LossOptions: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Losses to train with, one or several (default: all).")
    var loss: [LossName] = LossName.allCases

    @Option(help: "SCE: buckets, n_b (default: from the batch, 2√n).")
    var sceBuckets: Int?

    @Option(help: "SCE: tokens per bucket, b_x (default: from the batch, 2√n).")
    var sceTokens: Int?

    @Option(help: "SCE: items per bucket, b_y.")
    var sceItems = 256

    @Option(help: "SCE: how the buckets' directions are drawn: gaussian or mix.")
    var sceDirections: DirectionsName = .mix

    @Option(help: "SCE: how a token's buckets are joined: max (the paper) or union.")
    var sceCombination: CombinationName = .max

    @Option(help: "RECE: hash buckets, n_b (default: from batch and catalog).")
    var receBuckets: Int?

    @Option(help: "RECE: chunks, n_c (default: as many as hash buckets).")
    var receChunks: Int?

    @Option(help: "RECE: neighbour chunks seen on each side.")
    var receNeighbours = 1

    @Option(help: "RECE: rounds of hashing, each with new directions.")
    var receRounds = 1

    enum DirectionsName: String, CaseIterable, ExpressibleByArgument { case gaussian, mix }
    enum CombinationName: String, CaseIterable, ExpressibleByArgument { case max, union }

    /// Each loss once, in the order of its first mention.
    var chosen: [LossName] {
        loss.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// The loss for one training step: SCE and RECE draw their directions anew from `seed` and `step`.
    func loss(_ name: LossName, seed: UInt64, step: Int) -> any Loss {
        switch name {
        case .ce:
            CrossEntropy()
        case .sce:
            SCE(
                bucketCount: sceBuckets, tokensPerBucket: sceTokens, itemsPerBucket: sceItems,
                directions: sceDirections == .mix ? .mix : .gaussian, seed: seed, step: UInt64(step),
                combination: sceCombination == .max ? .max : .union)
        case .rece:
            RECE(
                bucketCount: receBuckets, chunkCount: receChunks, neighbourChunks: receNeighbours, rounds: receRounds,
                seed: seed, step: UInt64(step))
        }
    }

    func validate() throws {
        let positive = [
            ("--sce-buckets", sceBuckets), ("--sce-tokens", sceTokens), ("--sce-items", sceItems),
            ("--rece-buckets", receBuckets), ("--rece-chunks", receChunks), ("--rece-rounds", receRounds),
        ]
        for case (let option, let value?) in positive where value < 1 {
            throw ValidationError("\(option) must be at least 1, not \(value)")
        }
        guard receNeighbours >= 0 else { throw ValidationError("--rece-neighbours must not be negative") }
    }
}
