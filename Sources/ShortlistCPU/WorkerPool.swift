import CShortlistKernels
import Glibc
import Synchronization

/// Threads that wait for loops to share. One loop at a time, started by the thread that owns the stream.
///
/// Tasks are handed out by a counter, so which worker runs a task is not fixed: no kernel lets a result depend on it.
final class WorkerPool: @unchecked Sendable {
    // Sendable: `job`, `taskCount`, `generation`, `participants`, `running` and `quitting` are guarded by `mutex`;
    // `next` and `stopped` are atomic; the rest is constant.
    let threadCount: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private let done: UnsafeMutablePointer<pthread_cond_t>
    private var threads: [pthread_t] = []
    private let owner = getpid()
    /// The vector kernels' level of the thread that made the pool: workers run what it runs.
    private let level = sl_level()

    private var job: ((Int, inout Turn) -> Void)?
    private var taskCount = 0
    private var participants = 0
    private var generation: UInt64 = 0
    private var running = 0
    private var quitting = false
    private let next = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)

    /// - Throws: `outOfMemory` when the system refuses a thread.
    init(threadCount: Int) throws(ShortlistError) {
        self.threadCount = threadCount
        mutex = .allocate(capacity: 1)
        wake = .allocate(capacity: 1)
        done = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(done, nil)
        for index in 1..<max(threadCount, 1) {
            guard let thread = start(worker: index) else {
                let started = threads.count + 1
                throw ShortlistError(
                    .outOfMemory, "the system refused thread \(index) of \(threadCount); ask for \(started) or fewer")
            }
            threads.append(thread)
        }
    }

    deinit {
        // The threads exist in the process that made them alone.
        guard getpid() == owner else { return }
        pthread_mutex_lock(mutex)
        quitting = true
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        pthread_cond_destroy(wake)
        pthread_cond_destroy(done)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        wake.deallocate()
        done.deallocate()
    }

    /// False in a child after `fork`, where the workers do not exist.
    var belongsToThisProcess: Bool { getpid() == owner }

    /// A worker's part in a loop.
    struct Turn {
        let worker: Int
        fileprivate let pool: WorkerPool
        fileprivate let taskCount: Int
        private var claimed: Int?

        fileprivate init(_ worker: Int, of pool: WorkerPool, taskCount: Int) {
            self.worker = worker
            self.pool = pool
            self.taskCount = taskCount
        }

        /// The task that this worker will do after the present one, taken from the others now; nil when none is left.
        mutating func following() -> Int? {
            let task = claimed ?? pool.next.wrappingAdd(1, ordering: .relaxed).oldValue
            claimed = task
            return task < taskCount ? task : nil
        }

        fileprivate mutating func take() -> Int? {
            defer { claimed = nil }
            return pool.stopped.load(ordering: .relaxed) ? nil : following()
        }
    }

    /// Runs `body(task, turn)` for every task below `taskCount` on at most `workers` threads, the calling one as
    /// worker 0, and returns when all are done. `shouldStop` is asked by the calling thread between its tasks.
    /// Returns false when it said so; tasks may then be missing.
    func run(
        tasks taskCount: Int, workers: Int, shouldStop: (@Sendable () -> Bool)?, _ body: (Int, inout Turn) -> Void
    ) -> Bool {
        if let shouldStop, shouldStop() { return false }
        let workers = min(workers, taskCount, threadCount)
        var mine = Turn(0, of: self, taskCount: taskCount)
        guard workers > 1 else {
            next.store(0, ordering: .relaxed)
            stopped.store(false, ordering: .relaxed)
            while let task = mine.take() {
                if task > 0, let shouldStop, shouldStop() { return false }
                body(task, &mine)
            }
            return true
        }
        return withoutActuallyEscaping(body) { body in
            pthread_mutex_lock(mutex)
            job = body
            self.taskCount = taskCount
            participants = workers
            running = workers - 1
            next.store(0, ordering: .relaxed)
            stopped.store(false, ordering: .relaxed)
            generation &+= 1
            pthread_cond_broadcast(wake)
            pthread_mutex_unlock(mutex)

            while let task = mine.take() {
                body(task, &mine)
                if let shouldStop, shouldStop() { stopped.store(true, ordering: .relaxed) }
            }

            pthread_mutex_lock(mutex)
            while running > 0 { pthread_cond_wait(done, mutex) }
            job = nil
            pthread_mutex_unlock(mutex)
            return !stopped.load(ordering: .relaxed)
        }
    }

    private func start(worker index: Int) -> pthread_t? {
        final class Start {
            let pool: Unmanaged<WorkerPool>
            let index: Int
            init(_ pool: WorkerPool, _ index: Int) {
                // Unretained: `deinit` joins the threads before the pool goes away.
                self.pool = .passUnretained(pool)
                self.index = index
            }
        }
        let argument = Unmanaged.passRetained(Start(self, index))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                start.pool._withUnsafeGuaranteedRef { $0.work(as: start.index) }
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            return nil
        }
        return thread
    }

    private func work(as worker: Int) {
        sl_force_level(level)
        var seen: UInt64 = 0
        pthread_mutex_lock(mutex)
        while true {
            while !quitting && generation == seen { pthread_cond_wait(wake, mutex) }
            if quitting { break }
            seen = generation
            guard worker < participants, let job else { continue }
            var mine = Turn(worker, of: self, taskCount: taskCount)
            pthread_mutex_unlock(mutex)
            while let task = mine.take() { job(task, &mine) }
            pthread_mutex_lock(mutex)
            running -= 1
            if running == 0 { pthread_cond_signal(done) }
        }
        pthread_mutex_unlock(mutex)
    }
}
