import Shortlist

/// What `shortlist_context` names.
final class ContextObject: HandleObject {
    static let kind = HandleKind.context
    static let name = "context"
    let core: Core
    init(_ core: Core) { self.core = core }
}

/// What `shortlist_catalog` names.
final class CatalogObject: HandleObject {
    static let kind = HandleKind.catalog
    static let name = "catalog"
    let core: Core
    let catalog: Catalog

    init(_ catalog: Catalog, _ core: Core) {
        self.catalog = catalog
        self.core = core
    }
}

/// What `shortlist_state` names.
final class StateObject: HandleObject {
    static let kind = HandleKind.state
    static let name = "state"
    let core: Core
    let state: ForwardState
    /// Of the batch: what the arrays of a backward call are measured by.
    let tokenCount: Int
    let itemCount: Int
    let reduction: Reduction

    init(_ state: ForwardState, _ input: BatchInput, _ core: Core) {
        self.state = state
        self.core = core
        tokenCount = input.batch.hidden.rows
        itemCount = input.catalog.itemCount
        reduction = input.batch.reduction
    }
}

/// The caller's stop callback.
struct StopCallback: @unchecked Sendable {
    // Sendable: called on the thread that made the call alone, where the caller expects it.
    let function: @convention(c) (UnsafeMutableRawPointer?) -> Int32
    let userData: UnsafeMutableRawPointer?

    func callAsFunction() -> Bool { function(userData) != 0 }
}
