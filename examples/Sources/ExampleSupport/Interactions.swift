/// Who chose what: for every user the items chosen, oldest first, as numbers from 0.
public struct Interactions: Sendable {
    /// One history per user.
    public let histories: [[Int32]]
    /// When each item of `histories` was chosen, never decreasing within a user, in the unit of the data (mostly
    /// seconds); nil when the data have no times.
    public let times: [[Double]]?
    /// What each user is called where the data come from, in the order of `histories`.
    public let userNames: [String]
    /// What each item is called where the data come from; the item's number is its place in this list.
    public let itemNames: [String]

    /// - Parameters:
    ///   - times: as long as `histories`, user by user.
    ///   - userNames: one a history; nil for names from the users' numbers.
    public init(
        histories: [[Int32]], times: [[Double]]? = nil, userNames: [String]? = nil, itemNames: [String]
    ) {
        precondition(userNames == nil || userNames?.count == histories.count, "one name a user")
        precondition(times == nil || times?.map(\.count) == histories.map(\.count), "one time an interaction")
        self.histories = histories
        self.times = times
        self.userNames = userNames ?? histories.indices.map { "user \($0)" }
        self.itemNames = itemNames
    }

    public var userCount: Int { histories.count }
    public var itemCount: Int { itemNames.count }
    public var count: Int { histories.reduce(0) { $0 + $1.count } }
}

/// One thing to predict: the item at `position` of a user's history, from the items before it.
public struct Example: Sendable, Hashable {
    public let user: Int32
    public let position: Int32

    public init(user: Int, position: Int) {
        self.user = Int32(user)
        self.position = Int32(position)
    }
}

extension Interactions {
    /// The item that `example` asks for.
    public func target(of example: Example) -> Int32 {
        histories[Int(example.user)][Int(example.position)]
    }

    /// What the user had chosen before, oldest first.
    public func history(before example: Example) -> ArraySlice<Int32> {
        histories[Int(example.user)][..<Int(example.position)]
    }
}
