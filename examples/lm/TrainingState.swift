import ExampleCommandLine
import ExampleSupport
import LanguageModel
import NeuralLayers
import Shortlist

/// A model on its way: parameters, optimisers, and the step that moves them.
final class TrainingState {
    let settings: StepSettings
    let context: Int
    let model: CausalLanguageModel
    /// Embeddings, the head where it is apart, and everything else, with their optimisers.
    let tables: [(name: String, values: Matrix, optimizer: Adam)]
    /// Steps taken.
    private(set) var steps = 0
    /// The most workspace that a step's loss used, in bytes.
    private(set) var peakWorkspace = 0

    private let library: Context
    private let catalog: Catalog
    private let workers: Workers
    private let pass: BatchPass
    /// Of the last step, in the order of `tables`.
    let gradients: [Matrix]
    private let input: Matrix
    private let hidden: Matrix
    /// dL/d hidden, then dL/d input.
    private let gradient: Matrix

    init(_ settings: StepSettings, _ model: CausalLanguageModel, context: Int, _ library: Context) throws {
        self.settings = settings
        self.context = context
        self.model = model
        self.library = library
        catalog = try library.catalog(model.outputEmbeddings)
        workers = Workers(library.hostThreads)
        pass = BatchPass(model, workers: workers)
        var values = [("embeddings", model.embeddings)]
        if !model.configuration.tiedEmbeddings { values.append(("head", model.outputEmbeddings)) }
        values.append(("parameters", model.parameters))
        // Gains and biases share a block with matrices, and have no weight decay: see `decay`.
        var adam = settings.adam
        adam.weightDecay = 0
        tables = try values.map { ($0.0, $0.1, try Adam(rows: $0.1.rows, columns: $0.1.columns, adam)) }
        gradients = try values.map { try Matrix(rows: $0.1.rows, columns: $0.1.columns) }
        input = try Matrix(rows: settings.batchSequences * context, columns: model.configuration.width)
        hidden = try Matrix(rows: input.rows, columns: input.columns)
        gradient = try Matrix(rows: input.rows, columns: input.columns)
    }

    /// After the parameters and moments were read from a file.
    func restored(steps: Int) throws {
        self.steps = steps
        for table in tables { table.optimizer.steps = steps }
        try catalog.update()
    }

    /// One step on windows of `tokens` that begin at `starts`.
    ///
    /// - Parameter rate: what multiplies the learning rate.
    /// - Returns: the mean loss of the tokens that the windows predict.
    func step(_ tokens: [Int32], starts: some Collection<Int>, rate: Float) throws -> Double {
        let loss = try computeGradients(tokens, starts: starts)
        guard loss.isFinite else { throw Diverged(loss: settings.loss, step: steps) }
        let norm = gradients.reduce(0) { $0 + $1.sumOfSquares }.squareRoot()
        let scale = norm > Double(settings.clipNorm) ? Float(Double(settings.clipNorm) / norm) : 1
        decay(rate: rate)
        for (table, gradient) in zip(tables, gradients) {
            table.optimizer.step(table.values, .all(gradient), rate: rate, scale: scale, workers: workers)
        }
        try catalog.update()  // nothing to do on a CPU; a GPU takes the new rows
        steps += 1
        return loss
    }

    /// The mean loss, and its gradients, one for each of `tables`, into `gradients`.
    func computeGradients(_ tokens: [Int32], starts: some Collection<Int>) throws -> Double {
        let (rows, width) = (starts.count * context, hidden.columns)
        let inputs = starts.flatMap { tokens[$0..<$0 + context] }
        let targets = starts.flatMap { tokens[$0 + 1..<$0 + 1 + context] }
        let sequences = PackedSequences(lengths: starts.map { _ in context }, rowsPerChunk: context)
        model.embed(inputs, into: Tile(input.elements.baseAddress!, rows: rows, columns: width))
        pass.forward(input, sequences, into: hidden)

        let loss = settings.lossParameters.loss(settings.loss, seed: settings.seed, step: steps)
        let headGradient = gradients[model.configuration.tiedEmbeddings ? 0 : 1]
        let result = try targets.withUnsafeBufferPointer { targets in
            try library.evaluate(
                loss,
                Batch(
                    hidden: MatrixView(hidden.elements.baseAddress!, rows: rows, columns: width),
                    targets: .int32(targets)),
                catalog: catalog,
                into: GradientOutputs(
                    hidden: MutableMatrixView(gradient.elements.baseAddress!, rows: rows, columns: width),
                    catalog: .dense(headGradient.mutableView)))
        }
        peakWorkspace = max(peakWorkspace, result.report.workspaceUsed)
        try pass.backward(gradient, gradients: gradients[gradients.count - 1], into: gradient)
        addToEmbeddings(inputs)
        return result.loss
    }

    /// dL/d embeddings from dL/d input, which `gradient` holds by now: onto the head's where they are the same table.
    private func addToEmbeddings(_ tokens: [Int32]) {
        let table = gradients[0].elements
        if !model.configuration.tiedEmbeddings { table.update(repeating: 0) }
        let width = gradient.columns
        for (row, token) in tokens.enumerated() {
            let to = table.baseAddress! + Int(token) * width
            let from = gradient.elements.baseAddress! + row * width
            for column in 0..<width { to[column] += from[column] }
        }
    }

    /// Decoupled weight decay of the matrices, before their step as AdamW has it.
    private func decay(rate: Float) {
        guard settings.adam.weightDecay > 0 else { return }
        let kept = 1 - settings.adam.learningRate * rate * settings.adam.weightDecay
        for table in tables.dropLast() {
            Tile(table.values.elements.baseAddress!, rows: table.values.rows, columns: table.values.columns)
                .scale(by: kept)
        }
        for entry in model.layout.entries where entry.rows > 1 {
            entry.tile(in: model.parameters.elements.baseAddress!).scale(by: kept)
        }
    }
}
