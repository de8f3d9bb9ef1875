import ShortlistCore

/// A complete backend in a few hundred lines of plain Swift: the kernels that every backend must have, as the loops
/// that define them, and none of the optional ones.
///
/// It is here to be read, copied and compared with. It uses nothing but the public parts of ShortlistCore, so that what
/// it does a package of your own can do. f32 storage, sums in Double, one thread, no vector code: expect a hundredth of
/// the CPU backend's speed.
///
/// Read it in this order: this file, `PlainWorkspace` (memory), `PlainStream` (a call from `begin` to `finish`), then a
/// file for each group of kernels.
public struct PlainBackend: Backend {
    /// What users ask for it by: `BackendRegistry.choose(backend: "plain")`.
    public let name = "plain"
    /// Nothing can be missing. A backend that needs a driver says here which, and the process goes on.
    public let unavailableReason: String? = nil

    public init() {}

    /// One device. Its score is 1, the lowest that can run: `auto` takes it only where there is nothing else.
    public func devices() -> [Device] {
        [Device(name: "Plain Swift", index: 0, score: 1, detail: "one thread, loops in plain Swift")]
    }

    /// - Throws: `invalidArgument` for a device other than 0 or fewer than one thread. More threads than one are
    ///   accepted and not used: results may not depend on their number, speed may.
    public func makeStream(device index: Int, options: StreamOptions) throws(ShortlistError) -> any Stream {
        guard index == 0 else {
            throw ShortlistError(.invalidArgument, "the plain backend has one device, 0; asked for \(index)")
        }
        if let threads = options.threads, threads < 1 {
            throw ShortlistError(.invalidArgument, "\(threads) threads; at least 1")
        }
        return PlainStream()
    }
}
