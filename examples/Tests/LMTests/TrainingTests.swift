import ExampleCommandLine
import ExampleSupport
import ExampleTestSupport
import Foundation
import LanguageModel
import NeuralLayers
import Shortlist
import Testing
import Tokenization

@testable import lm

@Suite struct TrainingTests {
    @Test(arguments: [ModelShape.Architecture.llama, .gptNeoX], [true, false])
    func `a step's gradients are those of finite differences, also where embeddings and head are one table`(
        architecture: ModelShape.Architecture, isTied: Bool
    ) throws {
        let settings = try World.settings {
            $0.shape.architecture = architecture
            $0.shape.isTied = isTied
            if architecture == .gptNeoX { $0.shape.keyHeads = nil }
            $0.step.batchSequences = 2
        }
        let run = try World.run(settings, steps: 1)
        let tokens = run.stream.tokens
        // Larger numbers than a new model has, so that every gradient is well above rounding.
        for table in run.state.tables.dropLast() {
            for index in table.values.elements.indices { table.values.elements[index] *= 10 }
        }
        func loss() throws -> Double { try run.state.computeGradients(tokens, starts: [40, 100]) }
        _ = try loss()
        let gradients = run.state.gradients.map { Array($0.elements) }
        #expect(gradients.count == (isTied ? 2 : 3))
        for (table, gradient) in zip(run.state.tables, gradients) {
            // The largest, and some anywhere.
            let places = gradient.indices.sorted { abs(gradient[$0]) > abs(gradient[$1]) }
            var generator = SeededGenerator(seed: 1)
            let largest = Double(abs(gradient[places[0]]))
            for place in places.prefix(8) + (0..<8).map({ _ in places[generator.index(below: places.count)] }) {
                let old = table.values.elements[place]
                let width: Float = 4e-3
                table.values.elements[place] = old + width
                let above = try loss()
                table.values.elements[place] = old - width
                let below = try loss()
                table.values.elements[place] = old
                let difference = (above - below) / Double(2 * width)
                #expect(
                    abs(difference - Double(gradient[place])) < 0.02 * largest, "\(table.name)[\(place)]: \(difference)"
                )
            }
        }
    }

    @Test(arguments: LossName.allCases)
    func `a tiny model learns a tiny text`(loss: LossName) throws {
        let run = try World.run(World.settings(loss), steps: 250, evaluateEvery: 125)
        try run.run()
        let best = try #require(run.progress.best)
        // A new model has log 400 = 6.0. RECE sees few of the other tokens, and exact cross-entropy is what is measured.
        #expect(best.loss < (loss == .rece ? 3.6 : 2.6), "\(best.loss)")
        #expect(run.progress.validations.count == 2 && run.progress.epoch > 2)
        #expect(run.progress.tokensSeen > 249 * 8 * 20 && run.state.peakWorkspace > 0)
    }

    @Test func `the same settings give the same bits, for any number of threads`() throws {
        let runs = try [1, 2, 3].map { try World.run(World.settings(.sce), steps: 12, threads: $0) }
        for run in runs { try run.run() }
        #expect(World.numbers(runs[0]) == World.numbers(runs[1]))
        #expect(World.numbers(runs[0]) == World.numbers(runs[2]))
        let other = try World.run(World.settings(.sce) { $0.step.seed = 4 }, steps: 12)
        try other.run()
        #expect(World.numbers(other) != World.numbers(runs[0]))
    }

    @Test func `weight decay shrinks matrices and leaves gains and biases alone`() throws {
        func run(_ decay: Float) throws -> TrainingRun {
            let run = try World.run(
                World.settings {
                    $0.shape.architecture = .gptNeoX
                    $0.shape.keyHeads = nil
                    $0.step.adam.weightDecay = decay
                    $0.step.adam.learningRate = 1e-3
                    $0.step.warmUpSteps = 1
                }, steps: 1)
            try run.run()
            return run
        }
        let (plain, decayed) = (try run(0), try run(100))
        // One step: decay takes a tenth of every matrix as it was, which is what the same run without a step tells.
        let before = try World.run(plain.settings, steps: 1)
        var matrices = 0
        for entry in plain.state.model.layout.entries {
            for place in entry.range {
                let values = [plain, decayed, before].map { $0.state.model.parameters.elements[place] }
                let wanted = entry.rows > 1 ? values[0] - 0.1 * values[2] : values[0]
                #expect(abs(values[1] - wanted) < 1e-6, "\(entry.name)")
            }
            if entry.rows > 1 { matrices += 1 }
        }
        #expect(matrices >= 8)
        let tables = [plain, decayed, before].map { $0.state.model.embeddings.elements }
        for place in tables[0].indices {
            #expect(abs(tables[1][place] - (tables[0][place] - 0.1 * tables[2][place])) < 1e-6)
        }
    }

    @Test func `the step size rises, then falls along a cosine to a tenth`() {
        let plan = Plan(steps: 110, evaluateEvery: nil)
        let rates = (0..<110).map { Plan.rate(step: $0, warmUp: 10, plan: plan) }
        #expect(rates[0] == 0.1 && rates[9] == 1 && rates[10] == 1)
        #expect(zip(rates[10...], rates[11...]).allSatisfy { $0 >= $1 })
        #expect(abs(rates[60] - 0.55) < 1e-6 && abs(rates[109] - 0.1) < 1e-3)
        #expect(plan.evaluateEvery == 5)
        // Before the first steps have told how many there will be.
        #expect(Plan.rate(step: 20, warmUp: 10, plan: nil) == 1)
    }

    @Test func `a run by the clock plans its steps from the first ones, and ends near its time`() throws {
        let settings = try World.settings()
        let clock = Stopwatch()
        let run = try TrainingRun(
            settings, RunLimits(steps: nil, minutes: 0.05), World.stream(), World.tokenizer,
            Context(ContextOptions(threads: 2)), folder: nil, ProgressLog())
        try run.run()
        let plan = try #require(run.progress.plan)
        #expect(plan.steps > 12 && run.progress.steps <= plan.steps && run.progress.isFinished)
        #expect(run.progress.seconds < 0.05 * 80 + 5 && clock.seconds < 60)
    }

    @Test func `a loss that is not finite ends the run with the options to change`() throws {
        let run = try World.run(World.settings(), steps: 5)
        run.state.model.parameters.elements[3] = .nan
        let error = #expect(throws: Diverged.self) { try run.run() }
        #expect(error?.description.contains("--learning-rate") ?? false)
    }

    @Test func `perplexity of a text counts each of its bytes once`() throws {
        let run = try World.run(World.settings(), steps: 5)
        let text = "The Red Kite, naïve — 日本."
        let tokens = [0] + World.tokenizer.encode(text)
        for length in [4, 1000] {
            let windows = stride(from: 0, to: tokens.count - 1, by: length).map {
                $0..<min($0 + length, tokens.count - 1)
            }
            let result = try Evaluation(
                run.state.model, tokens, windows: windows, World.tokenizer, Context(), rows: 8)
            #expect(result.bytes == text.utf8.count && result.tokens == tokens.count - 1)
            #expect(abs(result.loss - log(Double(World.tokenizer.vocabularySize))) < 0.2)
            #expect(abs(result.bitsPerByte * Double(result.bytes) * log(2) - result.sum) < 1e-9)
        }
    }
}

