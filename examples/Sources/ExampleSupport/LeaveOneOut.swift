/// The usual split for next-item recommendation: of every user's history the last item is for the test, the one before
/// it for validation, the rest for training. Whoever has fewer than three interactions is trained on alone.
public struct LeaveOneOut: Sendable {
    public let training: [Example]
    public let validation: [Example]
    public let test: [Example]

    /// - Throws: `TooLittleData` when there is nothing to train on or nothing to test with.
    public init(_ data: Interactions) throws {
        var training: [Example] = []
        var validation: [Example] = []
        var test: [Example] = []
        for (user, history) in data.histories.enumerated() {
            let trained = history.count < 3 ? history.count : history.count - 2
            // A user's first item has nothing before it to be predicted from.
            for position in 1..<max(1, trained) { training.append(Example(user: user, position: position)) }
            guard history.count >= 3 else { continue }
            validation.append(Example(user: user, position: trained))
            test.append(Example(user: user, position: trained + 1))
        }
        guard !training.isEmpty, !test.isEmpty else { throw TooLittleData() }
        self.training = training
        self.validation = validation
        self.test = test
    }

    /// How often each item was chosen in the part of `data` that is trained on, first items included.
    public static func popularity(in data: Interactions) -> [Int] {
        var counts = [Int](repeating: 0, count: data.itemCount)
        for history in data.histories {
            for item in history.prefix(history.count < 3 ? history.count : history.count - 2) { counts[Int(item)] += 1 }
        }
        return counts
    }
}

public struct TooLittleData: Error, CustomStringConvertible {
    public var description: String {
        "too little data: it takes a user with four interactions, two to train on, one to validate and one to test with"
    }
}
