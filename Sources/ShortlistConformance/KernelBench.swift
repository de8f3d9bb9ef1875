import ShortlistCore

/// One open call of a stream, in which single kernels run on vectors made from arrays.
final class KernelBench {
    let stream: any Stream
    private var kept: [AnyObject] = []

    private init(_ stream: any Stream) { self.stream = stream }

    /// Opens a call with room for `bytes` of vectors and for `kernels`; `tight` under the least scratch, so that a small
    /// case has many tiles.
    static func open(
        _ stream: any Stream, bytes: Int = 1 << 22, kernels: [KernelShape] = [], tight: Bool = false,
        _ body: (KernelBench) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        var plan = WorkspacePlan(limit: nil)
        _ = try plan.reserve(UInt8.self, count: bytes)
        plan.kernels = kernels
        if tight {
            var least = 0
            for kernel in kernels { least = max(least, stream.scratch(for: kernel, limit: 0).least) }
            plan.limit = plan.reservedBytes + least
        }
        let workspace = try stream.begin(plan)
        let bench = KernelBench(stream)
        do {
            try body(bench)
            try stream.finish()
        } catch {
            do { try stream.finish() } catch {}
            stream.recycle(workspace)
            throw error
        }
        stream.recycle(workspace)
    }

    func vector<E: BitwiseCopyable>(_ values: [E]) throws(ShortlistError) -> Vector<E> {
        let vector = try stream.reserve(E.self, count: values.count)
        try stream.write(vector) { (target) throws(ShortlistError) in
            for place in 0..<values.count { target[place] = values[place] }
        }
        return vector
    }

    func room<E: BitwiseCopyable>(_ count: Int, _ fill: E) throws(ShortlistError) -> Vector<E> {
        try vector(Array(repeating: fill, count: count))
    }

    /// A matrix in the caller's memory, its gaps poisoned.
    func matrix(_ values: [Float], rows: Int, columns: Int, padding: Int = 3) throws(ShortlistError) -> DeviceMatrix {
        let memory = Guarded(rows: rows, columns: columns, padding: padding)
        memory.set(values)
        kept.append(memory)
        return try stream.bind(try memory.view())
    }

    /// A matrix to be written, with what it holds after the call, or after `fetch`.
    func output(
        rows: Int, columns: Int, padding: Int = 3, fill: [Float]? = nil
    ) throws(ShortlistError) -> (DeviceMatrix, Guarded<Float>) {
        let memory = Guarded(rows: rows, columns: columns, padding: padding)
        memory.set(fill ?? Array(repeating: 0, count: rows * columns))
        kept.append(memory)
        return (try stream.bindOutput(try memory.mutableView()), memory)
    }

    /// Puts what kernels left in an output into its memory: a device does so at the end of the call alone.
    func fetch(_ matrix: DeviceMatrix, into memory: Guarded<Float>) throws(ShortlistError) {
        guard matrix.rows > 0, matrix.columns > 0 else { return }
        let count = (matrix.rows - 1) * matrix.rowStride + matrix.columns
        let elements = try read(Vector<Float>(buffer: matrix.buffer, offset: matrix.offset, count: count))
        memory.set(
            (0..<matrix.rows).flatMap { row in
                elements[row * matrix.rowStride..<row * matrix.rowStride + matrix.columns]
            })
    }

    func read<E: BitwiseCopyable>(_ vector: Vector<E>) throws(ShortlistError) -> [E] {
        var values: [E] = []
        try stream.read(vector) { values = Array($0) }
        return values
    }
}

extension ConformanceSuite {
    /// Each kernel of a stream against its reference at awkward sizes, with room and under the least scratch.
    public func kernels() -> ConformanceReport {
        var report = ConformanceReport()
        do throws(ShortlistError) {
            let stream = try evaluator().stream
            projectionKernels(stream, into: &report)
            selectionKernels(stream, into: &report)
            orderKernels(stream, into: &report)
            mapKernels(stream, into: &report)
            scoreKernels(stream, into: &report)
            rankKernels(stream, into: &report)
        } catch {
            report.fail("the backend opens", "\(error)")
        }
        return report
    }

    /// One case of a kernel: counts it, names it, and turns a thrown error into a failure.
    func kernelCase(
        _ what: String, into report: inout ConformanceReport,
        _ body: (inout ConformanceReport) throws(ShortlistError) -> Void
    ) {
        report.cases += 1
        report.context = what
        do throws(ShortlistError) {
            try body(&report)
        } catch {
            report.fail("the kernel runs", "\(error)")
        }
    }
}

/// Small integers as f32 and as Double: every product and sum of them is exact.
struct ExactNumbers {
    let single: [Float]
    let double: [Double]

    /// - Parameter poisoned: a place that is NaN instead.
    init(_ count: Int, _ dice: inout Dice, poisoned: Int? = nil) {
        single = (0..<count).map { $0 == poisoned ? .nan : Float(dice.integer(-3...3)) }
        double = single.map(Double.init)
    }
}
