import ShortlistCore

/// A small generator of the tests' own, so that their data does not hang on what they test (SplitMix64).
struct Dice {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0xD129_0B2E_8C1F_4A6D &+ 99 }

    mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func integer(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(bits() % UInt64(range.count)) }

    mutating func integers(_ count: Int, _ range: ClosedRange<Int>) -> [Float] {
        (0..<count).map { _ in Float(integer(range)) }
    }

    mutating func real(_ low: Float, _ high: Float) -> Float {
        low + (high - low) * Float(bits() >> 40) * 0x1p-24
    }

    mutating func reals(_ count: Int, _ low: Float = -1, _ high: Float = 1) -> [Float] {
        (0..<count).map { _ in real(low, high) }
    }
}

/// The error that `body` throws, nil when it throws none.
func failure(_ body: () throws(ShortlistError) -> Void) -> ShortlistError? {
    do throws(ShortlistError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// The code of that error.
func code(_ body: () throws(ShortlistError) -> Void) -> ShortlistError.Code? { failure(body)?.code }
