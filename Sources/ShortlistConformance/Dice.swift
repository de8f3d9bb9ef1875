import Glibc

/// A small generator of the suite's own, so that its data does not hang on what it tests (SplitMix64).
struct Dice {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

    mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// In [0, 1).
    mutating func unit() -> Double { Double(bits() >> 11) * 0x1p-53 }

    mutating func integer(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(bits() % UInt64(range.count))
    }

    mutating func pick<T>(_ choices: [T]) -> T { choices[integer(0...choices.count - 1)] }

    mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    mutating func normal() -> Double {
        (-2 * log(max(unit(), 0x1p-60))).squareRoot() * cos(2 * Double.pi * unit())
    }

    mutating func shuffled<T>(_ values: [T]) -> [T] {
        var result = values
        guard result.count > 1 else { return result }
        for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, integer(0...last)) }
        return result
    }

    /// `count` different integers below `bound`, in no order.
    mutating func distinct(_ count: Int, below bound: Int) -> [Int] {
        Array(shuffled(Array(0..<bound)).prefix(count))
    }
}

/// e^{−x} − 1, accurate for small x.
func expm1Negative(_ x: Double) -> Double { expm1(-x) }
