import Dispatch
import Synchronization

/// Shares out independent tasks between threads. Which thread runs which task is not fixed, so no task may let its
/// result depend on it.
public struct Workers: Sendable {
    public let count: Int

    public init(_ count: Int) { self.count = max(1, count) }

    /// Runs `body(task, worker)` for every task below `tasks` and returns when all are done. At any moment a worker
    /// number below `count` belongs to one task, which may use that worker's scratch memory.
    public func run(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        let workers = min(count, tasks)
        guard workers > 1 else {
            for task in 0..<max(0, tasks) { body(task, 0) }
            return
        }
        let next = Atomic(0)
        withoutActuallyEscaping(body) { body in
            // Sendable by this type's contract: tasks are independent, and the call returns when all are done.
            nonisolated(unsafe) let body = body
            DispatchQueue.concurrentPerform(iterations: workers) { worker in
                while true {
                    let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard task < tasks else { return }
                    body(task, worker)
                }
            }
        }
    }
}
