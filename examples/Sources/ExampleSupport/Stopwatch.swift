/// Wall-clock time since it was made.
public struct Stopwatch: Sendable {
    private let start = ContinuousClock.now

    public init() {}

    public var seconds: Double {
        let elapsed = ContinuousClock.now - start
        return Double(elapsed.components.seconds) + 1e-18 * Double(elapsed.components.attoseconds)
    }
}
