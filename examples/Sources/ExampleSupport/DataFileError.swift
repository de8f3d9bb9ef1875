/// Why a data file could not be used: which file, where in it, and what is wrong there.
public struct DataFileError: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    /// Counted from 1; nil when the file as a whole is at fault.
    public let line: Int?
    public let reason: String

    public var description: String {
        line.map { "\(file), line \($0): \(reason)" } ?? "\(file): \(reason)"
    }
}
