/// What data and their split look like, for a log and for a results file.
public struct DataSummary: Sendable, Equatable, Codable, CustomStringConvertible {
    /// How the histories' lengths are spread. A quantile is the nearest of the lengths.
    public struct Lengths: Sendable, Equatable, Codable {
        public let min, quantile5, quantile25, median, quantile75, quantile95, max: Int
        public let mean: Double
    }

    public let users: Int
    public let items: Int
    public let interactions: Int
    /// Interactions / (users × items).
    public let density: Double
    public let lengths: Lengths
    public let trainingUsers: Int
    /// Items to predict in one pass over the training part.
    public let trainingExamples: Int
    public let validationExamples: Int
    public let testExamples: Int
    /// Users in no part of the split.
    public let droppedUsers: Int

    /// Data with no user or no item have a density of 0 and lengths of 0.
    public init(_ data: Interactions, _ split: Split) {
        users = data.userCount
        items = data.itemCount
        interactions = data.count
        density = users * items == 0 ? 0 : Double(interactions) / (Double(users) * Double(items))
        let sorted = data.histories.map(\.count).sorted()
        func quantile(_ share: Double) -> Int {
            sorted.isEmpty ? 0 : sorted[Int((Double(sorted.count - 1) * share).rounded())]
        }
        lengths = Lengths(
            min: quantile(0), quantile5: quantile(0.05), quantile25: quantile(0.25), median: quantile(0.5),
            quantile75: quantile(0.75), quantile95: quantile(0.95), max: quantile(1),
            mean: users == 0 ? 0 : Double(interactions) / Double(users))
        trainingUsers = split.trainedLengths.count { $0 > 0 }
        trainingExamples = split.trainingCount
        validationExamples = split.validation.count
        testExamples = split.test.count
        droppedUsers = split.droppedUsers
    }

    public var description: String {
        let dropped = droppedUsers > 0 ? "; users dropped for having too little: \(grouped(droppedUsers))" : ""
        return """
            \(grouped(users)) users, \(grouped(items)) items, \(grouped(interactions)) interactions \
            (density \(fixed(100 * density, 3)) %)
            History length: min \(lengths.min), 5 % \(lengths.quantile5), 25 % \(lengths.quantile25), \
            median \(lengths.median), 75 % \(lengths.quantile75), 95 % \(lengths.quantile95), max \(lengths.max), \
            mean \(fixed(lengths.mean, 1))
            Split: \(grouped(trainingExamples)) training examples of \(grouped(trainingUsers)) users, \
            \(grouped(validationExamples)) to validate, \(grouped(testExamples)) to test\(dropped)
            """
    }
}
