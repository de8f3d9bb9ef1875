import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import LanguageModel
import Tokenization

struct SampleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample", abstract: "Write text with a model.",
        discussion: "The text goes to standard output as it is drawn, the prompt first.")

    @Argument(help: "A folder with config.json, model.safetensors and tokenizer.json.")
    var folder: String

    @Option(help: "Text to go on from (default: the beginning of a text).")
    var prompt = ""

    @Option(help: "Most tokens to draw; the model may end the text before.")
    var tokens = 200

    @Option(help: "Below 1 favours probable tokens; 0 always takes the most probable one.")
    var temperature = 0.8

    @Option(help: "Draw among this many most probable tokens; 0 among all.")
    var topK = 40

    @Option(help: "The same seed draws the same text.")
    var seed: UInt64 = 1

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    func validate() throws {
        guard tokens >= 1 else { throw ValidationError("--tokens must be at least 1, not \(tokens)") }
        guard topK >= 0 else { throw ValidationError("--top-k must not be negative") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature must not be negative")
        }
    }

    func run() throws {
        Interrupt.watch()
        let (model, tokenizer) = try CausalLanguageModel.withTokenizer(folder: folder)
        var start = tokenizer.encode(prompt)
        if start.isEmpty {
            guard let beginning = model.configuration.beginningToken ?? model.configuration.endTokens.first else {
                throw ValidationError("--prompt is needed: the model has no token that begins a text")
            }
            start = [Int32(beginning)]
        }
        let sampler = try TextSampler(
            model, prompt: start, window: model.configuration.maximumPositions,
            TextSampler.Settings(temperature: temperature, topK: topK, seed: seed), contextSettings.makeContext())
        let output = FileHandle.standardOutput
        output.write(Data(prompt.utf8))
        let clock = Stopwatch()
        var drawn = 0
        while drawn < tokens, !Interrupt.isRequested {
            let token = try sampler.next()
            drawn += 1
            if model.configuration.endTokens.contains(Int(token)) { break }
            output.write(Data(tokenizer.bytes(of: [token])))
        }
        output.write(Data("\n".utf8))
        FileHandle.standardError.write(
            Data("\(drawn) tokens, \(fixed(Double(drawn) / max(1e-9, clock.seconds), 0)) tokens/s\n".utf8))
        if Interrupt.isRequested { throw ExitCode(130) }
    }
}
