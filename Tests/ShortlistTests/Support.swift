import Shortlist

/// A small problem with Gaussian numbers.
struct SmallProblem {
    let hidden: Matrix
    let items: Matrix
    let targets: [Int32]

    init(tokens: Int = 200, items count: Int = 700, width: Int = 24, seed: UInt64 = 1) throws {
        hidden = try Matrix(rows: tokens, columns: width)
        items = try Matrix(rows: count, columns: width)
        Philox.fillNormal(hidden.mutableView, seed: seed, step: 0, stream: 8)
        Philox.fillNormal(items.mutableView, seed: seed, step: 1, stream: 8)
        targets = (0..<tokens).map { Int32($0 * 37 % count) }
    }
}

/// What a call threw.
func failure<R>(_ body: () throws(ShortlistError) -> R) -> ShortlistError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error
    }
}
