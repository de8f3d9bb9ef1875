import Shortlist

extension Matrix {
    /// Σ of the squares of all elements.
    public var sumOfSquares: Double {
        // In pieces: sums of floats are quick, and short ones exact enough.
        var total = 0.0
        for start in stride(from: 0, to: elements.count, by: 1024) {
            let piece = UnsafeMutableBufferPointer(rebasing: elements[start..<min(elements.count, start + 1024)])
            var sum: Float = 0
            for value in piece { sum += value * value }
            total += Double(sum)
        }
        return total
    }
}
