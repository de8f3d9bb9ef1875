import Testing

@testable import NeuralLayers

/// Numbers that tests fill tiles with: the same ones every time, of about unit size.
struct TestNumbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max) * 1.5
    }

    mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}

/// An array that lends itself as a tile while the test runs.
final class TestTile {
    let tile: Tile

    init(_ rows: Int, _ columns: Int, _ numbers: inout TestNumbers) {
        let base = UnsafeMutablePointer<Float>.allocate(capacity: max(1, rows * columns))
        for index in 0..<rows * columns { base[index] = numbers.next() }
        tile = Tile(base, rows: rows, columns: columns)
    }

    init(_ rows: Int, _ columns: Int) {
        let base = UnsafeMutablePointer<Float>.allocate(capacity: max(1, rows * columns))
        base.initialize(repeating: 0, count: rows * columns)
        tile = Tile(base, rows: rows, columns: columns)
    }

    deinit { tile.base.deallocate() }

    var values: [Float] { Array(UnsafeBufferPointer(start: tile.base, count: tile.count)) }
}

/// Σ weight·value: a loss whose gradient with respect to the values is the weights.
func weighted(_ values: Tile, _ weights: Tile) -> Double {
    (0..<values.count).reduce(0) { $0 + Double(values.base[$1]) * Double(weights.base[$1]) }
}

/// Compares a gradient with central differences of `loss` at `count` numbers from `at`; the loss is recomputed from
/// memory, so that the numbers may be inputs or parameters.
func expectGradient(
    _ gradient: UnsafeMutablePointer<Float>, at values: UnsafeMutablePointer<Float>, count: Int, _ what: String,
    step: Float = 1e-2, tolerance: Double = 1e-2, sourceLocation: SourceLocation = #_sourceLocation, loss: () -> Double
) {
    var largest = 1e-3
    var differences = [Double](repeating: 0, count: count)
    for index in 0..<count {
        let saved = values[index]
        values[index] = saved + step
        let above = loss()
        values[index] = saved - step
        let below = loss()
        values[index] = saved
        differences[index] = (above - below) / (2 * Double(step))
        largest = max(largest, abs(differences[index]))
    }
    for index in 0..<count where abs(differences[index] - Double(gradient[index])) > tolerance * largest {
        Issue.record(
            "d/d \(what)[\(index)] is \(gradient[index]) and by differences \(differences[index])",
            sourceLocation: sourceLocation)
        return
    }
}
