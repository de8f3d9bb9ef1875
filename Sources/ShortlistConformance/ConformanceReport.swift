/// What a run of the suite found: failures as values, so that any test framework (or none) can show them.
public struct ConformanceReport: Sendable, CustomStringConvertible {
    /// One thing that does not hold.
    public struct Failure: Sendable, CustomStringConvertible {
        /// What must hold.
        public let rule: String
        /// What was found instead.
        public let found: String
        /// A line that makes the case again (`ConformanceCase(line:)`), or the sizes of a fixed case.
        public let context: String

        public var description: String { "\(rule): \(found)\n    case: \(context)" }
    }

    /// Cases run, and single comparisons made in them: a suite that compares nothing cannot pass for one that holds.
    public var cases = 0
    public var comparisons = 0
    public private(set) var failures: [Failure] = []
    public var holds: Bool { failures.isEmpty && comparisons > 0 }
    /// What the case at hand is, for the failures that follow.
    public var context = ""

    public init() {}

    public var description: String {
        let head = "\(cases) cases, \(comparisons) comparisons, \(failures.count) failures"
        return ([head] + failures.prefix(20).map(\.description)).joined(separator: "\n")
    }

    /// Notes a comparison; `found` is made only when it fails. Returns the condition.
    @discardableResult
    public mutating func expect(_ condition: Bool, _ rule: String, _ found: @autoclosure () -> String = "") -> Bool {
        comparisons += 1
        if !condition { failures.append(Failure(rule: rule, found: found(), context: context)) }
        return condition
    }

    public mutating func fail(_ rule: String, _ found: String) { expect(false, rule, found) }

    public mutating func merge(_ other: ConformanceReport) {
        cases += other.cases
        comparisons += other.comparisons
        failures += other.failures
    }
}
