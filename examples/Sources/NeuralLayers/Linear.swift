/// y = x·Wᵀ + b for x of rows × inputs, W of outputs × inputs.
public struct Linear: Sendable {
    public let inputs: Int
    public let outputs: Int
    public let weight: ParameterLayout.Entry
    public let bias: ParameterLayout.Entry?

    public init(_ name: String, inputs: Int, outputs: Int, bias: Bool = true, in layout: inout ParameterLayout) {
        self.inputs = inputs
        self.outputs = outputs
        weight = layout.add(name + ".weight", rows: outputs, columns: inputs)
        self.bias = bias ? layout.add(name + ".bias", rows: 1, columns: outputs) : nil
    }

    public func forward(_ x: Tile, _ parameters: UnsafeMutablePointer<Float>, into y: Tile) {
        assert(x.columns == inputs && y.columns == outputs && x.rows == y.rows)
        if let bias {
            let values = parameters + bias.offset
            for row in 0..<y.rows { y.row(row).update(from: values, count: outputs) }
        }
        Products.timesTransposed(
            x.rows, outputs, inputs, x.base, inputs, parameters + weight.offset, inputs, beta: bias == nil ? 0 : 1,
            y.base, outputs)
    }

    /// Adds to the parameters' gradients where they are wanted, and writes (or with `accumulating` adds) dL/dx.
    public func backward(
        _ dy: Tile, _ x: Tile, _ blocks: ParameterBlocks, into dx: Tile?, accumulating: Bool = false
    ) {
        assert(dy.columns == outputs && dy.rows == x.rows)
        if let gradients = blocks.gradients {
            Products.transposedTimes(
                outputs, inputs, dy.rows, dy.base, outputs, x.base, inputs, beta: 1, gradients + weight.offset, inputs)
            if let bias {
                let gradient = gradients + bias.offset
                for row in 0..<dy.rows {
                    let upstream = dy.row(row)
                    for column in 0..<outputs { gradient[column] += upstream[column] }
                }
            }
        }
        if let dx {
            Products.times(
                dy.rows, inputs, outputs, dy.base, outputs, blocks.values + weight.offset, inputs,
                beta: accumulating ? 1 : 0, dx.base, inputs)
        }
    }
}
