import ExampleCommandLine
import ExampleSupport
import Foundation
import NeuralLayers
import Shortlist

/// How vectors are trained. The defaults are the paper's (arXiv 2505.21189, section 3).
struct FitSettings: Codable, Sendable, Equatable {
    var loss = LossName.ce
    var lossParameters = LossParameters()
    var adam = AdamSettings(learningRate: 0.01, beta1: 0.9, beta2: 0.9, weightDecay: 0.01)
    /// Most steps of one attempt.
    var steps = 5000
    /// Attempts, each from other random vectors; the best is kept.
    var attempts = 1
    /// Steps between two looks at the accuracy.
    var stepsBetweenChecks = 10
    /// An attempt ends for a text when this share of its tokens is right.
    var wantedAccuracy = 1.0
    /// How long a text goes on after that: its tokens then win by a margin.
    var settlingSteps = 0
    /// An attempt ends for a text when its accuracy has not risen for this many steps; nil: never.
    var patience: Int?
    var sharesSecond = false
    var seed: UInt64 = 1
}

/// What a fit came to for one text.
struct TextFit: Codable, Sendable, Equatable {
    var tokens: Int
    /// The share of tokens that are the model's first choice, with the best vectors found.
    var accuracy: Double
    /// Steps until these vectors, in their attempt.
    var steps: Int
    /// The attempt, from 1.
    var attempt: Int
    /// Σ −log P of the tokens with these vectors, in nats, under the loss that was trained.
    var loss: Double
}

struct FitResult {
    let vectors: ProtoTokens
    let texts: [TextFit]
    /// Wall-clock seconds of everything.
    let seconds: Double
    /// Steps of all attempts, and rows that went through the model in them.
    let steps: Int
    let rows: Int
    /// The most workspace that the loss used, in bytes.
    let lossWorkspaceBytes: Int

    var meanAccuracy: Double { texts.map(\.accuracy).mean }
}

/// Trains the vectors of several texts side by side; a text that is reconstructed leaves the batch.
///
/// With vectors of their own, texts do not know of each other: each result is the one the text has alone, but for SCE
/// and RECE, whose candidates come from the batch. Where they share m, no text leaves before all are done.
struct Fitter {
    let objective: Objective
    let settings: FitSettings
    let log: ProgressLog
    /// What stands before the progress.
    var name = "fit"

    private var count: Int { objective.texts.count }

    /// - Throws: `Interrupted`, `ShortlistError`, `FitDiverged`.
    func run() throws -> FitResult {
        let clock = Stopwatch()
        let best = try ProtoTokens(
            objective.arrangement, texts: count, sharesSecond: settings.sharesSecond, width: objective.model.width)
        var state = State(
            best: best,
            fits: objective.texts.map { TextFit(tokens: $0.count, accuracy: -1, steps: 0, attempt: 0, loss: 0) })
        for attempt in 1...max(1, settings.attempts) {
            let open = unfinished(state.fits)
            if open.isEmpty { break }
            try runAttempt(attempt, best.sharesSecond ? Array(0..<count) : open, &state)
        }
        return FitResult(
            vectors: best, texts: state.fits, seconds: clock.seconds, steps: state.steps, rows: state.rows,
            lossWorkspaceBytes: state.workspace)
    }

    private struct State {
        let best: ProtoTokens
        var fits: [TextFit]
        var steps = 0
        var rows = 0
        var workspace = 0
    }

    private func unfinished(_ fits: [TextFit]) -> [Int] {
        fits.indices.filter { fits[$0].accuracy < settings.wantedAccuracy }
    }

