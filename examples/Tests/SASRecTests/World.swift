import ExampleCommandLine
import ExampleSupport
import NeuralLayers
import Shortlist

@testable import sasrec

/// A small world to train in, and settings under which it is learnt in seconds.
enum World {
    static let data = SyntheticData(users: 400, items: 200, seed: 2).generate()
    static let split = try! Split.leaveOneOut(data)

    static func settings(
        _ loss: LossName = .ce, _ change: (inout RunSettings) -> Void = { _ in }
    ) -> RunSettings {
        var shape = ModelShape(items: data.itemCount)
        shape.dimension = 16
        shape.feedForward = 16
        shape.heads = 2
        shape.maximumLength = 20
        shape.norm = .published
        var step = StepSettings(loss: loss, lossParameters: LossParameters())
        step.dropout = 0.2
        step.adam.learningRate = 5e-3
        var settings = RunSettings(shape: shape, step: step, dataFingerprint: data.fingerprint(split))
        settings.batchSequences = 64
        change(&settings)
        return settings
    }

    static func run(
        _ settings: RunSettings, epochs: Int, threads: Int = 2, checkpoint: CheckpointFile? = nil
    ) throws -> LossRun {
        try LossRun(
            settings, RunLimits(epochs: epochs, patience: 50, secondsBetweenCheckpoints: 0), data, split,
            Context(ContextOptions(threads: threads)), checkpoint: checkpoint, ProgressLog())
    }
}

extension LossRun {
    /// Parameters and moments as they stand.
    var numbers: [[Float]] {
        [
            state.model.items, state.model.parameters, state.itemOptimizer.first, state.itemOptimizer.second,
            state.parameterOptimizer.first, state.parameterOptimizer.second,
        ].map { Array($0.elements) }
    }
}
