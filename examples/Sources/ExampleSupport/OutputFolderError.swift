import Foundation

/// Why results cannot go where --out says.
public struct OutputFolderError: Error, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "--out \(path): \(reason)" }

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// Makes the folder that --out names, with those above it, where it is not there. - Throws: `OutputFolderError`.
public func makeOutputFolder(_ path: String) throws {
    do {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let reason = exists && !isFolder.boolValue ? "there is a file of this name" : "it cannot be made"
        throw OutputFolderError(path: path, reason: reason)
    }
}
