/// Turns ids as they stand in a file into numbers from 0, in order of appearance, and gathers the histories.
struct HistoryBuilder {
    private var userNumbers: [String: Int] = [:]
    private var itemNumbers: [String: Int32] = [:]
    private var itemNames: [String] = []
    private var userNames: [String] = []
    private var histories: [[Int32]] = []
    private var times: [[Double]] = []

    func has(user: String) -> Bool { userNumbers[user] != nil }

    /// - Parameter time: for files that have one; either every interaction brings a time or none does.
    mutating func append(user: String, item: String, time: Double? = nil) {
        let userNumber = userNumbers[user] ?? histories.count
        if userNumber == histories.count {
            userNumbers[user] = userNumber
            userNames.append(user)
            histories.append([])
            times.append([])
        }
        let itemNumber = itemNumbers[item] ?? Int32(itemNames.count)
        if itemNumber == itemNames.count {
            itemNumbers[item] = itemNumber
            itemNames.append(item)
        }
        histories[userNumber].append(itemNumber)
        if let time { times[userNumber].append(time) }
    }

    /// Histories oldest first; interactions of the same time stay in the order of the file.
    func interactions(file: String) throws -> Interactions {
        guard !histories.isEmpty else { throw DataFileError(file: file, line: nil, reason: "no interactions in it") }
        // Every interaction has a time or none has: the first tells.
        guard times[0].isEmpty else {
            let orders = times.map { times in times.indices.sorted { (times[$0], $0) < (times[$1], $1) } }
            return Interactions(
                histories: zip(histories, orders).map { history, order in order.map { history[$0] } },
                times: zip(times, orders).map { times, order in order.map { times[$0] } },
                userNames: userNames, itemNames: itemNames)
        }
        return Interactions(histories: histories, userNames: userNames, itemNames: itemNames)
    }
}
