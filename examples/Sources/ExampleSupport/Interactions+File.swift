/// The shapes in which files hold interactions.
public enum InteractionFormat: String, Sendable, CaseIterable {
    /// Whichever of the others the file looks like.
    case auto
    /// `user item item item …`: one user a line, items in time order.
    case sequences
    /// `user item`: one interaction a line, in time order within a user.
    case pairs
    /// Comma-separated, with a header that names a user column, an item column and, if there is one, a timestamp column.
    case csv
    /// Tab-separated with such a header, the names with or without types, as RecBole's `.inter` files have them.
    case recbole
}

extension Interactions {
    /// Reads a file of interactions in any of the formats of `InteractionFormat`.
    ///
    /// Ids are any text. In files with a timestamp column each user's interactions are put in order of time, and
    /// `times` holds them; in others `times` is nil.
    /// - Parameter format: what the file is; a file that is something else is an error.
    /// - Throws: `DataFileError`, which names the file, the line and the reason.
    public init(contentsOf path: String, format: InteractionFormat = .auto) throws {
        let file = try TextFile(path: path)
        guard let first = file.lines.first(where: { _ in true }) else {
            throw DataFileError(file: path, line: nil, reason: "the file is empty")
        }
        switch format {
        case .auto:
            if let columns = try InteractionColumns(tabSeparatedHeader: first) ?? InteractionColumns(csvHeader: first) {
                self = try Self.table(file, columns)
            } else {
                switch PlainShape(of: file) {
                case .pairs: self = try Self.pairs(file)
                case .sequences: self = try Self.sequences(file)
                }
            }
        case .sequences, .pairs:
            // A header would pass for a user with some items.
            guard !InteractionColumns.isHeader(first) else {
                throw first.error("this is the header of a table, and a file of \(format) has none")
            }
            self = try format == .pairs ? Self.pairs(file) : Self.sequences(file)
        case .csv:
            guard let columns = try InteractionColumns(csvHeader: first) else {
                throw first.error("no comma in it: this is not the header of a CSV file")
            }
            self = try Self.table(file, columns)
        case .recbole:
            guard let columns = try InteractionColumns(tabSeparatedHeader: first) else {
                throw first.error(
                    "this is not the header of a RecBole file: names such as user_id:token, separated by tabs")
            }
            self = try Self.table(file, columns)
        }
    }
}

// MARK: - Files without a header

/// What a file of blank-separated ids holds. `user item` alone does not say: it is a user with one item as well as one
/// interaction of many. So the whole file decides.
private enum PlainShape {
    case pairs
    case sequences

    init(of file: TextFile) {
        var users: Set<ArraySlice<UInt8>> = []
        var lines = 0
        var twoFields = 0
        for line in file.lines {
            let words = line.words
            lines += 1
            if words.count == 2 { twoFields += 1 }
            users.insert(words[0])
        }
        // A user of sequences has one line. Where users repeat and most lines look like pairs, a line that does not is
        // a mistake in a file of pairs.
        self = users.count < lines && 2 * twoFields > lines ? .pairs : .sequences
    }
}

extension Interactions {
    private static func pairs(_ file: TextFile) throws -> Interactions {
        var builder = HistoryBuilder()
        for line in file.lines {
            let words = line.words
            guard words.count == 2 else {
                throw line.error("\(counted(words.count, "field")) where every line should be a user and an item")
            }
            builder.append(user: try line.text(words[0]), item: try line.text(words[1]))
        }
        return try builder.interactions(file: file.name)
    }

    private static func sequences(_ file: TextFile) throws -> Interactions {
        var builder = HistoryBuilder()
        for line in file.lines {
            let words = line.words
            let user = try line.text(words[0])
            guard words.count > 1 else { throw line.error("user \(user) has no items") }
            guard !builder.has(user: user) else {
                throw line.error("user \(user) has a line already, and in a file of sequences each user has one")
            }
            for item in words.dropFirst() { builder.append(user: user, item: try line.text(item)) }
        }
        return try builder.interactions(file: file.name)
    }
}

