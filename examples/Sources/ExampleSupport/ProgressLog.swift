import Foundation

/// Says on standard error how far a program is: on a terminal the current line is kept up to date, elsewhere (a log)
/// a passing state is written twice a minute at most.
public final class ProgressLog {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastPassing = ContinuousClock.now
    private var isPassing = false

    public init() {}

    /// A line to keep.
    public func line(_ text: String) { write(text, end: "\n") }

    /// A line that the next one replaces; `text` is made only when it is shown.
    public func passing(_ text: () -> String) {
        let now = ContinuousClock.now
        guard now - lastPassing > (isTerminal ? .milliseconds(200) : .seconds(30)) else { return }
        lastPassing = now
        write(text(), end: isTerminal ? "" : "\n")
    }

    private func write(_ text: String, end: String) {
        let erased = isPassing ? "\r\u{1B}[K" : ""
        FileHandle.standardError.write(Data((erased + text + end).utf8))
        isPassing = end.isEmpty
    }
}
