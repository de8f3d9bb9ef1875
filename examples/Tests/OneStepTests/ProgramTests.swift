import ExampleTestSupport
import Foundation
import LanguageModel
import Testing
import Tokenization

@testable import onestep

/// The program as it is started from a shell.
@Suite(.serialized) struct ProgramTests {
    private static let text = """
        In the morning the boats went out, and in the evening they came back; the nets were full, the children counted the \
        fish and the old men counted the boats. When one was missing, nobody spoke. A lamp was lit on the pier and the \
        women waited beside it, although the wind was cold and there was rain in it. Once the lamp burned for three days. \
        On the fourth morning a sail stood far out, white against grey water, and somebody began to sing. Since then they \
        tell each child the same story: light a lamp, wait, do not count before evening. Strangers laugh about this, until \
        they have lived through one autumn here. Afterwards every stranger keeps matches dry, oil near the door, bread for \
        guests, blankets for swimmers, rope for boats, patience for fog, and names for those winds which blow from north, \
        south, west, east, or down between mountains when snow melts early, rivers rise quickly, bridges tremble, cattle \
        move uphill, dogs refuse their supper, bells ring without hands, doors open themselves, shutters clap like slow \
        applause, gulls walk inland, frogs grow silent, and grandmothers say: tonight nobody sails, tonight we mend, we \
        cook, we listen, we remember everything twice.
        """

    /// A folder with a model of random weights, its tokenizer, and the text.
    private func world() throws -> (scratch: Scratch, model: String, text: String) {
        let scratch = try Scratch()
        let tokenizer = try Tokenizer.train(on: [Self.text], vocabularySize: 300)
        var configuration = ModelConfiguration.gptNeoX(
            vocabularySize: tokenizer.vocabularySize, width: 32, layers: 2, heads: 2)
        configuration.initialDeviation = 0.2
        let folder = scratch.path("model")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try CausalLanguageModel(configuration: configuration, seed: 1).write(to: folder)
        try tokenizer.write(to: folder)
        let text = scratch.path("text.txt")
        try Data(Self.text.utf8).write(to: URL(fileURLWithPath: text))
        return (scratch, folder, text)
    }

    @Test func `fit saves vectors from which decode makes the same text`() throws {
        let world = try world()
        let file = world.scratch.path("vectors.safetensors")
        let fit = try ProgramRun(
            "onestep",
            ["fit", "--model", world.model, "--say", "a lamp", "--attempts", "3", "--steps", "2000", "--save", file])
        #expect(fit.status == 0, "\(fit.errors)")
        #expect(fit.output.contains("Mean accuracy 1.0000"))
        let decode = try ProgramRun("onestep", ["decode", "--model", world.model, file])
        #expect(decode.status == 0 && decode.output.contains("\na lamp\n"), "\(decode.output)\(decode.errors)")
    }

    @Test func `every experiment ends with its table, and leaves its figures`() throws {
        let world = try world()
        let out = world.scratch.path("out")
        let common = ["--model", world.model, "--text", world.text, "--texts", "2", "--steps", "200", "--out", out]
        for (command, rows, files) in [
            (
                ["capacity", "--lengths", "2,4"], ["natural", "continuation", "random-words"],
                ["capacity.json", "capacity.svg"]
            ),
            (
                ["arrangements", "--lengths", "1,3"], ["[e]×N", "[e] [m]×(N−1)"],
                ["arrangements.json", "arrangements.svg"]
            ),
            (
                ["autoregression", "--lengths", "2,4", "--turns", "3"], ["one pass", "one by one"],
                ["autoregression.json"]
            ),
            (["losses", "--length", "3"], ["\nce ", "\nsce ", "\nrece "], ["losses.json"]),
            (
                ["connectivity", "--length", "2", "--curve-steps", "20", "--places", "5"], ["straight line", "Bézier"],
                ["connectivity.json", "connectivity.svg"]
            ),
        ] {
            let run = try ProgramRun("onestep", command + common)
            #expect(run.status == 0, "\(command): \(run.errors)")
            for row in rows { #expect(run.output.contains(row), "\(command): \(row)") }
            for file in files {
                #expect(FileManager.default.fileExists(atPath: world.scratch.path("out/\(file)")), "\(file)")
            }
        }
    }

    @Test func `what cannot be done is said by name`() throws {
        let world = try world()
        for (arguments, message) in [
            (["fit", "--model", "/nowhere", "--say", "x"], "/nowhere/config.json"),
            (["fit", "--model", world.model], "--text"),
            (["fit", "--model", world.model, "--text", "/nowhere.txt"], "/nowhere.txt"),
            (["fit", "--model", world.model, "--say", "x", "--arrangement", "cramming"], "autoregression"),
            (["fit", "--model", world.model, "--say", "x", "--arrangement", "single", "--share-m"], "--share-m"),
            (["fit", "--model", world.model, "--text", world.text, "--length", "100000"], "do not fit into --text"),
            (["fit", "--model", world.model, "--say", "x", "--steps", "0"], "--steps"),
            (
                ["fit", "--model", world.model, "--say", "x", "--save", "/nowhere/v.safetensors"],
                "/nowhere/v.safetensors"
            ),
            (["decode", "--model", world.model, world.text], "text.txt"),
            (["losses", "--model", world.model, "--text", world.text, "--loss", "sce"], "--loss"),
            (["capacity", "--model", world.model, "--text", world.text, "--lengths", "8,4"], "8,4"),
            (["fit", "--model", world.model, "--say", "x", "--backend", "abacus"], "abacus"),
        ] {
            let run = try ProgramRun("onestep", arguments)
            #expect(run.status != 0 && !run.wasSignalled, "\(arguments)")
            #expect(run.errors.contains(message), "\(arguments): \(run.errors)")
        }
    }
}
