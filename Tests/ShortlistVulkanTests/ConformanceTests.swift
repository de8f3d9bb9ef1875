import ShortlistConformance
import ShortlistCore
import ShortlistVulkan
import Testing

/// What is held to the suite: the backend as it is, with every optional kernel composed of required ones, and with tiny
/// staging memory, slices of a few workgroups, short sweeps and small tiles, and with large tiles and short lists. All of
/// them under the validation layer.
enum Variant: CaseIterable, Sendable, CustomTestStringConvertible {
    case standard, composed, small, large

    var testDescription: String { "\(self)" }

    var options: VulkanOptions {
        var options = VulkanOptions(validation: true)
        switch self {
        case .standard: break
        case .composed:
            options.composed = Kernel.optional.reduce(into: KernelSet()) { $0.insert(KernelSet($1)) }
        case .small:
            options.stagingBytes = 4096
            options.sliceGroups = 3
            options.sweepIterations = 600
            options.tile = .small
            options.scansCounts = true
        case .large:
            options.tile = .large
            options.listCapacity = 1
        }
        return options
    }

    /// Runs `body` and holds the validation layer to silence.
    func run(_ body: (ConformanceSuite) -> ConformanceReport) {
        let backend = VulkanBackend(options)
        #expect(backend.unavailableReason == nil)
        let report = body(ConformanceSuite(backend))
        #expect(report.holds, "\(report)")
        #expect(backend.validationMessages.count == 0, "\(backend.validationMessages.first)")
    }
}

@Suite("The Vulkan backend conforms, without a word from the validation layer", .serialized)
struct ConformanceTests {
    @Test("each kernel agrees with its reference", arguments: Variant.allCases)
    func kernels(variant: Variant) { variant.run { $0.kernels() } }

    @Test("random cases of every loss agree with the oracle", arguments: Variant.allCases)
    func losses(variant: Variant) {
        let seeds = [Variant.standard: 0..<200, .composed: 1000..<1080, .small: 2000..<2080, .large: 3000..<3100]
        variant.run { $0.losses(seeds: seeds[variant] ?? 0..<80) }
    }

    @Test("retrieval and ranks agree with the oracle", arguments: Variant.allCases)
    func retrieval(variant: Variant) { variant.run { $0.retrieval(seeds: 0..<40) } }

    @Test("every edge of the specification and every known trap holds")
    func edges() { Variant.standard.run { $0.edges() } }

    @Test("gradients are derivatives of the loss")
    func derivatives() { Variant.standard.run { $0.finiteDifferences(seeds: 0..<60) } }

    @Test("the same call gives the same bits")
    func determinism() { Variant.standard.run { $0.determinism(threads: [1, 2]) } }

    @Test("the least workspace works and a byte less is refused")
    func limits() { Variant.standard.run { $0.limits(seeds: 0..<20) } }
}
