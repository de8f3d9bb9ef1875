import ArgumentParser
import ExampleCommandLine
import Foundation

struct TextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "text", abstract: "Write the stories that lm train learns from when it is given no text.")

    @Option(help: "Bytes to write, about.")
    var bytes = ByteCount(argument: "3MB")!

    @Option(help: "Which stories.")
    var seed: UInt64 = 1

    func run() throws {
        var grammar = StoryGrammar(seed: seed)
        let stories = grammar.documents(bytes: bytes.bytes)
        FileHandle.standardOutput.write(Data(stories.map(\.text).joined(separator: "\n").utf8))
    }
}
