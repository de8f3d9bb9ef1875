/// Why a tokenizer cannot be used: which file, and what in it is missing, damaged or not supported.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    public let reason: String

    public init(file: String, reason: String) {
        self.file = file
        self.reason = reason
    }

    public var description: String { "\(file): \(reason)" }
}
