import Shortlist
import Testing

@testable import onestep

struct ObjectiveTests {
    @Test(arguments: Arrangement.allCases, [false, true])
    func `the vectors' gradient is the change of the loss`(arrangement: Arrangement, sharesSecond: Bool) throws {
        let model = try World.model()
        let texts = World.texts([5, 3, 7])
        let objective = Objective(model, texts: texts, arrangement: arrangement)
        let vectors = try ProtoTokens(arrangement, texts: 3, sharesSecond: sharesSecond, width: model.width)
        for text in 0..<3 { vectors.draw(text: text, seed: 1) }
        // The middle text is done: its vectors have no gradient, but for an m that all share.
        let active = [0, 2]
        func loss() throws -> Double {
            try objective.evaluate(active, vectors, loss: CrossEntropy()).tokenLosses.joined().reduce(0) {
                $0 + Double($1)
            }
        }
        let found = try objective.evaluate(active, vectors, loss: CrossEntropy())
        #expect(found.tokenLosses.map(\.count) == [5, 7])
        #expect(found.rows.map { Int($0) } == Set(active.flatMap(vectors.rows)).sorted())
        for (place, row) in found.rows.enumerated() {
            for column in stride(from: 0, to: model.width, by: 11) {
                let h: Float = 1e-2
                let old = vectors.table.row(Int(row))[column]
                vectors.table.row(Int(row))[column] = old + h
                let above = try loss()
                vectors.table.row(Int(row))[column] = old - h
                let below = try loss()
                vectors.table.row(Int(row))[column] = old
                let difference = (above - below) / Double(2 * h)
                let gradient = Double(found.gradient.row(place)[column])
                #expect(abs(gradient - difference) < 0.01 + 0.01 * abs(difference), "row \(row), column \(column)")
            }
        }
    }

    @Test func `what one pass decodes is what the accuracy counts`() throws {
        let model = try World.model()
        let texts = World.texts([9, 4])
        let objective = Objective(model, texts: texts, arrangement: .leading)
        let vectors = try ProtoTokens(.leading, texts: 2, sharesSecond: false, width: model.width)
        for text in 0..<2 { vectors.draw(text: text, seed: 4) }
        let hits = try objective.hits([0, 1], vectors)
        for text in 0..<2 {
            let decoded = try objective.decode(text: text, vectors)
            #expect(zip(decoded, texts[text]).map { $0 == $1 } == hits[text])
        }
    }

    @Test(arguments: Arrangement.allCases)
    func `ranking an evaluation's hidden states gives what a pass of its own gives, whatever the batch was before`(
        arrangement: Arrangement
    ) throws {
        let model = try World.model()
        let texts = World.texts([9, 4, 6])
        let objective = Objective(model, texts: texts, arrangement: arrangement)
        let vectors = try ProtoTokens(arrangement, texts: 3, sharesSecond: false, width: model.width)
        for text in 0..<3 { vectors.draw(text: text, seed: 4) }
        for active in [[0, 1, 2], [1], [0, 2], [0, 2]] {
            // Vectors that move between two evaluations of one batch, as in training.
            for text in active { vectors.table.row(text)[0] += 1 }
            let found = try objective.evaluate(active, vectors, loss: CrossEntropy())
            let hits = try objective.hits(of: found)
            let fresh = Objective(model, texts: texts, arrangement: arrangement)
            #expect(try hits == fresh.hits(active, vectors))
            let again = try fresh.evaluate(active, vectors, loss: CrossEntropy())
            #expect(found.tokenLosses == again.tokenLosses)
            #expect(Array(found.gradient.elements) == Array(again.gradient.elements))
        }
    }

    @Test func `texts side by side do not touch each other, and threads change no bit`() throws {
        let texts = World.texts([40, 33, 70])
        let together = try [1, 2].map { threads in
            let model = try World.model(threads: threads)
            let objective = Objective(model, texts: texts, arrangement: .leading)
            let vectors = try ProtoTokens(.leading, texts: 3, sharesSecond: false, width: model.width)
            for text in 0..<3 { vectors.draw(text: text, seed: 9) }
            let all = try objective.evaluate([0, 1, 2], vectors, loss: CrossEntropy())
            let alone = try objective.evaluate([1], vectors, loss: CrossEntropy())
            for (a, b) in zip(all.tokenLosses[1], alone.tokenLosses[0]) { #expect(abs(a - b) < 1e-4) }
            for (place, row) in alone.rows.enumerated() {
                let other = all.rows.firstIndex(of: row)!
                for (a, b) in zip(all.gradient.row(other), alone.gradient.row(place)) {
                    #expect(abs(a - b) < 1e-3 * (1 + abs(a)))
                }
            }
            return (all.tokenLosses, Array(all.gradient.elements))
        }
        #expect(together[0].0 == together[1].0 && together[0].1 == together[1].1)
    }

    @Test func `a text's bits are its tokens' log-probabilities, one after the other`() throws {
        let model = try World.model()
        let text = World.texts([6])[0]
        // The same from passes over every prefix, its last row alone.
        var expected = Double(World.vocabulary).logarithm2
        for end in 1..<text.count {
            let inputs = try Matrix(rows: end, columns: model.width)
            for row in 0..<end { _ = inputs.row(row).update(fromContentsOf: model.embedding(of: text[row])) }
            let hidden = try model.hidden(inputs, lengths: [end])
            let last = try Matrix(rows: 1, columns: model.width, Array(hidden.row(end - 1)))
            let loss = try model.context.evaluate(
                CrossEntropy(), hidden: last, targets: [text[end]], catalog: model.catalog
            ).loss
            expected += loss / 2.0.naturalLogarithm
        }
        #expect(abs(try model.bits(text) - expected) < 1e-3)
        #expect(try model.bits([]) == 0)
    }
}
