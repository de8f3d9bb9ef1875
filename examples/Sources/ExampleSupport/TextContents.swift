import Foundation

/// Why a text cannot be used.
public struct TextError: Error, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "\(path): \(reason)" }

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// A text file's bytes, without a byte-order mark.
public struct TextContents {
    public let path: String
    public let bytes: [UInt8]

    /// - Throws: `TextError` for a file that is not there, a folder and a compressed file.
    public init(path: String) throws(TextError) {
        func refuse(_ reason: String) -> TextError { TextError(path: path, reason: reason) }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw refuse("there is no such file")
        }
        guard !isFolder.boolValue else { throw refuse("this is a folder, not a file") }
        guard let data = FileManager.default.contents(atPath: path) else { throw refuse("the file cannot be read") }
        if data.starts(with: [0x1F, 0x8B]) || data.starts(with: Array("PK\u{3}\u{4}".utf8)) {
            throw refuse("the file is compressed; unpack it first")
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        self.path = path
        bytes = Array(data.starts(with: byteOrderMark) ? data.dropFirst(3) : data)
    }

    /// All of it as text. - Throws: `TextError` where it is not UTF-8.
    public func text() throws(TextError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TextError(path: path, reason: "the file is not UTF-8 text; iconv converts it")
        }
        return text
    }
}
