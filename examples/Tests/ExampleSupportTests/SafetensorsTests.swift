import ExampleTestSupport
import Foundation
import Shortlist
import Testing

@testable import ExampleSupport

@Suite struct SafetensorsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    // MARK: - Reading bytes that our writer did not make

    @Test func `a file made by hand is read`() throws {
        let header =
            #"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"__metadata__":{"format":"pt","é":"\u00e9"},"#
            + #""h":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"b":{"dtype":"BF16","shape":[],"#
            + #""data_offsets":[14,16]},"n":{"dtype":"I64","shape":[0,5],"data_offsets":[16,16]},"#
            + #""s":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}}"#
        let data: [UInt8] = [
            0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x20, 0xC0,  // 1, −2.5
            0x00, 0x3C, 0x00, 0xC2, 0x01, 0x00,  // 1, −3, 2⁻²⁴
            0xC0, 0x40,  // 6
            0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,  // −2
        ]
        let file = try open(header, data)
        #expect(file.names == ["a", "b", "h", "n", "s"])
        #expect(file.metadata == ["format": "pt", "é": "é"])
        #expect(file.shape(of: "a") == [2, 1] && file.shape(of: "b") == [] && file.shape(of: "z") == nil)
        #expect(file.type(of: "h") == .float16)
        #expect(try file.floats("a", shape: [2, 1]) == [1, -2.5])
        #expect(try file.floats("h", shape: [3]) == [1, -3, 0x1p-24])
        #expect(try file.floats("b", shape: []) == [6])
        #expect(try file.int64s("n", shape: [0, 5]) == [])
        #expect(try file.int64s("s", shape: [1]) == [-2])
        let matrix = try Matrix(rows: 2, columns: 1)
        try file.read("a", into: matrix)
        #expect(Array(matrix.elements) == [1, -2.5])
    }

    @Test func `long tensors of halves are converted piece by piece`() throws {
        let count = 200_001
        let bits = (0..<count).map { UInt16(truncatingIfNeeded: $0 % 30_000) }
        let data = bits.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        let file = try open(
            #"{"x":{"dtype":"BF16","shape":[\#(count)],"data_offsets":[0,\#(2 * count)]}}"#, data)
        #expect(try file.floats("x", shape: [count]) == bits.map { Float(bitPattern: UInt32($0) << 16) })
    }

    // MARK: - Round trip

    @Test func `what is written is read back bit by bit`() throws {
        let path = scratch.path("model.safetensors")
        let matrix = try Matrix(rows: 3, columns: 2, [1, 2, 3, 4, 5, -0.0])
        let odd: [Float] = [.nan, .infinity, .leastNonzeroMagnitude]
        var writer = SafetensorsWriter()
        writer.metadata = ["epoch": "3", "quote": "\"/\\\n✓"]
        try writer.add("bytes", shape: [3], [UInt8(1), 255, 0])
        try writer.add("a/b.weight \"é\"", matrix)
        try writer.add("state", shape: [2], [UInt64.max, 7])
        try writer.add("steps", shape: [], [Int64.min])
        try odd.withUnsafeBufferPointer { values in
            try writer.add("odd", shape: [1, 3], values)
            try writer.write(to: path)
        }
        let file = try SafetensorsFile(contentsOf: path)
        #expect(file.metadata == writer.metadata)
        #expect(file.names == ["a/b.weight \"é\"", "bytes", "odd", "state", "steps"])
        #expect(
            try file.floats("a/b.weight \"é\"", shape: [3, 2]).map(\.bitPattern) == matrix.elements.map(\.bitPattern))
        #expect(try file.floats("odd", shape: [1, 3]).map(\.bitPattern) == odd.map(\.bitPattern))
        #expect(try file.uint8s("bytes", shape: [3]) == [1, 255, 0])
        #expect(try file.uint64s("state", shape: [2]) == [.max, 7])
        #expect(try file.int64s("steps", shape: []) == [.min])
    }

    @Test func `the bytes are those of the format, header in blanks to a multiple of eight, and always the same`()
        throws
    {
        let path = scratch.path("x")
        var writer = SafetensorsWriter()
        try writer.add("b", shape: [1], [UInt8(9)])
        try writer.add("a", shape: [1], [Float(1)])
        try writer.write(to: path)
        let json =
            #"{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]},"b":{"data_offsets":[4,5],"dtype":"U8","shape":[1]}}"#
        let padded = json + String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
        let wanted = [UInt8(padded.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(padded.utf8) + [0, 0, 0x80, 0x3F, 9]
        #expect(try Array(scratch.contents("x")) == wanted)
    }

    @Test func `a file without tensors is a file`() throws {
        try SafetensorsWriter().write(to: scratch.path("empty"))
        #expect(try SafetensorsFile(contentsOf: scratch.path("empty")).names == [])
    }

    @Test func `an open file is readable after it was replaced`() throws {
        let path = scratch.path("x")
        func write(_ value: Float) throws {
            var writer = SafetensorsWriter()
            try writer.add("a", shape: [1], [value])
            try writer.write(to: path)
        }
        try write(1)
        let old = try SafetensorsFile(contentsOf: path)
        try write(2)
        #expect(try old.floats("a", shape: [1]) == [1])
        #expect(try SafetensorsFile(contentsOf: path).floats("a", shape: [1]) == [2])
    }

    // MARK: - Refusals

    @Test func `a writer refuses a taken name, the reserved name and a shape of another size`() throws {
        var writer = SafetensorsWriter()
        try writer.add("a", shape: [2], [Float(1), 2])
        #expect(throws: SafetensorsError.self) { try writer.add("a", shape: [2], [Float(1), 2]) }
        #expect(throws: SafetensorsError.self) { try writer.add("__metadata__", shape: [1], [Float(1)]) }
        for shape in [[3], [-1, -2], [Int.max, 2], []] {
            #expect(throws: SafetensorsError.self, "\(shape)") { try writer.add("b", shape: shape, [Float(1), 2]) }
        }
    }

    @Test func `a tensor of another name, shape or type is refused by name`() throws {
        var writer = SafetensorsWriter()
        try writer.add("w", shape: [2], [Float(1), 2])
        try writer.add("n", shape: [1], [Int64(1)])
        let path = scratch.path("x")
        try writer.write(to: path)
        let file = try SafetensorsFile(contentsOf: path)
        func error(_ tensor: String, _ reason: String) -> SafetensorsError {
            SafetensorsError(file: path, tensor: tensor, reason: reason)
        }
        #expect(throws: error("v", "there is no such tensor; there are: n, w")) { try file.floats("v", shape: [2]) }
        #expect(throws: error("w", "it has the shape [2] where [1, 2] is wanted")) {
            try file.floats("w", shape: [1, 2])
        }
        #expect(throws: error("n", "it holds I64 where F32, F16, BF16 is wanted")) { try file.floats("n", shape: [1]) }
        #expect(throws: error("w", "it holds F32 where I64 is wanted")) { try file.int64s("w", shape: [2]) }
        #expect(throws: error("w", "it has the shape [2] where [2, 1] is wanted")) {
            try file.read("w", into: Matrix(rows: 2, columns: 1))
        }
    }

    @Test func `a file cut short anywhere is refused`() throws {
        var writer = SafetensorsWriter()
        writer.metadata["epoch"] = "3"
        try writer.add("a", shape: [2], [Float(1), 2])
        try writer.add("empty", shape: [0], [Float]())
        try writer.add("b", shape: [], [UInt8(1)])
        try writer.write(to: scratch.path("whole"))
        let whole = try scratch.contents("whole")
        for length in 0..<whole.count {
            let path = try scratch.file("cut", whole.prefix(length))
            #expect(throws: SafetensorsError.self, "\(length) of \(whole.count) bytes") {
                try SafetensorsFile(contentsOf: path)
            }
        }
        let longer = try scratch.file("longer", whole + [0])
        #expect(throws: SafetensorsError(file: longer, tensor: nil, reason: "1 bytes at its end are no tensor's")) {
            try SafetensorsFile(contentsOf: longer)
        }
    }

    @Test func `any byte may be damaged without a crash`() throws {
        var writer = SafetensorsWriter()
        try writer.add("a", shape: [2], [Float(1), 2])
        try writer.write(to: scratch.path("whole"))
        let whole = try scratch.contents("whole")
        var refused = 0
        for place in whole.indices.dropLast(8) {
            for change in [UInt8(1), 0x10, 0x80] {
                var damaged = whole
                damaged[place] ^= change
                let path = try scratch.file("damaged", damaged)
                do {
                    let file = try SafetensorsFile(contentsOf: path)
                    for name in file.names { _ = try? file.floats(name, shape: file.shape(of: name)!) }
                } catch is SafetensorsError {
                    refused += 1
                }
            }
        }
        #expect(refused > whole.count)
    }

    @Test(
        arguments: [
            (#"["a"]"#, 0, nil, "the header does not begin with {"),
            (#"{"a":"#, 0, nil, "the header is not JSON"),
            (#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, 4, "a", "the dtype F4 is not known"),
            (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "a", "the shape [-1] is impossible"),
            (
                #"{"a":{"dtype":"F32","shape":[4611686018427387904,2],"data_offsets":[0,4]}}"#, 4, "a",
                "the shape [4611686018427387904, 2] is impossible"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "a",
                "F32 of shape [2] takes 8 bytes, and the data offsets [0, 4] give 4"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "a",
                "the data offsets [0, 8] are not within the file's 4 bytes of data"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "a",
                "the data offsets [4, 0] are not within the file's 4 bytes of data"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "a",
                "the data offsets [-4, 0] are not within the file's 4 bytes of data"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "a",
                "the data offsets [0] are not within the file's 4 bytes of data"
            ),
            (
                #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
                4, "b", "its data overlap another tensor's"
            ),
            (
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
                4, "b", "1 bytes before its data are no tensor's"
            ),
        ] as [(String, Int, String?, String)])
    func `a wrong header is told with tensor and reason`(
        header: String, dataSize: Int, tensor: String?, reason: String
    ) throws {
        let error = try #require(throws: SafetensorsError.self) {
            try open(header, [UInt8](repeating: 0, count: dataSize))
        }
        #expect(error.tensor == tensor)
        #expect(error.reason == reason)
        #expect(error.description.hasPrefix(error.file))
    }

    @Test(arguments: [
        #"{"a":{"dtype":"F32","shape":[1]}}"#, #"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}"#, #"{"a":3}"#,
        #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#,
    ])
    func `a header entry of the wrong make names the tensor`(header: String) throws {
        let error = try #require(throws: SafetensorsError.self) { try open(header, [0, 0, 0, 0]) }
        #expect(error.tensor == "a")
        #expect(error.reason.hasPrefix("its header entry is wrong"))
    }

    @Test func `a header longer than the file, a missing file and a folder are refused`() throws {
        let long = try scratch.file("long", Data([255, 255, 255, 255, 255, 255, 255, 255, 0]))
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: long) }
        #expect(throws: SafetensorsError(file: "/no/file", tensor: nil, reason: "there is no such file")) {
            try SafetensorsFile(contentsOf: "/no/file")
        }
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: scratch.folder) }
    }

    // MARK: - Failing to write

    @Test func `a disk that fills up at any byte leaves the old checkpoint`() throws {
        let path = scratch.path("model")
        var writer = SafetensorsWriter()
        try writer.add("a", shape: [2], [Float(1), 2])
        try writer.write(to: path)
        let old = try scratch.contents("model")
        var next = SafetensorsWriter()
        try next.add("a", shape: [3], [Float(3), 4, 5])
        for size in 0..<old.count {
            var file = WritableFile(path)
            let room = Room(size)
            file.writeBytes = { descriptor, bytes, count in
                let some = room.take(count)
                if some == 0 { errno = ENOSPC }
                return some == 0 ? -1 : write(descriptor, bytes, some)
            }
            #expect(throws: FileWriteError(path, "writing: No space left on device")) { try next.write(to: file) }
            #expect(try scratch.contents("model") == old)
            #expect(try scratch.files == ["model"])
        }
        #expect(throws: FileWriteError.self) { try next.write(to: scratch.path("no/folder")) }
    }

    private func open(_ header: String, _ data: [UInt8]) throws -> SafetensorsFile {
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        let path = try scratch.file(UUID().uuidString, Data(length + Array(header.utf8) + data))
        return try SafetensorsFile(contentsOf: path)
    }
}
