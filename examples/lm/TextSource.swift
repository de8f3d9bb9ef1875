import ExampleSupport
import Foundation

/// Texts to train on: files, and the files in folders.
struct TextSource {
    /// A text by the name of its file.
    struct Document {
        let name: String
        let text: String
    }

    let documents: [Document]

    var byteCount: Int { documents.reduce(0) { $0 + $1.text.utf8.count } }

    /// What is read of a folder; a file that is named is read whatever it is called.
    static let extensions: Set<String> = ["txt", "md", "rst", "py"]

    /// Reads `paths` in their order, and what lies in folders in the order of the names. Hidden files are left out.
    ///
    /// - Throws: `TextError` for a path that is not there, a folder without texts and a file that is not UTF-8.
    init(_ paths: [String]) throws {
        var documents: [Document] = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw TextError(path: path, reason: "there is no such file or folder")
            }
            if isFolder.boolValue {
                let found = try Self.files(in: path)
                guard !found.isEmpty else {
                    let endings = Self.extensions.sorted().map { ".\($0)" }.joined(separator: ", ")
                    throw TextError(path: path, reason: "there is no text in this folder: no file ends in \(endings)")
                }
                documents += try found.map(Self.read)
            } else {
                documents.append(try Self.read(path))
            }
        }
        documents.removeAll(where: \.text.isEmpty)
        guard !documents.isEmpty else {
            throw TextError(path: paths.joined(separator: ", "), reason: "there is no text in it")
        }
        self.documents = documents
    }

    /// Texts that the program has made.
    init(_ documents: [Document]) { self.documents = documents }

    private static func files(in folder: String) throws -> [String] {
        let url = URL(fileURLWithPath: folder)
        var failure: (any Error)?
        let walk = FileManager.default.enumerator(
            at: url, includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles]
        ) { _, error in
            failure = error
            return false
        }
        var found: [String] = []
        while let file = walk?.nextObject() as? URL {
            guard extensions.contains(file.pathExtension.lowercased()),
                try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true
            else { continue }
            found.append(file.path)
        }
        if let failure { throw TextError(path: folder, reason: "it cannot be read: \(failure.localizedDescription)") }
        return found.sorted()
    }

    private static func read(_ path: String) throws -> Document {
        Document(name: path, text: try TextContents(path: path).text())
    }
}
