/// What every stream does at the beginning and at the end of a call.
extension Stream {
    public func share(_ count: Int, _ body: (Range<Int>) -> Void) throws(ShortlistError) { body(0..<count) }

    /// Begins the telemetry of a call and notes in it what the plan comes to: `committedBytes` and the largest scratch
    /// of its kernels, which run one after the other. For `begin` and `resume`, before anything is touched.
    ///
    /// - Throws: `workspaceLimit` with the least that works, `overflow`.
    public func scratch(of plan: WorkspacePlan) throws(ShortlistError) -> ScratchNeed {
        telemetry.reset()
        let room = plan.scratchLimit
        var need = ScratchNeed.none
        for kernel in plan.kernels {
            let one = scratch(for: kernel, limit: room)
            need.least = max(need.least, one.least)
            need.planned = max(need.planned, one.planned)
        }
        let (least, leastOverflows) = plan.committedBytes.addingReportingOverflow(need.least)
        let (planned, plannedOverflows) = plan.committedBytes.addingReportingOverflow(need.planned)
        guard !leastOverflows, !plannedOverflows else {
            throw ShortlistError(.overflow, "workspace: \(plan.committedBytes) bytes and \(need.planned) of scratch")
        }
        telemetry.least = least
        telemetry.planned = planned
        guard least <= plan.limit else {
            throw ShortlistError(
                .workspaceLimit,
                "the workspace limit of \(plan.limit) bytes is too low: this call needs at least \(least)",
                bytesNeeded: least)
        }
        return need
    }

    /// Ends a call that went well and then fills in what the stream noted: results cross the bus in `finish`, so that
    /// bytes and the whole time are not known before it. `start` is a time of `monotonicSeconds`.
    package func finish(
        noting report: inout Report, of workspace: any Workspace, since start: Double
    ) throws(ShortlistError) {
        try finish()
        report.workspacePlanned = telemetry.planned
        report.workspaceLeast = telemetry.least
        report.workspaceUsed = workspace.usedBytes
        report.threads = telemetry.threadsUsed
        report.nativeKernels = telemetry.native
        report.composedKernels = telemetry.composed
        report.bytesUploaded = telemetry.bytesUploaded
        report.bytesDownloaded = telemetry.bytesDownloaded
        if telemetry.threadsReduced { report.notes.insert(.threadsReducedByLimit) }
        if let seconds = telemetry.deviceSeconds { report.seconds = seconds }
        if telemetry.lacksTimestamps { report.notes.insert(.deviceWithoutTimestamps) }
        report.seconds.total = monotonicSeconds() - start
    }
}
