import ExampleTestSupport
import Testing

/// The program as it is started from a shell.
@Suite(.serialized) struct ProgramTests {
    @Test func `a short run ends with the table on standard output`() throws {
        let run = try ProgramRun(
            "quickstart",
            [
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
        let run = try ProgramRun("quickstart", arguments)
        #expect(run.status != 0)
        #expect(run.errors.contains(message))
        #expect(run.output.isEmpty)
    }

    @Test func `Control-C ends the run with the table so far and exit code 130`() throws {
        let run = try ProgramRun(
            "quickstart", ["--users", "4000", "--items", "8000", "--loss", "ce"], after: "Popularity")
        #expect(run.status == 130)
        #expect(run.errors.contains("Interrupted."))
        #expect(run.output.contains("popularity"))
    }
}
