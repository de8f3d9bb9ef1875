/// What went wrong, as a stable code, and a sentence that says what was given, what is wanted, and what to do.
public struct ShortlistError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable numbers: the C library returns them as `shortlist_status`.
    public enum Code: Int32, Sendable, CaseIterable {
        /// A shape, size, option or pointer that no call accepts.
        case invalidArgument = -1
        /// A target outside `0 ..< C` that is not the ignore index.
        case targetOutOfRange = -2
        /// A target that the caller excluded (or whose bias is −∞).
        case excludedTarget = -3
        /// A weight that is negative or not finite, a scale or denominator that is not positive and finite, a
        /// log-weight that is not finite.
        case invalidWeight = -4
        /// Outputs that overlap inputs or each other.
        case overlappingMemory = -5
        /// The workspace limit is below the least the call needs; `bytesNeeded` has that least.
        case workspaceLimit = -6
        /// The system refused memory.
        case outOfMemory = -7
        /// A row-sparse output with too little room; `bytesNeeded` has the rows it needs.
        case roomTooSmall = -8
        /// Something this version or backend does not do: 2³¹ − 1 or more tokens, items or queries in a call, or the
        /// export of a selection that exact cross-entropy does not have.
        case unsupported = -9
        /// The backend exists and cannot run here.
        case backendUnavailable = -10
        /// No backend of that name is registered.
        case unknownBackend = -11
        /// The handle is in use by another thread.
        case busy = -12
        /// A stale, foreign or released handle.
        case invalidHandle = -13
        /// The handle was made before a `fork` and is used in the child.
        case forked = -14
        /// The caller's stop callback ended the call; outputs may hold part of a result.
        case cancelled = -15
        /// A computation that cannot be completed in floating point: SCE's Mix with hidden states that have no Cholesky
        /// factor.
        case numericalFailure = -16
        /// A candidate, excluded, seen or updated index outside its range.
        case indexOutOfRange = -17
        /// The device is gone; the context is dead.
        case deviceLost = -18
        /// Sizes whose product does not fit a machine word.
        case overflow = -19
        /// A bug in this library.
        case internalError = -99
    }

    public let code: Code
    /// For people: it may change between versions.
    public let message: String
    /// For `workspaceLimit` the least number of bytes that works, for `roomTooSmall` the rows (or places) needed, else
    /// nil.
    public let bytesNeeded: Int?

    public init(_ code: Code, _ message: String, bytesNeeded: Int? = nil) {
        self.code = code
        self.message = message
        self.bytesNeeded = bytesNeeded
    }

    public var description: String { "\(code): \(message)" }
}

extension Int {
    /// The product, or an error that names what was being sized.
    @inlinable
    public func multiplied(by other: Int, for what: StaticString) throws(ShortlistError) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        guard !overflow else {
            throw ShortlistError(.overflow, "\(what): \(self) × \(other) does not fit in 63 bits")
        }
        return product
    }
}
