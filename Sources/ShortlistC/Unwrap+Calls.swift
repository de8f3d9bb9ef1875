import CShortlist
import Shortlist

/// A batch and its catalog.
struct BatchInput {
    let batch: Batch
    let catalog: Catalog

    init(_ pointer: UnsafePointer<shortlist_batch>?, _ core: Core, _ table: HandleTable) throws(ShortlistError) {
        let value = try required(pointer)
        try checkReserved(value.reserved, of: "batch")
        guard let reduction = Reduction(rawValue: value.reduction) else {
            throw invalid("batch.reduction \(value.reduction) is not known")
        }
        guard value.use_ignore_index == 0 || value.use_ignore_index == 1 else {
            throw invalid("batch.use_ignore_index is \(value.use_ignore_index); it is 0 or 1")
        }
        let hidden = try matrix(value.hidden, "hidden")
        catalog = try findCatalog(value.catalog, value.items, value.item_bias, core, table)
        batch = Batch(
            hidden: hidden, targets: try targets(value.targets),
            weights: try optionalArray(value.weights, hidden.rows, "weights"),
            ignoreIndex: value.use_ignore_index == 1 ? value.ignore_index : nil,
            excludedItems: try itemIds(value.excluded_items, "excluded_items"), scale: Float(value.scale),
            reduction: reduction, denominator: value.denominator == 0 ? nil : value.denominator)
    }
}

/// The catalog that a batch or a query names, or one of its items for this call.
func findCatalog(
    _ handle: OpaquePointer?, _ items: shortlist_matrix, _ bias: UnsafePointer<Float>?, _ core: Core,
    _ table: HandleTable
) throws(ShortlistError) -> Catalog {
    if handle != nil {
        guard items.isNone, bias == nil else {
            throw invalid("both a catalog and items (or item_bias) are given; a catalog has its own")
        }
        return try table.companion(CatalogObject.self, handle, of: core).catalog
    }
    guard !items.isNone else { throw invalid("neither a catalog nor items are given") }
    let view = try matrix(items, "items")
    return try core.context.catalog(view, bias: try optionalArray(bias, view.rows, "item_bias"))
}

/// What a call writes, and the upstream gradient.
struct Outputs {
    var tokens = TokenOutputs()
    var gradients = GradientOutputs()
    var upstream = Upstream.one(1)
    var rowCount: UnsafeMutablePointer<Int64>?

    init(
        _ pointer: UnsafePointer<shortlist_outputs>?, rows: Int, items: Int, reduction: Reduction
    ) throws(ShortlistError) {
        guard let value = try optional(pointer) else { return }
        tokens = TokenOutputs(
            losses: try optionalArray(value.token_losses, rows, "token_losses"),
            logSumExp: try optionalArray(value.log_sum_exp, rows, "log_sum_exp"))
        if !value.hidden_gradient.isNone { gradients.hidden = try matrix(value.hidden_gradient, "hidden_gradient") }
        gradients.scale = try optionalPlace(value.scale_gradient, "scale_gradient")
        gradients.catalog = try catalogGradient(value, items: items)
        upstream = .one(Float(value.upstream))
        if let vector = try optionalArray(value.token_upstream, rows, "token_upstream") {
            guard reduction == .none else {
                throw invalid("token_upstream goes with SHORTLIST_REDUCTION_NONE")
            }
            upstream = .perToken(vector)
        } else if reduction == .none, !gradients.isEmpty {
            throw invalid("SHORTLIST_REDUCTION_NONE needs token_upstream for gradients")
        }
    }

    private mutating func catalogGradient(
        _ value: shortlist_outputs, items: Int
    ) throws(ShortlistError) -> CatalogGradientOutput {
        let dense = value.catalog_gradient.isNone ? nil : try matrix(value.catalog_gradient, "catalog_gradient")
        switch Int(value.catalog_mode) {
        case SHORTLIST_CATALOG_GRADIENT_NONE:
            guard dense == nil else { throw invalid("catalog_gradient is given, and catalog_mode says NONE") }
            let bias = try optionalArray(value.bias_gradient, items, "bias_gradient")
            return bias == nil ? .none : .dense(nil, bias: bias)
        case SHORTLIST_CATALOG_GRADIENT_STORE, SHORTLIST_CATALOG_GRADIENT_ADD:
            let bias = try optionalArray(value.bias_gradient, items, "bias_gradient")
            guard dense != nil || bias != nil else {
                throw invalid("catalog_mode says STORE or ADD, and neither catalog_gradient nor bias_gradient is given")
            }
            return .dense(dense, bias: bias, accumulate: Int(value.catalog_mode) == SHORTLIST_CATALOG_GRADIENT_ADD)
        case SHORTLIST_CATALOG_GRADIENT_ROWS:
            let room = Int(value.row_capacity)
            rowCount = try optionalPlace(value.row_count, "row_count")
            guard rowCount != nil, value.row_ids != nil else {
                throw invalid("SHORTLIST_CATALOG_GRADIENT_ROWS needs row_ids and row_count")
            }
            if let dense, dense.rows != room {
                throw invalid("catalog_gradient has \(dense.rows) rows; row_capacity is \(room)")
            }
            return .rows(
                ids: try array(value.row_ids, room, "row_ids"), rows: dense,
                bias: try optionalArray(value.bias_gradient, room, "bias_gradient"))
        default:
            throw invalid("outputs.catalog_mode \(value.catalog_mode) is not known")
        }
    }
}

/// Queries and their catalog.
struct QueryInput {
    let request: RetrievalRequest
    let catalog: Catalog

    init(_ pointer: UnsafePointer<shortlist_query>?, _ core: Core, _ table: HandleTable) throws(ShortlistError) {
        let value = try required(pointer)
        try checkReserved(value.reserved, of: "query")
        request = RetrievalRequest(
            queries: try matrix(value.queries, "queries"),
            excludedItems: try itemIds(value.excluded_items, "excluded_items"), seen: try seenItems(value.seen))
        catalog = try findCatalog(value.catalog, value.items, value.item_bias, core, table)
    }
}
