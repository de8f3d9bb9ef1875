import ShortlistCPU
import ShortlistCore

#if SHORTLIST_VULKAN
    import ShortlistVulkan
#endif

extension BackendRegistry {
    /// The backends of this build: the one place that lists them. What a context uses that is given no other registry.
    public static let standard = BackendRegistry(builtIn)

    private static var builtIn: [any Backend] {
        #if SHORTLIST_VULKAN
            return [CPUBackend(), VulkanBackend()]
        #else
            return [CPUBackend()]
        #endif
    }
}
