import Glibc
import ShortlistCore
import Synchronization

/// Runs kernels on worker threads, in memory of this process. Kernels live in `Kernels/`, one file each.
final class CPUStream: Stream {
    let pool: WorkerPool
    let telemetry = Telemetry()
    let composed: KernelSet
    var threads: Int { pool.threadCount }

    var workspace: CPUWorkspace?
    /// Memory between calls. A lock, because a saved state may be released by another thread than the one that is
    /// inside a call.
    private let spares = Mutex<Spares>(Spares())
    private struct Spares {
        var vectors = SpareMemory()
        var scratch = SpareMemory()
    }

    init(threads: Int, composed: KernelSet) throws(ShortlistError) {
        BLAS.prepared
        pool = try WorkerPool(threadCount: threads)
        self.composed = composed
    }

    func supports(_ kernel: Kernel) -> Bool { !composed.contains(KernelSet(kernel)) }

    /// Whether an optional kernel is to be composed of required ones.
    func isComposed(_ kernel: Kernel) -> Bool { composed.contains(KernelSet(kernel)) }

    // MARK: Workspaces

    func scratch(for kernel: KernelShape, limit: Int) -> ScratchNeed {
        Tiling.scratch(for: kernel, limit: limit, threads: threads, composed: composed)
    }

    func begin(_ plan: WorkspacePlan) throws(ShortlistError) -> any Workspace {
        try checkProcess()
        let fresh = CPUWorkspace()
        try fresh.open(plan, scratchBytes: try scratch(of: plan).planned, on: self)
        workspace = fresh
        return fresh
    }

    func resume(_ saved: any Workspace, plan: WorkspacePlan) throws(ShortlistError) {
        try checkProcess()
        guard let saved = saved as? CPUWorkspace else {
            throw ShortlistError(.invalidHandle, "the saved state belongs to another backend")
        }
        try saved.open(plan, scratchBytes: try scratch(of: plan).planned, on: self)
        workspace = saved
    }

    private func checkProcess() throws(ShortlistError) {
        guard pool.belongsToThisProcess else {
            throw ShortlistError(
                .forked, "this context was made before a fork; its threads do not exist here: make a new one")
        }
    }

    func finish() throws(ShortlistError) {
        workspace?.closeTemporaries(to: self)
        workspace = nil
    }

    func recycle(_ saved: any Workspace) {
        guard let saved = saved as? CPUWorkspace else { return }
        saved.closeTemporaries(to: self)
        if let memory = saved.giveUpVectors() { keepVectors(memory) }
    }

    /// Memory for a call that may have `room` bytes (nil: any): spare blocks where they serve, new ones otherwise. What
    /// is in use and what is kept spare obey the limit together.
    func takeMemory(
        scratch: Int, vectors: Int, room: Int?
    ) throws(ShortlistError) -> (scratch: Memory, vectors: Memory) {
        let spare = spares.withLock { spares in
            let forScratch = spares.scratch.take(scratch, atMost: room.map { $0 - vectors } ?? .max)
            let scratchBytes = forScratch?.byteCount ?? scratch
            // Under a limit a state must not hold more than was planned.
            let forVectors = spares.vectors.take(vectors, atMost: room == nil ? .max : vectors)
            guard let room else { return (scratch: forScratch, vectors: forVectors) }
            let inUse = scratchBytes + (forVectors?.byteCount ?? vectors)
            spares.scratch.shrink(to: room - inUse - spares.vectors.byteCount)
            spares.vectors.shrink(to: room - inUse - spares.scratch.byteCount)
            return (scratch: forScratch, vectors: forVectors)
        }
        return (
            try spare.scratch.orNew(scratch, for: "kernel scratch"),
            try spare.vectors.orNew(vectors, for: "the workspace")
        )
    }

    func keepVectors(_ memory: Memory) { spares.withLock { $0.vectors.keep(memory) } }

    func keepScratch(_ memory: Memory) { spares.withLock { $0.scratch.keep(memory) } }

    // MARK: Vectors

