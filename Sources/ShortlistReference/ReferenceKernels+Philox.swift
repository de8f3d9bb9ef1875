import Glibc

extension ReferenceKernels {
    /// Philox 4×32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11): ten rounds
    /// over a counter of four words, the key of two words raised by the Weyl constants between rounds.
    public static func philox(counter: [UInt32], key: [UInt32]) -> [UInt32] {
        precondition(counter.count == 4 && key.count == 2, "Philox 4x32 takes four and two words")
        var word = counter
        var key = key
        for round in 0..<10 {
            if round > 0 {
                key[0] &+= 0x9E37_79B9
                key[1] &+= 0xBB67_AE85
            }
            let left = UInt64(0xD251_1F53) * UInt64(word[0])
            let right = UInt64(0xCD9E_8D57) * UInt64(word[2])
            word = [
                UInt32(right >> 32) ^ word[1] ^ key[0], UInt32(right & 0xFFFF_FFFF),
                UInt32(left >> 32) ^ word[3] ^ key[1], UInt32(left & 0xFFFF_FFFF),
            ]
        }
        return word
    }

    /// The counter of the block that holds columns `4·⌊column/4⌋ …+3` of `row`: (column block, row, low 32 bits of the
    /// step, stream in the top 8 bits over the next 24 bits of the step). Different entries never share a counter.
    public static func philoxCounter(row: Int, column: Int, step: UInt64, stream: UInt32) -> [UInt32] {
        precondition(step < 1 << 56, "the step has 56 bits")
        precondition(stream < 1 << 8, "the stream has 8 bits")
        return [
            UInt32(column / 4), UInt32(row), UInt32(step % (1 << 32)), stream * (1 << 24) + UInt32(step / (1 << 32)),
        ]
    }

    /// Standard normal numbers, `rows.count` × `columns`, in f32.
    ///
    /// Box–Muller in Double on the four words of a block: with `u_k = (word_k + ½)·2⁻³²`, columns 4b and 4b+1 are
    /// `√(−2 ln u_0)·(cos 2πu_1, sin 2πu_1)`, columns 4b+2 and 4b+3 the same of u_2 and u_3, each rounded to f32 last.
    /// The library may differ in the last bit of f32, if its libm does.
    public static func normals(
        rows: Range<Int>, columns: Int, seed: UInt64, step: UInt64, stream: UInt32
    ) -> [Float] {
        let key = [UInt32(seed % (1 << 32)), UInt32(seed / (1 << 32))]
        var numbers: [Float] = []
        for row in rows {
            for column in 0..<columns {
                let counter = philoxCounter(row: row, column: column, step: step, stream: stream)
                let u = philox(counter: counter, key: key).map { (Double($0) + 0.5) * 0x1p-32 }
                let pair = column % 4 / 2 * 2
                let radius = (-2 * log(u[pair])).squareRoot()
                let angle = 2 * Double.pi * u[pair + 1]
                numbers.append(Float(column % 2 == 0 ? radius * cos(angle) : radius * sin(angle)))
            }
        }
        return numbers
    }
}
