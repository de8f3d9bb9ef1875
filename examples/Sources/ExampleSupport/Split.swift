/// What a model is trained on, what it is chosen by and what it is tested with.
public struct Split: Sendable {
    /// For every user, how many of the first items are trained on; 0 for users not trained on.
    public let trainedLengths: [Int]
    public let validation: [Example]
    public let test: [Example]
    /// Users in no part, because there is too little of them.
    public let droppedUsers: Int

    /// What is asked of a model in training: every trained item but each user's first, which has nothing before it to
    /// be predicted from.
    public var training: [Example] {
        trainedLengths.enumerated().flatMap { user, length in
            (1..<max(1, length)).map { Example(user: user, position: $0) }
        }
    }

    /// How many examples `training` has.
    public var trainingCount: Int { trainedLengths.reduce(0) { $0 + max(0, $1 - 1) } }

    /// How often each item was chosen in the part of `data` that is trained on, first items included.
    public func popularity(in data: Interactions) -> [Int] {
        var counts = [Int](repeating: 0, count: data.itemCount)
        for (history, length) in zip(data.histories, trainedLengths) {
            for item in history.prefix(length) { counts[Int(item)] += 1 }
        }
        return counts
    }

    /// The usual split for next-item recommendation: of every user's history the last item is for the test, the one
    /// before it for validation, the rest for training. Whoever has fewer than three interactions is trained on alone.
    ///
    /// - Throws: `SplitError.tooLittleData` when there is nothing to train on or nothing to test with.
    public static func leaveOneOut(_ data: Interactions) throws(SplitError) -> Split {
        var lengths: [Int] = []
        var validation: [Example] = []
        var test: [Example] = []
        for (user, history) in data.histories.enumerated() {
            let trained = history.count < 3 ? history.count : history.count - 2
            lengths.append(trained)
            guard history.count >= 3 else { continue }
            validation.append(Example(user: user, position: trained))
            test.append(Example(user: user, position: trained + 1))
        }
        let split = Split(trainedLengths: lengths, validation: validation, test: test, droppedUsers: 0)
        guard split.trainingCount > 0, !test.isEmpty else { throw .tooLittleData }
        return split
    }

    /// The split by time of arXiv 2409.18721: users all of whose interactions lie at or before one moment are trained on,
    /// with their whole history; of the others' histories the last item is for the test and the one before it for
    /// validation, and nothing of them is trained on. A test may ask for an item that nobody trained on has.
    ///
    /// The moment is the `quantile` of the times of all interactions (the nearest of them; ties to the earlier). Test
    /// users with fewer than three interactions are dropped, and `droppedUsers` counts them.
    ///
    /// - Throws: `SplitError` for data without times, a quantile that is not between 0 and 1, or nobody on one side.
    public static func temporal(_ data: Interactions, quantile: Double = 0.95) throws(SplitError) -> Split {
        guard let times = data.times else { throw .noTimes }
        guard quantile > 0, quantile < 1 else { throw .quantile(quantile) }
        let sorted = times.flatMap { $0 }.sorted()
        guard !sorted.isEmpty else { throw .tooLittleData }
        let place = (Double(sorted.count - 1) * quantile - 0.5).rounded(.up)
        let moment = sorted[max(0, Int(place))]

        var lengths = [Int](repeating: 0, count: data.userCount)
        var validation: [Example] = []
        var test: [Example] = []
        var dropped = 0
        for (user, history) in data.histories.enumerated() {
            // Times never decrease within a user.
            guard let last = times[user].last, last > moment else {
                lengths[user] = history.count
                continue
            }
            guard history.count >= 3 else {
                dropped += 1
                continue
            }
            validation.append(Example(user: user, position: history.count - 2))
            test.append(Example(user: user, position: history.count - 1))
        }
        let split = Split(trainedLengths: lengths, validation: validation, test: test, droppedUsers: dropped)
        guard split.trainingCount > 0 else { throw .noTrainingUser(quantile: quantile) }
        guard !test.isEmpty else { throw .noTestUser(quantile: quantile, dropped: dropped) }
        return split
    }
}

/// Why data could not be split.
public enum SplitError: Error, Sendable, Equatable, CustomStringConvertible {
    case tooLittleData
    case noTimes
    case quantile(Double)
    case noTrainingUser(quantile: Double)
    case noTestUser(quantile: Double, dropped: Int)

    public var description: String {
        switch self {
        case .tooLittleData:
            "too little data: it takes a user with four interactions, two to train on, one to validate and one to "
                + "test with"
        case .noTimes:
            "a split by time needs timestamps, and these data have none; CSV and RecBole files can have a column of "
                + "them, lines of \"user item item …\" and \"user item\" cannot"
        case .quantile(let quantile):
            "the quantile of a split by time lies between 0 and 1, without them, and is not \(quantile)"
        case .noTrainingUser(let quantile):
            "nobody to train on: no user has two interactions or more with none after the \(quantile) quantile of times"
        case .noTestUser(let quantile, let dropped):
            "nobody to test with: no user has three interactions or more with one after the \(quantile) quantile of "
                + "times" + (dropped > 0 ? " (\(dropped) with fewer have)" : "")
        }
    }
}
