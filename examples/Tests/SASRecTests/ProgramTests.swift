import ExampleSupport
import ExampleTestSupport
import Foundation
import Testing

@testable import sasrec

/// The program as it is started from a shell.
@Suite(.serialized) struct ProgramTests {
    private let small = ["--users", "300", "--items", "150", "--dimension", "16", "--batch", "32"]

    @Test func `a comparison ends with one table, a report and a picture`() throws {
        let scratch = try Scratch()
        let out = scratch.path("out")
        let run = try ProgramRun("sasrec", small + ["--epochs", "2", "--compare", "ce,sce,rece", "--out", out])
        #expect(run.status == 0)
        for row in ["\nce ", "\nsce ", "\nrece ", "\npopularity"] { #expect(run.output.contains(row), "\(row)") }
        #expect(run.errors.contains("300 users, 150 items") && run.errors.contains("epoch 2/2"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: out).sorted()
                == ["ce.safetensors", "curves.svg", "rece.safetensors", "report.json", "sce.safetensors"])
        let report = try JSONDecoder().decode(Report.self, from: scratch.contents("out/report.json"))
        #expect(report.runs.map(\.loss) == [.ce, .sce, .rece])
        #expect(report.runs.allSatisfy { $0.progress.epochs.count == 2 && $0.progress.test != nil })
        let picture = String(decoding: try scratch.contents("out/curves.svg"), as: UTF8.self)
        #expect(picture.hasPrefix("<svg") && picture.contains("rece"))
    }

