import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import NeuralLayers

struct SplitOptions: ParsableArguments {
    @Option(
        help: """
            leave-one-out: of every history the last item is the test and the one before it validates. temporal: users \
            active after a quantile of time are for validation and test, the others for training; needs timestamps.
            """)
    var split: Kind = .leaveOneOut

    @Option(help: "The quantile of a temporal split.")
    var quantile = 0.95

    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case leaveOneOut = "leave-one-out"
        case temporal
    }

    func split(_ data: Interactions) throws -> Split {
        switch split {
        case .leaveOneOut: try .leaveOneOut(data)
        case .temporal: try .temporal(data, quantile: quantile)
        }
    }

    func validate() throws {
        guard quantile > 0, quantile < 1 else {
            throw ValidationError("--quantile must lie between 0 and 1, not \(quantile)")
        }
    }
}

struct ModelOptions: ParsableArguments {
    @Option(help: "Length of an embedding, d.")
    var dimension = 64

    @Option(help: "Transformer blocks.")
    var blocks = 2

    @Option(help: "Attention heads; a divisor of the dimension.")
    var heads = 1

    @Option(help: "Columns between the two pointwise layers (default: the dimension).")
    var feedForward: Int?

    @Option(help: "Most items of a history that are used, the last ones.")
    var maxLength = 200

    @Option(
        help: """
            published: queries alone are normalised and the residual starts there, as in the authors' code; pre: \
            x + f(norm(x)), as in the paper's text.
            """)
    var norm = NormStyle.published

    @Option(help: "Between the pointwise layers: relu, gelu or silu.")
    var activation = Activation.relu

    @Option(help: "Positions count from the end of a history, as left padding makes them, or from its start.")
    var positions = PackedBatch.Positions.end

    @Flag(inversion: .prefixedNo, help: "Multiply item embeddings by √d at the input.")
    var scaleEmbeddings = true

    @Option(help: "How matrices start: xavier or normal (deviation 0.02).")
    var initialization = Initialization.xavier

    func shape(items: Int) -> ModelShape {
        ModelShape(
            items: items, dimension: dimension, blocks: blocks, heads: heads, feedForward: feedForward ?? dimension,
            maximumLength: maxLength, norm: norm, activation: activation, positions: positions,
            scalesEmbeddings: scaleEmbeddings)
    }

    func validate() throws {
        let positive = [
            ("--dimension", dimension), ("--blocks", blocks), ("--heads", heads), ("--feed-forward", feedForward ?? 1),
            ("--max-length", maxLength),
        ]
        for (option, value) in positive where !(1...1 << 20).contains(value) {
            throw ValidationError("\(option) must be from 1 to \(1 << 20), not \(value)")
        }
        guard dimension % heads == 0 else {
            throw ValidationError("--heads \(heads) does not divide --dimension \(dimension)")
        }
    }
}

struct TrainingOptions: ParsableArguments {
    @Option(help: "Seeds the generated data, the start of the model, the order of the batches, dropout and the losses.")
    var seed: UInt64 = 1

    @Option(help: "Most passes over the training data.")
    var epochs = 300

    @Option(help: "Stop after this many epochs without a better validation NDCG@10.")
    var patience = 50

    @Option(help: "Sequences in a training step (default: 1024, fewer where that makes under 20 steps an epoch).")
    var batch: Int?

    @Option(help: "Probability that an element is dropped: of the input, attention and the pointwise layers.")
    var dropout: Float = 0.6

    @Option(
        help: """
            adam moves every item at every step; lazy-adam only those with a gradient, which costs less and is another \
            optimiser.
            """)
    var optimizer: Optimizer = .adam

    @Option(help: "Step size.")
    var learningRate: Float = 1e-3

    @Option(help: "Adam's second decay.")
    var beta2: Float = 0.98

    @Option(help: "Decoupled weight decay.")
    var weightDecay: Float = 0

    @Option(help: "Steps over which the learning rate rises to its value.")
    var warmUp = 0

    @Option(help: "Longest the gradient may be; longer ones are shortened (default: no bound).")
    var clipNorm: Float?

    @Option(help: "Multiplies the logits, 1 / temperature.")
    var logitScale: Float = 1

    enum Optimizer: String, CaseIterable, ExpressibleByArgument {
        case adam
        case lazyAdam = "lazy-adam"
    }

    /// - Parameter trainedUsers: how many histories there are to train on.
    func batchSequences(trainedUsers: Int) -> Int { batch ?? min(1024, max(16, trainedUsers / 20)) }

    func stepSettings(_ loss: LossName, _ parameters: LossParameters) -> StepSettings {
        StepSettings(
            loss: loss, lossParameters: parameters.only(for: loss), logitScale: logitScale, dropout: dropout,
            adam: AdamSettings(
                learningRate: learningRate, beta2: beta2, weightDecay: weightDecay, isLazy: optimizer == .lazyAdam),
            warmUpSteps: warmUp, clipNorm: clipNorm, seed: seed)
    }

    func validate() throws {
        for (option, value) in [("--epochs", epochs), ("--patience", patience), ("--batch", batch ?? 1)] where value < 1
        {
            throw ValidationError("\(option) must be at least 1, not \(value)")
        }
        guard warmUp >= 0 else { throw ValidationError("--warm-up must not be negative") }
        guard (0..<1).contains(dropout) else { throw ValidationError("--dropout must be from 0 to below 1") }
        guard (0..<1).contains(beta2) else { throw ValidationError("--beta2 must be from 0 to below 1") }
        let positive = [
            ("--learning-rate", learningRate), ("--clip-norm", clipNorm ?? 1), ("--logit-scale", logitScale),
        ]
        for (option, value) in positive where !(value > 0 && value.isFinite) {
            throw ValidationError("\(option) must be a positive number")
        }
        guard weightDecay >= 0, weightDecay.isFinite else {
            throw ValidationError("--weight-decay must not be negative")
        }
    }
}

extension NormStyle: ExpressibleByArgument {}
extension PackedBatch.Positions: ExpressibleByArgument {}
extension Initialization: ExpressibleByArgument {}
extension Activation: ExpressibleByArgument {}
