import Foundation

/// Rotary position embedding (Su et al., 2021): turns pairs of a head's columns by angles that grow with the position,
/// so that products of queries and keys depend on their distance.
///
/// The pairs are (j, j + dimensions/2) for j < dimensions/2, the halves that Hugging Face's models call `rotate_half`;
/// the paper's own pairs are neighbours. Columns from `dimensions` on stay as they are.
public struct RotaryEmbedding: Sendable {
    /// Columns of one head.
    public let headWidth: Int
    /// Columns of one head that turn, from its first.
    public let dimensions: Int
    /// Radians per position of each pair: base^(−2j / dimensions).
    private let frequencies: [Float]

    /// - Parameter base: `rope_theta`; 10 000 in the paper.
    public init(headWidth: Int, dimensions: Int? = nil, base: Double = 10_000) {
        let dimensions = dimensions ?? headWidth
        precondition(
            dimensions >= 0 && dimensions <= headWidth && dimensions % 2 == 0,
            "an even number of columns up to the head's \(headWidth) can turn, not \(dimensions)")
        self.headWidth = headWidth
        self.dimensions = dimensions
        frequencies = (0..<dimensions / 2).map { Float(pow(base, -2 * Double($0) / Double(dimensions))) }
    }

    /// Cosines, then sines, of the angles at some positions: one row each, `dimensions` columns. A pass makes it once
    /// for all its layers, and it costs as many calls of cos and sin as it has numbers.
    public func angles(at positions: Range<Int>, in arena: Arena) -> Tile {
        let table = arena.take(positions.count, dimensions)
        let half = dimensions / 2
        for (row, position) in positions.enumerated() {
            let to = table.row(row)
            for pair in 0..<half {
                // The product is rounded to Float, as PyTorch's models have it and were trained with.
                let angle = Double(Float(position) * frequencies[pair])
                to[pair] = Float(cos(angle))
                to[half + pair] = Float(sin(angle))
            }
        }
        return table
    }

    /// Turns every head of every row of `x`, rows × heads·headWidth, in place.
    ///
    /// - Parameters:
    ///   - starts: for every row the first row of its sequence, whose position is the first that `angles` has.
    ///   - angles: as `angles(at:in:)` made them, for at least as many positions as the longest sequence has.
    ///   - backwards: turns the other way. A turn's inverse is its transpose, so this is also what takes dL/dy to dL/dx.
    public func apply(_ x: Tile, starts: UnsafePointer<Int32>, angles: Tile, backwards: Bool = false) {
        assert(x.columns % headWidth == 0 && angles.columns == dimensions)
        let half = dimensions / 2
        let sign: Float = backwards ? -1 : 1
        for row in 0..<x.rows {
            let cosines = angles.row(row - Int(starts[row]))
            let sines = cosines + half
            for head in 0..<x.columns / headWidth {
                let first = x.row(row) + head * headWidth
                let second = first + half
                for pair in 0..<half {
                    let (a, b, sine) = (first[pair], second[pair], sign * sines[pair])
                    first[pair] = a * cosines[pair] - b * sine
                    second[pair] = b * cosines[pair] + a * sine
                }
            }
        }
    }
}
