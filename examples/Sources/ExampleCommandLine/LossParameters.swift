import ArgumentParser
import Shortlist

/// The losses by the names that command lines and reports use.
public enum LossName: String, CaseIterable, ExpressibleByArgument, Codable, Sendable {
    case ce
    case sce
    case rece
}

/// The parameters of the losses; nil leaves one to the library's default.
public struct LossParameters: Codable, Sendable, Equatable {
    public var sceBuckets: Int?
    public var sceTokens: Int?
    public var sceItems = 256
    public var sceDirections = DirectionsName.mix
    public var sceCombination = CombinationName.max
    public var receBuckets: Int?
    public var receChunks: Int?
    public var receNeighbours = 1
    public var receRounds = 1

    public enum DirectionsName: String, CaseIterable, ExpressibleByArgument, Codable, Sendable { case gaussian, mix }
    public enum CombinationName: String, CaseIterable, ExpressibleByArgument, Codable, Sendable { case max, union }

    public init() {}

    /// These parameters with those of the other losses at their defaults: what decides a run with `name`.
    public func only(for name: LossName) -> LossParameters {
        var kept = LossParameters()
        switch name {
        case .ce: break
        case .sce:
            kept.sceBuckets = sceBuckets
            kept.sceTokens = sceTokens
            kept.sceItems = sceItems
            kept.sceDirections = sceDirections
            kept.sceCombination = sceCombination
        case .rece:
            kept.receBuckets = receBuckets
            kept.receChunks = receChunks
            kept.receNeighbours = receNeighbours
            kept.receRounds = receRounds
        }
        return kept
    }

    /// The loss for one training step: SCE and RECE draw their directions anew from `seed` and `step`.
    public func loss(_ name: LossName, seed: UInt64, step: Int) -> any Loss {
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
}

/// ``LossParameters`` as options of a command.
public struct LossParameterOptions: ParsableArguments, Sendable {
    @Option(help: "SCE: buckets, n_b (default: from the batch, 2√n).")
    public var sceBuckets: Int?

    @Option(help: "SCE: tokens per bucket, b_x (default: from the batch, 2√n).")
    public var sceTokens: Int?

    @Option(help: "SCE: items per bucket, b_y.")
    public var sceItems = 256

    @Option(help: "SCE: how the buckets' directions are drawn: gaussian or mix.")
    public var sceDirections: LossParameters.DirectionsName = .mix

    @Option(help: "SCE: how a token's buckets are joined: max (the paper) or union.")
    public var sceCombination: LossParameters.CombinationName = .max

    @Option(help: "RECE: hash buckets, n_b (default: from batch and catalog).")
    public var receBuckets: Int?

    @Option(help: "RECE: chunks, n_c (default: as many as hash buckets).")
    public var receChunks: Int?

    @Option(help: "RECE: neighbour chunks seen on each side.")
    public var receNeighbours = 1

    @Option(help: "RECE: rounds of hashing, each with new directions.")
    public var receRounds = 1

    public init() {}

    public var parameters: LossParameters {
        var parameters = LossParameters()
        parameters.sceBuckets = sceBuckets
        parameters.sceTokens = sceTokens
        parameters.sceItems = sceItems
        parameters.sceDirections = sceDirections
        parameters.sceCombination = sceCombination
        parameters.receBuckets = receBuckets
        parameters.receChunks = receChunks
        parameters.receNeighbours = receNeighbours
        parameters.receRounds = receRounds
        return parameters
    }

    public func validate() throws {
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
