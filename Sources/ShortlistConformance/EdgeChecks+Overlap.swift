import ShortlistCore
import ShortlistLosses

extension ConformanceSuite {
    /// Outputs that overlap inputs or each other, and outputs of the wrong shape.
    func overlapEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        let options = edgeCase("\(ConformanceSuite.everyLoss[0]) bias=1 weights=1")
        func refuse(
            _ rule: String, _ code: ShortlistError.Code, _ words: String,
            _ change: (inout GradientOutputs, inout TokenOutputs, CaseData, CaseOutputs) throws(ShortlistError) -> Void
        ) {
            edge(rule, into: &report) { (report) throws(ShortlistError) in
                let data = try CaseData(options, on: evaluator.stream)
                let outputs = CaseOutputs(options, room: options.items)
                var gradients = try outputs.gradients()
                var tokens = outputs.tokenOutputs
                try change(&gradients, &tokens, data, outputs)
                let (asked, wanted) = (gradients, tokens)
                expectError(code, words, into: &report) { () throws(ShortlistError) in
                    _ = try evaluator.evaluate(
                        CrossEntropy(), try data.batch(), data.catalog, into: asked, tokenOutputs: wanted)
                }
                report.expect(outputs.isUntouched && data.inputsAreIntact, "a refused call writes nothing")
            }
        }
        refuse("dX over X is an error", .overlappingMemory, "hidden") {
            (gradients, _, data, _) throws(ShortlistError) in gradients.hidden = try data.hidden.mutableView()
        }
        refuse("dX over the last element of X is an error", .overlappingMemory, "hidden") {
            (gradients, _, data, _) throws(ShortlistError) in
            gradients.hidden = try MutableMatrixView(data.hidden.base + 17 * 5 - 1, rows: 17, columns: 5)
        }
        refuse("dY over Y is an error", .overlappingMemory, "catalog") {
            (gradients, _, data, _) throws(ShortlistError) in
            gradients.catalog = .dense(try data.catalogItems.mutableView())
        }
        refuse("dX over dY is an error", .overlappingMemory, "gradient") {
            (gradients, _, _, outputs) throws(ShortlistError) in
            gradients.hidden = try outputs.catalog.map { (memory) throws(ShortlistError) in
                try MutableMatrixView(memory.base, rows: 17, columns: 5)
            }
        }
        refuse("db over the bias is an error", .overlappingMemory, "bias") {
            (gradients, _, data, _) throws(ShortlistError) in
            gradients.catalog = .dense(nil, bias: data.bias?.buffer)
        }
        refuse("token losses over the weights are an error", .overlappingMemory, "losses") {
            (_, tokens, data, _) throws(ShortlistError) in tokens.losses = data.weights?.buffer
        }
        refuse("losses over log-sum-exps are an error", .overlappingMemory, "losses") {
            (_, tokens, _, outputs) throws(ShortlistError) in tokens.logSumExp = outputs.losses.buffer
        }
        refuse("ds inside dX is an error", .overlappingMemory, "scale") {
            (gradients, _, _, outputs) throws(ShortlistError) in
            gradients.scale = outputs.hidden.map {
                UnsafeMutableRawPointer($0.base + 3).assumingMemoryBound(to: Double.self)
            }
        }
        refuse("a dX of another shape is an error", .invalidArgument, "16 × 5") {
            (gradients, _, _, outputs) throws(ShortlistError) in
            gradients.hidden = try outputs.hidden.map { (memory) throws(ShortlistError) in
                try MutableMatrixView(memory.base, rows: 16, columns: 5)
            }
        }
        refuse("a db of another length is an error", .invalidArgument, "22 values") {
            (gradients, _, _, outputs) throws(ShortlistError) in
            gradients.catalog = .dense(
                nil, bias: outputs.bias.map { UnsafeMutableBufferPointer(rebasing: $0.buffer[0..<22]) })
        }
        refuse("room for another number of losses is an error", .invalidArgument, "16 token losses") {
            (_, tokens, _, outputs) throws(ShortlistError) in
            tokens.losses = UnsafeMutableBufferPointer(rebasing: outputs.losses.buffer[0..<16])
        }
        interleaved(evaluator, into: &report)
        upstreamEdges(evaluator, into: &report)
    }

    /// dX in the gaps between X's strided rows is no overlap.
    private func interleaved(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("dX in the gaps of X's rows is allowed", into: &report) { (report) throws(ShortlistError) in
            let options = edgeCase("\(ConformanceSuite.everyLoss[0]) inputPadding=5")
            let data = try CaseData(options, on: evaluator.stream)
            let plain = CaseOutputs(options, room: options.items)
            _ = try evaluator.evaluate(
                CrossEntropy(), try data.batch(), data.catalog,
                into: GradientOutputs(
                    hidden: try plain.hidden.map { (memory) throws(ShortlistError) in try memory.mutableView() }))
            let gap = try MutableMatrixView(data.hidden.base + 5, rows: 17, columns: 5, rowStride: 10)
            _ = try evaluator.evaluate(
                CrossEntropy(), try data.batch(), data.catalog, into: GradientOutputs(hidden: gap))
            let got = (0..<17).flatMap { row in (0..<5).map { gap.row(row)[$0].bitPattern } }
            report.expect(got == plain.hidden?.bits, "the gradient is the same there")
        }
    }

    private func upstreamEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        edge("an upstream gradient a token goes with reduction none alone", into: &report) {
            (report) throws(ShortlistError) in
            for (reduction, count) in [(0, 17), (1, 17), (2, 16)] {
                let options = edgeCase("\(ConformanceSuite.everyLoss[0]) reduction=\(reduction)")
                let data = try CaseData(options, on: evaluator.stream)
                let outputs = CaseOutputs(options, room: options.items)
                let upstream = Guarded<Float>(columns: count, fill: 1)
                expectError(.invalidArgument, "upstream gradient", into: &report) { () throws(ShortlistError) in
                    _ = try evaluator.evaluate(
                        CrossEntropy(), try data.batch(), data.catalog, into: try outputs.gradients(),
                        upstream: .perToken(upstream.readOnly))
                }
                report.expect(outputs.isUntouched, "a refused call writes nothing")
            }
        }
    }
}
