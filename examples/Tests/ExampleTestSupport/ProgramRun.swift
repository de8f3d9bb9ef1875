import Foundation

/// One finished run of a program of this package, as if started from a shell.
public struct ProgramRun {
    public let status: Int32
    /// Whether a signal ended it; `status` is then the signal.
    public let wasSignalled: Bool
    public let output: String
    public let errors: String

    /// - Parameters:
    ///   - program: its name.
    ///   - signal: what to send once standard error has `mark`.
    ///   - shell: a line of shell to start it through, with `"$@"` for program and arguments.
    public init(
        _ program: String, _ arguments: [String], sending signal: Int32 = SIGINT, after mark: String? = nil,
        through shell: String? = nil
    ) throws {
        let process = Process()
        // The build puts programs beside the tests.
        let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent(program)
        if let shell {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", shell, "sh", path.path] + arguments
        } else {
            process.executableURL = path
            process.arguments = arguments
        }
        let outputPipe = Pipe()
        let errorPipe = Pipe()
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        try process.run()
        var errors = Data()
        var isSent = false
        // What a program writes to standard output fits a pipe, so that standard error can be read first.
        while true {
            let more = errorPipe.fileHandleForReading.availableData
            if more.isEmpty { break }
            errors += more
            if let mark, !isSent, String(decoding: errors, as: UTF8.self).contains(mark) {
                kill(process.processIdentifier, signal)
                isSent = true
            }
        }
        output = String(decoding: outputPipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
        wasSignalled = process.terminationReason == .uncaughtSignal
        self.errors = String(decoding: errors, as: UTF8.self)
    }
}

/// A folder of a test's own, gone when the test is.
public final class Scratch {
    public let folder: String

    public init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("shortlist-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    public func path(_ name: String) -> String { "\(folder)/\(name)" }

    public func file(_ name: String, _ contents: Data) throws -> String {
        try contents.write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    public func file(_ name: String, _ text: String) throws -> String { try file(name, Data(text.utf8)) }

    public func contents(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }

    /// Names of all files, hidden ones too.
    public var files: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } }
}
