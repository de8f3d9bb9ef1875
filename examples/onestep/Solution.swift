import ExampleSupport
import Foundation
import Shortlist

/// Trained vectors in a safetensors file, with what is needed to turn them back into text and to check it.
///
/// Tensors: `vectors` (f32, table × width, the rows as in ``ProtoTokens``), `tokens` (i64, the texts end to end),
/// `lengths` (i64, one a text). The metadata say the arrangement, whether m is shared, and for which model they are.
struct Solution {
    let vectors: ProtoTokens
    let texts: [[Int32]]

    static let format = "shortlist-onestep-1"

    /// Writes the file whole or not at all. - Throws: `FileWriteError`.
    func write(to path: String, model: FrozenModel) throws {
        var writer = SafetensorsWriter()
        writer.metadata = [
            "format": Self.format, "arrangement": vectors.arrangement.rawValue,
            "shares_m": vectors.sharesSecond ? "true" : "false", "model": model.fingerprint,
        ]
        let tokens = texts.joined().map(Int64.init)
        try writer.add("vectors", vectors.table)
        try writer.add("tokens", shape: [tokens.count], tokens)
        try writer.add("lengths", shape: [texts.count], texts.map { Int64($0.count) })
        try writer.write(to: path)
    }

    /// - Throws: `SolutionError` for a file of something else or of another model, `SafetensorsError` for a damaged one.
    init(contentsOf path: String, model: FrozenModel) throws {
        let file = try SafetensorsFile(contentsOf: path)
        func refuse(_ reason: String) -> SolutionError { SolutionError(path: path, reason: reason) }
        guard file.metadata["format"] == Self.format, let arrangement = file.metadata["arrangement"],
            let shares = file.metadata["shares_m"], let fingerprint = file.metadata["model"]
        else { throw refuse("it is not a file that `onestep fit` wrote") }
        guard let arrangement = Arrangement(rawValue: arrangement) else {
            throw refuse("its arrangement \"\(arrangement)\" is unknown; known are \(Arrangement.list)")
        }
        guard fingerprint == model.fingerprint else {
            throw refuse("its vectors were trained for another model than \(model.folder); vectors speak to one model")
        }
        guard let count = file.shape(of: "lengths")?.first, let tokenCount = file.shape(of: "tokens")?.first else {
            throw refuse("it has no tensors \"lengths\" and \"tokens\" of one dimension")
        }
        let lengths = try file.int64s("lengths", shape: [count]).map { Int($0) }
        let tokens = try file.int64s("tokens", shape: [tokenCount])
        guard lengths.allSatisfy({ $0 > 0 && $0 <= tokenCount }), lengths.reduce(0, +) == tokenCount,
            tokens.allSatisfy({ 0 <= $0 && $0 < model.vocabularySize })
        else { throw refuse("its lengths and tokens do not fit together, or do not fit the model") }
        vectors = try ProtoTokens(
            arrangement, texts: count, sharesSecond: shares == "true", width: model.width)
        try file.read("vectors", into: vectors.table)
        var start = 0
        texts = lengths.map { length in
            defer { start += length }
            return tokens[start..<start + length].map { Int32($0) }
        }
    }

    init(vectors: ProtoTokens, texts: [[Int32]]) {
        self.vectors = vectors
        self.texts = texts
    }
}

struct SolutionError: Error, CustomStringConvertible {
    let path: String
    let reason: String
    var description: String { "\(path): \(reason)" }
}
