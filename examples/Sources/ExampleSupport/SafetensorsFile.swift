import Foundation
import Shortlist

/// A file of named tensors in the safetensors format, open for reading.
///
/// Opening reads and checks the header alone; each tensor is read when it is asked for. Several threads may read from
/// one file. A file that is replaced meanwhile (as `SafetensorsWriter` does) stays readable here as it was.
public final class SafetensorsFile: Sendable {
    public let path: String
    public let metadata: [String: String]

    private struct Tensor {
        let type: SafetensorsType
        let shape: [Int]
        /// Bytes from the start of the file.
        let offset: Int
        let byteCount: Int
    }

    private let tensors: [String: Tensor]
    private let descriptor: Int32

    /// - Throws: `SafetensorsError` for whatever is not as the format wants it.
    public init(contentsOf path: String) throws {
        let bytes = try OpenFile(path)
        do {
            let header = try Self.header(of: bytes)
            metadata = header.metadata
            tensors = try Self.tensors(header.contents, bytes, dataStart: 8 + header.length)
        } catch {
            close(bytes.descriptor)
            throw error
        }
        self.path = path
        descriptor = bytes.descriptor
    }

    deinit { close(descriptor) }

    /// Alphabetical.
    public var names: [String] { tensors.keys.sorted() }

    /// Nil when there is no such tensor.
    public func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    /// Nil when there is no such tensor.
    public func type(of name: String) -> SafetensorsType? { tensors[name]?.type }

    // MARK: - Reading tensors

    /// The numbers of an F32, F16 or BF16 tensor, row-major; the latter two are made Float, which holds all of theirs.
    /// - Throws: `SafetensorsError` when the tensor is not there, has another shape or holds something else.
    public func floats(_ name: String, shape: [Int]) throws -> [Float] {
        let tensor = try tensor(name, shape, [.float32, .float16, .bfloat16])
        return try [Float](unsafeUninitializedCapacity: elementCount(shape)!) { buffer, count in
            try readFloats(name, tensor, into: buffer)
            count = buffer.count
        }
    }

    /// Reads an F32, F16 or BF16 tensor of shape [rows, columns] into `matrix`.
    ///
    /// Where reading fails half-way, the matrix holds some of the new numbers.
    /// - Throws: as `floats(_:shape:)`.
    public func read(_ name: String, into matrix: Matrix) throws {
        let tensor = try tensor(name, [matrix.rows, matrix.columns], [.float32, .float16, .bfloat16])
        try withExtendedLifetime(matrix) { try readFloats(name, tensor, into: matrix.elements) }
    }

    /// The numbers of an I64 tensor. - Throws: as `floats(_:shape:)`.
    public func int64s(_ name: String, shape: [Int]) throws -> [Int64] { try elements(name, shape) }

    /// The numbers of a U64 tensor. - Throws: as `floats(_:shape:)`.
    public func uint64s(_ name: String, shape: [Int]) throws -> [UInt64] { try elements(name, shape) }

    /// The numbers of a U8 tensor. - Throws: as `floats(_:shape:)`.
    public func uint8s(_ name: String, shape: [Int]) throws -> [UInt8] { try elements(name, shape) }

    private func elements<Element: SafetensorsElement>(_ name: String, _ shape: [Int]) throws -> [Element] {
        let tensor = try tensor(name, shape, [Element.safetensorsType])
        return try [Element](unsafeUninitializedCapacity: elementCount(shape)!) { buffer, count in
            try read(
                name, tensor.offset,
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<tensor.byteCount]))
            count = tensor.byteCount / MemoryLayout<Element>.size
        }
    }

    private func tensor(_ name: String, _ shape: [Int], _ types: [SafetensorsType]) throws -> Tensor {
        guard let tensor = tensors[name] else {
            throw SafetensorsError(
                file: path, tensor: name,
                reason: "there is no such tensor; there are: \(names.joined(separator: ", "))")
        }
        guard tensor.shape == shape else {
            throw SafetensorsError(
                file: path, tensor: name, reason: "it has the shape \(tensor.shape) where \(shape) is wanted")
        }
        guard types.contains(tensor.type) else {
            let wanted = types.map(\.rawValue).joined(separator: ", ")
            throw SafetensorsError(
                file: path, tensor: name, reason: "it holds \(tensor.type.rawValue) where \(wanted) is wanted")
        }
        return tensor
    }

    private func readFloats(_ name: String, _ tensor: Tensor, into buffer: UnsafeMutableBufferPointer<Float>) throws {
        let count = tensor.byteCount / tensor.type.size
        guard tensor.type != .float32 else {
            let floats = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
            return try read(name, tensor.offset, UnsafeMutableRawBufferPointer(floats))
        }
        // In pieces: the halves of a large tensor need no room of their own.
        var halves = [UInt16](repeating: 0, count: min(count, 1 << 16))
        for start in stride(from: 0, to: count, by: 1 << 16) {
            let length = min(halves.count, count - start)
            try halves.withUnsafeMutableBytes { bytes in
                try read(
                    name, tensor.offset + 2 * start, UnsafeMutableRawBufferPointer(rebasing: bytes[..<(2 * length)]))
            }
            for place in 0..<length {
                let bits = halves[place]
                buffer[start + place] =
                    tensor.type == .float16
                    ? Float(Float16(bitPattern: bits)) : Float(bitPattern: UInt32(bits) << 16)
            }
        }
    }

    private func read(_ name: String, _ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) throws {
        if let reason = OpenFile.read(descriptor, offset, buffer) {
            throw SafetensorsError(file: path, tensor: name, reason: reason)
        }
    }
}

