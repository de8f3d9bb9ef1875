import Foundation

/// A text file in memory, walked line by line.
struct TextFile {
    let name: String
    private let bytes: [UInt8]

    init(path: String) throws {
        do {
            bytes = try TextContents(path: path).bytes
        } catch {
            throw DataFileError(file: path, line: nil, reason: error.reason)
        }
        name = path
    }

    /// The lines that are not blank, with their numbers; `\n` and `\r\n` end a line.
    var lines: some Sequence<TextLine> {
        sequence(state: (start: 0, number: 0)) { state -> TextLine? in
            while state.start < bytes.count {
                let end = bytes[state.start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                let text = bytes[state.start..<end].trimming { $0 == UInt8(ascii: "\r") }
                state = (end + 1, state.number + 1)
                if !text.allSatisfy(TextLine.isBlank) { return TextLine(file: name, number: state.number, bytes: text) }
            }
            return nil
        }
    }
}

struct TextLine {
    let file: String
    let number: Int
    let bytes: ArraySlice<UInt8>

    static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    func error(_ reason: String) -> DataFileError {
        DataFileError(file: file, line: number, reason: reason)
    }

    func text(_ part: ArraySlice<UInt8>) throws -> String {
        guard let text = String(validating: part, as: UTF8.self), !part.contains(0) else {
            throw error("this is not UTF-8 text")
        }
        return text
    }

    /// The fields between runs of blanks.
    var words: [ArraySlice<UInt8>] { bytes.split(whereSeparator: Self.isBlank) }

    /// The fields between single `delimiter`s, blanks around them removed; in a `quoted` file a field may stand in
    /// double quotes, with `""` for a quote.
    func fields(delimiter: UInt8, quoted: Bool) throws -> [String] {
        let quote = UInt8(ascii: "\"")
        guard quoted, bytes.contains(quote) else {
            return try bytes.split(separator: delimiter, omittingEmptySubsequences: false)
                .map { try text($0.trimming(Self.isBlank)) }
        }
        var fields: [String] = []
        var rest = bytes
        while true {
            var field: [UInt8] = []
            rest = rest.drop { Self.isBlank($0) && $0 != delimiter }
            if rest.first == quote {
                rest = rest.dropFirst()
                while true {
                    guard let byte = rest.popFirst() else { throw error("a quoted field does not end on its line") }
                    if byte == quote, rest.popFirst(quote) == nil { break }
                    field.append(byte)
                }
                rest = rest.drop { Self.isBlank($0) && $0 != delimiter }
                guard rest.isEmpty || rest.first == delimiter else { throw error("text follows a closing quote") }
            } else {
                field += rest.prefix { $0 != delimiter }.trimming(Self.isBlank)
                rest = rest.drop { $0 != delimiter }
            }
            fields.append(try text(field[...]))
            guard rest.popFirst() != nil else { return fields }
        }
    }
}

extension ArraySlice<UInt8> {
    /// Takes away the first byte if it is `expected`.
    mutating func popFirst(_ expected: UInt8) -> UInt8? { first == expected ? popFirst() : nil }

    func trimming(_ unwanted: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        var slice = drop(while: unwanted)
        while let last = slice.last, unwanted(last) { slice.removeLast() }
        return slice
    }
}