// MARK: - Files with a header

/// Which column holds what.
private struct InteractionColumns {
    let delimiter: UInt8
    let count: Int
    let user: Int
    let item: Int
    let time: Int?

    // In order of preference, compared without case and punctuation.
    private static let userNames = ["userid", "user", "uid", "username", "reviewerid", "customerid", "visitorid"]
    private static let itemNames = [
        "itemid", "item", "iid", "movieid", "productid", "asin", "parentasin", "bookid", "articleid", "trackid",
    ]
    private static let timeNames = ["timestamp", "time", "ts", "unixtime", "unixreviewtime"]

    /// Whether `line` names a user and an item column in either way.
    static func isHeader(_ line: TextLine) -> Bool {
        (try? InteractionColumns(tabSeparatedHeader: line)) != nil || (try? InteractionColumns(csvHeader: line)) != nil
    }

    /// Nil when `line` is no header of a tab-separated table: no tab, or neither typed nor known names.
    init?(tabSeparatedHeader line: TextLine) throws {
        let tab = UInt8(ascii: "\t")
        guard line.bytes.contains(tab) else { return nil }
        let fields = try line.fields(delimiter: tab, quoted: false)
        let types = ["token", "float", "token_seq", "float_seq"]
        let typed = fields.contains { field in types.contains { field.hasSuffix(":" + $0) } }
        let names = fields.map(Self.bare)
        guard typed || names.contains(where: { Self.userNames.contains($0) || Self.itemNames.contains($0) }) else {
            return nil
        }
        try self.init(line, fields, delimiter: tab)
    }

    /// Nil when `line` has no comma.
    init?(csvHeader line: TextLine) throws {
        let comma = UInt8(ascii: ",")
        guard line.bytes.contains(comma) else { return nil }
        try self.init(line, try line.fields(delimiter: comma, quoted: true), delimiter: comma)
    }

    private init(_ line: TextLine, _ fields: [String], delimiter: UInt8) throws {
        func place(_ known: [String]) -> Int? {
            let names = fields.map(Self.bare)
            return known.lazy.compactMap { names.firstIndex(of: $0) }.first
        }
        func missing(_ what: String, _ known: [String]) -> DataFileError {
            let found = fields.joined(separator: ", ")
            let wanted = known.joined(separator: ", ")
            return line.error("no column names the \(what) (looked for \(wanted)) among: \(found)")
        }
        guard let user = place(Self.userNames) else { throw missing("user", Self.userNames) }
        guard let item = place(Self.itemNames) else { throw missing("item", Self.itemNames) }
        self.delimiter = delimiter
        count = fields.count
        self.user = user
        self.item = item
        time = place(Self.timeNames)
    }

    /// `User_ID:token` as `userid`.
    private static func bare(_ field: String) -> String {
        field.prefix { $0 != ":" }.lowercased().filter { $0.isLetter || $0.isNumber }
    }
}

extension Interactions {
    private static func table(_ file: TextFile, _ columns: InteractionColumns) throws -> Interactions {
        var builder = HistoryBuilder()
        for line in file.lines.dropFirst() {
            let fields = try line.fields(delimiter: columns.delimiter, quoted: columns.delimiter == UInt8(ascii: ","))
            guard fields.count == columns.count else {
                throw line.error("\(counted(fields.count, "field")) where the header names \(columns.count)")
            }
            guard !fields[columns.user].isEmpty else { throw line.error("the user is missing") }
            guard !fields[columns.item].isEmpty else { throw line.error("the item is missing") }
            let time = try columns.time.map { column in
                guard let time = Double(fields[column]), time.isFinite else {
                    throw line.error("the timestamp \"\(fields[column])\" is not a number")
                }
                return time
            }
            builder.append(user: fields[columns.user], item: fields[columns.item], time: time)
        }
        return try builder.interactions(file: file.name)
    }
}

private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