    private func runAttempt(_ attempt: Int, _ texts: [Int], _ state: inout State) throws {
        let seed = settings.seed &+ UInt64(attempt - 1) &* 0x9E37_79B9
        let vectors = try ProtoTokens(
            objective.arrangement, texts: count, sharesSecond: settings.sharesSecond, width: objective.model.width)
        for text in texts { vectors.draw(text: text, seed: seed) }
        // Every vector in the batch has a gradient at every step, so the lazy form is plain AdamW for those that are
        // left and stands still for those that are done.
        var rule = settings.adam
        rule.isLazy = true
        let optimizer = try Adam(rows: vectors.table.rows, columns: vectors.table.columns, rule)
        var active = texts
        var attemptBest = [Int: (accuracy: Double, step: Int)]()
        var reached = [Int: Int]()
        let clock = Stopwatch()

        for step in 0...settings.steps {
            try Interrupt.check()
            let loss = settings.lossParameters.loss(settings.loss, seed: seed, step: step)
            let found = try objective.evaluate(active, vectors, loss: loss)
            guard found.tokenLosses.joined().allSatisfy(\.isFinite) else { throw FitDiverged(step: step) }
            state.workspace = max(state.workspace, found.workspaceBytes)
            if isCheck(step, found.tokenLosses, together: vectors.sharesSecond) {
                let accuracies = try objective.hits(of: found).map(Self.share)
                keep(active, accuracies, found.tokenLosses, vectors, attempt, step, &state)
                report(attempt, step, accuracies, found.tokenLosses, clock, state)
                for (text, accuracy) in zip(active, accuracies) where accuracy > attemptBest[text]?.accuracy ?? -1 {
                    attemptBest[text] = (accuracy, step)
                }
                let open = active.enumerated().filter { place, text in
                    if accuracies[place] >= settings.wantedAccuracy, reached[text] == nil { reached[text] = step }
                    if let since = reached[text] { return step - since < settings.settlingSteps }
                    return !(settings.patience.map { step - (attemptBest[text]?.step ?? 0) >= $0 } ?? false)
                }.map(\.element)
                if open.isEmpty { return }
                if !vectors.sharesSecond, open.count < active.count {
                    active = open
                    continue  // the gradient at hand has rows of texts that are done
                }
            }
            guard step < settings.steps else { return }
            optimizer.step(vectors.table, .rows(ids: found.rows, found.gradient))
            state.steps += 1
            state.rows += active.reduce(0) { $0 + objective.texts[$1].count }
        }
    }

    /// Accuracy costs a pass over the vocabulary, so it is looked at now and then, and as soon as the exact loss says
    /// that every token of a text has more than half of the probability: it then is the first choice.
    private func isCheck(_ step: Int, _ losses: [[Float]], together: Bool) -> Bool {
        if step % settings.stepsBetweenChecks == 0 || step == settings.steps { return true }
        guard settings.loss == .ce else { return false }
        func isCertain(_ text: [Float]) -> Bool { text.allSatisfy { $0 < 0.69 } }
        return together ? losses.allSatisfy(isCertain) : losses.contains(where: isCertain)
    }

    private static func share(_ hits: [Bool]) -> Double {
        Double(hits.count { $0 }) / Double(max(1, hits.count))
    }

    /// Keeps vectors that reconstruct more than those before.
    private func keep(
        _ active: [Int], _ accuracies: [Double], _ losses: [[Float]], _ vectors: ProtoTokens, _ attempt: Int,
        _ step: Int, _ state: inout State
    ) {
        func fit(_ place: Int) -> TextFit {
            TextFit(
                tokens: losses[place].count, accuracy: accuracies[place], steps: step, attempt: attempt,
                loss: losses[place].reduce(0) { $0 + Double($1) })
        }
        if vectors.sharesSecond {
            // One m: the texts' vectors are kept together, by their mean.
            let before = state.fits.reduce(0) { $0 + $1.accuracy }
            guard accuracies.reduce(0, +) > before else { return }
            for (place, text) in active.enumerated() {
                state.fits[text] = fit(place)
                state.best.copy(text: text, from: vectors)
            }
            return
        }
        for (place, text) in active.enumerated() {
            let (new, old) = (fit(place), state.fits[text])
            // Of equals the one that is surer of itself.
            guard (new.accuracy, -new.loss) > (old.accuracy, -old.loss) else { continue }
            state.fits[text] = new
            state.best.copy(text: text, from: vectors)
        }
    }

    private func report(
        _ attempt: Int, _ step: Int, _ accuracies: [Double], _ losses: [[Float]], _ clock: Stopwatch, _ state: State
    ) {
        log.passing {
            let done = state.fits.count { $0.accuracy >= settings.wantedAccuracy }
            let loss = losses.joined().map(Double.init).mean
            let left = clock.seconds / Double(max(1, step)) * Double(settings.steps - step)
            let tries = settings.attempts > 1 ? "attempt \(attempt)/\(settings.attempts)   " : ""
            return "\(name)   \(tries)step \(step)/\(settings.steps)   loss \(fixed(loss, 4)) a token   accuracy "
                + "\(fixed(accuracies.mean, 3))   "
                + "\(done)/\(count) texts done   at most \(readable(seconds: left)) left"
        }
    }
}

struct FitDiverged: Error, CustomStringConvertible {
    let step: Int
    var description: String { "the loss is not finite at step \(step); try a lower --learning-rate" }
}
