import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import NeuralLayers
import Shortlist

@main
struct SASRec: ParsableCommand {
    @Option var data: String
    @Option var loss: LossName = .sce
    @OptionGroup var parameters: LossParameterOptions
    @OptionGroup var contextSettings: ContextSettings
    @Option var epochs = 300
    @Option var patience = 50
    @Option var dropout: Float = 0.6
    @Option var batch = 1024
    @Option var seed: UInt64 = 1
    @Option var maxLength = 200
    @Option var norm: String = "pre"
    @Option var positions: String = "end"
    @Option var initialization: String = "xavier"
    @Option var learningRate: Float = 1e-3
    @Option var heads = 1
    @Option var feedForward = 64
    @Flag(inversion: .prefixedNo) var scaleEmbeddings = true

    func run() throws {
        let data = try Interactions(contentsOf: data)
        let split = try LeaveOneOut(data)
        let context = try contextSettings.makeContext()
        var shape = ModelShape(items: data.itemCount)
        shape.maximumLength = maxLength
        shape.norm = NormStyle(rawValue: norm)!
        shape.positions = PackedBatch.Positions(rawValue: positions)!
        shape.scalesEmbeddings = scaleEmbeddings
        shape.heads = heads
        shape.feedForward = feedForward
        let model = try SASRecModel(shape)
        model.initialize(Initialization(rawValue: initialization)!, seed: seed)
        var settings = StepSettings(loss: loss, lossParameters: parameters.parameters)
        settings.dropout = dropout
        settings.seed = seed
        settings.adam.learningRate = learningRate
        let state = try TrainingState(settings, model, context)
        let histories = data.histories.map { $0.count < 3 ? $0[...] : $0.dropLast(2) }.filter { $0.count >= 2 }
        func metrics(_ examples: [Example]) throws -> RankingMetrics {
            let memory = SASRecModel.Memory()
            let ranks = try context.ranks(of: examples, in: data, catalog: state.catalog) { some in
                let packed = PackedBatch(
                    some.lazy.map { data.history(before: $0) }, maximumLength: maxLength, positions: shape.positions)
                let all = try Matrix(rows: packed.rows, columns: 64)
                model.forward(packed, dropout: nil, into: all, memory, state.workers)
                let out = try Matrix(rows: some.count, columns: 64)
                for (i, r) in packed.lastRows.enumerated() { for c in 0..<64 { out[i, c] = all[r, c] } }
                return out
            }
            return RankingMetrics(ranks: ranks)
        }
        var best: (Double, Int, RankingMetrics)?
        let total = Stopwatch()
        for epoch in 1...epochs {
            var order = histories
            var generator = SeededGenerator(seed: seed &+ 1000 &* UInt64(epoch), stream: 3)
            generator.shuffle(&order)
            let clock = Stopwatch()
            var sum = 0.0
            var rows = 0
            for first in stride(from: 0, to: order.count, by: batch) {
                let b = TrainingBatch(
                    Array(order[first..<min(order.count, first + batch)]), maximumLength: maxLength,
                    positions: shape.positions)
                sum += try state.step(b) * Double(b.inputs.rows)
                rows += b.inputs.rows
            }
            let trained = clock.seconds
            let m = try metrics(split.validation)
            if m.ndcg10 > best?.0 ?? -1 { best = (m.ndcg10, epoch, try metrics(split.test)) }
            print(
                "epoch \(epoch) loss \(fixed(sum / Double(rows), 4)) train \(fixed(trained, 2)) s valid \(fixed(clock.seconds - trained, 2)) s ndcg \(fixed(m.ndcg10, 4)) best \(best!.1) test ndcg \(fixed(best!.2.ndcg10, 4)) hr \(fixed(best!.2.hitRate10, 4)) ws \(state.peakWorkspace)"
            )
            fflush(nil)
            if epoch - best!.1 >= patience { break }
        }
        print(
            "DONE best \(best!.1) valid \(fixed(best!.0, 5)) test ndcg \(fixed(best!.2.ndcg10, 5)) hr \(fixed(best!.2.hitRate10, 5)) seconds \(fixed(total.seconds, 1))"
        )
    }
}
