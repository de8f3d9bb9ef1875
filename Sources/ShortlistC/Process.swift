import Glibc
import Shortlist
import Synchronization

/// Notices that the process is a child of the one that used the library before.
///
/// Nothing here waits for a lock: one that another thread held at the fork would never be let go in the child. The
/// child gets a new handle table with a new epoch; the old table and what it holds are left where they are, because
/// the threads that belong to them do not exist here. When another thread was inside a call at the fork, anything may
/// have been half done, down to the allocator's and the runtime's own state: then the child is refused everything.
enum Process {
    /// The process that the state below belongs to; 0: none yet, −1: being changed.
    private static let owner = Atomic<Int32>(0)
    private static let callsInside = Atomic<Int>(0)
    private static let poisoned = Atomic<Bool>(false)
    /// The address of the handle table, which is retained for as long as the process lives; 0: none yet.
    private static let table = Atomic<UInt>(0)

    /// Runs `body` with this process's handles.
    static func enter<Result>(
        _ body: (HandleTable) throws(ShortlistError) -> Result
    ) throws(ShortlistError) -> Result {
        let process = getpid()
        while owner.load(ordering: .acquiring) != process { takeOver(process) }
        guard !poisoned.load(ordering: .relaxed), let handles = handles() else {
            throw ShortlistError(
                .forked,
                "fork() happened while another thread was inside a call of this library; the child cannot use it")
        }
        callsInside.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { callsInside.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        return try body(handles)
    }

    private static func handles() -> HandleTable? {
        UnsafeRawPointer(bitPattern: table.load(ordering: .acquiring)).map {
            Unmanaged<HandleTable>.fromOpaque($0).takeUnretainedValue()
        }
    }

    /// Makes the state that of `process`. Several threads may try; one does it, the others come back and look again.
    private static func takeOver(_ process: pid_t) {
        let previous = owner.load(ordering: .acquiring)
        guard previous != process, previous != -1,
            owner.compareExchange(expected: previous, desired: -1, ordering: .acquiringAndReleasing).exchanged
        else {
            sched_yield()
            return
        }
        if previous != 0, callsInside.load(ordering: .sequentiallyConsistent) > 0 {
            poisoned.store(true, ordering: .relaxed)
        }
        callsInside.store(0, ordering: .relaxed)
        if !poisoned.load(ordering: .relaxed) {
            let made = HandleTable(epoch: handles().map { $0.epoch &+ 1 } ?? 0)
            table.store(UInt(bitPattern: Unmanaged.passRetained(made).toOpaque()), ordering: .releasing)
        }
        owner.store(process, ordering: .releasing)
    }
}
