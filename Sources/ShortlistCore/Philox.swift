import Glibc

/// Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator,
/// so that any entry of any draw can be had alone and nothing depends on threads, backends or call order.
///
/// Layout of a draw: the key is the seed; the counter is (column / 4, row, step's low 32 bits, step's next 24 bits
/// and the stream in the top 8). The four words of a block serve four consecutive columns.
public enum Philox {
    /// What a draw is for; part of the counter, so that two uses of one seed never share numbers.
    public enum Stream: UInt32, Sendable {
        /// SCE's and RECE's directions (RECE's round ρ uses rows ρ·n_b ..< (ρ+1)·n_b).
        case directions = 0
        /// Ω of SCE's Mix when d > n_b.
        case mixing = 1
    }

    /// Steps use 56 bits of the counter: they are below this.
    public static let stepLimit: UInt64 = 1 << 56

    /// One block: ten rounds over a 128-bit counter with a 64-bit key.
    public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var c = counter
        var k = key
        for _ in 0..<10 {
            let p0 = UInt64(c.x) &* 0xD251_1F53
            let p1 = UInt64(c.z) &* 0xCD9E_8D57
            c = SIMD4(
                UInt32(truncatingIfNeeded: p1 >> 32) ^ c.y ^ k.x, UInt32(truncatingIfNeeded: p1),
                UInt32(truncatingIfNeeded: p0 >> 32) ^ c.w ^ k.y, UInt32(truncatingIfNeeded: p0))
            k = SIMD2(k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85)
        }
        return c
    }

    /// Standard normal draws: entry (r, c) of `out` is entry (`firstRow` + r, c) of the infinite matrix that
    /// (`seed`, `step`, `stream`) name. Box–Muller in Double from (word + ½)·2⁻³², rounded to f32.
    ///
    /// `step` is below `stepLimit`, `stream` below 256 and a row below 2³²; higher bits are ignored. Any number of
    /// threads may draw at once.
    public static func fillNormal(
        _ out: MutableMatrixView, seed: UInt64, step: UInt64, stream: UInt32, firstRow: Int = 0
    ) {
        let key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        let stepLow = UInt32(truncatingIfNeeded: step)
        let stepHigh = UInt32(truncatingIfNeeded: step >> 32) & 0x00FF_FFFF | stream << 24
        for row in 0..<out.rows {
            let target = out.row(row)
            let rowWord = UInt32(truncatingIfNeeded: firstRow &+ row)
            var column = 0
            while column < out.columns {
                let counter = SIMD4(UInt32(truncatingIfNeeded: column / 4), rowWord, stepLow, stepHigh)
                let normals = boxMuller(block(counter: counter, key: key))
                for lane in 0..<min(4, out.columns - column) { target[column + lane] = normals[lane] }
                column += 4
            }
        }
    }

    private static func boxMuller(_ words: SIMD4<UInt32>) -> SIMD4<Float> {
        func unit(_ word: UInt32) -> Double { (Double(word) + 0.5) * 0x1p-32 }
        let r0 = (-2 * log(unit(words.x))).squareRoot()
        let r1 = (-2 * log(unit(words.z))).squareRoot()
        let a0 = 2 * Double.pi * unit(words.y)
        let a1 = 2 * Double.pi * unit(words.w)
        return SIMD4(Float(r0 * cos(a0)), Float(r0 * sin(a0)), Float(r1 * cos(a1)), Float(r1 * sin(a1)))
    }
}
