import CShortlist
import Shortlist

// MARK: Options

func crossEntropy(
    _ pointer: UnsafePointer<shortlist_cross_entropy_options>?
) throws(ShortlistError) -> CrossEntropy {
    if let value = try optional(pointer) { try checkReserved(value.reserved, of: "options") }
    return CrossEntropy()
}

/// 0 stands for the library's default.
private func size(_ value: Int64) -> Int? { value == 0 ? nil : Int(value) }

private func combination(_ value: Int32) throws(ShortlistError) -> Combination {
    guard let combination = Combination(rawValue: value) else {
        throw invalid("options.combination \(value) is not known")
    }
    return combination
}

private func checkNotGiven(_ directions: shortlist_matrix) throws(ShortlistError) {
    guard directions.isNone else {
        throw invalid("given_directions go with SHORTLIST_DIRECTIONS_GIVEN")
    }
}

func sce(_ pointer: UnsafePointer<shortlist_sce_options>?) throws(ShortlistError) -> SCE {
    guard let value = try optional(pointer) else { return SCE() }
    try checkReserved(value.reserved, of: "options")
    var loss = SCE()
    switch Int(value.directions) {
    case SHORTLIST_DIRECTIONS_MIX:
        try checkNotGiven(value.given_directions)
        loss.directions = .mix
    case SHORTLIST_DIRECTIONS_GAUSSIAN:
        try checkNotGiven(value.given_directions)
        loss.directions = .gaussian
    case SHORTLIST_DIRECTIONS_GIVEN:
        loss.directions = .given(try matrix(value.given_directions, "given_directions"))
    default: throw invalid("options.directions \(value.directions) is not known")
    }
    loss.bucketCount = size(value.bucket_count)
    loss.tokensPerBucket = size(value.tokens_per_bucket)
    if let items = size(value.items_per_bucket) { loss.itemsPerBucket = items }
    loss.seed = value.seed
    loss.step = value.step
    loss.combination = try combination(value.combination)
    return loss
}

func rece(_ pointer: UnsafePointer<shortlist_rece_options>?) throws(ShortlistError) -> RECE {
    guard let value = try optional(pointer) else { return RECE() }
    var loss = RECE()
    switch Int(value.directions) {
    case SHORTLIST_DIRECTIONS_GAUSSIAN:
        try checkNotGiven(value.given_directions)
        loss.directions = .gaussian
    case SHORTLIST_DIRECTIONS_GIVEN:
        loss.directions = .given(try matrix(value.given_directions, "given_directions"))
    default: throw invalid("options.directions \(value.directions): RECE takes GAUSSIAN or GIVEN")
    }
    loss.bucketCount = size(value.bucket_count)
    loss.chunkCount = size(value.chunk_count)
    loss.neighbourChunks = Int(value.neighbour_chunks)
    loss.rounds = Int(value.rounds)
    loss.seed = value.seed
    loss.step = value.step
    return loss
}

func givenCandidates(
    _ pointer: UnsafePointer<shortlist_given_candidates_options>?
) throws(ShortlistError) -> GivenCandidates {
    let value = try required(pointer)
    let blocks = Int(value.block_count)
    let combination = try combination(value.combination)
    guard blocks != 0 else { return GivenCandidates(noBlocks, combination: combination) }
    let (tokenOffsets, tokenCount) = try offsets(value.token_offsets, lists: blocks, "token_offsets")
    let (itemOffsets, itemCount) = try offsets(value.item_offsets, lists: blocks, "item_offsets")
    var flags: UnsafeBufferPointer<Bool>?
    if let bytes = try optionalArray(
        value.contributes_to_catalog_gradient, blocks, "contributes_to_catalog_gradient")
    {
        guard bytes.allSatisfy({ $0 <= 1 }) else { throw invalid("contributes_to_catalog_gradient: flags are 0 or 1") }
        // A Swift Bool is one byte that is 0 or 1, which has just been checked.
        flags = UnsafeBufferPointer(
            start: UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: Bool.self), count: blocks)
    }
    return GivenCandidates(
        CandidateView(
            tokenOffsets: tokenOffsets, tokens: try array(value.tokens, tokenCount, "tokens"),
            itemOffsets: itemOffsets, items: try array(value.items, itemCount, "items"),
            logWeights: try optionalArray(value.log_weights, itemCount, "log_weights"),
            contributesToCatalogGradient: flags),
        combination: combination)
}

/// Candidate lists of no block, whose one offset is 0.
private let noBlocks: CandidateView = {
    let zero = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    zero.initialize(to: 0)
    let offsets = UnsafeBufferPointer(start: UnsafePointer(zero), count: 1)
    let none = UnsafeBufferPointer<Int32>(start: nil, count: 0)
    return CandidateView(tokenOffsets: offsets, tokens: none, itemOffsets: offsets, items: none)
}()

