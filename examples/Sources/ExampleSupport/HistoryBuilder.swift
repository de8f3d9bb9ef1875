/// Turns ids as they stand in a file into numbers from 0, in order of appearance, and gathers the histories.
struct HistoryBuilder {
    private var userNumbers: [String: Int] = [:]
    private var itemNumbers: [String: Int32] = [:]
    private var itemNames: [String] = []
    private var histories: [[Int32]] = []
    private var times: [[Double]] = []

    func has(user: String) -> Bool { userNumbers[user] != nil }

    /// - Parameter time: for files that have one; either every interaction brings a time or none does.
    mutating func append(user: String, item: String, time: Double? = nil) {
        let userNumber = userNumbers[user] ?? histories.count
        if userNumber == histories.count {
            userNumbers[user] = userNumber
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
        let sorted = zip(histories, times).map { history, times in
            guard !times.isEmpty else { return history }
            return times.indices.sorted { (times[$0], $0) < (times[$1], $1) }.map { history[$0] }
        }
        return Interactions(histories: sorted, itemNames: itemNames)
    }
}
