import ShortlistCPU
import ShortlistConformance
import ShortlistCore
import ShortlistLosses
import Testing

@Suite("The plain backend's streams")
struct PlainStreamTests {
    private let rich = LossProblem.rich(tokens: 45, items: 60, width: 7, seed: 1)

    @Test("The stop callback ends a call with an error, and the next call is as if nothing had been")
    func stopping() throws {
        let plain = try evaluator(PlainBackend())
        for loss in TestedLoss.allCases {
            try loss.with { loss in
                let before = try rich.oneCall(loss, on: plain)
                #expect(
                    code { () throws(ShortlistError) in
                        _ = try rich.oneCall(loss, on: plain, limits: CallLimits(shouldStop: { true }))
                    } == .cancelled)
                #expect(try rich.oneCall(loss, on: plain).bits == before.bits)
            }
        }
    }

    @Test("It is chosen by name, or where there is nothing better")
    func choice() throws {
        let both = BackendRegistry([PlainBackend(), CPUBackend()])
        #expect(try both.choose().name == "cpu")
        #expect(try both.choose(backend: "plain").device.score == 1)
        #expect(try BackendRegistry([PlainBackend()]).choose().name == "plain")
    }

    @Test("A device that is not there, or no thread, is refused")
    func refusedStreams() {
        func open(_ device: Int, _ threads: Int?) -> ShortlistError.Code? {
            code { () throws(ShortlistError) in
                _ = try PlainBackend().makeStream(device: device, options: StreamOptions(threads: threads))
            }
        }
        #expect(open(1, nil) == .invalidArgument && open(-1, nil) == .invalidArgument)
        #expect(open(0, 0) == .invalidArgument && open(0, -1) == .invalidArgument)
        #expect(open(0, nil) == nil && open(0, 64) == nil)
    }

    @Test("What was not planned, is not of the call, or comes outside one, is an error and not a trap")
    func misuse() throws {
        let stream = try PlainBackend().makeStream(device: 0, options: StreamOptions())
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 1) } == .internalError)
        var plan = WorkspacePlan(limit: nil)
        _ = try plan.reserve(Float.self, count: 16)
        let workspace = try stream.begin(plan)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 17) } == .internalError)
        let vector = try stream.reserve(Float.self, count: 16)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: 1) } == .internalError)
        #expect(code { () throws(ShortlistError) in _ = try stream.reserve(Float.self, count: -1) } == .internalError)
        try stream.fill(vector, with: 3)
        try stream.read(vector) { (values) throws(ShortlistError) in #expect(values.allSatisfy { $0 == 3 }) }
        for buffer: Int32 in [-1, 1, .max] {
            let foreign = Vector<Float>(buffer: BufferID(rawValue: buffer), offset: 0, count: 1)
            #expect(code { () throws(ShortlistError) in try stream.fill(foreign, with: 0) } == .internalError)
        }
        try stream.finish()
        #expect(code { () throws(ShortlistError) in try stream.fill(vector, with: 0) } == .internalError)
        let other = try CPUBackend().makeStream(device: 0, options: StreamOptions(threads: 1))
        #expect(
            code { () throws(ShortlistError) in try other.resume(workspace, plan: WorkspacePlan(limit: nil)) }
                == .invalidHandle)
        stream.recycle(workspace)
    }

    @Test("Scratch vectors come out of the kernels' scratch and are gone after")
    func scratchVectors() throws {
        for backend in [PlainBackend(), CPUBackend(composed: optionalKernels)] as [any Backend] {
            let stream = try backend.makeStream(device: 0, options: StreamOptions(threads: 1))
            var plan = WorkspacePlan(limit: nil)
            _ = try plan.reserve(Float.self, count: 1)
            plan.kernels = [.hash(rows: 1000, directions: 3, width: 2)]
            let workspace = try stream.begin(plan)
            let bytes = composedScratch(for: plan.kernels[0])
            #expect(stream.telemetry.planned == 64 + bytes && stream.telemetry.least == 64 + bytes)
            // As often as it likes: every round of RECE hashes anew.
            for _ in 0..<5 {
                try stream.withScratchVectors { () throws(ShortlistError) in
                    let vector = try stream.reserve(UInt8.self, count: bytes - 64)
                    try stream.write(vector) { $0.update(repeating: 1) }
                    #expect(
                        code { () throws(ShortlistError) in _ = try stream.reserve(UInt8.self, count: 65) }
                            == .internalError)
                }
            }
            _ = try stream.reserve(Float.self, count: 1)
            #expect(workspace.usedBytes <= 64 + bytes)
            try stream.finish()
            stream.recycle(workspace)
        }
    }
}
