import Foundation
import Shortlist

extension Context {
    /// Threads for what a program computes itself, beside the library: as many as were asked for, or one a core. Where
    /// the library works on a GPU, its own count says nothing about the processor.
    public var hostThreads: Int {
        backend.name == "cpu" ? threads : options.threads ?? ProcessInfo.processInfo.activeProcessorCount
    }
}
