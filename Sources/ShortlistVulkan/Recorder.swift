import CVulkan
import Glibc
import ShortlistCore

/// Records dispatches and copies in order, submits them, and waits. One stream's, one thread at a time.
///
/// A barrier stands before what needs the results of something recorded before it (`Hazards`). Arguments of kernels lie
/// in a ring that the host writes and the device reads; it begins anew after each wait, as do the staging buffers.
final class Recorder {
    let device: VulkanDevice
    private var raw = slv_recorder()
    private var semaphore: UInt64 = 0
    private var submitted: UInt64 = 0
    private var isRecording = false
    private var ring = slv_buffer()
    private var ringUsed = 0
    private var upload = slv_buffer()
    private var uploadUsed = 0
    private var download = slv_buffer()
    private let stagingBytes: Int
    private let sliceGroups: Int
    /// Work recorded since the last wait, in floating-point operations.
    private var work = 0.0
    private let workBudget: Double
    /// The last kernel that was recorded, to name in an error.
    private var lastKernel = "nothing"
    /// What the next dispatch reads and writes; whoever asks for an address notes it.
    private var accesses: [Hazards.Access] = []
    private var hazards = Hazards()
    private var pipelines: [CompiledKey: (Shader, UInt64)] = [:]
    /// nil on a device without timestamps.
    private(set) var clock: DeviceClock?
    private var stage = DeviceClock.Stage.select
    private var counts = CallMeasures()
    /// Seconds that the host waited since the last dispatch began.
    private var waited = 0.0
    let timesKernels: Bool
    private(set) var bytesUploaded = 0
    private(set) var bytesDownloaded = 0

    private static let ringBytes = 1 << 20

    init(_ device: VulkanDevice, options: VulkanOptions) throws(ShortlistError) {
        self.device = device
        stagingBytes = options.stagingBytes
        sliceGroups = options.sliceGroups
        // So long may the host go without looking: about a tenth of a second.
        workBudget = device.info.isProcessor ? 1e8 : 5e11
        timesKernels = options.timesKernels || CallMeasures.isPrinted
        clock = DeviceClock(device, timesKernels: timesKernels)
        let queries = clock == nil ? 0 : DeviceClock.capacity
        try device.check(slv_recorder_create(device.handle, UInt32(queries), &raw), "a command pool")
        try device.check(slv_semaphore_create(device.handle, &semaphore), "a timeline semaphore")
        try device.check(
            device.makeBuffer(Recorder.ringBytes, SLV_UPLOAD, &ring),
            "the argument ring")
    }

    deinit {
        guard device.isOfThisProcess else { return }
        // Nothing may be in flight when memory goes.
        if submitted > 0, !device.isLost { _ = slv_wait(device.handle, semaphore, submitted, UInt64.max) }
        for var buffer in [ring, upload, download] where buffer.buffer != 0 {
            slv_buffer_destroy(device.handle, &buffer)
        }
        if semaphore != 0 { slv_semaphore_destroy(device.handle, semaphore) }
        if raw.pool != 0 { slv_recorder_destroy(device.handle, &raw) }
    }

    func resetCounts() {
        bytesUploaded = 0
        bytesDownloaded = 0
        counts = CallMeasures()
        clock?.reset()
    }

    /// What was counted and timed since `resetCounts`.
    var measures: CallMeasures {
        var result = counts
        if let clock, timesKernels { result.kernels = clock.kernels }
        return result
    }

    func noteRetry() { counts.retries += 1 }

    /// Ends the recording of a dispatch that began at `start`.
    func noteRecording(since start: Double) {
        counts.recordingSeconds += max(0, monotonicSeconds() - start - waited)
    }

    // MARK: Time and order

    /// What is recorded from now on counts as `stage`.
    func enter(_ stage: DeviceClock.Stage) {
        if stage != self.stage, isRecording, !timesKernels { mark(lastKernel) }
        self.stage = stage
    }

    private func mark(_ kernel: String) { clock?.mark(stage, kernel, device, &raw) }

    /// Forgets what a dispatch that never came would have read and written.
    func beginAccesses() {
        accesses.removeAll(keepingCapacity: true)
        waited = 0
    }

    /// Notes memory that the next dispatch reads or writes.
    func note(_ address: UInt64, bytes: Int, isWritten: Bool) {
        accesses.append(Hazards.Access(memory: address..<address + UInt64(bytes), isWritten: isWritten))
    }

    private func order(_ accesses: [Hazards.Access]) {
        if hazards.conflict(with: accesses) { barrier() }
        hazards.add(accesses)
    }

    private func barrier() {
        slv_barrier(device.handle, &raw)
        hazards.removeAll()
        counts.barriers += 1
    }

    // MARK: Kernels

