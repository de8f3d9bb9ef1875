import CShortlistKernels
import ShortlistCPU
import ShortlistConformance
import ShortlistLosses
import Testing

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// Top-k of scores that are small products, against a sort of all.
private struct Retrieved {
    let queries: [Float]
    let items: [Float]
    let k: Int

    /// x · y for width 1, sorted: ties to the lower id.
    var want: [Int32] {
        queries.flatMap { query in
            items.indices.sorted { (query * items[$0], $1) > (query * items[$1], $0) }.prefix(k).map(Int32.init)
        }
    }

    func got(threads: Int, level: Int32 = sl_best_level(), limits: CallLimits = .init()) throws -> [Int32] {
        sl_force_level(level)
        defer { sl_force_level(sl_best_level()) }
        let stream = try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: threads))
        let x = try Matrix(rows: queries.count, columns: 1)
        let y = try Matrix(rows: items.count, columns: 1)
        _ = x.elements.update(fromContentsOf: queries)
        _ = y.elements.update(fromContentsOf: items)
        let catalog = try Catalog(items: y.view, on: stream)
        var ids = [Int32](repeating: 77, count: queries.count * k)
        _ = try ids.withUnsafeMutableBufferPointer { ids in
            try Evaluator(stream: stream).topK(
                RetrievalRequest(queries: x.view), catalog, k: k, ids: ids, limits: limits)
        }
        return ids
    }
}

@Suite("The k best on the CPU")
struct TopKeysTests {
    private static let levels = (0...sl_best_level()).map(\.self)

    @Test("are right where the sample of rows misleads: every row above its threshold is in it", arguments: levels)
    func misled(level: Int32) throws {
        // The 30 best of +x are sampled rows, and more than the sample keeps of k = 64; of −x they are the worst.
        let best = Set((0..<30).map { sl_sampled_row($0 * 7) })
        var dice = SplitMix(state: 3)
        let items = (0..<4000).map { row in
            Float(best.contains(row) ? 1000 + row : Int.random(in: 0...300, using: &dice))
        }
        let queries = (0..<70).map { Float($0 % 3 == 0 ? 1 : $0 == 1 || $0 > 40 ? -1 : 0.5) }
        let topCase = Retrieved(queries: queries, items: items, k: 64)
        let want = topCase.want
        for threads in [1, 2, 3, 8] {
            #expect(try topCase.got(threads: threads, level: level) == want, "\(threads) threads")
        }
    }

    @Test("are right for any number of threads beside any number of strips of queries", arguments: [1, 33, 70, 160])
    func threads(queries: Int) throws {
        var dice = SplitMix(state: UInt64(queries))
        let topCase = Retrieved(
            queries: (0..<queries).map { _ in Float(Int.random(in: -3...3, using: &dice)) },
            items: (0..<3000).map { _ in Float(Int.random(in: -400...400, using: &dice)) }, k: 25)
        let want = topCase.want
        for threads in [1, 2, 3, 5, 8] { #expect(try topCase.got(threads: threads) == want, "\(threads) threads") }
    }

    @Test("are right where k is large and scores tie", arguments: [1, 4])
    func large(threads: Int) throws {
        var dice = SplitMix(state: 9)
        let topCase = Retrieved(
            queries: [1, -1, 0, 2.5],
            items: (0..<30_000).map { _ in Float(Int.random(in: -900...900, using: &dice)) / 7 }, k: 3000)
        #expect(try topCase.got(threads: threads) == topCase.want)
    }
}

@Suite("Kernels of the k best")
struct TopKernelTests {
    @Test(
        "the sampled rows and the others are all rows, each once and ascending",
        arguments: [0, 1, 15, 16, 17, 1000, 4096])
    func parts(rows: Int) {
        let sampled = (0..<rows / 16).map { sl_row_of_part(Int32(SL_SAMPLED_ROWS), rows, $0) }
        let others = (0..<rows - rows / 16).map { sl_row_of_part(Int32(SL_OTHER_ROWS), rows, $0) }
        #expect(zip(sampled, sampled.dropFirst()).allSatisfy(<))
        #expect(zip(others, others.dropFirst()).allSatisfy(<))
        #expect((sampled + others).sorted() == Array(0..<rows))
    }

    @Test(
        "a radix sort orders by the low bits, and keeps the order of equal ones", arguments: [0, 1, 2, 300, 1023, 5000])
    func radix(count: Int) {
        var dice = SplitMix(state: UInt64(count + 1))
        for (bits, top) in [(64, 1 << 62), (64, 5), (32, 1 << 62), (32, 1 << 20), (64, 1)] {
            let keys = (0..<count).map { _ in UInt64(Int.random(in: 0...top, using: &dice)) << 1 }
            let mask = bits == 64 ? UInt64.max : 1 << 32 - 1
            var (input, scratch) = (keys, [UInt64](repeating: 0, count: count))
            let sorted = input.withUnsafeMutableBufferPointer { input in
                scratch.withUnsafeMutableBufferPointer { scratch in
                    guard let base = input.baseAddress, let room = scratch.baseAddress, count > 0 else {
                        return [UInt64]()
                    }
                    let result = sl_radix_sort_u64(base, room, count, Int32(bits))
                    return Array(UnsafeBufferPointer(start: result, count: count))
                }
            }
            let want = keys.enumerated().sorted { ($0.element & mask, $0.offset) < ($1.element & mask, $1.offset) }
            #expect(sorted == want.map(\.element), "\(bits) bits, up to \(top)")
        }
    }
}
