import Testing

@testable import onestep

struct ArrangementTests {
    @Test func `each arrangement puts its vectors where its notation says`() {
        func places(_ arrangement: Arrangement) -> String {
            arrangement.slots(length: 5).map { slot in
                switch slot {
                case .vector(0): "e"
                case .vector: "m"
                case .token(let index): "\(index)"
                }
            }.joined()
        }
        #expect(places(.single) == "eeeee")
        #expect(places(.halves) == "eeemm")
        #expect(places(.alternating) == "ememe")
        #expect(places(.leading) == "emmmm")
        #expect(places(.cramming) == "e0123")
    }

    @Test(arguments: Arrangement.allCases)
    func `slots name no vector that the arrangement does not have`(arrangement: Arrangement) {
        for length in 0...9 {
            let slots = arrangement.slots(length: length)
            #expect(slots.count == length)
            for case .vector(let vector) in slots { #expect(vector < arrangement.vectorCount) }
        }
    }

    @Test func `own vectors have rows of their own and a shared m has one row`() throws {
        let own = try ProtoTokens(.leading, texts: 3, sharesSecond: false, width: 4)
        #expect(own.table.rows == 6)
        #expect(Set((0..<3).flatMap(own.rows)) == Set(0..<6))
        let shared = try ProtoTokens(.leading, texts: 3, sharesSecond: true, width: 4)
        #expect(shared.table.rows == 4)
        #expect((0..<3).map(shared.rows) == [[0, 3], [1, 3], [2, 3]])
        let single = try ProtoTokens(.single, texts: 3, sharesSecond: true, width: 4)
        #expect(single.table.rows == 3 && !single.sharesSecond)
    }

    @Test func `vectors are drawn from the standard normal, the same for a seed whatever the other texts`() throws {
        let (few, many) = (
            try ProtoTokens(.leading, texts: 2, sharesSecond: false, width: 2000),
            try ProtoTokens(.leading, texts: 5, sharesSecond: false, width: 2000)
        )
        for text in 0..<2 { few.draw(text: text, seed: 7) }
        for text in 0..<5 { many.draw(text: text, seed: 7) }
        for text in 0..<2 {
            for vector in 0..<2 {
                let a = Array(few.table.row(few.row(text: text, vector: vector)))
                #expect(a == Array(many.table.row(many.row(text: text, vector: vector))))
            }
        }
        let values = many.table.elements.map { Double($0) }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
        #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.05)
        #expect(Set(many.table.elements).count > 19_000)
    }

    @Test func `the ladder is the paper's`() {
        #expect(LengthList.ladder(to: 256) == [4, 5, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256])
        #expect(LengthList.ladder(to: 255).last == 181)
    }

    @Test func `a list of lengths must ascend and be positive`() {
        #expect(LengthList(argument: "1,2,16")?.lengths == [1, 2, 16])
        for bad in ["", "0", "4,4", "8,4", "4,,8", "four", "-1"] { #expect(LengthList(argument: bad) == nil) }
    }
}