    @Test func `a killed run resumes to the same bits as one that was left alone`() throws {
        let scratch = try Scratch()
        let arguments = small + ["--epochs", "12", "--loss", "sce", "--save-every", "0"]
        #expect(try ProgramRun("sasrec", arguments + ["--out", scratch.path("whole")]).status == 0)
        let killed = try ProgramRun(
            "sasrec", arguments + ["--out", scratch.path("killed")], sending: SIGKILL, after: "epoch 3/12")
        #expect(killed.wasSignalled && killed.status == SIGKILL)
        let resumed = try ProgramRun("sasrec", arguments + ["--out", scratch.path("killed"), "--resume"])
        #expect(resumed.status == 0)
        #expect(resumed.errors.contains("from the checkpoint"))
        let files = try ["whole", "killed"].map {
            try SafetensorsFile(contentsOf: scratch.path("\($0)/sce.safetensors"))
        }
        #expect(files[0].names == files[1].names)
        for name in files[0].names where files[0].type(of: name) == .float32 {
            let shape = files[0].shape(of: name)!
            #expect(try files[0].floats(name, shape: shape) == files[1].floats(name, shape: shape), "\(name)")
        }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `an interrupted run leaves a checkpoint and exit code 130, and resumes`(signal: Int32) throws {
        let scratch = try Scratch()
        let arguments = small + ["--loss", "ce", "--out", scratch.path("out"), "--save-every", "1000"]
        let stopped = try ProgramRun("sasrec", arguments + ["--epochs", "100000"], sending: signal, after: "epoch 2/")
        #expect(stopped.status == 130 && !stopped.wasSignalled)
        #expect(stopped.errors.contains("--resume"))
        let resumed = try ProgramRun("sasrec", arguments + ["--epochs", "3", "--resume"])
        #expect(resumed.status == 0)
        #expect(resumed.output.contains("\nce "))
    }

    @Test func `a full disk is an error that names the file, and the old checkpoint stays`() throws {
        let scratch = try Scratch()
        let arguments = small + ["--loss", "ce", "--out", scratch.path("out")]
        #expect(try ProgramRun("sasrec", arguments + ["--epochs", "1"]).status == 0)
        let before = try scratch.contents("out/ce.safetensors")
        // A bound on the size of files, its signal ignored, fails writes as a full disk does.
        let full = try ProgramRun(
            "sasrec", arguments + ["--epochs", "2", "--resume"], through: "trap '' XFSZ; ulimit -f 10; exec \"$@\"")
        #expect(full.status != 0 && !full.wasSignalled)
        #expect(full.errors.contains("ce.safetensors cannot be written"))
        #expect(try scratch.contents("out/ce.safetensors") == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("out")).count == 3)
    }

    @Test func `an earlier run's files are not replaced unasked`() throws {
        let scratch = try Scratch()
        let arguments = small + ["--loss", "ce", "--epochs", "1", "--out", scratch.path("out")]
        #expect(try ProgramRun("sasrec", arguments).status == 0)
        let again = try ProgramRun("sasrec", arguments)
        #expect(again.status != 0 && again.errors.contains("--overwrite"))
        #expect(try ProgramRun("sasrec", arguments + ["--overwrite"]).status == 0)
    }

    @Test(arguments: [
        (["--loss", "mse"], "mse"), (["--compare", "ce,bpr"], "ce,bpr"),
        (["--batch", "0"], "--batch must be at least 1"),
        (["--data", "/nowhere/at all"], "/nowhere/at all: there is no such file"),
        (["--users", "50", "--items", "2"], "too little data"), (["--heads", "5"], "does not divide"),
        (["--split", "temporal"], "time"), (["--backend", "abacus"], "abacus"), (["--resume"], "needs --out"),
        (["--out", "/dev/null/x"], "/dev/null/x"), (["--least-per-item", "100000"], "100000"),
        (["--dropout", "1"], "--dropout"), (["--out", "/tmp", "--resume"], "no checkpoint to resume"),
    ])
    func `bad input is a message and an exit code, with nothing on standard output`(
        arguments: [String], message: String
    ) throws {
        let run = try ProgramRun("sasrec", ["--users", "60", "--items", "40", "--epochs", "1"] + arguments)
        #expect(run.status != 0 && !run.wasSignalled)
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test func `an unreadable line is named with file, line and reason`() throws {
        let scratch = try Scratch()
        let data = try scratch.file("bad.csv", "user,item,timestamp\na,x,1\nb,y,noon\n")
        let run = try ProgramRun("sasrec", ["--data", data])
        #expect(run.status != 0)
        #expect(run.errors.contains("bad.csv, line 3:") && run.errors.contains("noon"))
    }

    @Test func `a temporal split of data with times trains and tests`() throws {
        let scratch = try Scratch()
        var text = "userid,itemid,timestamp\n"
        for user in 0..<200 {
            for step in 0..<6 { text += "u\(user),i\((user * 7 + step * 3) % 40),\(user * 10 + step)\n" }
        }
        let data = try scratch.file("timed.csv", text)
        let run = try ProgramRun(
            "sasrec", ["--data", data, "--split", "temporal", "--quantile", "0.8", "--epochs", "2", "--dimension", "8"])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("\nsce "))
    }

    @Test func `recommendations are written for every user, best first and without what was seen`() throws {
        let scratch = try Scratch()
        var text = ""
        for user in 0..<80 {
            text += "u\(user) " + (0..<8).map { "i\((user + $0 * $0) % 30)" }.joined(separator: " ") + "\n"
        }
        let data = try scratch.file("data.txt", text)
        let out = scratch.path("out")
        #expect(
            try ProgramRun(
                "sasrec", ["--data", data, "--loss", "ce", "--epochs", "2", "--dimension", "8", "--out", out]
            )
            .status == 0)
        let list = scratch.path("list.csv")
        let checkpoint = "\(out)/ce.safetensors"
        let run = try ProgramRun(
            "sasrec", ["recommend", "--checkpoint", checkpoint, "--data", data, "--k", "3", "--output", list])
        #expect(run.status == 0, "\(run.errors)")
        let lines = String(decoding: try scratch.contents("list.csv"), as: UTF8.self).split(separator: "\n").map(
            String.init)
        #expect(lines[0] == "user,rank,item,score")
        #expect(lines.count == 1 + 80 * 3)
        var last: (user: String, score: Double)?
        for line in lines.dropFirst() {
            let fields = line.split(separator: ",").map(String.init)
            let user = Int(fields[0].dropFirst())!
            #expect(!(0..<8).contains { "i\((user + $0 * $0) % 30)" == fields[2] })
            if let last, last.user == fields[0] { #expect(Double(fields[3])! <= last.score) }
            last = (fields[0], Double(fields[3])!)
        }
        let one = try ProgramRun(
            "sasrec", ["recommend", "--checkpoint", checkpoint, "--data", data, "--user", "u7", "--k", "2"])
        #expect(one.output.split(separator: "\n").count == 3 && one.output.contains("u7,1,"))
        let nobody = try ProgramRun("sasrec", ["recommend", "--checkpoint", checkpoint, "--data", data, "--user", "x"])
        #expect(nobody.status != 0 && nobody.errors.contains("no such user"))
        let damaged = try scratch.file("damaged.safetensors", Data([1, 2, 3]))
        let wrong = try ProgramRun("sasrec", ["recommend", "--checkpoint", damaged, "--data", data])
        #expect(wrong.status != 0 && wrong.errors.contains("damaged.safetensors"))
    }
}
