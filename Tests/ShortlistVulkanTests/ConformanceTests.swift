import ShortlistConformance
import Testing

import ShortlistVulkan

@Suite("The Vulkan backend conforms, without a word from the validation layer", .serialized)
struct ConformanceTests {
    @Test("each kernel agrees with its reference")
    func kernels() {
        let backend = VulkanBackend(softwareDevices: true, validation: true)
        let report = ConformanceSuite(backend).kernels()
        #expect(report.holds, "\(report)")
        #expect(backend.validationMessages.count == 0, "\(backend.validationMessages.first)")
    }
}
