import ShortlistCore
import Testing

@Suite("The order of top-k")
struct TopKeyTests {
    /// Ascending, but for the two zeros, which are equal.
    private let scores: [Float] = [
        .nan, -.infinity, -.greatestFiniteMagnitude, -1, -.leastNormalMagnitude, -.leastNonzeroMagnitude, -0.0, 0,
        .leastNonzeroMagnitude, .leastNormalMagnitude, 1, .greatestFiniteMagnitude, .infinity,
    ]

    @Test("Keys ascend with scores: NaN below −∞, −0 equal to +0, +∞ on top")
    func order() {
        for (lower, upper) in zip(scores, scores.dropFirst()) {
            let (a, b) = (TopKey.ordered(lower), TopKey.ordered(upper))
            #expect(lower == 0 && upper == 0 ? a == b : a < b, "\(lower) and \(upper)")
        }
    }

    @Test("Every NaN is the same, whatever its sign and payload")
    func notANumber() {
        for bits: UInt32 in [0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001, 0xFFFF_FFFF, 0x7FC0_DEAD] {
            #expect(TopKey.ordered(Float(bitPattern: bits)) == 0)
        }
    }

    @Test("Of equal scores the lower id has the greater key")
    func ties() {
        for score in scores {
            #expect(TopKey.make(score: score, id: 3) > TopKey.make(score: score, id: 4))
            #expect(TopKey.make(score: score, id: 0) > TopKey.make(score: score, id: .max))
        }
        #expect(TopKey.make(score: -0.0, id: 1) > TopKey.make(score: 0, id: 2))
        #expect(TopKey.make(score: 0, id: 1) > TopKey.make(score: -0.0, id: 2))
        #expect(TopKey.make(score: .leastNonzeroMagnitude, id: 9) > TopKey.make(score: 0, id: 0))
    }

    @Test("Id and score come back from a key, −0 as +0 and a NaN as a NaN")
    func roundTrip() {
        var dice = Dice(3)
        let random = (0..<500).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: dice.bits())) }
        for score in scores + random {
            for id: Int32 in [0, 1, 12_345_678, .max] {
                let key = TopKey.make(score: score, id: id)
                #expect(TopKey.id(key) == id)
                #expect(score.isNaN ? TopKey.score(key).isNaN : TopKey.score(key).bitPattern == (score + 0).bitPattern)
            }
        }
    }

    @Test("No key of an item is 0, the empty place")
    func emptyPlace() {
        for id: Int32 in [0, .max] { #expect(TopKey.make(score: .nan, id: id) != 0) }
    }
}
