import ExampleSupport
import Foundation
import Shortlist

/// Why a folder is no model that can be used: which file, and what is wrong there.
public struct ModelFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    /// Nil when no tensor is at fault.
    public let tensor: String?
    public let reason: String

    init(file: String, tensor: String? = nil, reason: String) {
        self.file = file
        self.tensor = tensor
        self.reason = reason
    }

    public var description: String {
        tensor.map { "\(file), tensor \"\($0)\": \(reason)" } ?? "\(file): \(reason)"
    }
}

extension CausalLanguageModel {
    /// Reads a model in Hugging Face's layout: `config.json` beside `model.safetensors`, or beside
    /// `model.safetensors.index.json` and the files it names. Numbers in f16 and bf16 become f32.
    ///
    /// - Throws: `ModelFolderError` or `SafetensorsError`, which name the file, the field or the tensor: whatever is
    ///   missing, of another shape, cut short, of an architecture that is not supported, or of no use to the model.
    public convenience init(folder: String) throws {
        let file = folder + "/config.json"
        let configuration: ModelConfiguration
        do {
            configuration = try ModelConfiguration(json: try Self.contents(file))
        } catch let error as ConfigurationError {
            throw ModelFolderError(file: file, reason: error.description)
        }
        // Before memory is taken for as many layers as the configuration says.
        let weights = try WeightFiles(folder)
        _ = try weights.file(of: TensorMap.lastNorm(configuration))
        try self.init(zeros: configuration)
        let map = TensorMap(self)
        try checkNames(weights, map)
        try weights.file(of: map.embeddings).read(map.embeddings, into: embeddings)
        if !configuration.tiedEmbeddings {
            try weights.file(of: map.outputEmbeddings).read(map.outputEmbeddings, into: outputEmbeddings)
        } else if weights.names.contains(map.outputEmbeddings) {
            try checkTied(weights, map)
        }
        let target = parameters.elements.baseAddress!
        for tensor in map.tensors {
            let values = try weights.file(of: tensor.name).floats(tensor.name, shape: tensor.shape)
            values.withUnsafeBufferPointer { values in
                for piece in tensor.pieces {
                    (target + piece.inParameters).update(
                        from: values.baseAddress! + piece.inTensor, count: piece.count)
                }
            }
        }
    }

    /// Writes `config.json` and `model.safetensors`, in f32, into a folder, which is made where there is none. Each file
    /// is replaced whole or not at all. `transformers` reads the result, and so does `init(folder:)`.
    ///
    /// - Throws: `FileWriteError`, which names the file, or `ModelFolderError` for the folder.
    public func write(to folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ModelFolderError(file: folder, reason: "the folder cannot be made: \(error.localizedDescription)")
        }
        var writer = SafetensorsWriter()
        writer.metadata["format"] = "pt"  // transformers refuses files that do not say so
        let map = TensorMap(self)
        try writer.add(map.embeddings, embeddings)
        if !configuration.tiedEmbeddings { try writer.add(map.outputEmbeddings, outputEmbeddings) }
        let source = parameters.elements
        for tensor in map.tensors {
            guard tensor.pieces.count > 1 else {
                let piece = tensor.pieces[0]
                let values = source[piece.inParameters..<piece.inParameters + piece.count]
                try writer.add(tensor.name, shape: tensor.shape, UnsafeBufferPointer(rebasing: values))
                continue
            }
            var values = [Float](repeating: 0, count: tensor.shape.reduce(1, *))
            for piece in tensor.pieces {
                for place in 0..<piece.count { values[piece.inTensor + place] = source[piece.inParameters + place] }
            }
            try writer.add(tensor.name, shape: tensor.shape, values)
        }
        try withExtendedLifetime(parameters) { try writer.write(to: folder + "/model.safetensors") }
        try WritableFile(folder + "/config.json").write(try configuration.json())
    }

    private func checkNames(_ weights: WeightFiles, _ map: TensorMap) throws {
        let known = Set(map.tensors.map(\.name) + [map.embeddings, map.outputEmbeddings])
        for name in weights.names.sorted() where !known.contains(name) && !TensorMap.isBuffer(name) {
            throw ModelFolderError(
                file: weights.place, tensor: name,
                reason: "a \(configuration.family.architecture) as config.json has it has no such tensor")
        }
    }

    /// A head in the file of a model with tied embeddings must be what it is tied to.
    private func checkTied(_ weights: WeightFiles, _ map: TensorMap) throws {
        let file = try weights.file(of: map.outputEmbeddings)
        let head = try file.floats(map.outputEmbeddings, shape: [embeddings.rows, embeddings.columns])
        guard embeddings.elements.elementsEqual(head) else {
            throw ModelFolderError(
                file: file.path, tensor: map.outputEmbeddings,
                reason: "it differs from \(map.embeddings), and tie_word_embeddings says that they are one")
        }
    }

    fileprivate static func contents(_ file: String) throws -> Data {
        guard FileManager.default.fileExists(atPath: file) else {
            throw ModelFolderError(file: file, reason: "there is no such file")
        }
        do {
            return try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw ModelFolderError(file: file, reason: "it cannot be read: \(error.localizedDescription)")
        }
    }
}

/// The safetensors files of a model, one or several, and which tensor is in which.
private struct WeightFiles {
    /// The file that says which tensors there are.
    let place: String
    let names: Set<String>
    private let files: [String: SafetensorsFile]
    /// The key of each tensor's file in `files`.
    private let fileNames: [String: String]

    init(_ folder: String) throws {
        let single = folder + "/model.safetensors"
        let index = folder + "/model.safetensors.index.json"
        if FileManager.default.fileExists(atPath: single) {
            let file = try SafetensorsFile(contentsOf: single)
            place = single
            names = Set(file.names)
            files = [single: file]
            fileNames = Dictionary(uniqueKeysWithValues: file.names.map { ($0, single) })
        } else if FileManager.default.fileExists(atPath: index) {
            place = index
            fileNames = try Self.weightMap(index)
            names = Set(fileNames.keys)
            var files: [String: SafetensorsFile] = [:]
            for name in Set(fileNames.values).sorted() {
                files[name] = try SafetensorsFile(contentsOf: folder + "/" + name)
            }
            self.files = files
        } else {
            throw ModelFolderError(
                file: folder, reason: "there is neither model.safetensors nor model.safetensors.index.json")
        }
    }

    func file(of tensor: String) throws -> SafetensorsFile {
        guard let name = fileNames[tensor], let file = files[name] else {
            throw ModelFolderError(file: place, tensor: tensor, reason: "there is no such tensor")
        }
        return file
    }

    private static func weightMap(_ index: String) throws -> [String: String] {
        struct Index: Decodable {
            let weights: [String: String]
            enum CodingKeys: String, CodingKey { case weights = "weight_map" }
        }
        guard
            let map = try? JSONDecoder().decode(Index.self, from: CausalLanguageModel.contents(index)).weights
        else {
            throw ModelFolderError(file: index, reason: "it has no weight_map from names of tensors to names of files")
        }
        for (tensor, file) in map.sorted(by: { $0.key < $1.key }) where file.contains("/") || file.isEmpty {
            throw ModelFolderError(file: index, reason: "the file \"\(file)\" of \(tensor) is not in the folder")
        }
        return map
    }
}
