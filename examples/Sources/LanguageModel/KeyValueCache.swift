import NeuralLayers
import Shortlist

/// One layer's keys, rotated, and values of a sequence so far.
final class KeyValueCache {
    private let keyTable: Matrix
    private let valueTable: Matrix
    var rows = 0

    init(capacity: Int, width: Int) throws {
        keyTable = try Matrix(rows: capacity, columns: width)
        valueTable = try Matrix(rows: capacity, columns: width)
    }

    var keys: Tile { Tile(keyTable.elements.baseAddress!, rows: rows, columns: keyTable.columns) }
    var values: Tile { Tile(valueTable.elements.baseAddress!, rows: rows, columns: valueTable.columns) }

    func append(keys: Tile, values: Tile) {
        let start = rows * keyTable.columns
        (keyTable.elements.baseAddress! + start).update(from: keys.base, count: keys.count)
        (valueTable.elements.baseAddress! + start).update(from: values.base, count: values.count)
        rows += keys.rows
    }
}
