extension Collection<Double> {
    /// The mean; 0 of nothing.
    public var mean: Double { reduce(0, +) / Double(Swift.max(1, count)) }
}
