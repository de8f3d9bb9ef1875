import ExampleSupport
import NeuralLayers
import Shortlist

/// Everything that decides a model's function and the shapes of its parameters.
struct ModelShape: Codable, Sendable, Equatable {
    var items: Int
    var dimension = 64
    var blocks = 2
    var heads = 1
    /// Columns between the two pointwise layers.
    var feedForward = 64
    var maximumLength = 200
    var norm = NormStyle.pre
    var activation = Activation.relu
    var positions = PackedBatch.Positions.end
    /// Item embeddings are multiplied by √dimension at the input.
    var scalesEmbeddings = true
}

/// How parameters start.
enum Initialization: String, Codable, Sendable, CaseIterable {
    /// N(0, 2 / (rows + columns)) for every matrix, as the popular PyTorch code does.
    case xavier
    /// N(0, 0.02²) for every matrix.
    case normal
}

/// SASRec (Kang and McAuley 2018): self-attention over a user's history; the hidden state after each item scores what
/// comes next against the item embeddings, which are the input embeddings too.
final class SASRecModel {
    let shape: ModelShape
    let layout: ParameterLayout
    /// Item embeddings, C × d: what the losses call the catalog.
    let items: Matrix
    /// Every other parameter, as `layout` says.
    let parameters: Matrix

    private let positionTable: ParameterLayout.Entry
    private let blocks: [TransformerBlock]
    private let finalNorm: LayerNorm

    init(_ shape: ModelShape) throws {
        self.shape = shape
        var layout = ParameterLayout()
        positionTable = layout.add("positions", rows: shape.maximumLength, columns: shape.dimension)
        var blocks: [TransformerBlock] = []
        for index in 0..<shape.blocks { blocks.append(TransformerBlock("blocks.\(index)", shape, in: &layout)) }
        self.blocks = blocks
        finalNorm = LayerNorm("final_norm", width: shape.dimension, in: &layout)
        self.layout = layout
        items = try Matrix(rows: shape.items, columns: shape.dimension)
        parameters = try Matrix(rows: 1, columns: layout.count)
    }

    /// Fills the parameters: matrices at random, gains with 1, biases and shifts with 0.
    func initialize(_ kind: Initialization, seed: UInt64) {
        var generator = SeededGenerator(seed: seed, stream: 2)
        func fill(_ values: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
            let deviation = kind == .normal ? 0.02 : (2 / Double(rows + columns)).squareRoot()
            for index in 0..<rows * columns { values[index] = Float(generator.normal() * deviation) }
        }
        fill(items.elements.baseAddress!, rows: items.rows, columns: items.columns)
        let base = parameters.elements.baseAddress!
        for entry in layout.entries {
            let values = base + entry.offset
            if entry.rows > 1 {
                fill(values, rows: entry.rows, columns: entry.columns)
            } else {
                values.update(repeating: entry.name.hasSuffix("norm.weight") ? 1 : 0, count: entry.count)
            }
        }
    }

    // MARK: Forward and backward

    /// What dropout needs to draw the same masks again in backward.
    struct DropoutKey {
        let rate: Float
        let seed: UInt64
        let step: UInt64
    }

    /// Memory that passes leave to later ones; one training run keeps one.
    final class Memory {
        fileprivate var chunks: [ChunkPass] = []
        fileprivate var scratch: [Arena] = []

        fileprivate func prepare(chunks count: Int, workers: Int) {
            while chunks.count < count { chunks.append(ChunkPass()) }
            while scratch.count < workers { scratch.append(Arena()) }
        }
    }

    fileprivate final class ChunkPass {
        let arena = Arena()
        var blocks: [TransformerBlock.Saved] = []
        var finalUnit: Tile?
        var finalInverse: Tile?
        var gradients: Matrix?
    }

    /// The hidden state of every row.
    ///
    /// - Parameters:
    ///   - dropout: nil leaves dropout out.
    ///   - hidden: gets rows × d; may have more rows than the batch.
    func forward(
        _ batch: PackedBatch, dropout: DropoutKey?, into hidden: Matrix, _ memory: Memory, _ workers: Workers
    ) {
        memory.prepare(chunks: batch.chunks.count, workers: workers.count)
        let parameters = parameters.elements.baseAddress!
        let hidden = hidden.elements.baseAddress!
        workers.run(batch.chunks.count) { index, worker in
            let chunk = batch.chunks[index]
            let pass = memory.chunks[index]
            let scratch = memory.scratch[worker]
            pass.arena.reset()
            pass.blocks.removeAll(keepingCapacity: true)
            var x = embed(batch, chunk, parameters, pass.arena)
            drop(dropout, site: 0)?.apply(x, firstRow: chunk.rows.lowerBound)
            for (number, block) in blocks.enumerated() {
                pass.blocks.append(
                    block.forward(x, chunk, parameters, drops(dropout, block: number), pass.arena, scratch: scratch))
                x = pass.blocks[number].result
            }
            let unit = pass.arena.take(x.rows, x.columns)
            let inverse = pass.arena.take(x.rows, 1)
            let output = Tile(hidden + chunk.rows.lowerBound * x.columns, rows: x.rows, columns: x.columns)
            finalNorm.forward(x, parameters, into: output, normalized: unit, inverse: inverse)
            (pass.finalUnit, pass.finalInverse) = (unit, inverse)
        }
    }

