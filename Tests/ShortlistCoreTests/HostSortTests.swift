import ShortlistCore
import Testing

@Suite("Host sort")
struct HostSortTests {
    private func sorted<E: Comparable & BitwiseCopyable>(_ values: [E]) -> [E] {
        var copy = values
        copy.withUnsafeMutableBufferPointer { sortInPlace($0) }
        return copy
    }

    @Test("Random arrays of every small length, and of larger ones, come out ascending", arguments: 0..<4)
    func random(_ seed: UInt64) {
        var dice = Dice(seed)
        for count in Array(0...40) + [127, 128, 129, 1000, 4096] {
            let narrow = (0..<count).map { _ in Int32(dice.integer(-5...5)) }
            #expect(sorted(narrow) == narrow.sorted())
            let wide = (0..<count).map { _ in dice.bits() }
            #expect(sorted(wide) == wide.sorted())
        }
    }

    @Test("Sorted, reversed, equal and organ-pipe arrays come out ascending")
    func shapes() {
        for count in [0, 1, 2, 3, 100, 1025] {
            let ascending = Array(0..<count)
            #expect(sorted(ascending) == ascending)
            #expect(sorted(ascending.reversed()) == ascending)
            #expect(sorted(Array(repeating: 7, count: count)) == Array(repeating: 7, count: count))
            let pipe = ascending + ascending.reversed()
            #expect(sorted(pipe) == pipe.sorted())
        }
    }

    @Test("Only the slice that is given is sorted")
    func slices() {
        var values: [Int32] = [9, 8, 3, 2, 1, 7, 6]
        values.withUnsafeMutableBufferPointer { sortInPlace(UnsafeMutableBufferPointer(rebasing: $0[2..<5])) }
        #expect(values == [9, 8, 1, 2, 3, 7, 6])
        sortInPlace(UnsafeMutableBufferPointer<Int32>(start: nil, count: 0))
    }
}
