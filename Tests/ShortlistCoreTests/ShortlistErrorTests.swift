import ShortlistCore
import Testing

@Suite("Errors")
struct ShortlistErrorTests {
    @Test("Codes keep their numbers: programs in C compare with them")
    func numbers() {
        let pinned: [ShortlistError.Code: Int32] = [
            .invalidArgument: -1, .targetOutOfRange: -2, .excludedTarget: -3, .invalidWeight: -4,
            .overlappingMemory: -5, .workspaceLimit: -6, .outOfMemory: -7, .roomTooSmall: -8, .unsupported: -9,
            .backendUnavailable: -10, .unknownBackend: -11, .busy: -12, .invalidHandle: -13, .forked: -14,
            .cancelled: -15, .numericalFailure: -16, .indexOutOfRange: -17, .deviceLost: -18, .overflow: -19,
            .internalError: -99,
        ]
        for code in ShortlistError.Code.allCases { #expect(code.rawValue == pinned[code], "\(code)") }
        #expect(pinned.count == ShortlistError.Code.allCases.count)
    }

    @Test("Numbers of other public constants stay, too")
    func otherNumbers() {
        #expect(Reduction.allCases.map(\.rawValue) == [0, 1, 2])
        #expect([Reduction.mean, .sum, .none].map(\.rawValue) == [0, 1, 2])
        #expect([Combination.max, .union].map(\.rawValue) == [0, 1])
        #expect([Philox.Stream.directions, .mixing].map(\.rawValue) == [0, 1])
        let notes: [Notes] = [
            .mixFellBackToGaussian, .mixJitterRaised, .optionCapped, .threadsReducedByLimit, .deviceWithoutTimestamps,
        ]
        #expect(notes.map(\.rawValue) == [1, 2, 4, 8, 16])
        #expect(Notes(notes).descriptions.count == 5)
    }

    @Test("An error prints its code and its message")
    func description() {
        let error = ShortlistError(.roomTooSmall, "room for 3 rows", bytesNeeded: 5)
        #expect("\(error)" == "roomTooSmall: room for 3 rows")
        #expect(error.bytesNeeded == 5)
    }

    @Test("Kernels are required or optional, and sets of them print their names in order")
    func kernels() {
        #expect(Kernel.required.union(Kernel.optional) == Set(Kernel.allCases))
        #expect(Kernel.required.isDisjoint(with: Kernel.optional))
        #expect(Kernel.allCases.count <= 32)
        let set: KernelSet = [KernelSet(.hash), KernelSet(.fill), KernelSet(.combine)]
        #expect(set.names == ["fill", "combine", "hash"])
    }
}
