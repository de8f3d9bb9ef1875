import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import LanguageModel
import NeuralLayers

struct TextOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "UTF-8 files, and folders of .txt, .md, .rst and .py; each file is a document (default: stories that the "
                + "program invents, see lm text).", valueName: "text"))
    var texts: [String] = []

    @Option(help: "Bytes of stories to invent when there is no text.")
    var storyBytes = ByteCount(argument: "3MB")!

    @Option(help: ArgumentHelp("Part of the text that validates, in stretches from all over it.", valueName: "share"))
    var validationShare = 0.01

    func load(seed: UInt64) throws -> TextSource {
        guard texts.isEmpty else { return try TextSource(texts) }
        var grammar = StoryGrammar(seed: seed)
        return TextSource(grammar.documents(bytes: storyBytes.bytes))
    }

    /// What the text is called in a log.
    var name: String { texts.isEmpty ? "Invented stories" : texts.joined(separator: ", ") }

    func validate() throws {
        guard validationShare > 0, validationShare <= 0.5 else {
            throw ValidationError("--validation-share must be above 0 and at most 0.5, not \(validationShare)")
        }
    }
}

struct ModelOptions: ParsableArguments {
    @Option(help: "llama, or gpt-neox (Pythia's architecture).")
    var architecture: ModelShape.Architecture = .llama

    @Option(help: "Columns of embeddings and hidden states.")
    var width = 256

    @Option(help: "Transformer blocks.")
    var layers = 4

    @Option(help: "Attention heads; a divisor of the width.")
    var heads = 4

    @Option(help: "Heads of keys and values; a divisor of --heads (default: as many). Llama only.")
    var keyHeads: Int?

    @Option(help: "Columns inside the feed-forward layers (default: 8/3 of the width for Llama, 4 for GPT-NeoX).")
    var innerWidth: Int?

    @Option(help: "Tokens of a training sequence: how far back the model can look.")
    var context = 256

    @Option(help: "Tokens of the vocabulary, bytes and the end of a text included; fewer where the text is too small.")
    var vocabulary = 4096

    @Flag(inversion: .prefixedNo, help: "The head's rows are the embeddings.")
    var tied = true

    func shape(vocabularySize: Int) -> ModelShape {
        ModelShape(
            architecture: architecture, vocabularySize: vocabularySize, width: width, layers: layers, heads: heads,
            keyHeads: keyHeads, innerWidth: innerWidth, context: context, isTied: tied)
    }

    func validate() throws {
        let sizes = [
            ("--width", width), ("--layers", layers), ("--heads", heads), ("--key-heads", keyHeads ?? 1),
            ("--inner-width", innerWidth ?? 1), ("--context", context),
        ]
        for (option, size) in sizes where !(1...1 << 20).contains(size) {
            throw ValidationError("\(option) must be from 1 to \(1 << 20), not \(size)")
        }
        guard (257...1 << 20).contains(vocabulary) else {
            throw ValidationError(
                "--vocabulary must be from 257 (the bytes and the end of a text) to \(1 << 20), not \(vocabulary)")
        }
        guard width % (2 * heads) == 0 else {
            throw ValidationError(
                "--width \(width) must be a multiple of twice --heads \(heads): positions turn pairs of columns")
        }
        if let keyHeads {
            guard architecture == .llama else { throw ValidationError("--key-heads is for --architecture llama") }
            guard heads % keyHeads == 0 else {
                throw ValidationError("--key-heads \(keyHeads) does not divide --heads \(heads)")
            }
        }
    }
}

struct TrainingOptions: ParsableArguments {
    @Option(help: "The loss at the head: ce (exact), sce or rece.")
    var loss: LossName = .ce

    @Option(
        help: """
            Minutes to train for: the steps that fit are measured at the start. A run that turns out slower ends a third \
            later at the latest.
            """)
    var minutes = 14.0

    @Option(help: "Steps to train for, instead of --minutes.")
    var steps: Int?

    @Option(help: "Sequences in a step.")
    var batch = 16

    @Option(help: "AdamW's step size at its highest.")
    var learningRate: Float = 1e-3

    @Option(help: "AdamW's second decay.")
    var beta2: Float = 0.95

    @Option(help: "Decoupled weight decay of matrices; gains and biases have none.")
    var weightDecay: Float = 0.1

    @Option(help: "Steps over which the step size rises; a cosine to a tenth follows.")
    var warmUp = 100

    @Option(help: "Longest the gradient may be; longer ones are shortened.")
    var clipNorm: Float = 1

    @Option(help: "Seeds the stories, the start of the model, the order of the text and the losses.")
    var seed: UInt64 = 1

    @Option(help: "Steps between two validations (default: a twentieth of the run).")
    var evaluateEvery: Int?

    var stepSettings: (LossParameters) -> StepSettings {
        { parameters in
            StepSettings(
                loss: loss, lossParameters: parameters.only(for: loss), batchSequences: batch,
                adam: AdamSettings(learningRate: learningRate, beta2: beta2, weightDecay: weightDecay),
                warmUpSteps: warmUp, clipNorm: clipNorm, seed: seed)
        }
    }

    func validate() throws {
        let counts = [
            ("--steps", steps ?? 1), ("--batch", batch), ("--warm-up", warmUp),
            ("--evaluate-every", evaluateEvery ?? 1),
        ]
        for (option, value) in counts where value < 1 {
            throw ValidationError("\(option) must be at least 1, not \(value)")
        }
        for (option, value) in [
            ("--learning-rate", learningRate), ("--clip-norm", clipNorm), ("--minutes", Float(minutes)),
        ]
        where !(value > 0 && value.isFinite) {
            throw ValidationError("\(option) must be a positive number")
        }
        guard (0..<1).contains(beta2) else { throw ValidationError("--beta2 must be from 0 to below 1") }
        guard weightDecay >= 0, weightDecay.isFinite else {
            throw ValidationError("--weight-decay must not be negative")
        }
    }
}

extension ModelShape.Architecture: ExpressibleByArgument {}
