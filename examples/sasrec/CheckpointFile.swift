import ExampleSupport
import Foundation
import Shortlist

/// A run in a safetensors file: the parameters of the best epoch (`model.…`, with which other programs may work), those
/// of the last step (`last.…`), the optimisers' moments, the names of the items, and settings and progress as JSON in
/// the metadata.
struct CheckpointFile {
    let path: String

    static let format = "shortlist-sasrec-1"

    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    /// Writes the file whole or not at all. - Throws: `FileWriteError`.
    func save(
        _ state: TrainingState, _ progress: RunProgress, _ best: ModelSnapshot?, _ settings: RunSettings,
        items: [String]
    ) throws {
        let model = state.model
        var writer = SafetensorsWriter()
        writer.metadata["format"] = Self.format
        try writer.setMetadata("settings", settings)
        try writer.setMetadata("progress", progress)
        try Self.add(&writer, "model", items: best?.items ?? model.items, best?.parameters ?? model.parameters, model)
        try Self.add(&writer, "last", items: model.items, model.parameters, model)
        try writer.add("adam.items.first", state.itemOptimizer.first)
        try writer.add("adam.items.second", state.itemOptimizer.second)
        try writer.add("adam.parameters.first", state.parameterOptimizer.first)
        try writer.add("adam.parameters.second", state.parameterOptimizer.second)
        let names = Array(items.joined(separator: "\n").utf8)
        try writer.add("item_names", shape: [names.count], names)
        try writer.write(to: path)
    }

    /// Puts a saved run's parameters and moments into `state`.
    ///
    /// - Throws: `ResumeError` when the file is of another run; `SafetensorsError` when it is damaged.
    func load(into state: TrainingState, _ settings: RunSettings) throws -> (RunProgress, ModelSnapshot?) {
        let file = try open()
        let saved = try file.decodeMetadata("settings", as: RunSettings.self, path: path)
        let differences = settings.differences(from: saved)
        guard differences.isEmpty else {
            throw ResumeError(
                path: path, reason: "it is of a run with other settings: \(differences.joined(separator: ", "))")
        }
        let progress = try file.decodeMetadata("progress", as: RunProgress.self, path: path)
        let model = state.model
        try read(file, "last", items: model.items, model.parameters, model)
        try file.read("adam.items.first", into: state.itemOptimizer.first)
        try file.read("adam.items.second", into: state.itemOptimizer.second)
        try file.read("adam.parameters.first", into: state.parameterOptimizer.first)
        try file.read("adam.parameters.second", into: state.parameterOptimizer.second)
        state.steps = progress.steps
        state.itemOptimizer.steps = progress.steps
        state.parameterOptimizer.steps = progress.steps
        guard progress.bestEpoch > 0 else { return (progress, nil) }
        let best = try ModelSnapshot(like: model)
        try read(file, "model", items: best.items, best.parameters, model)
        return (progress, best)
    }

    /// The model of the best epoch, and the items that its rows stand for.
    func loadModel() throws -> (SASRecModel, itemNames: [String]) {
        let file = try open()
        let settings = try file.decodeMetadata("settings", as: RunSettings.self, path: path)
        let model = try SASRecModel(settings.shape)
        try read(file, "model", items: model.items, model.parameters, model)
        guard let shape = file.shape(of: "item_names") else {
            throw ResumeError(path: path, reason: "it names no items")
        }
        let bytes = try file.uint8s("item_names", shape: shape)
        let names = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard names.count == model.items.rows else {
            throw ResumeError(
                path: path, reason: "it names \(names.count) items and has embeddings of \(model.items.rows)")
        }
        return (model, names.map(String.init))
    }

    // MARK: Parts

    private func open() throws -> SafetensorsFile { try SafetensorsFile(checkpoint: path, format: Self.format) }

    private static func add(
        _ writer: inout SafetensorsWriter, _ prefix: String, items: Matrix, _ parameters: Matrix, _ model: SASRecModel
    ) throws {
        try writer.add("\(prefix).item_embeddings", items)
        for entry in model.layout.entries {
            let shape = entry.rows == 1 ? [entry.columns] : [entry.rows, entry.columns]
            try writer.add(
                "\(prefix).\(entry.name)", shape: shape,
                UnsafeBufferPointer(start: parameters.elements.baseAddress! + entry.offset, count: entry.count))
        }
    }

    private func read(
        _ file: SafetensorsFile, _ prefix: String, items: Matrix, _ parameters: Matrix, _ model: SASRecModel
    ) throws {
        try file.read("\(prefix).item_embeddings", into: items)
        for entry in model.layout.entries {
            let shape = entry.rows == 1 ? [entry.columns] : [entry.rows, entry.columns]
            let values = try file.floats("\(prefix).\(entry.name)", shape: shape)
            values.withUnsafeBufferPointer {
                (parameters.elements.baseAddress! + entry.offset).update(from: $0.baseAddress!, count: entry.count)
            }
        }
    }
}
