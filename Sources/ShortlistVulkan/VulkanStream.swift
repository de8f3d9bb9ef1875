import Glibc
import ShortlistCore

/// Runs kernels on a Vulkan device: each method records its dispatches; `read`, `finish` and whatever must return a
/// number wait for them. Kernels live in `Kernels/`, each opposite its shader.
final class VulkanStream: Stream, MeasuredStream {
    let threads = 1
    let telemetry = Telemetry()
    let device: VulkanDevice
    let recorder: Recorder
    let options: VulkanOptions
    var workspace: VulkanWorkspace?
    let sweep: Sweep
    private(set) var measures = CallMeasures()
    private let process = getpid()

    init(_ device: VulkanDevice, options: VulkanOptions) throws(ShortlistError) {
        self.device = device
        self.options = options
        sweep = Sweep(
            iterations: options.sweepIterations ?? (device.info.isProcessor ? 50_000 : 200_000), forced: options.tile)
        recorder = try Recorder(device, options: options)
    }

    func supports(_ kernel: Kernel) -> Bool {
        !isComposed(kernel) && kernel != .evaluateDense
    }

    /// Whether an optional kernel is to be composed of required ones.
    func isComposed(_ kernel: Kernel) -> Bool { options.composed.contains(KernelSet(kernel)) }

    // MARK: A call

    func begin(_ plan: WorkspacePlan) throws(ShortlistError) -> any Workspace {
        let fresh = VulkanWorkspace(device)
        try open(fresh, plan)
        return fresh
    }

    func resume(_ saved: any Workspace, plan: WorkspacePlan) throws(ShortlistError) {
        guard let saved = saved as? VulkanWorkspace, saved.device === device else {
            throw ShortlistError(.invalidHandle, "the saved state belongs to another backend or device")
        }
        try open(saved, plan)
    }

    private func open(_ workspace: VulkanWorkspace, _ plan: WorkspacePlan) throws(ShortlistError) {
        guard getpid() == process else {
            throw ShortlistError(.forked, "this context was made before a fork; make a new one")
        }
        try device.checkAlive()
        recorder.resetCounts()
        let need = try scratch(of: plan)
        do throws(ShortlistError) {
            try workspace.open(plan, scratchBytes: need.planned, limit: plan.scratchLimit)
        } catch {
            // Out of device memory: once more with the smallest tiles.
            guard error.code == .outOfMemory, need.least < need.planned else { throw error }
            try workspace.open(plan, scratchBytes: need.least, limit: need.least)
            telemetry.planned = telemetry.least
        }
        self.workspace = workspace
    }

    func finish() throws(ShortlistError) {
        guard let workspace else { return }
        defer {
            device.savePipelines()
            recorder.discard()
            telemetry.bytesUploaded = recorder.bytesUploaded
            telemetry.bytesDownloaded = recorder.bytesDownloaded
            workspace.close()
            self.workspace = nil
        }
        if device.isLost { return try device.checkAlive() }
        for buffer in workspace.buffers where buffer.isOutput && !buffer.hostIsCurrent {
            try bringBack(buffer)
        }
        try recorder.flush()
        telemetry.deviceSeconds = recorder.clock?.stages
        telemetry.lacksTimestamps = recorder.clock == nil
        measures = recorder.measures
        if CallMeasures.isPrinted { measures.print(on: device.info.nameText) }
    }

    func recycle(_ saved: any Workspace) { (saved as? VulkanWorkspace)?.release() }

    func opened() throws(ShortlistError) -> VulkanWorkspace {
        guard let workspace else { throw ShortlistError(.internalError, "a kernel ran outside a call") }
        return workspace
    }

    /// What each kernel does first: say that it runs here, and ask whether it should.
    func open(_ kernel: Kernel) throws(ShortlistError) {
        telemetry.native.insert(KernelSet(kernel))
        recorder.enter(DeviceClock.Stage(kernel))
        try checkStop()
    }

    func checkStop() throws(ShortlistError) {
        if let shouldStop = try opened().shouldStop, shouldStop() {
            throw ShortlistError(.cancelled, "the stop callback ended the call; outputs hold partial results")
        }
    }

    /// Records a shader on `groups` workgroups; `work` is its floating-point operations, as far as they count, and
    /// `tile` that of a shader with tile.glsl.
    func run(
        _ shader: String, _ tile: Tile = .small, groups: Int, work: Double = 0,
        _ fill: (inout Arguments) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        guard groups > 0 else { return }
        let start = recorder.timesKernels ? monotonicSeconds() : 0
        var arguments = Arguments()
        recorder.beginAccesses()
        try fill(&arguments)
        try recorder.dispatch(shader, tile, groups: groups, arguments: arguments, work: work)
        if recorder.timesKernels { recorder.noteRecording(since: start) }
        try checkStop()
    }
}

/// ⌈a / b⌉.
func divided(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
