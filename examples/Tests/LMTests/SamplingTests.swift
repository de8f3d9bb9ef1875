import ExampleSupport
import ExampleTestSupport
import Foundation
import LanguageModel
import NeuralLayers
import Shortlist
import Testing
import Tokenization

@testable import lm

@Suite struct SamplingTests {
    // Trained once, and only read from then on.
    nonisolated(unsafe) private static let model: CausalLanguageModel = {
        let run = try! World.run(World.settings(), steps: 60)
        try! run.run()
        return run.state.model
    }()

    private func sample(
        _ count: Int, window: Int = 200, prompt: [Int32] = [0, 40, 50], _ settings: TextSampler.Settings
    ) throws -> [Int32] {
        let sampler = try TextSampler(Self.model, prompt: prompt, window: window, settings, Context())
        return try (0..<count).map { _ in try sampler.next() }
    }

    /// The logits behind `tokens` by a full pass in Double.
    private func logits(_ tokens: [Int32]) throws -> [Double] {
        let model = Self.model
        let width = model.configuration.width
        let input = try Matrix(rows: tokens.count, columns: width)
        let tile = Tile(input.elements.baseAddress!, rows: tokens.count, columns: width)
        model.embed(tokens, into: tile)
        let saved = model.forward(
            tile, starts: [Int32](repeating: 0, count: tokens.count), arena: Arena(), work: WorkMemory())
        let last = saved.hidden.row(tokens.count - 1)
        return (0..<model.configuration.vocabularySize).map { id in
            (0..<width).reduce(0) { $0 + Double(last[$1]) * Double(model.outputEmbeddings[id, $1]) }
        }
    }

    @Test func `temperature 0 takes the most probable token of the full pass`() throws {
        var tokens: [Int32] = [0, 40, 50]
        for token in try sample(12, TextSampler.Settings(temperature: 0)) {
            let logits = try logits(tokens)
            #expect(logits[Int(token)] > logits.max()! - 1e-4)
            tokens.append(token)
        }
    }

    @Test func `the same seed draws the same text, and another seed another`() throws {
        let draws = try [1, 1, 2].map { try sample(40, TextSampler.Settings(temperature: 1, topK: 0, seed: $0)) }
        #expect(draws[0] == draws[1] && draws[0] != draws[2])
    }

    @Test func `draws among all tokens have the softmax's frequencies, and among the top k nothing else`() throws {
        let probabilities = try logits([0]).map { exp($0 / 1.5) }
        let sum = probabilities.reduce(0, +)
        let best = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
        var counts = [Int: Int]()
        let draws = 3000
        for seed in 0..<draws {
            let token = try sample(
                1, prompt: [0], TextSampler.Settings(temperature: 1.5, topK: 0, seed: UInt64(seed)))
            counts[Int(token[0]), default: 0] += 1
        }
        for id in best.prefix(5) {
            let wanted = probabilities[id] / sum
            let deviation = (wanted * (1 - wanted) / Double(draws)).squareRoot()
            #expect(abs(Double(counts[id] ?? 0) / Double(draws) - wanted) < 5 * deviation, "\(id)")
        }
        let few = Set(best.prefix(3))
        for seed in 0..<100 {
            let token = try sample(1, prompt: [0], TextSampler.Settings(temperature: 5, topK: 3, seed: UInt64(seed)))
            #expect(few.contains(Int(token[0])))
        }
    }

    @Test func `beyond the window the text goes on from the window's last half`() throws {
        let greedy = TextSampler.Settings(temperature: 0)
        let long = try sample(40, window: 16, greedy)
        #expect(long.count == 40)
        // The first 13 tokens fill the window behind the prompt of 3; the next is drawn from the whole window, and the
        // one after it from the last 8 tokens.
        let all: [Int32] = [0, 40, 50] + long
        #expect(Array(long[..<14]) == (try sample(14, greedy)))
        for place in 17..<20 {
            let logits = try logits(Array(all[9..<place]))
            #expect(logits[Int(all[place])] > logits.max()! - 1e-4, "\(place)")
        }
    }
}