// MARK: Calls

/// The arguments that every loss has in common.
struct LossCall {
    let loss: UnsafeMutablePointer<Double>?
    let context: OpaquePointer?
    let batch: UnsafePointer<shortlist_batch>?
    let outputs: UnsafePointer<shortlist_outputs>?
    let report: UnsafeMutablePointer<shortlist_report>?

    /// Forward and backward in one.
    func evaluate(_ makeLoss: () throws(ShortlistError) -> some Loss) -> shortlist_status {
        status { () throws(ShortlistError) in
            try Process.enter { (table) throws(ShortlistError) in
                try table.use(ContextObject.self, context) { (object) throws(ShortlistError) in
                    let (input, wanted, places) = try unwrap(object.core, table)
                    let result = try object.core.context.evaluate(
                        try makeLoss(), input.batch, catalog: input.catalog, into: wanted.gradients,
                        upstream: wanted.upstream, tokenOutputs: wanted.tokens)
                    places.write(result)
                }
            }
        }
    }

    /// Forward alone, into a new state.
    func forward(
        _ state: UnsafeMutablePointer<OpaquePointer?>?, _ makeLoss: () throws(ShortlistError) -> some Loss
    ) -> shortlist_status {
        status { () throws(ShortlistError) in
            try Process.enter { (table) throws(ShortlistError) in
                try table.use(ContextObject.self, context) { (object) throws(ShortlistError) in
                    guard let state = try optionalPlace(state, "state") else { throw invalid("state is NULL") }
                    let (input, wanted, places) = try unwrap(object.core, table)
                    guard wanted.gradients.isEmpty else {
                        throw invalid("a forward call makes no gradients; ask shortlist_backward for them")
                    }
                    let made = try object.core.context.forward(
                        try makeLoss(), input.batch, catalog: input.catalog, tokenOutputs: wanted.tokens)
                    let result = made.result
                    state.pointee = try table.insert(StateObject(made, input, object.core))
                    places.write(result)
                }
            }
        }
    }

    private func unwrap(
        _ core: Core, _ table: HandleTable
    ) throws(ShortlistError) -> (BatchInput, Outputs, ResultPlaces) {
        let input = try BatchInput(batch, core, table)
        let wanted = try Outputs(
            outputs, rows: input.batch.hidden.rows, items: input.catalog.itemCount, reduction: input.batch.reduction)
        let places = try ResultPlaces(loss: loss, report: report, rowCount: wanted.rowCount)
        try places.checkOverlap(with: wanted)
        return (input, wanted, places)
    }
}

// MARK: The functions

@c @implementation
public func shortlist_cross_entropy(
    _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_cross_entropy_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .evaluate { () throws(ShortlistError) in try crossEntropy(options) }
}

@c @implementation
public func shortlist_sce(
    _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!, _ options: UnsafePointer<shortlist_sce_options>!,
    _ batch: UnsafePointer<shortlist_batch>!, _ outputs: UnsafePointer<shortlist_outputs>!,
    _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .evaluate { () throws(ShortlistError) in try sce(options) }
}

@c @implementation
public func shortlist_rece(
    _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_rece_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .evaluate { () throws(ShortlistError) in try rece(options) }
}

@c @implementation
public func shortlist_given_candidates(
    _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_given_candidates_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .evaluate { () throws(ShortlistError) in try givenCandidates(options) }
}

@c @implementation
public func shortlist_cross_entropy_forward(
    _ state: UnsafeMutablePointer<OpaquePointer?>!, _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_cross_entropy_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .forward(state) { () throws(ShortlistError) in try crossEntropy(options) }
}

@c @implementation
public func shortlist_sce_forward(
    _ state: UnsafeMutablePointer<OpaquePointer?>!, _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_sce_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .forward(state) { () throws(ShortlistError) in try sce(options) }
}

@c @implementation
public func shortlist_rece_forward(
    _ state: UnsafeMutablePointer<OpaquePointer?>!, _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_rece_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .forward(state) { () throws(ShortlistError) in try rece(options) }
}

@c @implementation
public func shortlist_given_candidates_forward(
    _ state: UnsafeMutablePointer<OpaquePointer?>!, _ loss: UnsafeMutablePointer<Double>!, _ context: OpaquePointer!,
    _ options: UnsafePointer<shortlist_given_candidates_options>!, _ batch: UnsafePointer<shortlist_batch>!,
    _ outputs: UnsafePointer<shortlist_outputs>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    LossCall(loss: loss, context: context, batch: batch, outputs: outputs, report: report)
        .forward(state) { () throws(ShortlistError) in try givenCandidates(options) }
}
