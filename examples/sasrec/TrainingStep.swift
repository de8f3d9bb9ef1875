import ExampleCommandLine
import ExampleSupport
import NeuralLayers
import Shortlist

/// What a training step depends on beside data and model; written into checkpoints.
struct StepSettings: Codable, Sendable, Equatable {
    var loss: LossName
    var lossParameters: LossParameters
    /// Multiplies the logits: 1 / temperature.
    var logitScale: Float = 1
    var dropout: Float = 0.5
    var adam = AdamSettings(beta2: 0.98)
    /// Steps over which the learning rate rises to its value.
    var warmUpSteps = 0
    /// Longest the gradient of all parameters together may be; nil for no bound.
    var clipNorm: Float?
    /// Seeds dropout and the losses' directions.
    var seed: UInt64 = 1
}

/// A model on its way: parameters, optimisers, and the step that moves them.
final class TrainingState {
    let settings: StepSettings
    let model: SASRecModel
    let context: Context
    /// The item embeddings as the library sees them.
    let catalog: Catalog
    let workers: Workers
    let itemOptimizer: Adam
    let parameterOptimizer: Adam
    /// Steps taken.
    var steps = 0
    /// The most workspace that a step's loss used, in bytes.
    var peakWorkspace = 0

    private let memory = SASRecModel.Memory()
    private let parameterGradient: Matrix
    private var catalogGradient: Matrix?
    private var hidden: Matrix
    private var hiddenGradient: Matrix

    init(_ settings: StepSettings, _ model: SASRecModel, _ context: Context) throws {
        self.settings = settings
        self.model = model
        self.context = context
        catalog = try context.catalog(model.items)
        workers = Workers(context.hostThreads)
        itemOptimizer = try Adam(rows: model.items.rows, columns: model.items.columns, settings.adam)
        var dense = settings.adam
        dense.isLazy = false
        parameterOptimizer = try Adam(rows: 1, columns: model.layout.count, dense)
        parameterGradient = try Matrix(rows: 1, columns: model.layout.count)
        hidden = try Matrix(rows: 0, columns: model.shape.dimension)
        hiddenGradient = hidden
    }

    /// One training step: hidden states, the loss and its gradients, the model's gradients, the optimisers.
    ///
    /// - Returns: the mean loss over the batch's rows.
    func step(_ batch: TrainingBatch) throws -> Double {
        let rows = batch.inputs.rows
        try makeRoom(rows: rows)
        let dropout = SASRecModel.DropoutKey(rate: settings.dropout, seed: settings.seed, step: UInt64(steps))
        model.forward(batch.inputs, dropout: dropout, into: hidden, memory, workers)

        let (loss, fromLoss) = try evaluate(batch.targets, rows: rows)
        guard loss.isFinite else { throw Diverged(loss: settings.loss, step: steps) }
        // The gradients of the rows' own embeddings take the place of the hidden gradient, which is used up.
        try model.backward(
            batch.inputs, dropout: dropout, hiddenGradient: hiddenGradient, into: parameterGradient,
            inputGradients: hiddenGradient, memory, workers)
        let gradient = try fromLoss.adding(hiddenGradient, at: batch.inputs.items)

        let scale = clipScale(gradient)
        let rate = steps < settings.warmUpSteps ? Float(steps + 1) / Float(settings.warmUpSteps) : 1
        itemOptimizer.step(model.items, gradient, rate: rate, scale: scale, workers: workers)
        parameterOptimizer.step(
            model.parameters, .all(parameterGradient), rate: rate, scale: scale, workers: workers)
        try catalog.update()  // nothing to do on a CPU; a GPU takes the new rows
        steps += 1
        return loss
    }

