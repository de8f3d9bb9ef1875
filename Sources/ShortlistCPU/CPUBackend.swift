import CShortlistKernels
@_exported import ShortlistCore

/// The CPU: OpenBLAS for products, a few vector kernels in C, worker threads.
///
/// Making the first stream sets OpenBLAS's process-wide thread count to one (the backend splits work itself, so that
/// results do not depend on the number of threads). It is set once: a program that raises it afterwards, for BLAS calls
/// of its own, loses that promise and may run more threads than it asked for. The C library has an OpenBLAS of its own.
public struct CPUBackend: Backend {
    public let name = "cpu"
    /// Always nil: the CPU can run.
    public let unavailableReason: String? = nil
    /// The optional kernels to run composed of required ones instead of natively, so that tests can compare the two.
    package var composed: KernelSet = []

    public init() {}

    package init(composed: KernelSet) { self.composed = composed }

    /// One device, with score 100; its detail names cores, vector level and OpenBLAS's kernels.
    public func devices() -> [Device] {
        let level = ["baseline vectors", "AVX2", "AVX-512"][Int(sl_best_level())]
        let cores = CPUBackend.coreCount
        let detail = "\(cores) cores, \(level), OpenBLAS \(BLAS.coreName)"
        return [Device(name: "CPU", index: 0, score: 100, detail: detail)]
    }

    /// Starts the worker threads.
    ///
    /// - Throws: `invalidArgument` for a device other than 0 or threads outside 1 ... 1024, `outOfMemory` when the
    ///   system refuses a thread.
    public func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any Stream {
        guard index == 0 else {
            throw ShortlistError(.invalidArgument, "the CPU backend has one device, 0; asked for \(index)")
        }
        let threads = options.threads ?? CPUBackend.coreCount
        guard threads >= 1, threads <= 1024 else {
            throw ShortlistError(.invalidArgument, "\(threads) threads; from 1 to 1024")
        }
        return try CPUStream(threads: threads, composed: composed)
    }

    /// Cores that this process may run on.
    static var coreCount: Int { Int(sl_core_count()) }
}