    /// Records one kernel on `groups` workgroups, in slices.
    func dispatch(
        _ name: String, _ tile: Tile, groups: Int, arguments: Arguments, work flops: Double
    ) throws(ShortlistError) {
        let (shader, pipeline) = try compiled(name, tile)
        guard arguments.count == shader.argumentCount, arguments.lastOffset == shader.lastOffset else {
            throw ShortlistError(
                .internalError,
                "\(shader.name) takes \(shader.argumentCount) arguments, the last at byte \(shader.lastOffset); "
                    + "it was given \(arguments.count), the last at \(arguments.lastOffset)")
        }
        guard groups > 0 else { return }
        guard groups < Int(UInt32.max) else {
            throw ShortlistError(.unsupported, "\(shader.name) on \(groups) workgroups")
        }
        let size = (arguments.bytes.count + 15) / 16 * 16
        if ringUsed + size > Recorder.ringBytes { try flush() }
        guard let mapped = ring.mapped else { throw ShortlistError(.internalError, "the argument ring is not mapped") }
        arguments.bytes.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { memcpy(mapped + ringUsed, base, bytes.count) }
        }
        let address = ring.address + UInt64(ringUsed)
        ringUsed += size
        lastKernel = shader.name
        let widest = min(Int(device.info.max_workgroups), 65535)
        // A slice is a few times the budget's work at most, and enough workgroups for the device to be busy.
        let busy = max(1024, Int(Double(groups) * min(1, workBudget / max(flops, 1))))
        let perSlice = min(sliceGroups, widest * widest, busy)
        let mine = accesses
        accesses.removeAll(keepingCapacity: true)
        try begin()
        order(mine)
        var first = 0
        while first < groups {
            let end = min(groups, first + perSlice)
            let x = min(end - first, widest)
            let y = (end - first + x - 1) / x
            var push = Push(address: address, first: UInt32(first), end: UInt32(end), width: UInt32(x))
            slv_dispatch(device.handle, &raw, pipeline, &push, 20, UInt32(x), UInt32(y))
            counts.dispatches += 1
            if timesKernels { mark(shader.name) }
            work += flops * Double(end - first) / Double(groups)
            first = end
            // A slice that refers to the ring's contents must be submitted before the ring begins anew: the last one.
            if work > workBudget || clock?.isFull == true, first < groups {
                try submitAndWait()
                try begin()
                // The slices to come write what this one wrote: what follows waits for them.
                hazards.add(mine)
            }
        }
        if work > workBudget || clock?.isFull == true { try flush() }
    }

    private struct CompiledKey: Hashable {
        let name: String
        let tile: Tile
    }

    /// A shader and its pipeline, found once by this recorder.
    private func compiled(_ name: String, _ tile: Tile) throws(ShortlistError) -> (Shader, UInt64) {
        let key = CompiledKey(name: name, tile: tile)
        if let known = pipelines[key] { return known }
        let shader = try Shader(name)
        let made = (shader, try device.pipeline(shader, tile))
        pipelines[key] = made
        return made
    }

    /// As the shaders declare it, common/push.glsl.
    private struct Push {
        var address: UInt64
        var first: UInt32
        var end: UInt32
        var width: UInt32
    }

    // MARK: Copies

    /// Rows of host memory into a place on the device, without the gaps between them.
    func upload(
        _ base: UnsafeRawPointer, rows: Int, rowBytes: Int, stride: Int, to place: DevicePlace
    ) throws(ShortlistError) {
        try copyIn(HostRowsOfBytes(base: base, rows: rows, rowBytes: rowBytes, stride: stride), to: place)
    }

    private func copyIn(_ source: HostRowsOfBytes, to place: DevicePlace) throws(ShortlistError) {
        if upload.buffer == 0 {
            try device.check(
                device.makeBuffer(stagingBytes, SLV_UPLOAD, &upload),
                "staging memory")
        }
        guard let mapped = upload.mapped else { throw ShortlistError(.internalError, "staging memory is not mapped") }
        let total = source.rows * source.rowBytes
        var done = 0
        while done < total {
            if uploadUsed >= stagingBytes { try flush() }
            let piece = min(total - done, stagingBytes - uploadUsed)
            source.gather(done..<done + piece, into: mapped + uploadUsed)
            try begin()
            order([.init(memory: place.address + UInt64(done)..<place.address + UInt64(done + piece), isWritten: true)])
            slv_copy(
                device.handle, &raw, upload.buffer, UInt64(uploadUsed), place.buffer.raw.buffer,
                UInt64(place.offset + done), UInt64(piece))
            if timesKernels { mark("upload") }
            uploadUsed = min(stagingBytes, (uploadUsed + piece + 63) / 64 * 64)
            done += piece
            bytesUploaded += piece
        }
    }

    /// Waits for everything and brings bytes back into rows of host memory.
    func download(
        _ place: DevicePlace, rows: Int, rowBytes: Int, stride: Int, to base: UnsafeMutableRawPointer
    ) throws(ShortlistError) {
        if download.buffer == 0 {
            try device.check(
                device.makeBuffer(stagingBytes, SLV_DOWNLOAD, &download),
                "staging memory")
        }
        guard let mapped = download.mapped else { throw ShortlistError(.internalError, "staging memory is not mapped") }
        let target = HostRowsOfBytes(base: UnsafeRawPointer(base), rows: rows, rowBytes: rowBytes, stride: stride)
        let total = rows * rowBytes
        var done = 0
        while done < total {
            let piece = min(total - done, stagingBytes)
            try begin()
            order([.init(memory: place.address + UInt64(done)..<place.address + UInt64(done + piece), isWritten: false)]
            )
            slv_copy(
                device.handle, &raw, place.buffer.raw.buffer, UInt64(place.offset + done), download.buffer, 0,
                UInt64(piece))
            if timesKernels { mark("download") }
            try flush()
            target.scatter(mapped, done..<done + piece, into: base)
            done += piece
            bytesDownloaded += piece
        }
    }

    // MARK: Submission

    private func begin() throws(ShortlistError) {
        guard !isRecording else { return }
        try device.checkAlive()
        try device.check(
            slv_begin(device.handle, &raw, UInt32(clock == nil ? 0 : DeviceClock.capacity)), "recording")
        isRecording = true
        hazards.removeAll()
        clock?.begin(device, &raw)
    }

    /// Submits what was recorded and waits for it; the ring and the staging memory are free again.
    func flush() throws(ShortlistError) {
        try submitAndWait()
        ringUsed = 0
        uploadUsed = 0
    }

    private func submitAndWait() throws(ShortlistError) {
        guard isRecording else { return }
        isRecording = false
        work = 0
        // What comes next, on the device or the host, sees everything.
        slv_barrier(device.handle, &raw)
        mark(lastKernel)
        try device.check(slv_end(device.handle, &raw), "recording")
        try device.check(device.submit(raw, semaphore: semaphore, value: submitted + 1), "submitting \(lastKernel)")
        submitted += 1
        counts.submissions += 1
        let start = timesKernels ? monotonicSeconds() : 0
        defer { if timesKernels { waited += monotonicSeconds() - start } }
        try device.check(slv_wait(device.handle, semaphore, submitted, UInt64.max), lastKernel)
        try clock?.collect(device, &raw)
    }

    /// Forgets what was recorded and not submitted.
    func discard() {
        if isRecording {
            isRecording = false
            _ = slv_end(device.handle, &raw)
        }
        ringUsed = 0
        uploadUsed = 0
        work = 0
    }
}

