import ShortlistCPU
import ShortlistCore

extension BackendRegistry {
    /// The backends of this build: the one place that lists them. What a context uses that is given no other registry.
    public static let standard = BackendRegistry([CPUBackend()])
}
