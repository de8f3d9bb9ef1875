import ShortlistCPU
import ShortlistCore

extension BackendRegistry {
    /// The backends of this build: the one place that lists them.
    public static let standard = BackendRegistry([CPUBackend()])
}
