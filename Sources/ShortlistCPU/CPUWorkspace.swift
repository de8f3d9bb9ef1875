import ShortlistCore

/// Memory of one call: an arena for vectors, which a saved state keeps, and scratch, which goes back at the end.
final class CPUWorkspace: Workspace, @unchecked Sendable {
    // Sendable: used by the thread that is inside its stream's call.
    private var vectors: Memory?
    /// Vectors of a call that resumed this workspace; gone when that call finishes.
    private var temporary: Memory?
    private var scratch: Memory?
    private var resumed = false
    private var offset = 0
    private var bases: [UnsafeMutableRawPointer] = []
    private var keptBases = 0
    private var used = 0
    private var scratchUsed = 0
    /// Whether a composed kernel is taking vectors from the scratch, and how far.
    private var inScratch = false
    private var scratchOffset = 0

    private(set) var scratchLimit = Int.max
    private(set) var shouldStop: (@Sendable () -> Bool)?
    /// What was planned; the memory itself may be a larger spare.
    private(set) var scratchBytes = 0
    private var arenaBytes = 0
    var usedBytes: Int { used + scratchUsed }

    func open(_ plan: WorkspacePlan, scratchBytes: Int, on stream: CPUStream) throws(ShortlistError) {
        // What a resumed workspace holds counts too.
        let memory = try stream.takeMemory(
            scratch: scratchBytes, vectors: plan.reservedBytes,
            room: plan.limit == .max ? nil : plan.limit - (vectors?.byteCount ?? 0))
        scratch = memory.scratch
        self.scratchBytes = scratchBytes
        arenaBytes = plan.reservedBytes
        if vectors == nil {
            vectors = memory.vectors
        } else {
            temporary = memory.vectors
            resumed = true
        }
        keptBases = bases.count
        offset = 0
        used = 0
        scratchUsed = 0
        scratchLimit = plan.scratchLimit
        shouldStop = plan.shouldStop
    }

    func closeTemporaries(to stream: CPUStream) {
        if let scratch { stream.keepScratch(scratch) }
        if let temporary { stream.keepVectors(temporary) }
        scratch = nil
        temporary = nil
        shouldStop = nil
        if resumed { bases.removeLast(bases.count - keptBases) }
        resumed = false
    }

    func giveUpVectors() -> Memory? {
        defer { vectors = nil }
        return vectors
    }

    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        let bytes = try count.multiplied(by: MemoryLayout<E>.stride, for: "a vector")
        let padded = (bytes + Memory.alignment - 1) / Memory.alignment * Memory.alignment
        if inScratch { return try reserveScratch(padded, count) }
        guard let arena = resumed ? temporary : vectors, offset + padded <= arenaBytes else {
            throw ShortlistError(.internalError, "a vector of \(bytes) bytes was not planned")
        }
        let base = arena.base + offset
        offset += padded
        used = max(used, offset)
        return Vector(buffer: name(base), offset: 0, count: count)
    }

    /// From here to `endScratchVectors`, vectors come out of the scratch; returns what that wants back.
    func beginScratchVectors() -> Int {
        inScratch = true
        scratchOffset = 0
        return bases.count
    }

    func endScratchVectors(_ mark: Int) {
        inScratch = false
        bases.removeLast(bases.count - mark)
    }

    private func reserveScratch<E: BitwiseCopyable>(_ bytes: Int, _ count: Int) throws(ShortlistError) -> Vector<E> {
        guard scratchOffset + bytes <= scratchBytes else {
            throw ShortlistError(.internalError, "a scratch vector of \(bytes) bytes was not planned")
        }
        let base = try scratchBase() + scratchOffset
        scratchOffset += bytes
        noteScratch(scratchOffset)
        return Vector(buffer: name(base), offset: 0, count: count)
    }

    func name(_ base: UnsafeMutableRawPointer) -> BufferID {
        bases.append(base)
        return BufferID(rawValue: Int32(bases.count - 1))
    }

    func base(of buffer: BufferID) throws(ShortlistError) -> UnsafeMutableRawPointer {
        guard bases.indices.contains(Int(buffer.rawValue)) else {
            throw ShortlistError(.internalError, "buffer \(buffer.rawValue) is not of this call")
        }
        return bases[Int(buffer.rawValue)]
    }

    func scratchBase() throws(ShortlistError) -> UnsafeMutableRawPointer {
        guard let scratch else { throw ShortlistError(.internalError, "a kernel took scratch outside a call") }
        return scratch.base
    }

    func noteScratch(_ bytes: Int) { scratchUsed = max(scratchUsed, bytes) }
}

/// A kernel's scratch: a shared area and one area a worker, cut piece by piece.
struct ScratchArea {
    let base: UnsafeMutableRawPointer
    let fixed: Int
    let perWorker: Int
    let workers: Int

    func shared() -> ScratchCutter { ScratchCutter(base) }
    func worker(_ index: Int) -> ScratchCutter { ScratchCutter(base + fixed + index * perWorker) }
}

/// Hands out consecutive aligned pieces.
struct ScratchCutter {
    private var next: UnsafeMutableRawPointer
    init(_ base: UnsafeMutableRawPointer) { next = base }

    mutating func take<E: BitwiseCopyable>(_: E.Type, _ count: Int) -> UnsafeMutablePointer<E> {
        let result = next.assumingMemoryBound(to: E.self)
        next += ScratchSize.bytes(E.self, count)
        return result
    }
}

/// Sums the sizes that a `ScratchCutter` will hand out.
struct ScratchSize {
    private(set) var bytes = 0

    static func bytes<E: BitwiseCopyable>(_: E.Type, _ count: Int) -> Int {
        let (product, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<E>.stride)
        // A size beyond any limit; the plan refuses it.
        guard !overflow, product < Int.max / 4096 else { return Int.max / 4096 }
        return (product + Memory.alignment - 1) / Memory.alignment * Memory.alignment
    }

    mutating func add<E: BitwiseCopyable>(_: E.Type, _ count: Int) {
        bytes = min(Int.max / 4096, bytes + ScratchSize.bytes(E.self, count))
    }
}
