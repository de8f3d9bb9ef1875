import Shortlist
import ShortlistReference
import Testing

@Suite("Retrieval and ranking")
struct RankingTests {
    @Test("ranks make the HR, NDCG and MRR that top-k lists make")
    func metrics() throws {
        let fixture = try Fixture()
        let context = try Context()
        let catalog = try context.catalog(fixture.items, bias: fixture.bias)
        let targets = fixture.targets.map { max($0, 0) }
        let seen = SeenItems((0..<fixture.tokens).map { q in [Int32(q % 140), Int32(q * 3 % 140), Int32(q % 140)] })
        let ranks = try context.targetRanks(
            fixture.hidden, targets: targets, in: catalog, excluding: seen, excludedItems: [139])
        let all = try context.topK(fixture.hidden, in: catalog, k: 140, excludedItems: [139])
        for k in [1, 5, 10, 140] {
            // The long way: walk each query's ranking, pass over what was seen, stop at the target.
            var (hits, gain, reciprocal) = (0.0, 0.0, 0.0)
            for (q, target) in targets.enumerated() {
                let own = Set(seen.ids[seen.offsets[q]..<seen.offsets[q + 1]])
                let list = all.ids(of: q).filter { $0 >= 0 && ($0 == target || !own.contains($0)) }
                guard let place = list.firstIndex(of: target), place < k else { continue }
                hits += 1
                gain += ReferenceKernels.ndcg(ranks: [place + 1], k: k)
                reciprocal += 1 / Double(place + 1)
            }
            let count = Double(targets.count)
            #expect(ReferenceKernels.hitRate(ranks: ranks, k: k) == hits / count)
            #expect(abs(ReferenceKernels.ndcg(ranks: ranks, k: k) - gain / count) < 1e-12)
            #expect(abs(ReferenceKernels.reciprocalRank(ranks: ranks, k: k) - reciprocal / count) < 1e-12)
        }
    }

    @Test("places that no item fills are −1 with a score of −∞, and a capped k is reported")
    func missing() throws {
        let context = try Context()
        let catalog = try context.catalog(try Matrix(rows: 3, columns: 1, [5, 7, 6]))
        let query = try Matrix(rows: 2, columns: 1, [1, -1])
        let top = try context.topK(query, in: catalog, k: 4, excluding: SeenItems([[1], []]))
        #expect(top.ids == [2, 0, -1, -1, 0, 2, 1, -1])
        #expect(top.scores == [6, 5, -.infinity, -.infinity, -5, -6, -7, -.infinity])
        #expect(top.report.topK == 3 && top.report.notes.contains(.optionCapped))
        #expect(Array(top.ids(of: 1)) == [0, 2, 1, -1])
    }

    @Test("ties go to the lower id, in lists and in ranks, and a seen target stands all the same")
    func ties() throws {
        let context = try Context()
        let catalog = try context.catalog(try Matrix(rows: 5, columns: 1, [1, 2, 2, 2, 0]))
        let query = try Matrix(rows: 3, columns: 1, [1, 1, 1])
        #expect(Array(try context.topK(query, in: catalog, k: 4).ids(of: 0)) == [1, 2, 3, 0])
        let seen = SeenItems([[], [1], [3]])
        #expect(
            try context.targetRanks(query, targets: [3, 3, 3] as [Int32], in: catalog, excluding: seen) == [3, 2, 3])
    }

    @Test("bad requests are errors that name what was given")
    func refusals() throws {
        let context = try Context()
        let catalog = try context.catalog(try Matrix(rows: 5, columns: 2))
        let query = try Matrix(rows: 2, columns: 2)
        func code(_ words: String, _ body: () throws -> Void) -> ShortlistError.Code? {
            let error = #expect(throws: ShortlistError.self) { try body() }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            return error?.code
        }
        #expect(code("k is 0") { _ = try context.topK(query, in: catalog, k: 0) } == .invalidArgument)
        #expect(
            code("seen item 5") { _ = try context.topK(query, in: catalog, k: 1, excluding: SeenItems([[5], []])) }
                == .indexOutOfRange)
        #expect(
            code("3 offsets") { _ = try context.topK(query, in: catalog, k: 1, excluding: SeenItems([[1]])) }
                == .invalidArgument)
        #expect(
            code("excluded item -1") { _ = try context.topK(query, in: catalog, k: 1, excludedItems: [-1]) }
                == .indexOutOfRange)
        let narrow = try Matrix(rows: 2, columns: 1)
        #expect(code("1 columns") { _ = try context.topK(narrow, in: catalog, k: 1) } == .invalidArgument)
        #expect(
            code("target 5 of query 1") {
                _ = try context.targetRanks(query, targets: [0, 5] as [Int32], in: catalog)
            } == .targetOutOfRange)
        #expect(
            code("excluded") {
                _ = try context.targetRanks(query, targets: [0, 1] as [Int32], in: catalog, excludedItems: [1])
            } == .excludedTarget)
    }

    @Test("a row of only NaN is ranked below all, and nothing crashes")
    func poison() throws {
        let context = try Context()
        let catalog = try context.catalog(try Matrix(rows: 4, columns: 1, [.nan, -.infinity, 3, .infinity]))
        let query = try Matrix(rows: 1, columns: 1, [1])
        #expect(try context.topK(query, in: catalog, k: 4).ids == [3, 2, 1, 0])
        #expect(try context.targetRanks(query, targets: [0] as [Int32], in: catalog) == [4])
    }
}
