import Foundation
import Shortlist

/// Writes named tensors to a file in the safetensors format, which PyTorch, NumPy, JAX and others read.
///
///     var writer = SafetensorsWriter()
///     writer.metadata["epoch"] = "3"
///     try writer.add("item_embeddings", model.items)
///     try writer.add("steps", shape: [], [Int64(steps)])
///     try writer.write(to: path)
///
/// Tensors are collected by reference where they are large, and written from where they stand: what their memory holds
/// when `write(to:)` is called is what goes to the file. One thread at a time.
public struct SafetensorsWriter {
    /// Goes into the file as `__metadata__`.
    public var metadata: [String: String] = [:]

    private struct Tensor {
        let name: String
        let type: SafetensorsType
        let shape: [Int]
        let byteCount: Int
        let withBytes: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    }

    private var tensors: [Tensor] = []
    private var names: Set<String> = []

    public init() {}

    /// Adds all of `matrix`, f32 of shape [rows, columns]. It is kept alive, not copied.
    /// - Throws: `SafetensorsError` for a name that is taken.
    public mutating func add(_ name: String, _ matrix: Matrix) throws {
        try add(name, .float32, [matrix.rows, matrix.columns], count: matrix.rows * matrix.columns) { body in
            try withExtendedLifetime(matrix) { try body(UnsafeRawBufferPointer(matrix.elements)) }
        }
    }

    /// Adds f32 numbers, row-major, that are the caller's: their memory must stay until the last `write(to:)`.
    /// - Throws: `SafetensorsError` for a name that is taken or a shape of another size.
    public mutating func add(_ name: String, shape: [Int], _ values: UnsafeBufferPointer<Float>) throws {
        try add(name, .float32, shape, count: values.count) { try $0(UnsafeRawBufferPointer(values)) }
    }

    /// Adds numbers, row-major. A `shape` of [] is one number.
    /// - Throws: `SafetensorsError` for a name that is taken or a shape of another size.
    public mutating func add<Element: SafetensorsElement>(_ name: String, shape: [Int], _ values: [Element]) throws {
        try add(name, Element.safetensorsType, shape, count: values.count) { body in
            try values.withUnsafeBytes { try body($0) }
        }
    }

    private mutating func add(
        _ name: String, _ type: SafetensorsType, _ shape: [Int], count: Int,
        _ withBytes: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        func refuse(_ reason: String) -> SafetensorsError {
            SafetensorsError(file: "a file to be written", tensor: name, reason: reason)
        }
        guard name != SafetensorsHeader.metadataKey else { throw refuse("the format keeps this name for itself") }
        guard !names.contains(name) else { throw refuse("there is a tensor of this name already") }
        guard elementCount(shape) == count else {
            throw refuse("\(count) elements do not have the shape \(shape)")
        }
        names.insert(name)
        tensors.append(
            Tensor(name: name, type: type, shape: shape, byteCount: count * type.size, withBytes: withBytes))
    }

    /// Writes the file whole or not at all: see `WritableFile`.
    /// - Throws: `FileWriteError`, which names the path and the reason; the file there before is then untouched.
    public func write(to path: String) throws { try write(to: WritableFile(path)) }

    func write(to file: WritableFile) throws {
        // Largest elements first: every tensor then begins at a multiple of its element's size.
        let ordered = tensors.enumerated().sorted {
            ($1.element.type.size, $0.offset) < ($0.element.type.size, $1.offset)
        }
        .map(\.element)
        var header = SafetensorsHeader()
        header.metadata = metadata
        var end = 0
        for tensor in ordered {
            header.entries[tensor.name] = SafetensorsHeader.Entry(
                dtype: tensor.type.rawValue, shape: tensor.shape, dataOffsets: [end, end + tensor.byteCount])
            end += tensor.byteCount
        }
        let encoder = JSONEncoder()
        // The same tensors make the same bytes.
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var json = try encoder.encode(header)
        json += Data(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
        guard json.count <= SafetensorsHeader.longest else {
            throw FileWriteError(
                file.path,
                "names, shapes and metadata take \(json.count) bytes, and the format allows "
                    + "\(SafetensorsHeader.longest)")
        }
        try file.write { output in
            try withUnsafeBytes(of: UInt64(json.count).littleEndian) { try output.write($0) }
            try json.withUnsafeBytes { try output.write($0) }
            for tensor in ordered { try tensor.withBytes { try output.write($0) } }
        }
    }
}

/// Numbers that go into a file of tensors as they stand in memory.
public protocol SafetensorsElement: BitwiseCopyable {
    static var safetensorsType: SafetensorsType { get }
}
extension Float: SafetensorsElement {
    public static var safetensorsType: SafetensorsType { .float32 }
}
extension Int64: SafetensorsElement {
    public static var safetensorsType: SafetensorsType { .int64 }
}
extension UInt64: SafetensorsElement {
    public static var safetensorsType: SafetensorsType { .uint64 }
}
extension UInt8: SafetensorsElement {
    public static var safetensorsType: SafetensorsType { .uint8 }
}

/// Nil when `shape` has a negative length or too many elements to count.
func elementCount(_ shape: [Int]) -> Int? {
    shape.reduce(1) { count, length in
        guard let count, length >= 0, case let product = count.multipliedReportingOverflow(by: length),
            !product.overflow
        else { return nil }
        return product.partialValue
    }
}
