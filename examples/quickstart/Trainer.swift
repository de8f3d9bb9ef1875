import ExampleSupport
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
    let seconds: Double
    /// The most workspace that any step's loss used.
    let peakWorkspace: Int
    let threads: Int
}

/// Trains one model per loss, each from the same start on the same batches, and ranks the test items.
struct Trainer {
    let context: Context
    let data: Interactions
    let split: LeaveOneOut
    let settings: TrainingSettings
    let losses: LossOptions
    let progress: Progress

    func train(_ name: LossName) throws -> TrainingResult {
        let start = ContinuousClock.now
        let model = try RecentItemsModel(
            items: data.itemCount, dimension: settings.dimension, window: settings.window, seed: settings.seed)
        let catalog = try context.catalog(model.output)
        let optimizers = try model.parameterTables.map { table in
            try Adam(rows: table.rows, columns: table.columns, settings.adam)
        }
        var order = split.training
        var generator = SeededGenerator(seed: settings.seed, stream: 3)
        var step = 0
        var peakWorkspace = 0
        var threads = 0
        var best: (epoch: Int, metrics: RankingMetrics, tables: [[Float]])?
        var epoch = 0

        while epoch < settings.epochs, epoch - (best?.epoch ?? 0) < settings.patience {
            epoch += 1
            generator.shuffle(&order)
            var lossSum = 0.0
            let epochStart = ContinuousClock.now
            for first in stride(from: 0, to: order.count, by: settings.batch) {
                try Interrupt.check()
                let batch = order[first..<min(order.count, first + settings.batch)]
                let histories = batch.map { data.history(before: $0) }

                // One training step: hidden states, the loss and its gradients, the model's gradients, the optimiser.
                let hidden = try model.hidden(histories)
                let result = try context.evaluate(
                    losses.loss(name, seed: settings.seed, step: step), hidden: hidden,
                    targets: batch.map { data.target(of: $0) }, catalog: catalog,
                    // SCE touches a sliver of the catalog and says which; the others touch every row.
                    gradients: name == .sce ? [.hidden, .catalogRows] : [.hidden, .catalog])
                guard result.loss.isFinite else { throw Diverged(loss: name, epoch: epoch) }
                let gradients = try model.backward(histories, hiddenGradient: result.gradients.hidden!)
                optimizers[0].step(model.output, catalogGradient(result))
                optimizers[1].step(model.input, .rows(ids: gradients.input.ids, gradients.input.rows))
                optimizers[2].step(model.mix, .all(gradients.mix))
                optimizers[3].step(model.offset, .all(gradients.offset))
                try catalog.update()  // nothing to do on a CPU; a GPU would take the new rows

                step += 1
                lossSum += result.loss * Double(batch.count)
                peakWorkspace = max(peakWorkspace, result.report.workspaceUsed)
                threads = max(threads, result.report.threads)
                let done = first + batch.count
                progress.passing {
                    let speed = Double(done) / (.now - epochStart).inSeconds
                    return describe(name, epoch, "\(100 * done / order.count)%", loss: lossSum / Double(done), speed)
                }
            }
            let speed = Double(order.count) / (.now - epochStart).inSeconds
            let metrics = try rank(split.validation, model, catalog)
            if metrics.ndcg10 > best?.metrics.ndcg10 ?? -1 {
                best = (epoch, metrics, model.parameterTables.map { Array($0.elements) })
            }
            let left = (.now - start).inSeconds / Double(epoch) * Double(settings.epochs - epoch)
            progress.line(
                describe(name, epoch, "", loss: lossSum / Double(order.count), speed)
                    + "   validation NDCG@10 \(fixed(metrics.ndcg10, 4))   at most \(readable(seconds: left)) left")
        }

        if let best {
            for (table, values) in zip(model.parameterTables, best.tables) {
                _ = table.elements.update(fromContentsOf: values)
            }
            try catalog.update()
        }
        let test = try rank(split.test, model, catalog)
        return TrainingResult(
            loss: name, test: test, validation: best?.metrics ?? RankingMetrics(ranks: []), bestEpoch: best?.epoch ?? 0,
            epochs: epoch, seconds: (.now - start).inSeconds, peakWorkspace: peakWorkspace, threads: threads)
    }

    private func catalogGradient(_ result: Evaluation) -> TableGradient {
        if let touched = result.gradients.catalogRows {
            .rows(ids: touched.ids, touched.rows!)
        } else {
            .all(result.gradients.catalog!)
        }
    }

    private func rank(_ examples: [Example], _ model: RecentItemsModel, _ catalog: Catalog) throws -> RankingMetrics {
        let ranks = try context.ranks(of: examples, in: data, catalog: catalog) { some in
            try Interrupt.check()
            return try model.hidden(some.map { data.history(before: $0) })
        }
        return RankingMetrics(ranks: ranks)
    }

    private func describe(_ name: LossName, _ epoch: Int, _ part: String, loss: Double, _ speed: Double) -> String {
        "\(name.rawValue)\tepoch \(epoch)/\(settings.epochs) \(part)\tloss \(fixed(loss, 4))\t\(grouped(Int(speed))) tokens/s"
    }
}

struct Diverged: Error, CustomStringConvertible {
    let loss: LossName
    let epoch: Int
    var description: String { "the loss \(loss.rawValue) is not finite in epoch \(epoch); try a lower --learning-rate" }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + 1e-18 * Double(components.attoseconds) }
}
