import ExampleCommandLine
import ExampleSupport
import ExampleTestSupport
import Foundation
import Shortlist
import Testing

@testable import onestep

extension Double {
    var logarithm2: Double { log2(self) }
    var naturalLogarithm: Double { log(self) }
}

struct FitTests {
    @Test(arguments: LossName.allCases)
    func `two vectors reconstruct short texts exactly with every loss`(loss: LossName) throws {
        let model = try World.model()
        let texts = World.texts([6, 5, 6])
        let (objective, result) = try World.fit(model, texts) {
            $0.loss = loss
            $0.attempts = 3
            // Few tokens at a time: the blocks must reach the whole small vocabulary.
            $0.lossParameters.sceBuckets = 4
            $0.lossParameters.sceTokens = 17
            $0.lossParameters.sceItems = 40
            $0.lossParameters.receChunks = 2
        }
        #expect(result.texts.map(\.accuracy) == [1, 1, 1], "\(result.texts)")
        for text in texts.indices { #expect(try objective.decode(text: text, result.vectors) == texts[text]) }
        #expect(result.lossWorkspaceBytes > 0)
    }

    @Test func `one m for all texts reconstructs them as well`() throws {
        let model = try World.model()
        let texts = World.texts([4, 4, 4])
        let (objective, result) = try World.fit(model, texts) {
            $0.sharesSecond = true
            $0.attempts = 3
        }
        #expect(result.vectors.table.rows == 4)
        for text in texts.indices { #expect(try objective.decode(text: text, result.vectors) == texts[text]) }
    }

    @Test func `one vector says one token over and over from some length on where two do not`() throws {
        let model = try World.model()
        let texts = World.texts([6, 6])
        let one = try World.fit(model, texts, .single) { $0.steps = 400 }.result
        let two = try World.fit(model, texts, .leading) { $0.attempts = 3 }.result
        #expect(two.meanAccuracy == 1)
        #expect(one.meanAccuracy < 1)
    }

    @Test func `a fit is the same for the same seed, and another for another`() throws {
        let model = try World.model()
        let texts = World.texts([8])
        let tables = try [1, 1, 2].map { seed in
            let vectors = try World.fit(model, texts) {
                $0.seed = UInt64(seed)
                $0.steps = 300
            }.result.vectors
            return (0..<2).map { Array(vectors.table.row($0)) }
        }
        #expect(tables[0] == tables[1] && tables[0] != tables[2])
    }

    @Test func `saved vectors come back and say the same text`() throws {
        let scratch = try Scratch()
        let model = try World.model()
        let texts = World.texts([5, 3])
        let (_, result) = try World.fit(model, texts) { $0.attempts = 3 }
        let path = scratch.path("vectors.safetensors")
        try Solution(vectors: result.vectors, texts: texts).write(to: path, model: model)
        let loaded = try Solution(contentsOf: path, model: model)
        #expect(loaded.texts == texts)
        #expect(Array(loaded.vectors.table.elements) == Array(result.vectors.table.elements))
        let objective = Objective(model, texts: loaded.texts, arrangement: loaded.vectors.arrangement)
        for text in texts.indices { #expect(try objective.decode(text: text, loaded.vectors) == texts[text]) }
    }

    @Test func `a text that settles is surer of its tokens than one that just came out`() throws {
        let model = try World.model()
        let results = try [0, 200].map { settling in
            try World.fit(model, World.texts([5])) {
                $0.attempts = 3
                $0.settlingSteps = settling
            }.result
        }
        #expect(results.allSatisfy { $0.meanAccuracy == 1 })
        #expect(results[1].texts[0].loss < 0.8 * results[0].texts[0].loss)
        #expect(results[1].steps >= results[0].steps + 200)
    }

    @Test func `vectors of another model, and files that are none, are refused by name`() throws {
        let scratch = try Scratch()
        let model = try World.model()
        let path = scratch.path("vectors.safetensors")
        let vectors = try ProtoTokens(.leading, texts: 1, sharesSecond: false, width: model.width)
        try Solution(vectors: vectors, texts: [[1, 2]]).write(to: path, model: model)
        let other = try World.model(tied: false)
        #expect { try Solution(contentsOf: path, model: other) } throws: { "\($0)".contains("another model") }
        var writer = SafetensorsWriter()
        try writer.add("vectors", vectors.table)
        try writer.write(to: path)
        #expect { try Solution(contentsOf: path, model: model) } throws: { "\($0)".contains("onestep fit") }
        try Data("no tensors".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: SafetensorsError.self) { try Solution(contentsOf: path, model: model) }
    }

    @Test func `a search stops where texts fail, and capacity is the longest that came out`() throws {
        let model = try World.model()
        var settings = FitSettings()
        settings.steps = 400
        let search = CapacitySearch(
            model: model, arrangement: .single, settings: settings, lengths: [1, 5, 9, 20], wanted: 0.99,
            failuresAllowed: 1, log: ProgressLog())
        let outcome = try search.run(World.texts([20, 20]), name: "test")
        #expect(outcome.capacity == [1, 1])
        #expect(outcome.steps.map(\.length) == [1, 5])
        #expect(outcome.bits.allSatisfy { abs($0 - Double(World.vocabulary).logarithm2) < 1e-9 })
    }

    @Test func `the line between two solutions breaks and the trained curve holds more`() throws {
        let model = try World.model()
        let text = World.texts([6])
        let ends = try [1, 500].map { seed in
            try World.fit(model, text) {
                $0.seed = UInt64(seed)
                $0.attempts = 3
            }.result
        }
        #expect(ends.allSatisfy { $0.meanAccuracy == 1 })
        func vectors(_ end: Int) -> [[Float]] { (0..<2).map { Array(ends[end].vectors.table.row($0)) } }
        let connection = Connection(
            model: model, text: text[0], arrangement: .leading, a: vectors(0), b: vectors(1))
        let ts = (0...10).map { Float($0) / 10 }
        let line = try connection.accuracies(at: ts, through: nil)
        let middle = try connection.trainedMiddle(
            steps: 300, points: 6, adam: FitSettings().adam, seed: 1, log: ProgressLog())
        let curve = try connection.accuracies(at: ts, through: middle)
        #expect(line.first == 1 && line.last == 1 && curve.first == 1 && curve.last == 1)
        #expect(curve.reduce(0, +) > line.reduce(0, +))
    }

    @Test func `decoding token by token gives what cramming was trained for`() throws {
        let model = try World.model()
        let texts = World.texts([5])
        let (_, result) = try World.fit(model, texts, .cramming) { $0.attempts = 3 }
        #expect(result.meanAccuracy == 1)
        #expect(try model.greedy(from: Array(result.vectors.table.row(0)), count: 5) == texts[0])
    }

    @Test func `samples come from the model's distribution`() throws {
        let model = try World.model()
        let drawn = try (0..<400).map { try model.sample(after: [7, 8], count: 1, seed: $0)[0] }
        let inputs = try Matrix(rows: 2, columns: model.width)
        for (row, token) in [Int32(7), 8].enumerated() {
            _ = inputs.row(row).update(fromContentsOf: model.embedding(of: token))
        }
        let hidden = try model.hidden(inputs, lengths: [2])
        let query = try Matrix(rows: 1, columns: model.width, Array(hidden.row(1)))
        let all = try model.context.topK(query, in: model.catalog, k: World.vocabulary)
        let sum = all.scores.reduce(0) { $0 + exp(Double($1)) }
        for (id, score) in zip(all.ids, all.scores).prefix(3) {
            let p = exp(Double(score)) / sum
            let share = Double(drawn.count { $0 == id }) / 400
            #expect(abs(share - p) < 4 * (p * (1 - p) / 400).squareRoot() + 1e-9, "token \(id)")
        }
    }
}
