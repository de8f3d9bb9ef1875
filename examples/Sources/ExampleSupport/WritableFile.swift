import Foundation

/// Why a file could not be written: which file, and what stood in the way.
public struct FileWriteError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(path) cannot be written: \(reason)" }

    init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    /// With what the C library says of `code`, an `errno`.
    init(_ path: String, _ doing: String, code: Int32) {
        self.init(path, "\(doing): \(String(cString: strerror(code)))")
    }
}

/// As `write(2)`: descriptor, bytes, their number; returns how many were written, or −1 with `errno`.
typealias WriteBytes = @Sendable (Int32, UnsafeRawPointer, Int) -> Int

private let systemWrite: WriteBytes = { write($0, $1, $2) }

/// A place in the file system where a program's result is to go.
///
/// Writing is all or nothing: the contents go to a new file in the same folder, which takes the old file's place when
/// it is complete and on the disk. A failure, a crash or a power cut leaves the old file as it was. A link is followed:
/// what it points to is replaced. What is no file (`/dev/stdout`, a named pipe) cannot be replaced and is written to.
public struct WritableFile: Sendable {
    public let path: String
    /// The one step a test makes fail in ways that a disk would.
    var writeBytes: WriteBytes = systemWrite

    public init(_ path: String) { self.path = path }

    /// Tries whether the file can be written, so that a program can say so before a long run and not after it: a new file
    /// is made in the folder and taken away again. Whether the disk will have room is not known beforehand.
    /// - Throws: `FileWriteError`.
    public func check() throws {
        switch try place() {
        case .device(let path):
            guard access(path, W_OK) == 0 else { throw FileWriteError(self.path, "opening it", code: errno) }
        case .file(let path, let mode):
            if mode != nil, access(path, W_OK) != 0 { throw FileWriteError(self.path, "opening it", code: errno) }
            let temporary = try TemporaryFile(beside: path, for: self.path, mode: mode)
            temporary.remove()
        }
    }

    /// Puts `text` into the file, in UTF-8. - Throws: `FileWriteError`.
    public func write(_ text: String) throws { try write(Data(text.utf8)) }

    /// Puts `data` into the file. - Throws: `FileWriteError`.
    public func write(_ data: Data) throws {
        try write { output in try data.withUnsafeBytes { try output.write($0) } }
    }

    /// Puts what `contents` writes into the file. - Throws: `FileWriteError`, or what `contents` throws.
    func write(_ contents: (FileOutput) throws -> Void) throws {
        switch try place() {
        case .device(let path):
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileWriteError(self.path, "opening it", code: errno) }
            defer { close(descriptor) }
            try contents(output(descriptor))
        case .file(let path, let mode):
            let temporary = try TemporaryFile(beside: path, for: self.path, mode: mode)
            do {
                try contents(output(temporary.descriptor))
                try temporary.replace(path)
            } catch {
                temporary.remove()
                throw error
            }
        }
    }

    private func output(_ descriptor: Int32) -> FileOutput {
        FileOutput(path: path, descriptor: descriptor, writeBytes: writeBytes)
    }

    // MARK: - What stands there

    private enum Place {
        /// Where the new file goes, links followed, and the permissions of the file there now, if there is one.
        case file(path: String, mode: mode_t?)
        case device(path: String)
    }

    private func place() throws -> Place {
        guard !path.isEmpty, !path.hasSuffix("/") else { throw FileWriteError(path, "this names no file") }
        var target = path
        // A link to nothing yet is followed by hand, as realpath wants a file at its end.
        for _ in 0..<40 {
            guard let destination = try? FileManager.default.destinationOfSymbolicLink(atPath: target) else { break }
            let folder = (target as NSString).deletingLastPathComponent
            target =
                destination.hasPrefix("/") ? destination : (folder as NSString).appendingPathComponent(destination)
        }
        var status = stat()
        guard stat(target, &status) == 0 else {
            guard errno == ENOENT else { throw FileWriteError(path, "looking for it", code: errno) }
            return .file(path: target, mode: nil)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(path: target, mode: status.st_mode & 0o777)
        case S_IFDIR: throw FileWriteError(path, "this is a folder")
        default: return .device(path: target)
        }
    }
}

/// Where the contents of a file go while it is written.
struct FileOutput {
    let path: String
    let descriptor: Int32
    let writeBytes: WriteBytes

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            // Linux writes 2 GiB at a time at most; smaller pieces are as quick.
            let count = writeBytes(descriptor, start, min(rest.count, 1 << 26))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileWriteError(path, "writing", code: errno)
            }
            guard count > 0 else { throw FileWriteError(path, "nothing more can be written") }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }
}

/// A new file, still empty, under a name of its own.
private struct TemporaryFile {
    let descriptor: Int32
    private let temporaryPath: String
    private let folder: String
    /// The path as the user gave it, for messages.
    private let path: String

    /// - Parameter mode: permissions to take over; nil for those the process gives to new files.
    init(beside target: String, for path: String, mode: mode_t?) throws {
        let parent = (target as NSString).deletingLastPathComponent
        folder = parent.isEmpty ? "." : parent
        self.path = path
        var status = stat()
        guard stat(folder, &status) == 0 else {
            let code = errno
            throw code == ENOENT
                ? FileWriteError(path, "there is no folder \(folder)")
                : FileWriteError(path, "looking into \(folder)", code: code)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw FileWriteError(path, "\(folder) is not a folder") }
        // O_EXCL: never somebody else's file, nor a link laid there.
        let name = String(UInt64.random(in: .min ... .max), radix: 16)
        temporaryPath = "\(folder)/.\(name).tmp"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileWriteError(path, "making a file in \(folder)", code: errno) }
        if let mode, fchmod(descriptor, mode) != 0 {
            let code = errno
            remove()
            throw FileWriteError(path, "setting its permissions", code: code)
        }
    }

    /// Takes the place of the file at `target`, once every byte is on the disk.
    func replace(_ target: String) throws {
        guard fsync(descriptor) == 0 else { throw FileWriteError(path, "flushing it to the disk", code: errno) }
        guard rename(temporaryPath, target) == 0 else { throw FileWriteError(path, "replacing it", code: errno) }
        close(descriptor)
        // The new name is in the folder, which has to reach the disk as well. The file is complete by now: where a file
        // system cannot flush folders (some network ones), there is nothing to undo.
        let folderDescriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { return }
        fsync(folderDescriptor)
        close(folderDescriptor)
    }

    func remove() {
        close(descriptor)
        unlink(temporaryPath)
    }
}
