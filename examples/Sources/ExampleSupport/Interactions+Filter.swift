extension Interactions {
    /// The data without rare items and users with little to go by: every item left has at least `leastPerItem`
    /// interactions and every user at least `leastPerUser`, among what is left.
    ///
    /// Dropping items shortens histories and dropping users makes items rarer, so both are repeated until nothing
    /// changes: with both limits at k this is the k-core of the user–item graph (repeated choices of an item count each
    /// time). Items and users keep their order and get new numbers without gaps. A user left with nothing is dropped
    /// whatever the limit; an item that nobody chose stays only where `leastPerItem` is 0.
    /// - Throws: `NothingLeft` when no user is left.
    public func filtered(leastPerItem: Int = 0, leastPerUser: Int = 0) throws -> Interactions {
        var keepsUser = [Bool](repeating: true, count: userCount)
        var keepsItem = [Bool](repeating: true, count: itemCount)
        var changed = true
        while changed {
            changed = false
            var counts = [Int](repeating: 0, count: itemCount)
            for (user, history) in histories.enumerated() where keepsUser[user] {
                for item in history { counts[Int(item)] += 1 }
            }
            for item in 0..<itemCount where keepsItem[item] && counts[item] < leastPerItem {
                keepsItem[item] = false
                changed = true
            }
            for (user, history) in histories.enumerated() where keepsUser[user] {
                let length = history.reduce(0) { $0 + (keepsItem[Int($1)] ? 1 : 0) }
                if length < max(1, leastPerUser) {
                    keepsUser[user] = false
                    changed = true
                }
            }
        }

        var newNumber = [Int32](repeating: -1, count: itemCount)
        let items = (0..<itemCount).filter { keepsItem[$0] }
        for (number, item) in items.enumerated() { newNumber[item] = Int32(number) }
        let users = (0..<userCount).filter { keepsUser[$0] }
        guard !users.isEmpty else { throw NothingLeft(leastPerItem: leastPerItem, leastPerUser: leastPerUser) }
        return Interactions(
            histories: users.map { histories[$0].map { newNumber[Int($0)] }.filter { $0 >= 0 } },
            times: times.map { times in
                users.map { user in
                    zip(histories[user], times[user]).compactMap { keepsItem[Int($0)] ? $1 : nil }
                }
            },
            userNames: users.map { userNames[$0] }, itemNames: items.map { itemNames[$0] })
    }
}

/// Filtering took everything away.
public struct NothingLeft: Error, Sendable, Equatable, CustomStringConvertible {
    public let leastPerItem: Int
    public let leastPerUser: Int

    public var description: String {
        "no user is left with at least \(leastPerItem) interactions an item and \(leastPerUser) a user"
    }
}
