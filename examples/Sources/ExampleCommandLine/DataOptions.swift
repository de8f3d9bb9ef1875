import ArgumentParser
import ExampleSupport

/// Where the interactions come from: a file, or the program's own invention.
public struct DataOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file of interactions: lines of \"user item item …\" or \"user item\", CSV or RecBole with a header.",
            valueName: "file"))
    public var data: String?

    @Option(help: ArgumentHelp("What the file holds, where it cannot be told: \(Self.formats).", valueName: "format"))
    public var format: InteractionFormat = .auto

    @Option(
        help: ArgumentHelp(
            "Leave out items with fewer interactions, and users likewise, until none is left.", valueName: "count"))
    public var leastPerItem = 0

    @Option(
        help: ArgumentHelp(
            "Leave out users with fewer interactions, and items likewise, until none is left.", valueName: "count"))
    public var leastPerUser = 0

    @Option(help: "Users to invent when there is no file.")
    public var users = 12_000

    @Option(help: "Items to invent when there is no file.")
    public var items = 20_000

    public init() {}

    private static var formats: String { InteractionFormat.allCases.map(\.rawValue).joined(separator: ", ") }

    /// The interactions, filtered.
    ///
    /// - Throws: `DataFileError` for what is wrong with a file, `NothingLeft` when the filters leave nothing.
    public func load(seed: UInt64) throws -> Interactions {
        let all =
            try data.map { try Interactions(contentsOf: $0, format: format) }
            ?? SyntheticData(users: users, items: items, seed: seed).generate()
        return try all.filtered(leastPerItem: leastPerItem, leastPerUser: leastPerUser)
    }

    /// What the data are called in a log.
    public var name: String { data ?? "Generated data" }

    public func validate() throws {
        for (option, value) in [("--users", users), ("--items", items)] where !(1...100_000_000).contains(value) {
            throw ValidationError("\(option) must be from 1 to 100 million, not \(value)")
        }
        for (option, value) in [("--least-per-item", leastPerItem), ("--least-per-user", leastPerUser)] where value < 0
        {
            throw ValidationError("\(option) must not be negative")
        }
    }
}

extension InteractionFormat: ExpressibleByArgument {}