/// Rows of bytes in host memory with gaps between them, addressed as if there were none.
private struct HostRowsOfBytes {
    let base: UnsafeRawPointer
    let rows: Int
    let rowBytes: Int
    let stride: Int

    private func forEachRun(_ range: Range<Int>, _ body: (_ at: Int, _ host: Int, _ count: Int) -> Void) {
        guard stride != rowBytes, rows > 1 else { return body(0, range.lowerBound, range.count) }
        var place = range.lowerBound
        while place < range.upperBound {
            let (row, column) = place.quotientAndRemainder(dividingBy: rowBytes)
            let count = min(rowBytes - column, range.upperBound - place)
            body(place - range.lowerBound, row * stride + column, count)
            place += count
        }
    }

    func gather(_ range: Range<Int>, into target: UnsafeMutableRawPointer) {
        forEachRun(range) { at, host, count in memcpy(target + at, base + host, count) }
    }

    func scatter(_ source: UnsafeRawPointer, _ range: Range<Int>, into target: UnsafeMutableRawPointer) {
        forEachRun(range) { at, host, count in memcpy(target + host, source + at, count) }
    }
}

/// A kernel's arguments as its shader lays them out: each member at a multiple of its own size.
struct Arguments {
    private(set) var bytes: [UInt8] = []
    init() { bytes.reserveCapacity(384) }
    private(set) var count = 0
    private(set) var lastOffset = 0

    private mutating func append<T: BitwiseCopyable>(_ value: T) {
        let size = MemoryLayout<T>.size
        while bytes.count % size != 0 { bytes.append(0) }
        lastOffset = bytes.count
        count += 1
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    /// An address; 0 for an optional argument that is absent.
    mutating func address(_ value: UInt64) { append(value) }
    mutating func float(_ value: Float) { append(value) }
    mutating func double(_ value: Double) { append(value) }
    /// A number of 32 bits without a sign.
    mutating func word(_ value: Int) throws(ShortlistError) {
        guard let word = UInt32(exactly: value) else {
            throw ShortlistError(.unsupported, "\(value) does not fit a kernel's 32 bits")
        }
        append(word)
    }
    mutating func flag(_ value: Bool) { append(UInt32(value ? 1 : 0)) }
}
