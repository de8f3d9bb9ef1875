/// How far one invocation of a shader may go.
///
/// A workgroup that sweeps a catalog of millions must not run for long: watchdogs end what takes seconds, and lavapipe
/// ends every loop of an invocation after 65 535 iterations all together, without a word. So sweeps are cut, by numbers
/// that depend on the shape and the kind of device alone.
struct Sweep {
    let iterations: Int

    /// Tiles of 64 that one invocation sweeps, where each takes `extra` iterations beside those of its products.
    func tiles(width: Int, extra: Int) -> Int { max(1, iterations / (divided(width, 16) * 18 + extra)) }

    /// `count` things in runs of at most `most`.
    static func runs(_ count: Int, most: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: most).map { $0..<min(count, $0 + most) }
    }
}
