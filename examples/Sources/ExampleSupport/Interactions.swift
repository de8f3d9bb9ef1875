/// Who chose what: for every user the items chosen, oldest first, as numbers from 0.
public struct Interactions: Sendable {
    /// One history per user.
    public let histories: [[Int32]]
    /// What each item is called where the data come from; the item's number is its place in this list.
    public let itemNames: [String]

    public init(histories: [[Int32]], itemNames: [String]) {
        self.histories = histories
        self.itemNames = itemNames
    }

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
