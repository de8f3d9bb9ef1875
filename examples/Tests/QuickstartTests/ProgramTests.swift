import Foundation
import Testing

/// The program as it is started from a shell.
@Suite(.serialized) struct ProgramTests {
    @Test func `a short run ends with the table on standard output`() throws {
        let run = try Run([
            "--users", "200", "--items", "100", "--epochs", "1", "--dimension", "8", "--loss", "sce", "ce",
        ])
        #expect(run.status == 0)
        #expect(run.output.contains("popularity") && run.output.contains("\nsce ") && run.output.contains("\nce "))
        #expect(run.errors.contains("200 users, 100 items") && run.errors.contains("epoch 1/1"))
    }

    @Test(arguments: [
        (["--loss", "mse"], "mse"), (["--batch", "0"], "--batch must be at least 1"),
        (["--data", "/nowhere/at all"], "/nowhere/at all: there is no such file"),
        (["--users", "50", "--items", "2"], "too little data"),
        (["--users", "50", "--items", "50", "--workspace-limit", "1"], "workspace limit"),
    ])
    func `bad input is a message and an exit code, with nothing on standard output`(
        arguments: [String], message: String
    ) throws {
        let run = try Run(arguments)
        #expect(run.status != 0)
        #expect(run.errors.contains(message))
        #expect(run.output.isEmpty)
    }

    @Test func `Control-C ends the run with the table so far and exit code 130`() throws {
        let run = try Run(["--users", "4000", "--items", "8000", "--loss", "ce"], interruptAfter: "Popularity")
        #expect(run.status == 130)
        #expect(run.errors.contains("Interrupted."))
        #expect(run.output.contains("popularity"))
    }
}

/// One finished run of the program.
private struct Run {
    let status: Int32
    let output: String
    let errors: String

    init(_ arguments: [String], interruptAfter mark: String? = nil) throws {
        let process = Process()
        // The build puts programs beside the tests.
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("quickstart")
        process.arguments = arguments
        let outputPipe = Pipe()
        let errorPipe = Pipe()
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        try process.run()
        var errors = Data()
        var isInterrupted = false
        // What the program writes to standard output fits a pipe, so that standard error can be read first.
        while true {
            let more = errorPipe.fileHandleForReading.availableData
            if more.isEmpty { break }
            errors += more
            if let mark, !isInterrupted, String(decoding: errors, as: UTF8.self).contains(mark) {
                process.interrupt()
                isInterrupted = true
            }
        }
        output = String(decoding: outputPipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
        self.errors = String(decoding: errors, as: UTF8.self)
    }
}
