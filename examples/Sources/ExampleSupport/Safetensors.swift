#if _endian(big)
    #error("safetensors files are little-endian, and tensors go to disk here as they stand in memory")
#endif

/// Why a file of tensors could not be used: which file, which tensor of it, and what is wrong there.
public struct SafetensorsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    /// Nil when the file as a whole is at fault.
    public let tensor: String?
    public let reason: String

    public var description: String {
        tensor.map { "\(file), tensor \"\($0)\": \(reason)" } ?? "\(file): \(reason)"
    }
}

/// What the elements of a tensor are, by the format's own names.
public enum SafetensorsType: String, Sendable, Codable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8e5m2 = "F8_E5M2"
    case float8e4m3 = "F8_E4M3"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case int64 = "I64"
    case uint64 = "U64"
    case float64 = "F64"

    /// Bytes an element.
    public var size: Int {
        switch self {
        case .bool, .uint8, .int8, .float8e5m2, .float8e4m3: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .int64, .uint64, .float64: 8
        }
    }
}

/// The JSON at the start of a safetensors file: `{"name": {"dtype": …, "shape": …, "data_offsets": …}, …}`, and under
/// `__metadata__` a table of strings.
struct SafetensorsHeader: Codable {
    struct Entry: Codable {
        let dtype: String
        let shape: [Int]
        /// The first byte and the one past the last, counted from the end of the header.
        let dataOffsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype
            case shape
            case dataOffsets = "data_offsets"
        }
    }

    static let metadataKey = "__metadata__"
    /// The header of a file cannot be longer: the format's own bound.
    static let longest = 100_000_000

    var metadata: [String: String] = [:]
    var entries: [String: Entry] = [:]

    init() {}

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let table = try decoder.container(keyedBy: Name.self)
        for name in table.allKeys {
            do {
                if name.stringValue == Self.metadataKey {
                    metadata = try table.decode([String: String].self, forKey: name)
                } else {
                    entries[name.stringValue] = try table.decode(Entry.self, forKey: name)
                }
            } catch {
                throw WrongEntry(name: name.stringValue, error)
            }
        }
    }

    /// Foundation's errors do not always say where they are: that of a number that does not fit has no path, and while
    /// decoding is under way it is no `DecodingError` yet.
    struct WrongEntry: Error {
        let name: String
        let reason: String

        init(name: String, _ error: any Error) {
            self.name = name
            let context: DecodingError.Context? =
                switch error as? DecodingError {
                case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                    .dataCorrupted(let context):
                    context
                default: nil
                }
            let place = context?.codingPath.dropFirst().map(\.stringValue).joined(separator: ".") ?? ""
            reason =
                "its header entry is wrong\(place.isEmpty ? "" : " at \(place)"): "
                + (context?.debugDescription ?? "a number does not fit")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var table = encoder.container(keyedBy: Name.self)
        if !metadata.isEmpty { try table.encode(metadata, forKey: Name(stringValue: Self.metadataKey)) }
        for (name, entry) in entries { try table.encode(entry, forKey: Name(stringValue: name)) }
    }
}
