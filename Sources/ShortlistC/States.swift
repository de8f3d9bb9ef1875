import CShortlist
import Shortlist

@c @implementation
public func shortlist_backward(
    _ state: OpaquePointer!, _ outputs: UnsafePointer<shortlist_outputs>!,
    _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    withState(state) { (object) throws(ShortlistError) in
        guard outputs != nil else { throw invalid("outputs is NULL") }
        let wanted = try Outputs(
            outputs, rows: object.tokenCount, items: object.itemCount, reduction: object.reduction)
        guard wanted.tokens.losses == nil, wanted.tokens.logSumExp == nil else {
            throw invalid("a backward call writes gradients; ask the forward call for token_losses and log_sum_exp")
        }
        let places = try ResultPlaces(report: report, rowCount: wanted.rowCount)
        try places.checkOverlap(with: wanted)
        places.write(
            try object.core.context.backward(object.state, into: wanted.gradients, upstream: wanted.upstream))
    }
}

@c @implementation
public func shortlist_state_release(_ state: OpaquePointer!) -> shortlist_status {
    release(StateObject.self, state)
}

@c @implementation
public func shortlist_state_selection_size(
    _ block_count: UnsafeMutablePointer<Int64>!, _ token_count: UnsafeMutablePointer<Int64>!,
    _ item_count: UnsafeMutablePointer<Int64>!, _ state: OpaquePointer!
) -> shortlist_status {
    withState(state) { (object) throws(ShortlistError) in
        let blocks = try optionalPlace(block_count, "block_count")
        let tokens = try optionalPlace(token_count, "token_count")
        let items = try optionalPlace(item_count, "item_count")
        let size = try object.state.selectionSize()
        blocks?.pointee = Int64(size.blocks)
        tokens?.pointee = Int64(size.tokens)
        items?.pointee = Int64(size.items)
    }
}

@c @implementation
public func shortlist_state_get_selection(
    _ token_offsets: UnsafeMutablePointer<Int64>!, _ tokens: UnsafeMutablePointer<Int32>!,
    _ item_offsets: UnsafeMutablePointer<Int64>!, _ items: UnsafeMutablePointer<Int32>!, _ state: OpaquePointer!
) -> shortlist_status {
    withState(state) { (object) throws(ShortlistError) in
        let size = try object.state.selectionSize()
        try object.state.copySelection(
            tokenOffsets: try words(token_offsets, size.blocks + 1, "token_offsets"),
            tokens: try array(tokens, size.tokens, "tokens"),
            itemOffsets: try words(item_offsets, size.blocks + 1, "item_offsets"),
            items: try array(items, size.items, "items"))
    }
}

@c @implementation
public func shortlist_state_get_winners(
    _ winners: UnsafeMutablePointer<Int32>!, _ token_count: Int64, _ state: OpaquePointer!
) -> shortlist_status {
    withState(state) { (object) throws(ShortlistError) in
        try object.state.copyWinners(try array(winners, Int(token_count), "winners"))
    }
}

private func withState(
    _ state: OpaquePointer?, _ body: (StateObject) throws(ShortlistError) -> Void
) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (table) throws(ShortlistError) in try table.use(StateObject.self, state, body) }
    }
}

/// Int64 numbers as Int, which is the same on the platforms that are supported (64 bits).
private func words(
    _ pointer: UnsafeMutablePointer<Int64>?, _ count: Int, _ name: String
) throws(ShortlistError) -> UnsafeMutableBufferPointer<Int> {
    let values = try array(pointer, count, name)
    return UnsafeMutableBufferPointer(
        start: UnsafeMutableRawPointer(values.baseAddress)?.assumingMemoryBound(to: Int.self), count: count)
}

/// Takes a handle out of the table; NULL is nothing to do.
func release<Object: HandleObject>(_ kind: Object.Type, _ handle: OpaquePointer?) -> shortlist_status {
    guard handle != nil else { return shortlist_status(SHORTLIST_OK) }
    return status { () throws(ShortlistError) in
        try Process.enter { (table) throws(ShortlistError) in try table.release(kind, handle) }
    }
}
