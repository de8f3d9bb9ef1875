import Foundation
import Synchronization

/// Control-C, or a request to terminate, asks a program to stop at the next good moment; a second one ends it at once.
public enum Interrupt {
    private static let flag = Atomic(false)

    /// Whether the program was asked to stop.
    public static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// From here on, SIGINT and SIGTERM set a flag: see `isRequested` and `check()`.
    public static func watch() {
        // A signal handler may do little: this one stores a flag that exists already and restores the default.
        flag.store(false, ordering: .relaxed)
        var watched = sigset_t()
        sigemptyset(&watched)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interrupt.flag.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
            sigaddset(&watched, number)
        }
        // A parent may have left the signals blocked.
        pthread_sigmask(SIG_UNBLOCK, &watched, nil)
    }

    /// - Throws: `Interrupted` once the program was asked to stop.
    public static func check() throws {
        if isRequested { throw Interrupted() }
    }
}

public struct Interrupted: Error {
    public init() {}
}