// MARK: - The header

extension SafetensorsFile {
    private static func header(
        of file: OpenFile
    ) throws -> (contents: [String: SafetensorsHeader.Entry], metadata: [String: String], length: Int) {
        guard file.size >= 8 else {
            throw file.error("\(file.size) bytes are too short for a safetensors file")
        }
        let first = try file.bytes(at: 0, count: 8)
        let length = first.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(file.size - 8) else {
            throw file.error(
                "a header of \(length) bytes does not fit the file's \(file.size); cut short, or another format")
        }
        guard length <= UInt64(SafetensorsHeader.longest) else {
            throw file.error("a header of \(length) bytes; the format allows \(SafetensorsHeader.longest)")
        }
        let json = try file.bytes(at: 8, count: Int(length))
        guard json.first == UInt8(ascii: "{") else { throw file.error("the header does not begin with {") }
        do {
            let header = try JSONDecoder().decode(SafetensorsHeader.self, from: json)
            return (header.entries, header.metadata, Int(length))
        } catch let error as SafetensorsHeader.WrongEntry {
            throw file.error(error.reason, tensor: error.name)
        } catch {
            throw file.error("the header is not JSON")
        }
    }

    private static func tensors(
        _ entries: [String: SafetensorsHeader.Entry], _ file: OpenFile, dataStart: Int
    ) throws -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        let dataSize = file.size - dataStart
        for (name, entry) in entries {
            guard let type = SafetensorsType(rawValue: entry.dtype) else {
                throw file.error("the dtype \(entry.dtype) is not known", tensor: name)
            }
            guard let count = elementCount(entry.shape),
                case let bytes = count.multipliedReportingOverflow(by: type.size), !bytes.overflow
            else { throw file.error("the shape \(entry.shape) is impossible", tensor: name) }
            let offsets = entry.dataOffsets
            guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= dataSize else {
                throw file.error(
                    "the data offsets \(offsets) are not within the file's \(dataSize) bytes of data", tensor: name)
            }
            guard offsets[1] - offsets[0] == bytes.partialValue else {
                throw file.error(
                    "\(type.rawValue) of shape \(entry.shape) takes \(bytes.partialValue) bytes, and the data offsets "
                        + "\(offsets) give \(offsets[1] - offsets[0])", tensor: name)
            }
            tensors[name] = Tensor(
                type: type, shape: entry.shape, offset: dataStart + offsets[0], byteCount: bytes.partialValue)
        }
        // The format allows neither overlaps nor bytes that are no tensor's.
        var end = dataStart
        for (name, tensor) in tensors.sorted(by: {
            ($0.value.offset, $0.value.byteCount, $0.key) < ($1.value.offset, $1.value.byteCount, $1.key)
        }) {
            guard tensor.offset == end else {
                throw file.error(
                    tensor.offset < end
                        ? "its data overlap another tensor's"
                        : "\(tensor.offset - end) bytes before its data are no tensor's",
                    tensor: name)
            }
            end += tensor.byteCount
        }
        guard end == file.size else { throw file.error("\(file.size - end) bytes at its end are no tensor's") }
        return tensors
    }
}

/// A file's size and bytes, by the C library: tensors go straight to where they are wanted.
private struct OpenFile {
    let path: String
    let descriptor: Int32
    let size: Int

    init(_ path: String) throws {
        self.path = path
        func refuse(_ reason: String) -> SafetensorsError { SafetensorsError(file: path, tensor: nil, reason: reason) }
        // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw refuse(
                errno == ENOENT ? "there is no such file" : "it cannot be read: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw refuse("this is not a file but a folder or a device")
        }
        size = Int(status.st_size)
    }

    func error(_ reason: String, tensor: String? = nil) -> SafetensorsError {
        SafetensorsError(file: path, tensor: tensor, reason: reason)
    }

    func bytes(at offset: Int, count: Int) throws -> Data {
        var data = Data(count: count)
        if let reason = data.withUnsafeMutableBytes({ Self.read(descriptor, offset, $0) }) { throw error(reason) }
        return data
    }

    /// - Returns: what went wrong, if something did.
    static func read(_ descriptor: Int32, _ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) -> String? {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                return "it cannot be read: \(String(cString: strerror(errno)))"
            }
            guard count > 0 else { return "the file was cut short while it was open" }
            done += count
        }
        return nil
    }
}
