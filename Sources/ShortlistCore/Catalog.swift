/// A catalog's copy on a device.
public protocol ResidentCatalog: AnyObject, Sendable {
    /// Copies everything anew before the next call.
    func update() throws(ShortlistError)
    /// Notes a row to copy before the next call; rows are gathered and sent together.
    func update(row: Int) throws(ShortlistError)
}

/// The items of an output layer: Y (C × d) and an optional bias, as a stream sees them.
///
/// On the CPU a catalog is a view of the caller's memory: a change is seen by the next call, `update` or not, and
/// `update` costs nothing. On a GPU it is a resident copy that changes with `update`. Code that calls `update`
/// after each change is right on both.
///
/// Made by a context. Memory that a catalog views must stay where it is while the catalog lives, and unchanged during a
/// call and while a saved state that was made with it lives.
public final class Catalog: @unchecked Sendable {
    // Sendable: holds only constants; the numbers behind the views are the caller's to order.
    /// Y, C × d.
    public let items: MatrixView
    /// C values added to the logits, nil for none; −∞ leaves an item out as if it were excluded.
    public let bias: UnsafeBufferPointer<Float>?
    /// Kept alive with the catalog: the `Matrix` it views, where there is one.
    private let owner: AnyObject?
    /// The copy that a stream keeps on its device; nil where kernels read the caller's memory.
    public let resident: (any ResidentCatalog)?

    /// C.
    public var itemCount: Int { items.rows }
    /// d.
    public var width: Int { items.columns }

    /// - Throws: `invalidArgument` for an empty catalog, a width of 0, or a bias of another length, `unsupported` for
    ///   2³¹ − 1 items or more.
    public init(
        items: MatrixView, bias: UnsafeBufferPointer<Float>? = nil, owner: AnyObject? = nil, on stream: any Stream
    ) throws(ShortlistError) {
        guard items.rows > 0, items.columns > 0 else {
            throw ShortlistError(.invalidArgument, "the catalog is empty: \(items.rows) items of \(items.columns)")
        }
        guard items.rows < Int(Int32.max) else {
            throw ShortlistError(.unsupported, "\(items.rows) items; item ids are 32 bits, below 2147483647")
        }
        if let bias, bias.count != items.rows {
            throw ShortlistError(.invalidArgument, "the bias has \(bias.count) values for \(items.rows) items")
        }
        self.items = items
        self.bias = bias
        self.owner = owner
        resident = try stream.makeResident(items, bias: bias)
    }

    /// Says that any of the items or biases changed.
    /// - Throws: `busy` while its context is inside a call, `deviceLost`.
    public func update() throws(ShortlistError) { try resident?.update() }

    /// Says that these rows, and their biases, changed; any order, repeats allowed. - Throws: `indexOutOfRange`.
    public func update(rows: some Sequence<Int32>) throws(ShortlistError) {
        for row in rows where row < 0 || Int(row) >= itemCount {
            throw ShortlistError(.indexOutOfRange, "catalog row \(row) of \(itemCount)")
        }
        if let resident { for row in rows { try resident.update(row: Int(row)) } }
    }
}
