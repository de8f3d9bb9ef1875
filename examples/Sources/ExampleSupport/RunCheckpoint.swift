import Foundation

/// Why a checkpoint does not serve.
public struct ResumeError: Error, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "\(path) cannot be used: \(reason)" }

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

extension SafetensorsWriter {
    /// Puts `value` as JSON under `key` of the metadata, keys sorted.
    public mutating func setMetadata(_ key: String, _ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        metadata[key] = String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension SafetensorsFile {
    /// A program's checkpoint. - Throws: `ResumeError` for a file of another format, `SafetensorsError` for a damaged one.
    public convenience init(checkpoint path: String, format: String) throws {
        try self.init(contentsOf: path)
        guard metadata["format"] == format else {
            throw ResumeError(path: path, reason: "it is no checkpoint of this program (format \(format))")
        }
    }

    /// What `setMetadata` put under `key`. - Throws: `ResumeError` where it is missing or means something else.
    public func decodeMetadata<Value: Decodable>(_ key: String, as _: Value.Type, path: String) throws -> Value {
        guard let text = metadata[key] else { throw ResumeError(path: path, reason: "it has no \(key)") }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw ResumeError(path: path, reason: "its \(key) cannot be understood: \(error)")
        }
    }
}
