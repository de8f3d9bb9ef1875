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
        try writer.setMetadata("settings", settings)
        try writer.setMetadata("progress", progress)
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
        let file = try SafetensorsFile(checkpoint: path, format: Self.format)
        let differences = settings.differences(
            from: try file.decodeMetadata("settings", as: RunSettings.self, path: path))
        guard differences.isEmpty else {
            throw ResumeError(
                path: path, reason: "it is of a run with other settings: \(differences.joined(separator: ", "))")
        }
        let progress = try file.decodeMetadata("progress", as: RunProgress.self, path: path)
        for table in state.tables {
            try file.read(table.name, into: table.values)
            try file.read("adam.\(table.name).first", into: table.optimizer.first)
            try file.read("adam.\(table.name).second", into: table.optimizer.second)
        }
        try state.restored(steps: progress.steps)
        return progress
    }
}
