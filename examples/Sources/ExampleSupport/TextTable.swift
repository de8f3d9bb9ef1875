/// A table for a terminal: the first column to the left, the others to the right, a line under the header.
public struct TextTable: CustomStringConvertible {
    private var rows: [[String]]

    public init(header: [String]) { rows = [header] }

    public mutating func append(_ row: [String]) { rows.append(row) }

    public var description: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "   ")
        }
        lines.insert(String(repeating: "-", count: widths.reduce(3 * (widths.count - 1), +)), at: 1)
        return lines.joined(separator: "\n")
    }
}
