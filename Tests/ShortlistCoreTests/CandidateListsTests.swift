import ShortlistCore
import Testing

@Suite("Candidate lists")
struct CandidateListsTests {
    @Test("Blocks given as lists get offsets from 0 to the number of tokens and items")
    func offsets() {
        let lists = CandidateLists(blocks: [(tokens: [4, 1], items: [7]), (tokens: [], items: []), ([2], [3, 3, 0])])
        #expect(lists.blockCount == 3)
        #expect(lists.tokenOffsets == [0, 2, 2, 3] && lists.tokens == [4, 1, 2])
        #expect(lists.itemOffsets == [0, 1, 1, 4] && lists.items == [7, 3, 3, 0])
        #expect(CandidateLists(blocks: []).blockCount == 0)
        #expect(CandidateLists(tokenOffsets: [], tokens: [], itemOffsets: [], items: []).blockCount == 0)
    }

    @Test("A view lends the very values, with log-weights and flags where there are some")
    func lending() throws {
        var lists = CandidateLists(blocks: [(tokens: [4, 1], items: [7]), ([2], [3, 0])])
        let plain = try lists.withView { (view) throws(ShortlistError) in
            (
                view.blockCount, Array(view.tokenOffsets), Array(view.tokens), Array(view.itemOffsets),
                Array(view.items), view.logWeights == nil, view.contributesToCatalogGradient == nil
            )
        }
        #expect(plain.0 == 2 && plain.1 == [0, 2, 3] && plain.2 == [4, 1, 2])
        #expect(plain.3 == [0, 1, 3] && plain.4 == [7, 3, 0] && plain.5 && plain.6)
        lists.logWeights = [0.5, -1, 2]
        lists.contributesToCatalogGradient = [true, false]
        let full = try lists.withView { (view) throws(ShortlistError) in
            (view.logWeights.map { Array($0) }, view.contributesToCatalogGradient.map { Array($0) })
        }
        #expect(full.0 == [0.5, -1, 2] && full.1 == [true, false])
    }

    @Test("An error of the body comes out of the view as it was")
    func errors() {
        let thrown = ShortlistError(.roomTooSmall, "on purpose", bytesNeeded: 5)
        let caught = failure { () throws(ShortlistError) in
            try CandidateLists(blocks: []).withView { (_) throws(ShortlistError) in throw thrown }
        }
        #expect(caught == thrown)
    }
}
