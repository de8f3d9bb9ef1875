import ExampleCommandLine
import ExampleSupport
import NeuralLayers
import Shortlist

struct TrainingSettings {
    var epochs: Int
    var batch: Int
    /// Epochs without a better validation NDCG@10 after which training stops.
    var patience: Int
    var dimension: Int
    var window: Int
    var seed: UInt64
    var adam: AdamSettings
}

struct TrainingResult {
    let loss: LossName
    let test: RankingMetrics
    let validation: RankingMetrics
    let bestEpoch: Int
    let epochs: Int
    /// All of it: training, validation and the test.
    let seconds: Double
    let peakWorkspace: Int
    let threads: Int
}

/// Trains one model per loss, each from the same start on the same batches, and ranks the test items.
struct Trainer {
    let context: Context
    let data: Interactions
    let split: Split
    let settings: TrainingSettings
    let losses: LossParameters
    let progress: ProgressLog

    /// Trains until validation stops improving, goes back to the best epoch and takes the test.
    func train(_ name: LossName) throws -> TrainingResult {
        let clock = Stopwatch()
        var training = try Training(name, losses, context, data, settings)
        var order = split.training
        var generator = SeededGenerator(seed: settings.seed, stream: 3)
        var best: (epoch: Int, metrics: RankingMetrics, tables: [[Float]])?
        var epoch = 0

        while epoch < settings.epochs, epoch - (best?.epoch ?? 0) < settings.patience {
            epoch += 1
            generator.shuffle(&order)
            let summary = try trainEpoch(epoch, order, &training)
            let metrics = try training.ranks(on: split.validation)
            if metrics.ndcg10 > best?.metrics.ndcg10 ?? -1 {
                best = (epoch, metrics, training.model.tables.map { Array($0.elements) })
            }
            let left = clock.seconds / Double(epoch) * Double(settings.epochs - epoch)
            progress.line(
                summary + "   validation NDCG@10 \(fixed(metrics.ndcg10, 4))   at most \(readable(seconds: left)) left")
        }

        if let best { try training.restore(best.tables) }
        let test = try training.metrics(on: split.test)
        return TrainingResult(
            loss: name, test: test, validation: best?.metrics ?? RankingMetrics(ranks: []), bestEpoch: best?.epoch ?? 0,
            epochs: epoch, seconds: clock.seconds, peakWorkspace: training.peakWorkspace, threads: training.threads)
    }

    /// One pass over the examples in `order`. - Returns: a line that says how it went.
    private func trainEpoch(_ epoch: Int, _ order: [Example], _ training: inout Training) throws -> String {
        let clock = Stopwatch()
        var lossSum = 0.0
        var done = 0
        func line(_ share: String) -> String {
            "\(training.name.rawValue)   epoch \(epoch)/\(settings.epochs)\(share)"
                + "   loss \(fixed(lossSum / Double(max(1, done)), 4))"
                + "   \(grouped(Int(Double(done) / max(1e-9, clock.seconds)))) tokens/s"
        }
        for first in stride(from: 0, to: order.count, by: settings.batch) {
            try Interrupt.check()
            let batch = order[first..<min(order.count, first + settings.batch)]
            lossSum += try training.step(batch) * Double(batch.count)
            done += batch.count
            progress.passing { line(" \(100 * done / order.count)%") }
        }
        return line("")
    }
}