    func opened() throws(ShortlistError) -> CPUWorkspace {
        guard let workspace else { throw ShortlistError(.internalError, "a kernel ran outside a call") }
        return workspace
    }

    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        try opened().reserve(E.self, count: count)
    }

    func withScratchVectors(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError) {
        let workspace = try opened()
        let mark = workspace.beginScratchVectors()
        defer { workspace.endScratchVectors(mark) }
        try body()
    }

    func bind(_ view: MatrixView) throws(ShortlistError) -> DeviceMatrix {
        let buffer = try opened().name(UnsafeMutableRawPointer(mutating: view.base))
        return DeviceMatrix(
            buffer: buffer, offset: 0, rows: view.rows, columns: view.columns, rowStride: view.rowStride)
    }

    func bind<E: BitwiseCopyable>(_ values: UnsafeBufferPointer<E>) throws(ShortlistError) -> Vector<E> {
        guard let base = values.baseAddress else { return try reserve(E.self, count: 0) }
        let buffer = try opened().name(UnsafeMutableRawPointer(mutating: base))
        return Vector(buffer: buffer, offset: 0, count: values.count)
    }

    func bindOutput(_ view: MutableMatrixView) throws(ShortlistError) -> DeviceMatrix { try bind(view.readOnly) }

    func bindOutput<E: BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<E>
    ) throws(ShortlistError) -> Vector<E> {
        try bind(UnsafeBufferPointer(values))
    }

    func write<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeMutableBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        try body(UnsafeMutableBufferPointer(start: try pointer(vector), count: vector.count))
    }

    func read<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        try body(UnsafeBufferPointer(start: try pointer(vector), count: vector.count))
    }

    func pointer<E: BitwiseCopyable>(_ vector: Vector<E>) throws(ShortlistError) -> UnsafeMutablePointer<E> {
        try opened().base(of: vector.buffer).assumingMemoryBound(to: E.self) + vector.offset
    }

    func optionalPointer<E: BitwiseCopyable>(
        _ vector: Vector<E>?
    ) throws(ShortlistError) -> UnsafeMutablePointer<E>? {
        guard let vector else { return nil }
        return try pointer(vector)
    }

    func matrix(_ matrix: DeviceMatrix) throws(ShortlistError) -> HostMatrix {
        HostMatrix(
            base: try opened().base(of: matrix.buffer).assumingMemoryBound(to: Float.self) + matrix.offset,
            rows: matrix.rows, columns: matrix.columns, stride: matrix.rowStride)
    }

    func source(_ rows: RowSource) throws(ShortlistError) -> HostRows {
        HostRows(matrix: try matrix(rows.matrix), rows: try optionalPointer(rows.rows), count: rows.count)
    }

    // MARK: Loops

    /// Notes the kernel and gives it its scratch: worker areas of `need.perWorker` bytes after `need.fixed` shared
    /// ones, for as many workers as fit.
    func openScratch(_ kernel: Kernel, _ need: TileScratch) throws(ShortlistError) -> ScratchArea {
        telemetry.native.insert(KernelSet(kernel))
        let workspace = try opened()
        let workers = need.workers(threads: threads, limit: workspace.scratchLimit)
        let bytes = need.fixed + workers * need.perWorker
        guard bytes <= workspace.scratchBytes else {
            throw ShortlistError(
                .internalError, "\(kernel) wants \(bytes) bytes of scratch, \(workspace.scratchBytes) were planned")
        }
        if workers < threads { telemetry.threadsReduced = true }
        workspace.noteScratch(bytes)
        return ScratchArea(
            base: try workspace.scratchBase(), fixed: need.fixed, perWorker: need.perWorker, workers: workers)
    }

    /// Shares `count` tasks among at most `workers` threads.
    func parallel(_ count: Int, workers: Int, _ body: (Int, Int) -> Void) throws(ShortlistError) {
        try parallelTurns(count, workers: workers) { task, turn in body(task, turn.worker) }
    }

    /// The same for tasks that want to know which comes after them.
    func parallelTurns(
        _ count: Int, workers: Int, _ body: (Int, inout WorkerPool.Turn) -> Void
    ) throws(ShortlistError) {
        telemetry.threadsUsed = max(telemetry.threadsUsed, min(workers, max(count, 1), threads))
        guard pool.run(tasks: count, workers: workers, shouldStop: try opened().shouldStop, body) else {
            throw ShortlistError(.cancelled, "the stop callback ended the call; outputs hold partial results")
        }
    }

    func share(_ count: Int, _ body: (Range<Int>) -> Void) throws(ShortlistError) {
        try parallelRanges(count, grain: 16) { range, _ in body(range) }
    }

    /// Shares the range 0 ..< count in runs of `grain`.
    func parallelRanges(
        _ count: Int, grain: Int, _ body: (Range<Int>, Int) -> Void
    ) throws(ShortlistError) {
        try parallel((count + grain - 1) / grain, workers: threads) { task, _ in
            body(task * grain..<min(count, (task + 1) * grain), task)
        }
    }
}

/// A matrix in this process's memory.
struct HostMatrix {
    let base: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    let stride: Int
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}

/// Rows of a matrix, all or listed.
struct HostRows {
    let matrix: HostMatrix
    let rows: UnsafeMutablePointer<Int32>?
    let count: Int
    func row(_ index: Int) -> UnsafeMutablePointer<Float> {
        matrix.row(rows.map { Int($0[index]) } ?? index)
    }
}
