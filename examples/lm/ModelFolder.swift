import ExampleCommandLine
import ExampleSupport
import Foundation
import LanguageModel
import Tokenization

/// Where a run leaves its model, in Hugging Face's layout, and its checkpoint. Making one finds out before the training
/// whether they can be written.
struct ModelFolder {
    let path: String

    /// - Throws: `OutputFolderError` where an earlier run would be lost, `FileWriteError` where nothing can be written.
    init(_ path: String, resume: Bool, overwrite: Bool) throws {
        self.path = path
        try makeOutputFolder(path)
        if resume, !checkpoint.exists {
            throw OutputFolderError(path: path, reason: "no checkpoint to resume: there is no \(checkpoint.path)")
        }
        let files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "report.json"]
        if !resume, !overwrite,
            let old = ([checkpoint.path] + files.map(file)).first(where: FileManager.default.fileExists)
        {
            throw OutputFolderError(
                path: path,
                reason: "\(old) is there already; --resume goes on with an earlier run, --overwrite replaces it")
        }
        for file in [checkpoint.path] + files.map(file) { try WritableFile(file).check() }
        // What --resume finds later is then this run's.
        if overwrite, checkpoint.exists { try FileManager.default.removeItem(atPath: checkpoint.path) }
    }

    private func file(_ name: String) -> String { (path as NSString).appendingPathComponent(name) }

    var checkpoint: CheckpointFile { CheckpointFile(path: file("training.safetensors")) }

    /// `config.json` and `model.safetensors`.
    func write(_ model: CausalLanguageModel) throws { try model.write(to: path) }

    func write(_ tokenizer: Tokenizer, context: Int) throws {
        try tokenizer.write(to: path, endOfText: endOfText, maximumLength: context)
    }

    func writeReport(_ settings: RunSettings, _ progress: RunProgress) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try WritableFile(file("report.json")).write(
            try encoder.encode(["settings": AnyEncodable(settings), "progress": AnyEncodable(progress)]))
    }
}

/// The token that begins and ends a text, in the models that this program trains.
let endOfText = "<|endoftext|>"

private struct AnyEncodable: Encodable {
    let value: any Encodable
    init(_ value: any Encodable) { self.value = value }
    func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}
