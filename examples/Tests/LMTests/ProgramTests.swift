import ExampleSupport
import ExampleTestSupport
import Foundation
import LanguageModel
import Testing
import Tokenization

@testable import lm

/// The program as it is started from a shell.
@Suite(.serialized) struct LMProgramTests {
    private let small = [
        "--width", "16", "--layers", "1", "--heads", "2", "--context", "16", "--vocabulary", "300", "--batch", "4",
        "--story-bytes", "20kB", "--warm-up", "5",
    ]

    @Test func `training leaves a model folder that sample and perplexity read`() throws {
        let scratch = try Scratch()
        let out = scratch.path("out")
        let run = try ProgramRun(
            "lm", ["train", "--out", out, "--steps", "40", "--key-heads", "1"] + small)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("bits/byte") && run.errors.contains("step 40/40"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: out).sorted() == [
                "config.json", "model.safetensors", "report.json", "tokenizer.json", "tokenizer_config.json",
                "training.safetensors",
            ])
        let model = try CausalLanguageModel(folder: out)
        #expect(model.configuration.family == .llama && model.configuration.keyHeads == 1)
        #expect(model.configuration.maximumPositions == 16 && model.configuration.endTokens == [0])

        let samples = try (0..<2).map { _ in
            try ProgramRun("lm", ["sample", out, "--prompt", "Once", "--tokens", "30", "--seed", "5"])
        }
        #expect(samples[0].status == 0 && samples[0].output.hasPrefix("Once"))
        #expect(samples[0].output == samples[1].output)
        let greedy = try ProgramRun("lm", ["sample", out, "--temperature", "0", "--tokens", "3"])
        #expect(greedy.status == 0 && !greedy.output.isEmpty)

