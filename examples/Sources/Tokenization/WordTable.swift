/// Gives every distinct word (a run of bytes) a number: 0, 1, 2 … in the order of their first mention.
///
/// An open hash table over one block of bytes: looking up a word allocates nothing.
struct WordTable {
    /// Where each word ends in `bytes`; it begins where the one before ends.
    private var ends: [Int] = []
    private var bytes: [UInt8] = []
    /// Hash and number of the word at each place; a number of −1 is an empty place.
    private var slots: [(hash: UInt64, word: Int32)]

    init() { slots = Self.empty(1 << 10) }

    var count: Int { ends.count }

    func word(_ number: Int) -> ArraySlice<UInt8> { bytes[(number == 0 ? 0 : ends[number - 1])..<ends[number]] }

    /// The number of `word`, given now if it has none yet.
    mutating func number(of word: UnsafeBufferPointer<UInt8>) -> Int {
        let hash = Self.hash(word)
        var place = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[place].word >= 0 {
            if slots[place].hash == hash, isEqual(Int(slots[place].word), word) { return Int(slots[place].word) }
            place = (place + 1) & (slots.count - 1)
        }
        let number = ends.count
        slots[place] = (hash, Int32(number))
        bytes.append(contentsOf: word)
        ends.append(bytes.count)
        if 2 * ends.count > slots.count { grow() }
        return number
    }

    private func isEqual(_ number: Int, _ word: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = number == 0 ? 0 : ends[number - 1]
        guard ends[number] - start == word.count else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            UnsafeBufferPointer(rebasing: bytes[start..<start + word.count]).elementsEqual(word)
        }
    }

    private mutating func grow() {
        let old = slots
        slots = Self.empty(2 * old.count)
        for slot in old where slot.word >= 0 {
            var place = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
            while slots[place].word >= 0 { place = (place + 1) & (slots.count - 1) }
            slots[place] = slot
        }
    }

    private static func empty(_ count: Int) -> [(hash: UInt64, word: Int32)] { Array(repeating: (0, -1), count: count) }

    /// Eight bytes at a time, folded through a product; the same in every process.
    private static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash = UInt64(word.count) &* 0x9E37_79B9_7F4A_7C15
        var piece: UInt64 = 0
        func fold() {
            let product = (hash ^ piece).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
            hash = product.low ^ product.high &+ 0xA076_1D64_78BD_642F
        }
        for (index, byte) in word.enumerated() {
            piece = piece << 8 | UInt64(byte)
            if index & 7 == 7 {
                fold()
                piece = 0
            }
        }
        fold()
        return hash ^ hash >> 32
    }
}
