import Foundation
import Synchronization

/// Control-C asks a program to stop at the next good moment; pressed again it ends it at once.
public enum Interrupt {
    private static let isRequested = Atomic(false)

    /// From here on, SIGINT sets a flag that `check()` looks at.
    public static func watch() {
        // A signal handler may do little: this one stores a flag that exists already and restores the default.
        isRequested.store(false, ordering: .relaxed)
        signal(SIGINT) { _ in
            Interrupt.isRequested.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }

    /// - Throws: `Interrupted` once Control-C was pressed.
    public static func check() throws {
        if isRequested.load(ordering: .relaxed) { throw Interrupted() }
    }
}

public struct Interrupted: Error {}
