import ExampleSupport
import ExampleTestSupport
import Foundation
import Testing

@testable import sasrec

@Suite struct CheckpointTests {
    private func saved(_ scratch: Scratch) throws -> CheckpointFile {
        let file = CheckpointFile(path: scratch.path("a.safetensors"))
        try World.run(World.settings(), epochs: 1, checkpoint: file).run()
        return file
    }

    @Test func `a checkpoint gives back the best model and the names of its items`() throws {
        let scratch = try Scratch()
        let file = CheckpointFile(path: scratch.path("a.safetensors"))
        let run = try World.run(World.settings(), epochs: 3, checkpoint: file)
        try run.run()
        let (model, names) = try file.loadModel()
        #expect(names == World.data.itemNames)
        #expect(Array(model.items.elements) == Array(run.best!.items.elements))
        #expect(Array(model.parameters.elements) == Array(run.best!.parameters.elements))
    }

    @Test func `a checkpoint of other settings is refused with the options that differ`() throws {
        let scratch = try Scratch()
        let file = try saved(scratch)
        let changes: [(String, (inout RunSettings) -> Void)] = [
            ("--dimension", { $0.shape.dimension = 32 }), ("--blocks", { $0.shape.blocks = 1 }),
            ("--max-length", { $0.shape.maximumLength = 7 }), ("--dropout", { $0.step.dropout = 0.5 }),
            ("--learning-rate", { $0.step.adam.learningRate = 0.1 }), ("--seed", { $0.step.seed = 9 }),
            ("--batch", { $0.batchSequences = 5 }), ("--loss", { $0.step.loss = .sce }),
            ("parameters", { $0.step.lossParameters.sceItems = 7 }), ("data", { $0.dataFingerprint = 1 }),
        ]
        for (name, change) in changes {
            let run = try World.run(World.settings(.ce, change), epochs: 2, checkpoint: file)
            let error = #expect(throws: ResumeError.self, "\(name)") { try run.resume() }
            #expect(error.map { $0.description.contains(name) && $0.description.contains(file.path) } ?? false)
        }
    }

    @Test func `a change of any one setting counts as a difference`() throws {
        let settings = World.settings()
        let variants = try copiesWithOneChange(of: settings)
        #expect(variants.count > 15)
        for variant in variants { #expect(!settings.differences(from: variant).isEmpty, "\(variant)") }
        #expect(settings.differences(from: settings).isEmpty)
    }

    @Test func `a damaged, foreign or missing file is an error that names it`() throws {
        let scratch = try Scratch()
        let file = try saved(scratch)
        let whole = try scratch.contents("a.safetensors")
        for length in [0, 7, 100, whole.count / 2, whole.count - 1] {
            let cut = CheckpointFile(path: try scratch.file("cut.safetensors", whole.prefix(length)))
            let run = try World.run(World.settings(), epochs: 2, checkpoint: cut)
            #expect(throws: SafetensorsError.self, "\(length) bytes") { try run.resume() }
        }
        var writer = SafetensorsWriter()
        try writer.add("x", shape: [1], [Float(1)])
        try writer.write(to: scratch.path("foreign.safetensors"))
        #expect(throws: ResumeError.self) { try CheckpointFile(path: scratch.path("foreign.safetensors")).loadModel() }
        #expect(throws: SafetensorsError.self) { try CheckpointFile(path: scratch.path("none")).loadModel() }
        #expect(file.exists)
    }
}
