/// The order of top-k as unsigned 64-bit keys: a canonical ordered score above the complement of the id.
///
/// NaN lies below everything and −0 equals +0 (losses.md, Numbers). 0 is an empty place: no id has all bits set.
public enum TopKey {
    /// The key of an id with its score.
    @inlinable
    public static func make(score: Float, id: Int32) -> UInt64 {
        UInt64(ordered(score)) << 32 | UInt64(~UInt32(bitPattern: id))
    }

    /// The id in a key.
    @inlinable
    public static func id(_ key: UInt64) -> Int32 { Int32(bitPattern: ~UInt32(truncatingIfNeeded: key)) }

    /// The score in a key; a NaN comes back as a NaN, −0 as +0.
    @inlinable
    public static func score(_ key: UInt64) -> Float {
        let ordered = UInt32(truncatingIfNeeded: key >> 32)
        if ordered == 0 { return .nan }
        return Float(bitPattern: ordered & 0x8000_0000 != 0 ? ordered & 0x7FFF_FFFF : ~ordered)
    }

    /// A score as an unsigned number in the same order: 0 for NaN, which is below −∞.
    @inlinable
    public static func ordered(_ score: Float) -> UInt32 {
        if score.isNaN { return 0 }
        let bits = (score + 0).bitPattern  // −0 + 0 is +0
        return bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000
    }
}
