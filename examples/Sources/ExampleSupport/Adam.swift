import Foundation
import Shortlist

/// The gradient of a table of parameters: all of it, or the rows that are not zero.
public enum TableGradient {
    case all(Matrix)
    /// `ids` ascend; row k of the matrix is the gradient of row `ids[k]` of the table.
    case rows(ids: [Int32], Matrix)
}

public struct AdamSettings: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    /// See ``Adam``: two different optimisers.
    public var isLazy: Bool

    public init(
        learningRate: Float = 1e-3, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        isLazy: Bool = false
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.isLazy = isLazy
    }
}

/// Adam (Kingma and Ba, 2015) for one table of parameters, dense or lazy.
///
/// The dense form is the published one: every row moves at every step, on what its moments remember when its gradient
/// is zero, and a step costs seven passes over the table. The lazy form updates the rows that have a gradient and
/// leaves the others' moments and values alone, with a step count common to all rows. It costs what the batch touches,
/// which is what makes catalogs of millions practical, but it is **another optimiser**: rare items keep old momentum
/// and take larger steps when their turn comes, so its results differ and its learning rate may want to as well.
public final class Adam {
    private let settings: AdamSettings
    private let first: Matrix
    private let second: Matrix
    private var steps = 0

    /// An optimiser for a table of `rows` × `columns`.
    public init(rows: Int, columns: Int, _ settings: AdamSettings) throws {
        self.settings = settings
        first = try Matrix(rows: rows, columns: columns)
        second = try Matrix(rows: rows, columns: columns)
    }

    /// Moves `table` one step against `gradient`.
    public func step(_ table: Matrix, _ gradient: TableGradient) {
        precondition(table.rows == first.rows && table.columns == first.columns, "this table is another's")
        steps += 1
        let rule = RowRule(settings, steps: steps, columns: table.columns)
        let parameters = table.elements.baseAddress!
        let moments = (first.elements.baseAddress!, second.elements.baseAddress!)
        func update(_ row: Int, _ gradient: UnsafePointer<Float>?) {
            let offset = row * table.columns
            rule.apply(parameters + offset, moments.0 + offset, moments.1 + offset, gradient)
        }
        switch gradient {
        case .all(let matrix):
            precondition(matrix.rows == table.rows && matrix.columns == table.columns, "a gradient of another shape")
            let values = matrix.elements.baseAddress!
            for row in 0..<table.rows { update(row, values + row * table.columns) }
        case .rows(let ids, let matrix):
            precondition(matrix.rows >= ids.count && matrix.columns == table.columns, "a gradient of another shape")
            var untouched = 0
            for (place, id) in ids.enumerated() {
                if !settings.isLazy { for row in untouched..<Int(id) { update(row, nil) } }
                update(Int(id), matrix.elements.baseAddress! + place * table.columns)
                untouched = Int(id) + 1
            }
            if !settings.isLazy { for row in untouched..<table.rows { update(row, nil) } }
        }
        withExtendedLifetime((table, first, second, gradient)) {}
    }
}

/// What one step does to one row.
private struct RowRule {
    let beta1, beta2, epsilon, stepSize, secondScale: Float
    let columns: Int

    init(_ settings: AdamSettings, steps: Int, columns: Int) {
        beta1 = settings.beta1
        beta2 = settings.beta2
        epsilon = settings.epsilon
        // Both moments start at zero; dividing by 1 − βᵗ removes that bias. Powers in Double: βᵗ may be near 1.
        stepSize = Float(Double(settings.learningRate) / (1 - pow(Double(settings.beta1), Double(steps))))
        secondScale = Float(1 / (1 - pow(Double(settings.beta2), Double(steps))))
        self.columns = columns
    }

    /// - Parameter gradient: nil for a row of zeros.
    @inline(__always)
    func apply(
        _ parameters: UnsafeMutablePointer<Float>, _ first: UnsafeMutablePointer<Float>,
        _ second: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>?
    ) {
        for column in 0..<columns {
            let g = gradient.map { $0[column] } ?? 0
            let m = beta1 * first[column] + (1 - beta1) * g
            let v = beta2 * second[column] + (1 - beta2) * g * g
            first[column] = m
            second[column] = v
            parameters[column] -= stepSize * m / ((v * secondScale).squareRoot() + epsilon)
        }
    }
}