@Suite struct LMCheckpointTests {
    @Test func `a resumed run ends in the same bits as one that was left alone`() throws {
        let scratch = try Scratch()
        let settings = try World.settings(.rece)
        let whole = try World.run(settings, steps: 60)
        try whole.run()
        let folder = try ModelFolder(scratch.path("out"), resume: false, overwrite: false)
        let first = try World.run(settings, steps: 60, folder: folder)
        // As if killed after the step behind a checkpoint: the run goes on from what the file has.
        try first.run(stoppingAfter: 37)
        let again = try World.run(settings, steps: 60, folder: folder)
        try again.resume()
        #expect(again.progress.steps == 37 && again.progress.windowsDone == first.progress.windowsDone)
        try again.run()
        #expect(World.numbers(again) == World.numbers(whole))
        #expect(again.progress.validations.map(\.loss) == whole.progress.validations.map(\.loss))
    }

    @Test func `a checkpoint of other settings is refused with the options that differ`() throws {
        let scratch = try Scratch()
        let folder = try ModelFolder(scratch.path("out"), resume: false, overwrite: false)
        try World.run(World.settings(), steps: 2, folder: folder).run()
        let changes: [(String, (inout RunSettings) -> Void)] = [
            ("--width", { $0.shape.width = 64 }), ("--layers", { $0.shape.layers = 1 }),
            ("--learning-rate", { $0.step.adam.learningRate = 0.1 }), ("--seed", { $0.step.seed = 9 }),
            ("--loss", { $0.step.loss = .sce }), ("--tied", { $0.shape.isTied = false }),
            ("the loss's parameters", { $0.step.lossParameters.sceItems = 7 }), ("text", { $0.textFingerprint = 1 }),
        ]
        for (name, change) in changes {
            let run = try World.run(World.settings(.ce, change), steps: 2, folder: folder)
            let error = #expect(throws: ResumeError.self, "\(name)") { try run.resume() }
            #expect(
                error.map { $0.description.contains(name) && $0.path == folder.checkpoint.path } ?? false, "\(name)")
        }
        let longer = try World.run(World.settings(), steps: 3, folder: folder)
        let error = #expect(throws: ResumeError.self) { try longer.resume() }
        #expect(error?.reason.contains("of 2 steps, and --steps asks for 3") ?? false)
    }

    @Test func `a change of any one setting counts as a difference`() throws {
        let settings = try World.settings()
        let variants = try copiesWithOneChange(of: settings)
        #expect(variants.count > 15)
        for variant in variants { #expect(!settings.differences(from: variant).isEmpty, "\(variant)") }
        #expect(settings.differences(from: settings).isEmpty)
    }

    @Test func `a damaged, foreign or missing checkpoint is an error that names it`() throws {
        let scratch = try Scratch()
        let folder = try ModelFolder(scratch.path("out"), resume: false, overwrite: false)
        try World.run(World.settings(), steps: 2, folder: folder).run()
        let whole = try scratch.contents("out/training.safetensors")
        let run = try World.run(World.settings(), steps: 2, folder: folder)
        for length in [0, 7, 100, whole.count / 2, whole.count - 1] {
            _ = try scratch.file("out/training.safetensors", whole.prefix(length))
            let error = #expect(throws: SafetensorsError.self, "\(length) bytes") { try run.resume() }
            #expect(error?.description.contains("training.safetensors") ?? false)
        }
        var writer = SafetensorsWriter()
        try writer.add("x", shape: [1], [Float(1)])
        try writer.write(to: folder.checkpoint.path)
        let error = #expect(throws: ResumeError.self) { try run.resume() }
        #expect(error?.reason.contains("no checkpoint of this program") ?? false)
    }
}
