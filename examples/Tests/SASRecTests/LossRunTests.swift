import ExampleCommandLine
import ExampleSupport
import ExampleTestSupport
import Foundation
import NeuralLayers
import Shortlist
import Testing

@testable import sasrec

@Suite struct LossRunTests {
    @Test(arguments: LossName.allCases, [false, true])
    func `each loss learns a small world better than popularity, with dense and with lazy Adam`(
        loss: LossName, isLazy: Bool
    ) throws {
        let run = try World.run(World.settings(loss) { $0.step.adam.isLazy = isLazy }, epochs: 30)
        try run.run()
        let popularity = try Context().popularityMetrics(of: World.split.test, in: World.data, World.split)
        let test = try #require(run.progress.test)
        #expect(test.ndcg10 > 1.5 * popularity.ndcg10)
        #expect(run.progress.epochs.last!.loss < run.progress.epochs.first!.loss)
        #expect(run.progress.peakWorkspace > 0)
        #expect(test.at(10).coverage.map { $0 > 0 && $0 <= 1 } ?? false)
    }

    @Test(arguments: LossName.allCases) func `the number of threads changes no bit`(loss: LossName) throws {
        let runs = try [1, 2, 3].map { threads in
            let run = try World.run(World.settings(loss), epochs: 2, threads: threads)
            try run.run()
            return run.numbers
        }
        #expect(runs[0] == runs[1] && runs[0] == runs[2])
    }

    @Test func `another seed gives another model`() throws {
        let runs = try [1, 2].map { seed in
            let run = try World.run(World.settings { $0.step.seed = UInt64(seed) }, epochs: 1)
            try run.run()
            return run.numbers
        }
        #expect(runs[0] != runs[1])
    }

    @Test(arguments: [LossName.sce, .rece], [false, true])
    func `a resumed run ends bit for bit where the uninterrupted one ends`(loss: LossName, isLazy: Bool) throws {
        let scratch = try Scratch()
        let settings = World.settings(loss) {
            $0.step.adam.isLazy = isLazy
            $0.step.warmUpSteps = 9
            $0.step.clipNorm = 0.5
        }
        let whole = try World.run(settings, epochs: 4)
        try whole.run()
        let file = CheckpointFile(path: scratch.path("run.safetensors"))
        try World.run(settings, epochs: 2, checkpoint: file).run()
        let resumed = try World.run(settings, epochs: 4, checkpoint: file)
        try resumed.resume()
        #expect(resumed.progress.epochs.count == 2)
        try resumed.run()
        #expect(resumed.numbers == whole.numbers)
        #expect(resumed.progress.test == whole.progress.test)
        #expect(resumed.progress.epochs.map(\.validationNDCG10) == whole.progress.epochs.map(\.validationNDCG10))
        #expect(resumed.progress.epochs.map(\.loss) == whole.progress.epochs.map(\.loss))
    }

    /// From zero moments, dense Adam leaves items alone that have no gradient.
    @Test(arguments: [LossName.sce, .rece])
    func `the first step of lazy Adam is that of dense Adam bit for bit`(loss: LossName) throws {
        let numbers = try [false, true].map { isLazy in
            let settings = World.settings(loss) {
                $0.step.adam.isLazy = isLazy
                $0.step.lossParameters.sceBuckets = 4
                $0.step.lossParameters.sceTokens = 30
                $0.step.lossParameters.sceItems = 10
                $0.batchSequences = 1000
            }
            let run = try World.run(settings, epochs: 1)
            try run.run()
            #expect(run.progress.steps == 1)
            return run.numbers
        }
        #expect(numbers[0] == numbers[1])
    }

    @Test func `training stops when validation stops improving, and tests the best epoch`() throws {
        let run = try LossRun(
            World.settings { $0.step.adam.learningRate = 0.05 }, RunLimits(epochs: 60, patience: 3), World.data,
            World.split, Context(), checkpoint: nil, ProgressLog())
        try run.run()
        let curve = run.progress.epochs.map(\.validationNDCG10)
        #expect(curve.count < 60 && curve.count == run.progress.bestEpoch + 3)
        #expect(curve[run.progress.bestEpoch - 1] == curve.max())
        #expect(run.progress.test?.ndcg10 == run.progress.best?.testNDCG10)
    }

    @Test func `a loss that is not finite ends the run with advice`() throws {
        let run = try World.run(World.settings { $0.step.adam.learningRate = 1e30 }, epochs: 3)
        #expect(throws: Diverged.self) { try run.run() }
    }

    @Test func `clipping bounds the step and warm-up starts small`() throws {
        func moved(_ change: @escaping (inout RunSettings) -> Void) throws -> Float {
            let run = try World.run(World.settings(.ce, change), epochs: 1)
            let start = Array(run.state.model.parameters.elements)
            let batch = TrainingBatch(
                World.data.histories.prefix(32).map { $0[...] }, maximumLength: 20, positions: .end)
            _ = try run.state.step(batch)
            return zip(run.state.model.parameters.elements, start).reduce(0) { max($0, abs($1.0 - $1.1)) }
        }
        // Adam's first step is the learning rate, whatever the gradient's length, unless ε counts.
        let plain = try moved { _ in }
        #expect(abs(plain - 5e-3) < 5e-4)
        #expect(try moved { $0.step.warmUpSteps = 10 } < 0.11 * plain)
        #expect(try moved { $0.step.clipNorm = 1e-9 } < 0.2 * plain)
    }

    @Test func `recommendations and ranks come from the same hidden states as training`() throws {
        let model = try SASRecModel(World.settings().shape)
        model.initialize(.xavier, seed: 3)
        let ranker = try Ranker(model, threads: 2)
        let queries = try ranker.queries([[1, 2, 3], [], [4, 5]])
        let batch = PackedBatch([[1, 2, 3], [4, 5]], maximumLength: 20, positions: .end)
        let hidden = try Matrix(rows: 5, columns: 16)
        model.forward(batch, dropout: nil, into: hidden, SASRecModel.Memory(), Workers(1))
        #expect(Array(queries.row(0)) == Array(hidden.row(2)))
        #expect(Array(queries.row(1)) == [Float](repeating: 0, count: 16))
        #expect(Array(queries.row(2)) == Array(hidden.row(4)))
    }
}
