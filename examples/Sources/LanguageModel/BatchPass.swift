import NeuralLayers
import Shortlist

/// Passes over a batch of packed sequences on several threads, with memory that one batch leaves to the next.
///
/// For a frozen model leave `gradients` out of `backward`: nothing is then computed or stored for the parameters. One
/// thread at a time; what is computed does not depend on the workers.
public final class BatchPass {
    public let model: CausalLanguageModel
    public let workers: Workers
    /// Blocks into which threads sum parameters' gradients before these are added up; backward with gradients can use as
    /// many threads. Each is as large as the parameters.
    public let gradientBlocks: Int

    private var sequences: PackedSequences?
    private var arenas: [Arena] = []
    private var saved: [CausalLanguageModel.Saved?] = []
    private let work: [WorkMemory]
    private var sums: [Matrix] = []

    public init(_ model: CausalLanguageModel, workers: Workers, gradientBlocks: Int = 4) {
        precondition(gradientBlocks > 0, "\(gradientBlocks) blocks of gradients")
        self.model = model
        self.workers = workers
        self.gradientBlocks = gradientBlocks
        work = (0..<workers.count).map { _ in WorkMemory() }
    }

    /// The hidden state of every row.
    ///
    /// - Parameters:
    ///   - input: input embeddings, at least as many rows as the sequences × width. Must stay until backward is done.
    ///   - hidden: gets rows × width; may have more rows.
    public func forward(_ input: Matrix, _ sequences: PackedSequences, into hidden: Matrix) {
        check(input, sequences.rows, "input")
        check(hidden, sequences.rows, "hidden")
        self.sequences = sequences
        while arenas.count < sequences.chunks.count {
            arenas.append(Arena())
            saved.append(nil)
        }
        // Each task writes its own places of the two arrays; pointers, as Swift's arrays are not for several threads.
        saved.withUnsafeMutableBufferPointer { saved in
            workers.run(sequences.chunks.count) { index, worker in
                let chunk = sequences.chunks[index]
                arenas[index].reset()
                let pass = model.forward(
                    input.tile(chunk.rows), starts: chunk.starts, arena: arenas[index], work: work[worker])
                hidden.tile(chunk.rows).copy(from: pass.hidden)
                saved[index] = pass
            }
        }
    }

    /// Gradients of the batch that `forward` saw last; once for each forward.
    ///
    /// - Parameters:
    ///   - dHidden: dL/d hidden, rows × width; may have more rows.
    ///   - gradients: gets dL/d parameters, 1 × layout.count; nil leaves them out.
    ///   - dInput: gets dL/d input, rows × width; may be `dHidden`.
    public func backward(_ dHidden: Matrix, gradients: Matrix? = nil, into dInput: Matrix) throws {
        guard let sequences else { preconditionFailure("backward before forward") }
        self.sequences = nil
        check(dHidden, sequences.rows, "dHidden")
        check(dInput, sequences.rows, "dInput")
        let chunks = sequences.chunks.count
        guard let gradients else {
            workers.run(chunks) { index, worker in
                pass(index, sequences.chunks[index], dHidden, nil, dInput, work[worker])
            }
            return
        }
        precondition(
            gradients.rows == 1 && gradients.columns == model.layout.count, "gradients of another shape than parameters"
        )
        let blocks = min(gradientBlocks, chunks)
        while sums.count < blocks { sums.append(try Matrix(rows: 1, columns: model.layout.count)) }
        // A block takes every so-many-th chunk in order, whichever thread it runs on.
        workers.run(blocks) { block, worker in
            let sum = sums[block].elements
            sum.update(repeating: 0)
            for index in stride(from: block, to: chunks, by: blocks) {
                pass(index, sequences.chunks[index], dHidden, sum.baseAddress!, dInput, work[worker])
            }
        }
        let total = gradients.elements.baseAddress!
        let part = 1 << 16
        let parts = (model.layout.count + part - 1) / part
        workers.run(parts) { index, _ in
            let range = index * part..<min(model.layout.count, (index + 1) * part)
            let to = total + range.lowerBound
            to.update(repeating: 0, count: range.count)
            for block in 0..<blocks {
                let from = sums[block].elements.baseAddress! + range.lowerBound
                for place in 0..<range.count { to[place] += from[place] }
            }
        }
    }

    private func pass(
        _ index: Int, _ chunk: PackedSequences.Chunk, _ dHidden: Matrix, _ gradients: UnsafeMutablePointer<Float>?,
        _ dInput: Matrix, _ work: WorkMemory
    ) {
        let result = model.backward(
            dHidden.tile(chunk.rows), saved[index]!, gradients: gradients, arena: arenas[index], work: work)
        dInput.tile(chunk.rows).copy(from: result)
    }

    private func check(_ matrix: Matrix, _ rows: Int, _ what: String) {
        precondition(
            matrix.rows >= rows && matrix.columns == model.configuration.width,
            "\(what) is \(matrix.rows) × \(matrix.columns) where \(rows) × \(model.configuration.width) is wanted")
    }
}

extension Matrix {
    /// Some rows, borrowed: this matrix must outlive the tile.
    fileprivate func tile(_ rows: Range<Int>) -> Tile {
        Tile(elements.baseAddress! + rows.lowerBound * columns, rows: rows.count, columns: columns)
    }
}
