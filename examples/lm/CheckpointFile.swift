import ExampleSupport
import Foundation
import Shortlist

/// A run in a safetensors file: the parameters after the last step and the optimisers' moments, with settings and
/// progress as JSON in the metadata.
struct CheckpointFile {
    let path: String

    static let format = "shortlist-lm-1"

    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    /// Writes the file whole or not at all. - Throws: `FileWriteError`.
    func save(_ state: TrainingState, _ progress: RunProgress, _ settings: RunSettings) throws {
        var writer = SafetensorsWriter()
        writer.metadata["format"] = Self.format
        writer.metadata["settings"] = try Self.json(settings)
        writer.metadata["progress"] = try Self.json(progress)
        for table in state.tables {
            try writer.add(table.name, table.values)
            try writer.add("adam.\(table.name).first", table.optimizer.first)
            try writer.add("adam.\(table.name).second", table.optimizer.second)
        }
        try writer.write(to: path)
    }

    /// Puts a saved run's parameters and moments into `state`.
    ///
    /// - Throws: `ResumeError` when the file is of another run; `SafetensorsError` when it is damaged.
    func load(into state: TrainingState, _ settings: RunSettings) throws -> RunProgress {
        let file = try SafetensorsFile(contentsOf: path)
        guard file.metadata["format"] == Self.format else {
            throw ResumeError(path: path, reason: "it is no checkpoint of this program (format \(Self.format))")
        }
        let differences = settings.differences(from: try metadata(file, "settings", RunSettings.self))
        guard differences.isEmpty else {
            throw ResumeError(
                path: path, reason: "it is of a run with other settings: \(differences.joined(separator: ", "))")
        }
        let progress = try metadata(file, "progress", RunProgress.self)
        for table in state.tables {
            try file.read(table.name, into: table.values)
            try file.read("adam.\(table.name).first", into: table.optimizer.first)
            try file.read("adam.\(table.name).second", into: table.optimizer.second)
        }
        try state.restored(steps: progress.steps)
        return progress
    }

    private func metadata<Value: Decodable>(_ file: SafetensorsFile, _ key: String, _: Value.Type) throws -> Value {
        guard let text = file.metadata[key] else { throw ResumeError(path: path, reason: "it has no \(key)") }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw ResumeError(path: path, reason: "its \(key) cannot be understood: \(error)")
        }
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// Why a checkpoint does not serve.
struct ResumeError: Error, CustomStringConvertible {
    let path: String
    let reason: String
    var description: String { "\(path) cannot be used: \(reason)" }
}
