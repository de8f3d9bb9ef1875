import ExampleSupport
import Shortlist

/// The trained vectors of several texts under one arrangement: the rows of one table.
///
/// Text k's first vector (e) is row k. Its second (m), where the arrangement has one, is row K + k, or row K for all
/// texts where they share it.
struct ProtoTokens: Sendable {
    let arrangement: Arrangement
    let textCount: Int
    let sharesSecond: Bool
    let table: Matrix

    /// - Throws: `ShortlistError` when memory runs out.
    init(_ arrangement: Arrangement, texts: Int, sharesSecond: Bool, width: Int) throws {
        self.arrangement = arrangement
        textCount = texts
        self.sharesSecond = sharesSecond && arrangement.vectorCount == 2
        let second = arrangement.vectorCount == 1 ? 0 : self.sharesSecond ? 1 : texts
        table = try Matrix(rows: texts + second, columns: width)
    }

    func row(text: Int, vector: Int) -> Int {
        vector == 0 ? text : textCount + (sharesSecond ? 0 : text)
    }

    /// The rows of `text`.
    func rows(of text: Int) -> [Int] { (0..<arrangement.vectorCount).map { row(text: text, vector: $0) } }

    /// Draws the vectors of `text` from N(0, 1); the same numbers for the same `seed` and `text`, whatever the others.
    func draw(text: Int, seed: UInt64) {
        for vector in 0..<arrangement.vectorCount {
            let stream = vector == 1 && sharesSecond ? UInt64.max : UInt64(2 * text + vector)
            var generator = SeededGenerator(seed: seed, stream: stream)
            let values = table.row(row(text: text, vector: vector))
            for column in values.indices { values[column] = Float(generator.normal()) }
        }
    }

    /// Takes over the rows of `text` from vectors of the same form.
    func copy(text: Int, from other: ProtoTokens) {
        for row in rows(of: text) {
            _ = table.row(row).update(fromContentsOf: other.table.row(row))
        }
    }
}
