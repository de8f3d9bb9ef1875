import Foundation
import Synchronization

/// Control-C asks a program to stop at the next good moment; pressed again it ends it at once.
public enum Interrupt {
    private static let flag = Atomic(false)

    /// Whether Control-C was pressed.
    public static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// From here on, SIGINT sets a flag: see `isRequested` and `check()`.
    public static func watch() {
        // A signal handler may do little: this one stores a flag that exists already and restores the default.
        flag.store(false, ordering: .relaxed)
        signal(SIGINT) { _ in
            Interrupt.flag.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
        // A parent may have left the signal blocked.
        var interrupt = sigset_t()
        sigemptyset(&interrupt)
        sigaddset(&interrupt, SIGINT)
        pthread_sigmask(SIG_UNBLOCK, &interrupt, nil)
    }

    /// - Throws: `Interrupted` once Control-C was pressed.
    public static func check() throws {
        if isRequested { throw Interrupted() }
    }
}

public struct Interrupted: Error {
    public init() {}
}
