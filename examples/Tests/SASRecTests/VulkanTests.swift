import ExampleCommandLine
import ExampleSupport
import ExampleTestSupport
import Shortlist
import Testing

@testable import sasrec

/// Whether the library was built with its Vulkan backend. A driver must then be there: lavapipe will do.
private let hasVulkan = BackendRegistry.standard.list().contains { $0.name == "vulkan" }

@Suite(.enabled(if: hasVulkan, "the library is built without its Vulkan backend"))
struct VulkanTests {
    @Test(arguments: LossName.allCases, [false, true])
    func `two steps and a ranking on Vulkan give the CPU's losses and ranks`(loss: LossName, isLazy: Bool) throws {
        let settings = World.settings(loss) { $0.step.adam.isLazy = isLazy }
        let onCPU = try twoSteps(settings, ContextOptions(backend: "cpu", threads: 1))
        let onVulkan = try twoSteps(settings, ContextOptions(backend: "vulkan", device: 0))
        for step in 0..<2 {
            // Sums in another order: the last digits of f32.
            #expect(
                abs(onCPU.losses[step] - onVulkan.losses[step]) < 1e-4 * abs(onCPU.losses[step]),
                "step \(step): \(onCPU.losses) on the CPU, \(onVulkan.losses) on Vulkan")
        }
        #expect(onCPU.losses[0] != onCPU.losses[1], "the second step shows whether the catalog was updated")
        #expect(abs(onCPU.mrr - onVulkan.mrr) < 0.01, "\(onCPU.mrr) on the CPU, \(onVulkan.mrr) on Vulkan")
    }

    private func twoSteps(
        _ settings: RunSettings, _ options: ContextOptions
    ) throws -> (losses: [Double], mrr: Double) {
        let context = try Context(options)
        #expect(context.backend.name == options.backend)
        let model = try SASRecModel(settings.shape)
        model.initialize(settings.initialization, seed: settings.step.seed)
        let state = try TrainingState(settings.step, model, context)
        let histories = World.data.histories.prefix(24).map { $0.prefix(12) }
        let batch = TrainingBatch(
            Array(histories), maximumLength: settings.shape.maximumLength, positions: settings.shape.positions)
        let losses = try (0..<2).map { _ in try state.step(batch) }
        let hidden = try Matrix(rows: 16, columns: settings.shape.dimension)
        Philox.fillNormal(hidden.mutableView, seed: 3, step: 0, stream: 9)
        let ranks = try context.targetRanks(hidden, targets: (0..<16).map { Int32($0) }, in: state.catalog)
        return (losses, ranks.reduce(0) { $0 + 1 / Double($1) } / Double(ranks.count))
    }

    @Test func `the program trains on a software device that is named, and refuses one that is not`() throws {
        let small = ["--users", "60", "--items", "40", "--epochs", "1", "--dimension", "8", "--loss", "ce"]
        let listing = try #require(BackendRegistry.standard.list().first { $0.name == "vulkan" })
        let found = listing.devices.first { $0.onlyByName }
        let software = try #require(found, "lavapipe is wanted for this test")
        let run = try ProgramRun("sasrec", small + ["--backend", "vulkan", "--device", "\(software.index)"])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains("Backend vulkan") && run.output.contains("\nce "))
        if listing.devices.allSatisfy({ $0.onlyByName }) {
            let refused = try ProgramRun("sasrec", small + ["--backend", "vulkan"])
            #expect(refused.status != 0 && refused.errors.contains("--device \(software.index) takes it"))
        }
    }
}
