import Foundation

/// One axis of a chart: what part of the numbers it shows and where its ticks are.
struct ChartAxis {
    let isLogarithmic: Bool
    /// The ends, after the logarithm to base 10 where the axis has one.
    private let low: Double
    private let high: Double

    /// An axis that shows all of `values`, which it can `show(_:)`, with a little room at the ends.
    init(_ values: [Double], isLogarithmic: Bool = false) {
        self.isLogarithmic = isLogarithmic
        let places = values.map { isLogarithmic ? log10($0) : $0 }
        guard let least = places.min(), let most = places.max() else {
            (low, high) = (0, 1)
            return
        }
        let size = max(abs(least), abs(most))
        // One value, or several that differ in their last digits only, need a width of some sort.
        let span = most - least > max(1e-9 * size, Self.smallest) ? most - least : 0
        let room = span > 0 ? 0.05 * span : isLogarithmic ? 0.5 : size > Self.smallest ? 0.1 * size : 1
        (low, high) = (least - room, most + room)
    }

    /// Smaller differences than this are none: near the end of what a Double can tell apart, steps would be 0.
    private static let smallest = 1e-290

    /// Whether a number has a place: finite ones, on a logarithmic axis positive ones. Those beyond 10³⁰⁰ have none, as
    /// the differences between them may be too large for a Double, nor have logarithms of those below 10⁻²⁹⁰.
    static func shows(_ value: Double, isLogarithmic: Bool) -> Bool {
        abs(value) < 1e300 && (!isLogarithmic || value > smallest)
    }

    /// From 0 at the low end to 1 at the high end.
    func share(_ value: Double) -> Double {
        ((isLogarithmic ? log10(value) : value) - low) / (high - low)
    }

    struct Tick: Equatable {
        let value: Double
        let label: String
    }

    /// About `wanted` ticks at round numbers.
    func ticks(_ wanted: Int) -> [Tick] {
        guard isLogarithmic else { return evenTicks(wanted, low, high) }
        // Powers of ten, or 1, 2 and 5 of each, whichever comes nearer; within one power the ticks are even.
        let decades = high - low
        guard decades > 1 else {
            return evenTicks(wanted, pow(10, low), pow(10, high)).filter { $0.value > 0 }
        }
        let factors: [Double] = decades * 3 <= Double(wanted) * 1.5 ? [1, 2, 5] : [1]
        let every = max(1, Int((decades / Double(wanted)).rounded(.up)))
        // Multiples of `every`: 1 is among them.
        let first = Int((low / Double(every)).rounded(.down)) * every
        return stride(from: first, through: Int(high.rounded(.up)), by: every).flatMap { power in
            factors.map { $0 * pow(10, Double(power)) }
        }.filter { (low...high).contains(log10($0)) }.map {
            Tick(value: $0, label: Self.label($0, step: $0, largest: $0))
        }
    }

    private func evenTicks(_ wanted: Int, _ low: Double, _ high: Double) -> [Tick] {
        let rough = (high - low) / Double(max(1, wanted))
        let power = pow(10, log10(rough).rounded(.down))
        // 1, 2, 5 or 10, the first that makes no more ticks than wanted.
        let step = power * ([1, 2, 5].first { $0 * power >= rough * 0.999 } ?? 10)
        let first = (low / step).rounded(.up)
        let count = Int(((high / step).rounded(.down) - first).rounded())
        // Counted, not added up: 0.1 three times would not be 0.3.
        let values = (0...max(0, count)).map { (first + Double($0)) * step }
        let largest = values.map(abs).max() ?? 0
        return values.map { Tick(value: $0, label: Self.label($0, step: step, largest: largest)) }
    }

    /// `value` with the decimals that tell it from its neighbours a `step` away, and in one style with `largest`.
    private static func label(_ value: Double, step: Double, largest: Double) -> String {
        guard abs(value) > step / 2 else { return step >= 1 || step < 1e-5 ? "0" : fixed(0, decimals(step)) }
        let digits = 1 + Int((log10(largest) + 1e-9).rounded(.down)) - Int((log10(step) + 1e-9).rounded(.down))
        let isLong = largest >= 1e6 && (digits <= 6 || step < 1 || largest >= 1e15)
        if isLong || step < 1e-5 { return String(format: "%.\(max(1, digits))g", value) }
        return step >= 1 ? grouped(Int(value.rounded())) : fixed(value, decimals(step))
    }

    private static func decimals(_ step: Double) -> Int { max(0, -Int((log10(step) + 1e-9).rounded(.down))) }
}
