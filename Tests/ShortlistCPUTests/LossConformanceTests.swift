import CShortlistKernels
import ShortlistCPU
import ShortlistConformance
import Testing

/// What is held to the suite: the backend at each SIMD level, and with its optional kernels composed of required ones.
///
/// The level is forced for the test's own thread and the workers of the streams that it opens.
enum Variant: CustomTestStringConvertible, CaseIterable, Sendable {
    case baseline, avx2, avx512, composed

    var testDescription: String { "\(self)" }

    /// Whether this processor has it.
    var isAvailable: Bool {
        switch self {
        case .baseline, .composed: true
        case .avx2: sl_best_level() >= 1
        case .avx512: sl_best_level() >= 2
        }
    }

    /// Forces the level for `body`.
    func run(_ body: (ConformanceSuite) -> ConformanceReport) -> ConformanceReport {
        let levels: [Variant: Int32] = [.baseline: 0, .avx2: 1, .avx512: 2]
        sl_force_level(levels[self] ?? sl_best_level())
        defer { sl_force_level(sl_best_level()) }
        let kernels = Kernel.optional.reduce(into: KernelSet()) { $0.insert(KernelSet($1)) }
        return body(ConformanceSuite(self == .composed ? CPUBackend(composed: kernels) : CPUBackend()))
    }

    static var available: [Variant] { allCases.filter(\.isAvailable) }
}

@Suite("The CPU backend conforms", .serialized)
struct LossConformanceTests {
    @Test("random cases of every loss agree with the oracle", arguments: Variant.available, 0..<4)
    func randomCases(variant: Variant, part: Int) {
        let report = variant.run { $0.losses(seeds: part * 500..<(part + 1) * 500) }
        #expect(report.holds && report.cases >= 500, "\(report)")
    }

    @Test("any number of threads gives the same bits", arguments: [Variant.composed, .avx512].filter(\.isAvailable))
    func determinism(variant: Variant) {
        let report = variant.run { $0.determinism() }
        #expect(report.holds, "\(report)")
    }

    @Test(
        "the least workspace works and a byte less is refused",
        arguments: [Variant.composed, .avx512].filter(\.isAvailable))
    func limits(variant: Variant) {
        let report = variant.run { $0.limits(seeds: 0..<120) }
        #expect(report.holds, "\(report)")
    }

    @Test("gradients are derivatives of the loss", arguments: Variant.available)
    func derivatives(variant: Variant) {
        let report = variant.run { $0.finiteDifferences(seeds: 0..<300) }
        #expect(report.holds, "\(report)")
    }

    @Test("retrieval and ranks agree with the oracle", arguments: Variant.available)
    func retrieval(variant: Variant) {
        let report = variant.run { $0.retrieval(seeds: 0..<120) }
        #expect(report.holds, "\(report)")
    }

    @Test("each kernel agrees with its reference", arguments: Variant.available)
    func kernels(variant: Variant) {
        let report = variant.run { $0.kernels() }
        #expect(report.holds, "\(report)")
    }

    @Test("every edge of the specification and every known trap holds", arguments: Variant.available)
    func edges(variant: Variant) {
        let report = variant.run { $0.edges() }
        #expect(report.holds, "\(report)")
    }

    @Test("a first look: 300 random cases, exact retrieval and one kernel round hold")
    func smoke() {
        let suite = ConformanceSuite(CPUBackend())
        let report = suite.losses(seeds: 50_000..<50_300)
        #expect(report.holds && report.cases == 300, "\(report)")
        let retrieval = suite.retrieval(seeds: 900..<940)
        #expect(retrieval.holds, "\(retrieval)")
    }
}
