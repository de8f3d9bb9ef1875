import Foundation
import Shortlist

/// The gradient of a table of parameters: all of it, or the rows that are not zero.
public enum TableGradient {
    case all(Matrix)
    /// `ids` ascend; row k of the matrix is the gradient of row `ids[k]` of the table.
    case rows(ids: [Int32], Matrix)

    /// The matrix that holds the numbers, whichever rows they belong to.
    public var values: Matrix {
        switch self {
        case .all(let matrix), .rows(_, let matrix): matrix
        }
    }
}

public struct AdamSettings: Sendable, Codable, Equatable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    /// Decoupled weight decay (Loshchilov and Hutter, 2019): every step also takes learningRate · decay · parameter.
    public var weightDecay: Float
    /// See ``Adam``: two different optimisers.
    public var isLazy: Bool

    public init(
        learningRate: Float = 1e-3, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        weightDecay: Float = 0, isLazy: Bool = false
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
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
    public let settings: AdamSettings
    /// The moments, as large as the table: with `steps` all that a checkpoint needs.
    public let first: Matrix
    public let second: Matrix
    /// Steps taken so far.
    public var steps = 0

    /// An optimiser for a table of `rows` × `columns`.
    public init(rows: Int, columns: Int, _ settings: AdamSettings) throws {
        self.settings = settings
        first = try Matrix(rows: rows, columns: columns)
        second = try Matrix(rows: rows, columns: columns)
    }

    /// Moves `table` one step against `gradient`.
    ///
    /// - Parameters:
    ///   - rate: what multiplies the learning rate at this step, for warm-up.
    ///   - scale: what multiplies the gradient, for clipping.
    ///   - workers: share the rows of the table; the result does not depend on them.
    public func step(
        _ table: Matrix, _ gradient: TableGradient, rate: Float = 1, scale: Float = 1, workers: Workers = Workers(1)
    ) {
        precondition(table.rows == first.rows && table.columns == first.columns, "this table is another's")
        steps += 1
        let rule = Rule(settings, steps: steps, rate: rate, scale: scale)
        let columns = table.columns
        let pointers = Pointers(
            parameters: table.elements.baseAddress!, first: first.elements.baseAddress!,
            second: second.elements.baseAddress!)
        let values = gradient.values.elements.baseAddress!
        precondition(gradient.values.columns == columns, "a gradient of another shape")
        switch gradient {
        case .all(let matrix):
            precondition(matrix.rows == table.rows, "a gradient of another shape")
            Self.share(table.rows * columns, workers) { range in rule.apply(pointers, range, values + range.lowerBound)
            }
        case .rows(let ids, let matrix):
            precondition(matrix.rows >= ids.count, "a gradient of another shape")
            Self.share(ids.count, workers) { places in
                for place in places {
                    let start = Int(ids[place]) * columns
                    rule.apply(pointers, start..<start + columns, values + place * columns)
                }
            }
            guard !settings.isLazy else { break }
            // The gaps between the touched rows move on their momentum.
            Self.share(ids.count + 1, workers) { gaps in
                for gap in gaps {
                    let start = gap == 0 ? 0 : Int(ids[gap - 1]) + 1
                    let end = gap == ids.count ? table.rows : Int(ids[gap])
                    rule.applyWithoutGradient(pointers, start * columns..<end * columns)
                }
            }
        }
        withExtendedLifetime((table, first, second, gradient)) {}
    }

    private static func share(_ count: Int, _ workers: Workers, _ body: (Range<Int>) -> Void) {
        let part = max(1, (count + 4 * workers.count - 1) / (4 * workers.count))
        workers.run((count + part - 1) / part) { task, _ in body(task * part..<min(count, (task + 1) * part)) }
    }

    private struct Pointers {
        let parameters: UnsafeMutablePointer<Float>
        let first: UnsafeMutablePointer<Float>
        let second: UnsafeMutablePointer<Float>
    }

    /// What one step does to each number.
    private struct Rule {
        let beta1, beta2, epsilon, stepSize, secondScale, scale, kept: Float

        init(_ settings: AdamSettings, steps: Int, rate: Float, scale: Float) {
            beta1 = settings.beta1
            beta2 = settings.beta2
            epsilon = settings.epsilon
            self.scale = scale
            // Both moments start at zero; dividing by 1 − βᵗ removes that bias. Powers in Double: βᵗ may be near 1.
            let learningRate = Double(settings.learningRate) * Double(rate)
            stepSize = Float(learningRate / (1 - pow(Double(settings.beta1), Double(steps))))
            secondScale = Float(1 / (1 - pow(Double(settings.beta2), Double(steps))))
            kept = Float(1 - learningRate * Double(settings.weightDecay))
        }

        func apply(_ at: Pointers, _ range: Range<Int>, _ gradient: UnsafePointer<Float>) {
            let (parameters, first, second) = (at.parameters, at.first, at.second)
            let start = range.lowerBound
            for index in range {
                let g = gradient[index - start] * scale
                let m = beta1 * first[index] + (1 - beta1) * g
                let v = beta2 * second[index] + (1 - beta2) * g * g
                first[index] = m
                second[index] = v
                parameters[index] = kept * parameters[index] - stepSize * m / ((v * secondScale).squareRoot() + epsilon)
            }
        }

        func applyWithoutGradient(_ at: Pointers, _ range: Range<Int>) {
            let (parameters, first, second) = (at.parameters, at.first, at.second)
            for index in range {
                let m = beta1 * first[index]
                let v = beta2 * second[index]
                first[index] = m
                second[index] = v
                parameters[index] = kept * parameters[index] - stepSize * m / ((v * secondScale).squareRoot() + epsilon)
            }
        }
    }
}