    /// Gradients of the batch that `forward` saw last with the same `memory`.
    ///
    /// - Parameters:
    ///   - hiddenGradient: dL/d hidden, rows × d.
    ///   - gradients: gets dL/d parameters, all of them.
    ///   - inputGradients: gets dL/d(the item embedding that the row looked up), rows × d. May be `hiddenGradient`.
    func backward(
        _ batch: PackedBatch, dropout: DropoutKey?, hiddenGradient: Matrix, into gradients: Matrix,
        inputGradients: Matrix, _ memory: Memory, _ workers: Workers
    ) throws {
        let width = shape.dimension
        let parameters = parameters.elements.baseAddress!
        let upstream = hiddenGradient.elements.baseAddress!
        let inputs = inputGradients.elements.baseAddress!
        for pass in memory.chunks.prefix(batch.chunks.count) where pass.gradients == nil {
            pass.gradients = try Matrix(rows: 1, columns: layout.count)
        }
        workers.run(batch.chunks.count) { index, worker in
            let chunk = batch.chunks[index]
            let pass = memory.chunks[index]
            let scratch = memory.scratch[worker]
            let sums = pass.gradients!.elements.baseAddress!
            sums.update(repeating: 0, count: layout.count)
            let parameterBlocks = ParameterBlocks(values: parameters, gradients: sums)
            let dHidden = Tile(upstream + chunk.rows.lowerBound * width, rows: chunk.rows.count, columns: width)
            var gradient = pass.arena.take(chunk.rows.count, width)
            finalNorm.backward(
                dHidden, normalized: pass.finalUnit!, inverse: pass.finalInverse!, parameterBlocks, into: gradient)
            for number in blocks.indices.reversed() {
                gradient = blocks[number].backward(
                    gradient, pass.blocks[number], chunk, parameterBlocks, drops(dropout, block: number), pass.arena,
                    scratch: scratch)
            }
            drop(dropout, site: 0)?.apply(gradient, firstRow: chunk.rows.lowerBound)
            let positions = positionTable.tile(in: sums)
            let scale = embeddingScale
            for row in 0..<chunk.rows.count {
                let from = gradient.row(row)
                let position = positions.row(Int(batch.positions[chunk.rows.lowerBound + row]))
                let to = inputs + (chunk.rows.lowerBound + row) * width
                for column in 0..<width {
                    position[column] += from[column]
                    to[column] = from[column] * scale
                }
            }
        }
        // In the order of the chunks, so that the sum does not depend on the threads.
        let total = gradients.elements.baseAddress!
        total.update(repeating: 0, count: layout.count)
        for pass in memory.chunks.prefix(batch.chunks.count) {
            let part = pass.gradients!.elements.baseAddress!
            for index in 0..<layout.count { total[index] += part[index] }
        }
    }

    private var embeddingScale: Float { shape.scalesEmbeddings ? Float(shape.dimension).squareRoot() : 1 }

    private func embed(
        _ batch: PackedBatch, _ chunk: PackedBatch.Chunk, _ parameters: UnsafeMutablePointer<Float>, _ arena: Arena
    ) -> Tile {
        let x = arena.take(chunk.rows.count, shape.dimension)
        let table = items.elements.baseAddress!
        let positions = positionTable.tile(in: parameters)
        let scale = embeddingScale
        for row in 0..<x.rows {
            let batchRow = chunk.rows.lowerBound + row
            let item = table + Int(batch.items[batchRow]) * x.columns
            let position = positions.row(Int(batch.positions[batchRow]))
            let to = x.row(row)
            for column in 0..<x.columns { to[column] = item[column] * scale + position[column] }
        }
        return x
    }

    private func drop(_ key: DropoutKey?, site: Int) -> Dropout? {
        key.map { Dropout(rate: $0.rate, seed: $0.seed, step: $0.step, site: site) }
    }

    private func drops(_ key: DropoutKey?, block: Int) -> TransformerBlock.Drops? {
        key.map { key in
            func site(_ place: Int) -> Dropout { Dropout(rate: key.rate, seed: key.seed, step: key.step, site: place) }
            return TransformerBlock.Drops(
                probabilities: site(3 * block + 1), inner: site(3 * block + 2), result: site(3 * block + 3))
        }
    }
}
