import ExampleTestSupport
import Foundation
import Testing

@testable import ExampleSupport

@Suite struct WritableFileTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func `text is written, and written over what was there`() throws {
        let file = WritableFile(scratch.path("a.json"))
        try file.write("a longer first text")
        try file.write("zwölf")
        #expect(try scratch.contents("a.json") == Data("zwölf".utf8))
        #expect(try scratch.files == ["a.json"])
    }

    @Test func `checking changes nothing`() throws {
        try WritableFile(scratch.path("new")).check()
        #expect(try scratch.files == [])
        let old = try scratch.file("old", Data("kept".utf8))
        try WritableFile(old).check()
        #expect(try scratch.contents("old") == Data("kept".utf8))
        #expect(try scratch.files == ["old"])
    }

    @Test func `what cannot be written is told apart, by checking and by writing alike`() throws {
        let file = try scratch.file("file", Data())
        let cases = [
            (scratch.path("no/such"), "there is no folder \(scratch.path("no"))"), (scratch.folder, "this is a folder"),
            ("\(file)/x", "looking for it: Not a directory"), ("", "this names no file"),
            (scratch.path("folder/"), "this names no file"),
            ("/proc/nothing-new", "making a file in /proc: No such file or directory"),
        ]
        for (path, reason) in cases {
            let wanted = FileWriteError(path, reason)
            #expect(throws: wanted) { try WritableFile(path).check() }
            #expect(throws: wanted) { try WritableFile(path).write("x") }
            #expect(wanted.description == "\(path) cannot be written: \(reason)")
        }
        #expect(try scratch.files == ["file"])
    }

    @Test func `a full disk leaves the old file and no other`() throws {
        let path = try scratch.file("old", Data("kept".utf8))
        var file = WritableFile(path)
        // Room for three bytes, as a disk that fills up.
        let room = Room(3)
        file.writeBytes = { descriptor, bytes, count in
            let some = room.take(count)
            guard some > 0 else {
                errno = ENOSPC
                return -1
            }
            return write(descriptor, bytes, some)
        }
        #expect(throws: FileWriteError(path, "writing: No space left on device")) { try file.write("longer") }
        #expect(try scratch.contents("old") == Data("kept".utf8))
        #expect(try scratch.files == ["old"])
    }

    @Test func `interrupted and short writes go on where they stopped`() throws {
        var file = WritableFile(scratch.path("new"))
        let calls = Room(1000)
        file.writeBytes = { descriptor, bytes, count in
            guard calls.take(1) == 1, calls.left % 2 == 0 else {
                errno = EINTR
                return -1
            }
            return write(descriptor, bytes, min(count, 2))
        }
        try file.write("seven b")
        #expect(try scratch.contents("new") == Data("seven b".utf8))
    }

    @Test func `a device is written to, not replaced`() throws {
        try WritableFile("/dev/null").write("gone")
        #expect(throws: FileWriteError("/dev/full", "writing: No space left on device")) {
            try WritableFile("/dev/full").write("x")
        }
        for device in ["/dev/null", "/dev/full"] {
            var status = stat()
            #expect(stat(device, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        }
    }

    @Test func `a link stays, and what it points to is replaced with its permissions`() throws {
        try FileManager.default.createDirectory(atPath: scratch.path("other"), withIntermediateDirectories: true)
        let target = try scratch.file("other/target", Data("old".utf8))
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: target)
        let link = scratch.path("link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "other/target")
        try WritableFile(link).write("new")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "other/target")
        #expect(try scratch.contents("other/target") == Data("new".utf8))
        let attributes = try FileManager.default.attributesOfItem(atPath: target)
        #expect(attributes[.posixPermissions] as? Int == 0o640)

        let dangling = scratch.path("dangling")
        try FileManager.default.createSymbolicLink(atPath: dangling, withDestinationPath: "other/later")
        try WritableFile(dangling).write("made")
        #expect(try scratch.contents("other/later") == Data("made".utf8))
    }
}

/// A supply that runs out.
final class Room: @unchecked Sendable {
    // Sendable: each test uses its own, on one thread.
    private(set) var left: Int
    init(_ size: Int) { left = size }

    func take(_ wanted: Int) -> Int {
        let taken = min(wanted, left)
        left -= taken
        return taken
    }
}
