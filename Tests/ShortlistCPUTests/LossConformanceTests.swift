import ShortlistCPU
import ShortlistConformance
import Testing

@Suite("The CPU backend conforms", .serialized)
struct LossConformanceTests {
    @Test("random cases of every loss agree with the oracle", arguments: 0..<8)
    func randomCases(part: Int) {
        let report = ConformanceSuite(CPUBackend()).losses(seeds: part * 150..<(part + 1) * 150)
        #expect(report.holds, "\(report)")
    }
}
