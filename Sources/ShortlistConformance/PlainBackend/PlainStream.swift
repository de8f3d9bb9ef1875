import ShortlistCore

/// Runs kernels at once, in memory of this process: every kernel has finished when its method returns.
///
/// A call is `begin` (or `resume`), `reserve` and `bind` for its memory, kernels, `finish`. Afterwards its workspace is
/// recycled, at once or when a saved state goes away.
final class PlainStream: Stream {
    let threads = 1
    /// Who composes a kernel notes it in `composed`; a backend notes its own in `native`, here with `open`.
    let telemetry = Telemetry()
    /// The workspace of the call that is under way.
    private var workspace: PlainWorkspace?

    /// The optional kernels are left to their default implementations.
    func supports(_ kernel: Kernel) -> Bool { Kernel.required.contains(kernel) }

    // MARK: Planning

    /// Bytes that a kernel takes with `withScratchVectors` while it runs. Nothing here can work in less under a low
    /// limit, so that the least is also the plan; a backend with tiles answers with the largest that fit.
    func scratch(for kernel: KernelShape, limit: Int) -> ScratchNeed {
        let bytes: Int
        switch kernel {
        case .projectAndSelect, .hash, .targetRanks: bytes = composedScratch(for: kernel)
        case .sortByKey(_, let keyBound): bytes = padded(Int32.self, keyBound)
        case .blockGradient(let shape, _): bytes = padded(Double.self, shape.width)
        default: bytes = 0
        }
        return ScratchNeed(least: bytes, planned: bytes)
    }

    /// As `reserve` will round it.
    private func padded<E: BitwiseCopyable>(_: E.Type, _ count: Int) -> Int {
        let bytes = count * MemoryLayout<E>.stride
        return (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
    }

    // MARK: A call

    func begin(_ plan: WorkspacePlan) throws(ShortlistError) -> any Workspace {
        let fresh = PlainWorkspace()
        try fresh.open(plan, scratchBytes: try scratch(of: plan).planned)
        workspace = fresh
        return fresh
    }

    func resume(_ saved: any Workspace, plan: WorkspacePlan) throws(ShortlistError) {
        guard let saved = saved as? PlainWorkspace else {
            throw ShortlistError(.invalidHandle, "the saved state belongs to another backend")
        }
        try saved.open(plan, scratchBytes: try scratch(of: plan).planned)
        workspace = saved
    }

    /// Kernels worked in the caller's memory, so that there is nothing to wait for and nothing to copy back.
    func finish() throws(ShortlistError) {
        workspace?.close()
        workspace = nil
    }

    func recycle(_ saved: any Workspace) { (saved as? PlainWorkspace)?.release() }

    /// The open call's workspace. - Throws: `internalError` outside a call.
    func opened() throws(ShortlistError) -> PlainWorkspace {
        guard let workspace else { throw ShortlistError(.internalError, "a kernel ran outside a call") }
        return workspace
    }

    /// What each kernel does first: say that it ran here, and ask whether it should.
    func open(_ kernel: Kernel) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(kernel))
        try opened().checkStop()
    }
}
