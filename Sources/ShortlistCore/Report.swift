/// What a call did: counts, the values used after capping, memory, threads, time by stage, kernels.
public struct Report: Sendable, Equatable {
    /// Tokens whose target is not the ignore index.
    public var tokensValid = 0
    /// Tokens that entered the loss (for SCE and given candidates: those in at least one block).
    public var tokensCounted = 0
    /// Counted tokens whose loss is not finite.
    public var tokensNonFinite = 0
    /// Distinct items that were candidates or targets.
    public var distinctItemsTouched = 0
    /// Logits computed for candidates by the forward pass: Σ tokens × items over the blocks, before the once-only rule
    /// and own targets are taken out.
    public var candidateLogits = 0

    /// n_b after defaults and capping, or the number of given blocks; 0 where the loss has none, like the five that
    /// follow.
    public var bucketCount = 0
    /// SCE: b_x. Given candidates: the tokens of the largest block.
    public var tokensPerBucket = 0
    /// SCE: b_y. Given candidates: the items of the largest block.
    public var itemsPerBucket = 0
    /// RECE: n_c.
    public var chunkCount = 0
    /// RECE: n_ec, as it was asked for.
    public var neighbourChunks = 0
    /// RECE: r.
    public var rounds = 0
    /// k of a top-k call after capping.
    public var topK = 0

    /// Bytes beside inputs and outputs that the call planned: its vectors and the largest scratch of its kernels.
    public var workspacePlanned = 0
    /// Bytes of them that were handed out, at most.
    public var workspaceUsed = 0
    /// The smallest workspace limit under which this call works.
    public var workspaceLeast = 0
    /// Threads that took part, at most.
    public var threads = 0
    public var seconds = StageSeconds()

    /// Kernels that ran as the backend's own.
    public var nativeKernels: KernelSet = []
    /// Kernels that ran composed of simpler ones, because the backend has none of its own.
    public var composedKernels: KernelSet = []
    /// Bytes that crossed a bus; 0 on the CPU.
    public var bytesUploaded = 0
    public var bytesDownloaded = 0
    public var notes: Notes = []

    public init() {}

    /// One report of a forward call and a backward call over its state: times added, memory at its largest.
    public func followed(by backward: Report) -> Report {
        var both = backward
        both.workspacePlanned = max(workspacePlanned, backward.workspacePlanned)
        both.workspaceUsed = max(workspaceUsed, backward.workspaceUsed)
        both.workspaceLeast = max(workspaceLeast, backward.workspaceLeast)
        both.threads = max(threads, backward.threads)
        both.nativeKernels.formUnion(nativeKernels)
        both.composedKernels.formUnion(composedKernels)
        both.notes.formUnion(notes)
        both.bytesUploaded += bytesUploaded
        both.bytesDownloaded += bytesDownloaded
        both.seconds.select += seconds.select
        both.seconds.score += seconds.score
        both.seconds.combine += seconds.combine
        both.seconds.gradient += seconds.gradient
        both.seconds.total += seconds.total
        return both
    }
}

/// Seconds by stage: the wall clock's, or those that a device spent (its copies included, the host's share left out).
public struct StageSeconds: Sendable, Equatable {
    /// Choosing candidates. Retrieval and ranking count as this.
    public var select = 0.0
    /// Logits to one log-sum-exp for each token and block.
    public var score = 0.0
    /// Blocks to losses, and their sum.
    public var combine = 0.0
    public var gradient = 0.0
    /// The whole call by the wall clock, checks and planning too.
    public var total = 0.0
    public init() {}
}

/// Things a caller may want to know and need not act on.
public struct Notes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Mix was asked for and the Gram matrix of X has no positive finite trace: plain Gaussian directions were used.
    public static let mixFellBackToGaussian = Notes(rawValue: 1 << 0)
    /// Mix's Cholesky factor needed more than the first jitter.
    public static let mixJitterRaised = Notes(rawValue: 1 << 1)
    /// A value was capped; the report has the one that was used.
    public static let optionCapped = Notes(rawValue: 1 << 2)
    /// The workspace limit lowered the number of threads.
    public static let threadsReducedByLimit = Notes(rawValue: 1 << 3)
    /// The device has no timestamps: seconds of stages are the host's, which does not wait for the device between them.
    public static let deviceWithoutTimestamps = Notes(rawValue: 1 << 4)

    /// A sentence for each note.
    public var descriptions: [String] {
        [
            (Notes.mixFellBackToGaussian, "mix fell back to gaussian directions: the Gram matrix has no usable trace"),
            (.mixJitterRaised, "mix needed more jitter than usual: the hidden states are nearly rank-deficient"),
            (.optionCapped, "an option was capped to what the sizes allow"),
            (.threadsReducedByLimit, "the workspace limit lowered the number of threads"),
            (
                .deviceWithoutTimestamps,
                "the device has no timestamps: seconds of stages are the host's, which does not wait for it in between"
            ),
        ].filter { contains($0.0) }.map(\.1)
    }
}