    /// The loss, dL/d hidden into `hiddenGradient`, and dL/d catalog: all rows of it, or for lazy Adam the touched ones.
    private func evaluate(_ targets: [Int32], rows: Int) throws -> (Double, TableGradient) {
        let loss = settings.lossParameters.loss(settings.loss, seed: settings.seed, step: steps)
        let width = model.shape.dimension
        return try targets.withUnsafeBufferPointer { targets in
            let batch = Batch(
                hidden: try MatrixView(hidden.elements.baseAddress!, rows: rows, columns: width),
                targets: .int32(targets), scale: settings.logitScale)
            let toHidden = try MutableMatrixView(hiddenGradient.elements.baseAddress!, rows: rows, columns: width)
            guard settings.adam.isLazy else {
                let gradient = try catalogGradient ?? Matrix(rows: model.items.rows, columns: width)
                catalogGradient = gradient
                let result = try context.evaluate(
                    loss, batch, catalog: catalog,
                    into: GradientOutputs(hidden: toHidden, catalog: .dense(gradient.mutableView)))
                peakWorkspace = max(peakWorkspace, result.report.workspaceUsed)
                return (result.loss, .all(gradient))
            }
            let state = try context.forward(loss, batch, catalog: catalog)
            let touched = state.result.report.distinctItemsTouched
            let gradient = try Matrix(rows: touched, columns: width)
            var ids = [Int32](repeating: 0, count: touched)
            let result = try ids.withUnsafeMutableBufferPointer { ids in
                try context.backward(
                    state,
                    into: GradientOutputs(hidden: toHidden, catalog: .rows(ids: ids, rows: gradient.mutableView)))
            }
            peakWorkspace = max(peakWorkspace, state.result.report.workspaceUsed, result.report.workspaceUsed)
            return (state.result.loss, .rows(ids: ids, gradient))
        }
    }

    private func clipScale(_ gradient: TableGradient) -> Float {
        guard let bound = settings.clipNorm else { return 1 }
        let norm = (gradient.values.sumOfSquares + parameterGradient.sumOfSquares).squareRoot()
        return norm > Double(bound) ? Float(Double(bound) / norm) : 1
    }

    private func makeRoom(rows: Int) throws {
        guard hidden.rows < rows else { return }
        hidden = try Matrix(rows: rows + rows / 4, columns: model.shape.dimension)
        hiddenGradient = try Matrix(rows: hidden.rows, columns: hidden.columns)
    }
}

extension TableGradient {
    /// This gradient with row k of `values` added to row `items[k]` of the table.
    fileprivate func adding(_ values: Matrix, at items: [Int32]) throws -> TableGradient {
        switch self {
        case .all(let table):
            for (row, item) in items.enumerated() { table.row(Int(item)).add(values.row(row)) }
            return self
        case .rows(let ids, let rows):
            // Both lists ascend and are merged; rows of the same item are added in their order in the batch.
            let order = items.indices.sorted { (items[$0], $0) < (items[$1], $1) }
            var union: [Int32] = []
            union.reserveCapacity(ids.count + items.count)
            var place = 0
            for id in ids {
                while place < order.count, items[order[place]] < id {
                    if union.last != items[order[place]] { union.append(items[order[place]]) }
                    place += 1
                }
                while place < order.count, items[order[place]] == id { place += 1 }
                union.append(id)
            }
            for row in order[place...] where union.last != items[row] { union.append(items[row]) }

            let table = try Matrix(rows: union.count, columns: values.columns)
            var (fromLoss, fromRows) = (0, 0)
            for (target, id) in union.enumerated() {
                let sum = table.row(target)
                if fromLoss < ids.count, ids[fromLoss] == id {
                    _ = sum.update(fromContentsOf: rows.row(fromLoss))
                    fromLoss += 1
                }
                while fromRows < order.count, items[order[fromRows]] == id {
                    sum.add(values.row(order[fromRows]))
                    fromRows += 1
                }
            }
            return .rows(ids: union, table)
        }
    }
}

extension UnsafeMutableBufferPointer<Float> {
    /// self += other, of the same length
    fileprivate func add(_ other: UnsafeMutableBufferPointer<Float>) {
        for index in indices { self[index] += other[index] }
    }
}
