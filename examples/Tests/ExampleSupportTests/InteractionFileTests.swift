import Foundation
import Testing

@testable import ExampleSupport

@Suite struct InteractionFileTests {
    // MARK: - Formats

    @Test func `a line of user and items is a history`() throws {
        let data = try read("7 30 10 20\n9 10\n")
        #expect(data.histories == [[0, 1, 2], [1]])
        #expect(data.itemNames == ["30", "10", "20"])
    }

    @Test func `lines of two fields are pairs when users repeat`() throws {
        let data = try read("1 30\n2 10\n1 20\n1 30\n")
        #expect(data.histories == [[0, 2, 0], [1]])
        #expect(data.itemNames == ["30", "10", "20"])
    }

    @Test func `lines of two fields are histories of one when no user repeats`() throws {
        #expect(try read("1 30\n2 10\n3 30\n").histories == [[0], [1], [0]])
    }

    @Test func `one longer line makes a file of sequences`() throws {
        #expect(try read("1 30\n2 10 30\n3 10\n").histories == [[0], [1, 0], [1]])
    }

    @Test func `a CSV with a time column is put in order of time, ties as they stand`() throws {
        let data = try read("itemid,userid,timestamp\nb,u,20\na,u,10.5\nd,v,3\nc,u,20\n")
        #expect(data.itemNames == ["b", "a", "d", "c"])
        #expect(data.histories == [[1, 0, 3], [2]])
    }

    @Test func `a CSV without times keeps the order of the file`() throws {
        #expect(try read("User ID,Rating,Item-ID\nu,5,b\nu,1,a\n").histories == [[0, 1]])
    }

    @Test func `quoted CSV fields may hold commas and quotes`() throws {
        let data = try read("user,\"item\",title\n\"u, 1\",\"say \"\"x\"\"\",\"\"\n u2 , b ,t\n")
        #expect(data.itemNames == ["say \"x\"", "b"])
        #expect(data.histories == [[0], [1]])
    }

    @Test func `a RecBole file has typed names`() throws {
        let data = try read(
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\tb c\t5\t2e0\nu\ta\t3\t1.0\nw\ta\t3\t1.0\n")
        #expect(data.itemNames == ["b c", "a"])
        #expect(data.histories == [[1, 0], [1]])
    }

    @Test func `tab-separated ids without a header are pairs or sequences`() throws {
        #expect(try read("1\t5\n1\t6\n").histories == [[0, 1]])
        #expect(try read("1\t5\t6\n2\t5\n").histories == [[0, 1], [0]])
    }

    @Test func `line ends of other systems, a byte order mark and blank lines do not matter`() throws {
        #expect(try read("\u{FEFF}1 5 6\r\n\r\n \n2 6").histories == [[0, 1], [1]])
        let table = try read("\u{FEFF}user,item\r\nu,a\r\n\r\nu,b\r\n")
        #expect(table.itemNames == ["a", "b"])
    }

    @Test func `ids are any text`() throws {
        let data = try read("ann tea\nbob mélange tea\n")
        #expect(data.itemNames == ["tea", "mélange"])
    }

    // MARK: - Errors

    @Test(arguments: [
        ("1 5\n1 6 7\n2 5\n2 6\n", 2, "3 fields where every line should be a user and an item"),
        ("1 5\n1 6\n2\n2 6\n", 3, "1 field where every line should be a user and an item"),
        ("1 5 6\n\n2\n", 3, "user 2 has no items"),
        ("1 5 6\n2 5 7\n1 7 8\n", 3, "user 1 has a line already, and in a file of sequences each user has one"),
        ("user,item\nu\n", 2, "1 field where the header names 2"),
        ("user,item\nu,a\nu,a,b\n", 3, "3 fields where the header names 2"),
        ("user,item\n,a\n", 2, "the user is missing"),
        ("user,item\nu, \n", 2, "the item is missing"),
        ("user,item,timestamp\nu,a,1\nu,b,soon\n", 3, "the timestamp \"soon\" is not a number"),
        ("user,item,timestamp\nu,a,nan\n", 2, "the timestamp \"nan\" is not a number"),
        ("user,item\n\"u,a\n", 2, "a quoted field does not end on its line"),
        ("user,item\nu,\"\n", 2, "a quoted field does not end on its line"),
        ("user,item\n\"u\"x,a\n", 2, "text follows a closing quote"),
        ("user_id:token\titem_id:token\tlabel:float\nu\ta\n", 2, "2 fields where the header names 3"),
        ("1 5 6\n2 \u{0}\n", 2, "this is not UTF-8 text"),
    ])
    func `a faulty line is named with its reason`(text: String, line: Int, reason: String) throws {
        let error = try #require(throws: DataFileError.self) { try read(text) }
        #expect(error.line == line)
        #expect(error.reason == reason)
        #expect(error.description == "\(error.file), line \(line): \(reason)")
    }

    @Test func `a header without a user or an item column is an error that shows what was found`() throws {
        let noUser = try #require(throws: DataFileError.self) { try read("who,item\nu,a\n") }
        #expect(noUser.line == 1 && noUser.reason.hasPrefix("no column names the user"))
        #expect(noUser.reason.hasSuffix("who, item"))
        let noItem = try #require(throws: DataFileError.self) { try read("user_id:token\tthing:token\n") }
        #expect(noItem.line == 1 && noItem.reason.hasPrefix("no column names the item"))
    }

    @Test func `bytes that are no text are an error, not a crash`() throws {
        let error = try #require(throws: DataFileError.self) {
            try read(Data("1 5 6\n2 5 ".utf8) + [0xFF, 0xFE, 0x0A])
        }
        #expect(error.line == 2)
    }

