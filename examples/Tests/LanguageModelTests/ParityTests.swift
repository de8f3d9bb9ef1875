import ExampleSupport
import Foundation
import NeuralLayers
import Shortlist
import Testing

@testable import LanguageModel

/// Models that `transformers` made and wrote, with what PyTorch computed from them: see make_fixtures.py.
@Suite struct ParityTests {
    /// The logits and Σ upstream · logits's gradients of a fixture, from our passes.
    private struct Ours {
        let logits: [Float]
        let inputGradient: [Float]
        let gradients: Matrix
        let model: CausalLanguageModel
    }

    private static let names = [
        "llama-grouped-tied", "llama-biased-untied", "llama-sharded-bf16", "neox-parallel", "neox-sequential-f16",
    ]

    private func run(_ name: String, _ expected: SafetensorsFile) throws -> Ours {
        let model = try CausalLanguageModel(folder: fixture(name).path)
        let lengths = try #require(expected.metadata["lengths"]).split(separator: " ").compactMap { Int($0) }
        let (rows, width) = (lengths.reduce(0, +), model.configuration.width)
        let vocabulary = model.configuration.vocabularySize
        let input = try Matrix(rows: rows, columns: width)
        try expected.read("input", into: input)
        let hidden = try Matrix(rows: rows, columns: width)
        let pass = BatchPass(model, workers: Workers(2))
        pass.forward(input, PackedSequences(lengths: lengths, rowsPerChunk: 1), into: hidden)
        let head = model.outputEmbeddings
        var logits = [Float](repeating: 0, count: rows * vocabulary)
        Products.timesTransposed(
            rows, vocabulary, width, hidden.elements.baseAddress!, width, head.elements.baseAddress!, width, &logits,
            vocabulary)
        let upstream = try expected.floats("upstream", shape: [rows, vocabulary])
        let dHidden = try Matrix(rows: rows, columns: width)
        Products.times(
            rows, width, vocabulary, upstream, vocabulary, head.elements.baseAddress!, width,
            dHidden.elements.baseAddress!, width)
        let gradients = try Matrix(rows: 1, columns: model.layout.count)
        try pass.backward(dHidden, gradients: gradients, into: dHidden)
        return Ours(logits: logits, inputGradient: Array(dHidden.elements), gradients: gradients, model: model)
    }

    @Test(arguments: names) func `logits and input gradients are PyTorch's to 1e-4`(name: String) throws {
        let expected = try SafetensorsFile(contentsOf: fixture(name).appending(path: "expected.safetensors").path)
        let ours = try run(name, expected)
        let rows = ours.inputGradient.count / ours.model.configuration.width
        expectNear(
            ours.logits, try expected.floats("logits", shape: [rows, ours.logits.count / rows]), "logits")
        expectNear(
            ours.inputGradient, try expected.floats("input_gradient", shape: [rows, ours.model.configuration.width]),
            "input gradient")
    }

    @Test(arguments: names) func `gradients of every parameter are PyTorch's to 1e-4`(name: String) throws {
        let expected = try SafetensorsFile(contentsOf: fixture(name).appending(path: "expected.safetensors").path)
        let ours = try run(name, expected)
        let tensors = TensorMap(ours.model).tensors
        #expect(
            Set(tensors.map { "gradient." + $0.name }) == Set(expected.names.filter { $0.hasPrefix("gradient.") }))
        for tensor in tensors {
            var values = [Float](repeating: 0, count: tensor.shape.reduce(1, *))
            for piece in tensor.pieces {
                for place in 0..<piece.count {
                    values[piece.inTensor + place] = ours.gradients.elements[piece.inParameters + place]
                }
            }
            expectNear(values, try expected.floats("gradient." + tensor.name, shape: tensor.shape), tensor.name)
        }
    }

    /// Within 1e-4 of the largest magnitude.
    private func expectNear(_ ours: [Float], _ theirs: [Float], _ what: String) {
        let largest = theirs.reduce(0) { max($0, abs($1)) }
        let worst = zip(ours, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(ours.count == theirs.count)
        #expect(largest > 0.01, "\(what) has nothing to compare")
        #expect(worst <= 1e-4 * largest, "\(what): off by \(worst) where the largest is \(largest)")
    }

    /// SHORTLIST_TRANSFORMERS_PYTHON names a Python that has `transformers`; without it this test does not run.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SHORTLIST_TRANSFORMERS_PYTHON"] != nil))
    func `transformers loads what we write and computes the same logits`() throws {
        let python = try #require(ProcessInfo.processInfo.environment["SHORTLIST_TRANSFORMERS_PYTHON"])
        try withTemporaryFolder { folder in
            for tiny in TinyModel.allCases {
                let model = try tiny.model()
                let place = folder.appending(path: tiny.rawValue).path
                try model.write(to: place)
                let ids: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6, 10, 0]
                let width = model.configuration.width
                let vocabulary = model.configuration.vocabularySize
                let hidden = try DecodingState(model, capacity: ids.count).step(tokens: ids)
                var logits = [Float](repeating: 0, count: ids.count * vocabulary)
                Products.timesTransposed(
                    ids.count, vocabulary, width, hidden.base, width, model.outputEmbeddings.elements.baseAddress!,
                    width, &logits, vocabulary)
                var writer = SafetensorsWriter()
                try writer.add("ids", shape: [ids.count], ids.map { Int64($0) })
                try writer.add("logits", shape: [ids.count, vocabulary], logits)
                try writer.write(to: place + "/ours.safetensors")
            }
            let process = Process()
            process.executableURL = URL(filePath: python)
            let script = URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "check_with_transformers.py")
            process.arguments = [script.path, folder.path]
            let output = Pipe()
            (process.standardOutput, process.standardError) = (output, output)
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(text)")
            for tiny in TinyModel.allCases { #expect(text.contains("\(tiny.rawValue): logits differ by ")) }
        }
    }
}

func fixture(_ name: String) -> URL {
    Bundle.module.bundleURL.appending(path: "Fixtures").appending(path: name)
}

/// Runs `body` with a new folder, which is taken away afterwards.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "shortlist-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
}
