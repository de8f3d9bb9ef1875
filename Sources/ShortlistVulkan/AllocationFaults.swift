import Synchronization

/// Makes allocations of device memory fail, for tests: one of them by its number, or that one and all that follow.
package final class AllocationFaults: Sendable {
    private struct State {
        var count = 0
        var number: Int?
        var goesOn = false
    }
    private let state = Mutex(State())

    package init() {}

    /// Counts anew from 0 and lets allocation `number` fail; with `goesOn` all later ones too. nil for none.
    package func arm(_ number: Int?, goesOn: Bool = false) {
        state.withLock { $0 = State(number: number, goesOn: goesOn) }
    }

    /// Allocations since `arm`.
    package var count: Int { state.withLock(\.count) }

    /// Counts an allocation and says whether it fails.
    func strike() -> Bool {
        state.withLock { state in
            defer { state.count += 1 }
            guard let number = state.number else { return false }
            return state.goesOn ? state.count >= number : state.count == number
        }
    }
}