    @Test(arguments: ["", "\n \n", "user,item\n"])
    func `a file with nothing in it is an error`(text: String) throws {
        let error = try #require(throws: DataFileError.self) { try read(text) }
        #expect(error.line == nil)
    }

    @Test func `a file that is not there, a folder and a compressed file are told by name`() throws {
        #expect(throws: DataFileError(file: "/nowhere/at all", line: nil, reason: "there is no such file")) {
            try Interactions(contentsOf: "/nowhere/at all")
        }
        let folder = NSTemporaryDirectory()
        #expect(throws: DataFileError(file: folder, line: nil, reason: "this is a folder, not a file")) {
            try Interactions(contentsOf: folder)
        }
        let compressed = try #require(throws: DataFileError.self) { try read(Data([0x1F, 0x8B, 8, 0, 10])) }
        #expect(compressed.reason == "the file is compressed; unpack it first")
    }

    // MARK: - Times, users, named formats

    @Test func `times stand beside the items, in the same order, and users keep their names`() throws {
        let data = try read("item,user,timestamp\nb,u,20\na,u,10.5\nd,v,3\nc,u,20\n")
        #expect(data.times == [[10.5, 20, 20], [3]])
        #expect(data.userNames == ["u", "v"])
        #expect(try read("user,item\nu,a\n").times == nil)
        let plain = try read("ann 5 6\nbob 5 7\n")
        #expect(plain.times == nil)
        #expect(plain.userNames == ["ann", "bob"])
    }

    @Test func `a named format decides what auto would guess otherwise`() throws {
        #expect(try read("1 30\n2 10\n", .pairs).histories == [[0], [1]])
        #expect(try read("1 30\n2 10\n", .sequences).histories == [[0], [1]])
        #expect(try read("a,b x\na,b y\n", .pairs).histories == [[0, 1]])
        #expect(try read("user,item\nu,a\n", .csv).itemNames == ["a"])
        #expect(try read("user_id:token\titem_id:token\nu\ta\n", .recbole).itemNames == ["a"])
    }

    @Test(
        arguments: [
            ("1 5 6\n1 7\n", .sequences, 2, "user 1 has a line already, and in a file of sequences each user has one"),
            ("1 5\n2 5 6\n", .pairs, 2, "3 fields where every line should be a user and an item"),
            ("user, item\nu, a\n", .sequences, 1, "this is the header of a table, and a file of sequences has none"),
            (
                "user_id:token\titem_id:token\nu\ta\n", .pairs, 1,
                "this is the header of a table, and a file of pairs has none"
            ),
            ("user_id:token\titem_id:token\nu\ta\n", .csv, 1, "no comma in it: this is not the header of a CSV file"),
            (
                "user,item\nu,a\n", .recbole, 1,
                "this is not the header of a RecBole file: names such as user_id:token, separated by tabs"
            ),
            (
                "1\t5\n", .recbole, 1,
                "this is not the header of a RecBole file: names such as user_id:token, separated by tabs"
            ),
        ] as [(String, InteractionFormat, Int, String)])
    func `a file that is not of the named format is refused`(
        text: String, format: InteractionFormat, line: Int, reason: String
    ) throws {
        let error = try #require(throws: DataFileError.self) { try read(text, format) }
        #expect(error.line == line)
        #expect(error.reason == reason)
    }

    private func read(_ text: String, _ format: InteractionFormat = .auto) throws -> Interactions {
        try read(Data(text.utf8), format)
    }

    private func read(_ contents: Data, _ format: InteractionFormat = .auto) throws -> Interactions {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).txt")
        try contents.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try Interactions(contentsOf: file.path, format: format)
    }
}
