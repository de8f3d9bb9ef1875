import Glibc

/// What the last call of a Vulkan stream came to, for tests and for whoever tunes kernels.
package struct CallMeasures: Sendable {
    package struct Kernel: Sendable {
        package var seconds = 0.0
        package var dispatches = 0
    }

    package var dispatches = 0
    package var barriers = 0
    /// Submissions, each of which the host waited for.
    package var submissions = 0
    /// Selections that were done again because a list overflowed.
    package var retries = 0
    /// Host seconds that recording dispatches took, waiting left out; 0 unless kernels are timed.
    package var recordingSeconds = 0.0
    /// Device seconds by shader; empty unless kernels are timed, and on a device without timestamps.
    package var kernels: [String: Kernel] = [:]

    /// Whether the environment asks for a table of each call on standard error.
    static let isPrinted = getenv("SHORTLIST_VULKAN_TIMES").map { strcmp($0, "1") == 0 } ?? false

    /// A line for each kernel, the slowest first.
    func print(on device: String) {
        var text = "vulkan, \(device): \(dispatches) dispatches, \(barriers) barriers, \(submissions) submissions, "
        text += "recorded in \(microseconds(recordingSeconds))\n"
        for (name, kernel) in kernels.sorted(by: { $0.value.seconds > $1.value.seconds }) {
            text += "  \(microseconds(kernel.seconds))  \(kernel.dispatches) × \(name)\n"
        }
        text.withCString { _ = write(2, $0, strlen($0)) }
    }

    private func microseconds(_ seconds: Double) -> String { "\((seconds * 1e7).rounded() / 10) µs" }
}

/// A stream that can say what its last call came to.
package protocol MeasuredStream: AnyObject {
    var measures: CallMeasures { get }
}