        let text = try scratch.file("text.txt", "Once there was a kettle.\n")
        let perplexity = try ProgramRun("lm", ["perplexity", out, text])
        #expect(perplexity.status == 0 && perplexity.output.contains("text.txt") && perplexity.output.contains(" 25 "))
    }

    @Test func `the best model on validation is the one that is left`() throws {
        let scratch = try Scratch()
        // A step size that spoils the model after it was good.
        let run = try ProgramRun(
            "lm",
            ["train", "--out", scratch.path("out"), "--steps", "60", "--evaluate-every", "5", "--learning-rate", "0.2"]
                + small)
        #expect(run.status == 0, "\(run.errors)")
        struct Report: Decodable { let progress: RunProgress }
        let progress = try JSONDecoder().decode(Report.self, from: scratch.contents("out/report.json")).progress
        #expect(progress.validations.count == 12)
        let best = try #require(progress.best)
        let source = TextSource(StoryGrammarDocuments.of(bytes: 20_000, seed: 1))
        let tokenizer = try Tokenizer(folder: scratch.path("out"))
        let stream = try TokenStream(source, tokenizer, separator: 0, context: 16, share: 0.01)
        let result = try Evaluation(
            CausalLanguageModel(folder: scratch.path("out")), stream.tokens,
            windows: stream.validationWindows(context: 16), tokenizer, .init())
        #expect(abs(result.loss - best.loss) < 1e-6)
    }

    @Test func `a killed run resumes to the same bits as one that was left alone`() throws {
        let scratch = try Scratch()
        let arguments =
            ["train", "--steps", "400", "--save-every", "0", "--evaluate-every", "20", "--loss", "sce"] + small
        #expect(try ProgramRun("lm", arguments + ["--out", scratch.path("whole")]).status == 0)
        let killed = try ProgramRun(
            "lm", arguments + ["--out", scratch.path("killed")], sending: SIGKILL, after: "step 60/400")
        #expect(killed.wasSignalled && killed.status == SIGKILL)
        let resumed = try ProgramRun("lm", arguments + ["--out", scratch.path("killed"), "--resume"])
        #expect(resumed.status == 0 && resumed.errors.contains("From the checkpoint"), "\(resumed.errors)")
        for name in ["training.safetensors", "model.safetensors"] {
            let files = try ["whole", "killed"].map { try SafetensorsFile(contentsOf: scratch.path("\($0)/\(name)")) }
            #expect(files[0].names == files[1].names && !files[0].names.isEmpty)
            for tensor in files[0].names {
                let shape = files[0].shape(of: tensor)!
                #expect(try files[0].floats(tensor, shape: shape) == files[1].floats(tensor, shape: shape), "\(tensor)")
            }
        }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `an interrupted run leaves a model, a checkpoint and exit code 130, and resumes`(signal: Int32) throws {
        let scratch = try Scratch()
        let out = scratch.path("out")
        let arguments = ["train", "--out", out, "--steps", "100000", "--evaluate-every", "40"] + small
        let stopped = try ProgramRun(
            "lm", arguments + ["--save-every", "1000"], sending: signal, after: "step 40/")
        #expect(stopped.status == 130 && !stopped.wasSignalled)
        #expect(stopped.errors.contains("--resume"))
        _ = try CausalLanguageModel(folder: out)
        let again = try ProgramRun("lm", arguments + ["--resume"], sending: signal, after: "step 1")
        #expect(again.errors.contains("From the checkpoint") && again.status == 130)
    }

    @Test func `an earlier run's files are not replaced unasked`() throws {
        let scratch = try Scratch()
        let arguments = ["train", "--steps", "2", "--out", scratch.path("out")] + small
        #expect(try ProgramRun("lm", arguments).status == 0)
        let again = try ProgramRun("lm", arguments)
        #expect(again.status != 0 && again.errors.contains("--overwrite"))
        #expect(try ProgramRun("lm", arguments + ["--overwrite"]).status == 0)
    }

    @Test func `lm text writes the stories that training invents`() throws {
        let run = try ProgramRun("lm", ["text", "--bytes", "5kB", "--seed", "3"])
        let stories = StoryGrammarDocuments.of(bytes: 5000, seed: 3).map(\.text)
        #expect(run.status == 0 && run.output == stories.joined(separator: "\n"))
    }

    @Test(arguments: [
        (["--heads", "3"], "must be a multiple of twice --heads 3"), (["--key-heads", "3"], "does not divide"),
        (["--architecture", "gpt-neox", "--key-heads", "2"], "is for --architecture llama"),
        (["--architecture", "mamba"], "mamba"), (["--loss", "mse"], "mse"),
        (["--vocabulary", "256"], "--vocabulary must be from 257"), (["--context", "0"], "--context must be from 1"),
        (["--context", "100000"], "too few to train and validate"),
        (["--minutes", "0"], "--minutes must be a positive"),
        (["--steps", "0"], "--steps must be at least 1"),
        (["--validation-share", "0.9"], "--validation-share must be"),
        (["--beta2", "1"], "--beta2"), (["--resume"], "no checkpoint to resume"),
        (["--resume", "--overwrite"], "exclude each other"), (["--backend", "abacus"], "abacus"),
        (["/nowhere/at all"], "/nowhere/at all: there is no such file or folder"),
        (["--out", "/dev/null/x"], "/dev/null/x"),
        (["--story-bytes", "0"], "story-bytes"), (["--learning-rate", "nan"], "--learning-rate must be a positive"),
    ])
    func `bad input is a message and an exit code, with nothing on standard output`(
        arguments: [String], message: String
    ) throws {
        let scratch = try Scratch()
        let run = try ProgramRun("lm", ["train", "--steps", "1", "--out", scratch.path("out")] + small + arguments)
        #expect(run.status != 0 && !run.wasSignalled)
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test(arguments: [
        (["sample", "/nowhere"], "/nowhere/config.json"),
        (["sample", "/nowhere", "--tokens", "0"], "--tokens must be"),
        (["sample", "/nowhere", "--top-k", "-1"], "top-k"),
        (["sample", "/nowhere", "--temperature", "inf"], "--temperature"),
        (["perplexity", "/nowhere"], "texts"),
        (["perplexity", "/nowhere", "x", "--context", "0"], "--context must be"),
        (["text", "--bytes", "many"], "many"), (["dream"], "dream"),
    ])
    func `the other commands name what is wrong as well`(arguments: [String], message: String) throws {
        let run = try ProgramRun("lm", arguments)
        #expect(run.status != 0 && !run.wasSignalled && run.output.isEmpty)
        #expect(run.errors.contains(message), "\(run.errors)")
    }

    @Test func `a folder whose tokenizer and model do not fit is an error`() throws {
        let scratch = try Scratch()
        let out = scratch.path("out")
        #expect(try ProgramRun("lm", ["train", "--steps", "2", "--out", out] + small).status == 0)
        let larger = try Tokenizer.train(
            on: ["the cat sat on the mat, the cat sat"], vocabularySize: 4000,
            specialTokens: (0..<200).map { "<|\($0)|>" })
        try larger.write(to: out)
        let run = try ProgramRun("lm", ["sample", out])
        #expect(run.status != 0 && run.errors.contains("the model embeddings for 300"), "\(run.errors)")
        try FileManager.default.removeItem(atPath: scratch.path("out/tokenizer.json"))
        let missing = try ProgramRun("lm", ["sample", out])
        #expect(missing.errors.contains("tokenizer.json: there is no such file"))
    }
}

enum StoryGrammarDocuments {
    static func of(bytes: Int, seed: UInt64) -> [TextSource.Document] {
        var grammar = StoryGrammar(seed: seed)
        return grammar.documents(bytes: bytes)
    }
}
