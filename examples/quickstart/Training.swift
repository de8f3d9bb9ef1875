import ExampleCommandLine
import ExampleSupport
import NeuralLayers
import Shortlist

/// A model on its way: what changes from step to step.
struct Training {
    let name: LossName
    let losses: LossParameters
    let context: Context
    let data: Interactions
    let seed: UInt64
    let model: RecentItemsModel
    /// The model's output embeddings, as the library sees them.
    let catalog: Catalog
    private let optimizers: [Adam]

    private(set) var steps = 0
    /// The most workspace that any step's loss used, in bytes.
    private(set) var peakWorkspace = 0
    private(set) var threads = 0

    init(
        _ name: LossName, _ losses: LossParameters, _ context: Context, _ data: Interactions,
        _ settings: TrainingSettings
    ) throws {
        self.name = name
        self.losses = losses
        self.context = context
        self.data = data
        seed = settings.seed
        model = try RecentItemsModel(
            items: data.itemCount, dimension: settings.dimension, window: settings.window, seed: settings.seed)
        catalog = try context.catalog(model.output)
        optimizers = try model.tables.map { try Adam(rows: $0.rows, columns: $0.columns, settings.adam) }
    }

    /// One training step: hidden states, the loss and its gradients, the model's gradients, the optimiser.
    ///
    /// - Returns: the loss.
    mutating func step(_ batch: ArraySlice<Example>) throws -> Double {
        let histories = batch.map { data.history(before: $0) }
        let hidden = try model.hidden(histories)
        let result = try context.evaluate(
            losses.loss(name, seed: seed, step: steps), hidden: hidden, targets: batch.map { data.target(of: $0) },
            catalog: catalog,
            // SCE touches a sliver of the catalog and says which; the others touch every row.
            gradients: name == .sce ? [.hidden, .catalogRows] : [.hidden, .catalog])
        guard result.loss.isFinite else { throw Diverged(loss: name, step: steps, advice: "a lower --learning-rate") }

        let gradients = try model.backward(histories, hiddenGradient: result.gradients.hidden!)
        optimizers[0].step(model.output, catalogGradient(result))
        optimizers[1].step(model.input, .rows(ids: gradients.input.ids, gradients.input.rows))
        optimizers[2].step(model.mix, .all(gradients.mix))
        optimizers[3].step(model.offset, .all(gradients.offset))
        try catalog.update()  // nothing to do on a CPU; a GPU takes the new rows

        steps += 1
        peakWorkspace = max(peakWorkspace, result.report.workspaceUsed)
        threads = max(threads, result.report.threads)
        return result.loss
    }

    private func catalogGradient(_ result: Evaluation) -> TableGradient {
        if let touched = result.gradients.catalogRows {
            .rows(ids: touched.ids, touched.rows!)
        } else {
            .all(result.gradients.catalog!)
        }
    }

    /// How well the model ranks the targets of `examples` now, without coverage.
    func ranks(on examples: [Example]) throws -> RankingMetrics {
        RankingMetrics(ranks: try context.ranks(of: examples, in: data, catalog: catalog, hidden: hidden))
    }

    /// The same with coverage, which takes a second pass over the catalog.
    func metrics(on examples: [Example]) throws -> RankingMetrics {
        try context.metrics(of: examples, in: data, catalog: catalog, hidden: hidden)
    }

    private func hidden(_ examples: ArraySlice<Example>) throws -> Matrix {
        try model.hidden(examples.map { data.history(before: $0) })
    }

    /// Puts parameters back that `model.tables` had earlier.
    func restore(_ tables: [[Float]]) throws {
        for (table, values) in zip(model.tables, tables) { _ = table.elements.update(fromContentsOf: values) }
        try catalog.update()
    }
}
