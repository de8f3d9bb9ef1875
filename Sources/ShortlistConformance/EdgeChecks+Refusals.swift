import ShortlistCore
import ShortlistLosses

extension ConformanceSuite {
    /// A batch of a case with something changed, evaluated; errors must leave every output as it was.
    private func refused(
        _ rule: String, _ code: ShortlistError.Code, _ words: String, _ line: String, _ evaluator: Evaluator,
        into report: inout ConformanceReport, _ change: (inout Batch, CaseData) -> Void
    ) {
        let options = edgeCase(line)
        edge("\(rule) (\(options))", into: &report) { (report) throws(ShortlistError) in
            let data = try CaseData(options, on: evaluator.stream)
            let outputs = CaseOutputs(options, room: options.items)
            var batch = try data.batch()
            change(&batch, data)
            let loss = try data.makeLoss()
            expectError(code, words, into: &report) { () throws(ShortlistError) in
                _ = try evaluator.evaluate(
                    loss, batch, data.catalog, into: try outputs.gradients(), upstream: data.upstream,
                    tokenOutputs: outputs.tokenOutputs)
            }
            report.expect(outputs.isUntouched, "a refused call writes nothing")
            expectError(code, words, into: &report) { () throws(ShortlistError) in
                _ = try evaluator.forward(loss, batch, data.catalog, tokenOutputs: outputs.tokenOutputs)
            }
            report.expect(outputs.isUntouched, "a refused forward call writes nothing")
        }
    }

    func refusalEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        for line in ConformanceSuite.everyLoss {
            for (value, wide) in [(-1, 0), (23, 0), (23, 1), (4_294_967_297, 1), (-7, 1)] {
                refused(
                    "a target out of range is an error naming the first bad position and its value", .targetOutOfRange,
                    "\(value) of token 4", "\(line) wideTargets=\(wide) weights=1", evaluator, into: &report
                ) { _, data in
                    for token in [4, 9] {
                        data.targets64.base[token] = Int64(value)
                        data.targets32.base[token] = Int32(truncatingIfNeeded: value)
                    }
                }
            }
            refused(
                "an excluded item as a target is an error", .excludedTarget, "of token", "\(line) excluded=3",
                evaluator,
                into: &report
            ) { _, data in data.targets32.base[6] = data.excluded.values[0] }
            refused(
                "a target whose bias is −∞ is an error", .excludedTarget, "of token", "\(line) bias=1", evaluator,
                into: &report
            ) { _, data in data.bias?.base[Int(data.targets32.values[0])] = -.infinity }
            for (weight, words) in [
                (Float(-0.5), "-0.5 of token 2"), (.nan, "nan of token 2"), (.infinity, "inf of token 2"),
            ] {
                refused(
                    "a weight that is negative, NaN or infinite is an error", .invalidWeight, words,
                    "\(line) weights=1",
                    evaluator, into: &report
                ) { _, data in data.weights?.base[2] = weight }
            }
            for scale in [Float(0), -1, .nan, .infinity] {
                refused(
                    "a scale that is not positive and finite is an error", .invalidWeight, "scale", line, evaluator,
                    into: &report
                ) { batch, _ in batch.scale = scale }
            }
            for denominator in [0, -2, Double.nan] {
                refused(
                    "a denominator that is not positive is an error", .invalidWeight, "denominator", line, evaluator,
                    into: &report
                ) { batch, _ in batch.denominator = denominator }
            }
            refused(
                "a denominator without reduction mean is an error", .invalidArgument, "denominator",
                "\(line) reduction=1",
                evaluator, into: &report
            ) { batch, _ in batch.denominator = 2 }
            refused(
                "an excluded item out of range is an error", .indexOutOfRange, "excluded item 23", "\(line) excluded=2",
                evaluator, into: &report
            ) { _, data in data.excluded.base[1] = 23 }
            refused(
                "weights of another length are an error", .invalidArgument, "16 weights for 17", "\(line) weights=1",
                evaluator, into: &report
            ) { batch, data in
                batch.weights = data.weights.map { UnsafeBufferPointer(rebasing: $0.readOnly[0..<16]) }
            }
            refused(
                "targets of another length are an error", .invalidArgument, "16 targets for 17", line, evaluator,
                into: &report
            ) { batch, data in batch.targets = .int32(UnsafeBufferPointer(rebasing: data.targets32.readOnly[0..<16])) }
            refused(
                "hidden states of another width are an error", .invalidArgument, "4 columns", line, evaluator,
                into: &report
            ) { batch, data in
                if let view = try? MatrixView(data.hidden.base, rows: 17, columns: 4, rowStride: 5) {
                    batch.hidden = view
                }
            }
        }
    }

    /// Options of losses that no call accepts.
    func optionEdges(_ evaluator: Evaluator, into report: inout ConformanceReport) {
        let options = edgeCase(ConformanceSuite.everyLoss[0])
        func refuse(
            _ rule: String, _ code: ShortlistError.Code, _ words: String,
            _ loss: (CaseData) throws(ShortlistError) -> any Loss
        ) {
            edge(rule, into: &report) { (report) throws(ShortlistError) in
                let data = try CaseData(options, on: evaluator.stream)
                let outputs = CaseOutputs(options, room: options.items)
                let made = try loss(data)
                expectError(code, words, into: &report) { () throws(ShortlistError) in
                    _ = try evaluator.evaluate(
                        made, try data.batch(), data.catalog, into: try outputs.gradients(),
                        tokenOutputs: outputs.tokenOutputs)
                }
                report.expect(outputs.isUntouched, "a refused call writes nothing")
            }
        }
        refuse("SCE without a bucket is an error", .invalidArgument, "at least one") { _ in SCE(bucketCount: 0) }
        refuse("SCE with empty buckets is an error", .invalidArgument, "at least one") { _ in SCE(tokensPerBucket: 0) }
        refuse("SCE of no items is an error", .invalidArgument, "at least one") { _ in SCE(itemsPerBucket: -3) }
        refuse("a step of 57 bits is an error", .invalidArgument, "2^56") { _ in SCE(step: 1 << 56) }
        refuse("RECE's step of 57 bits too", .invalidArgument, "2^56") { _ in RECE(step: 1 << 56) }
        refuse("RECE without a round is an error", .invalidArgument, "round") { _ in RECE(rounds: 0) }
        refuse("RECE with −1 neighbours is an error", .invalidArgument, "-1") { _ in RECE(neighbourChunks: -1) }
        refuse("RECE without a chunk is an error", .invalidArgument, "chunks") { _ in RECE(chunkCount: 0) }
        refuse("more buckets than a word counts are an error, no trap", .overflow, "") { _ in
            SCE(bucketCount: .max / 2, directions: .gaussian)
        }
        refuse("more rounds than a word counts are an error, no trap", .overflow, "") { _ in RECE(rounds: .max / 2) }
        refuse("more neighbours than a word counts are an error, no trap", .overflow, "") { _ in
            RECE(neighbourChunks: .max / 2)
        }
        refuse("directions of another width are an error", .invalidArgument, "columns") {
            (data) throws(ShortlistError) in
            SCE(directions: .given(try MatrixView(data.hidden.base, rows: 3, columns: 4, rowStride: 5)))
        }
        refuse("directions that contradict the bucket count are an error", .invalidArgument, "3 rows") {
            (data) throws(ShortlistError) in
            SCE(bucketCount: 4, directions: .given(try MatrixView(data.hidden.base, rows: 3, columns: 5)))
        }
        refuse("RECE's directions must divide among the rounds", .invalidArgument, "rounds") {
            (data) throws(ShortlistError) in
            RECE(rounds: 2, directions: .given(try MatrixView(data.hidden.base, rows: 3, columns: 5)))
        }
        candidateEdges(evaluator, options, into: &report)
    }

    private func candidateEdges(
        _ evaluator: Evaluator, _ options: ConformanceCase, into report: inout ConformanceReport
    ) {
        func refuse(_ rule: String, _ code: ShortlistError.Code, _ words: String, _ lists: CandidateLists) {
            edge(rule, into: &report) { (report) throws(ShortlistError) in
                let data = try CaseData(options, on: evaluator.stream)
                let outputs = CaseOutputs(options, room: options.items)
                expectError(code, words, into: &report) { () throws(ShortlistError) in
                    try lists.withView { (view) throws(ShortlistError) in
                        _ = try evaluator.evaluate(
                            GivenCandidates(view), try data.batch(), data.catalog, into: try outputs.gradients(),
                            tokenOutputs: outputs.tokenOutputs)
                    }
                }
                report.expect(outputs.isUntouched, "a refused call writes nothing")
            }
        }
        let good = CandidateLists(blocks: [([0, 1], [2, 3]), ([4], [5])])
        func changed(_ change: (inout CandidateLists) -> Void) -> CandidateLists {
            var lists = good
            change(&lists)
            return lists
        }
        refuse(
            "a candidate item out of range is an error naming it", .indexOutOfRange, "candidate item 23",
            changed { $0.items[2] = 23 })
        refuse(
            "a negative candidate item is an error", .indexOutOfRange, "candidate item -1", changed { $0.items[0] = -1 }
        )
        refuse(
            "a candidate token out of range is an error", .indexOutOfRange, "candidate token 17",
            changed { $0.tokens[1] = 17 })
        refuse(
            "a token twice in a block is an error", .invalidArgument, "token 0 stands twice",
            changed { $0.tokens[1] = 0 })
        refuse(
            "offsets that do not begin with 0 are an error", .invalidArgument, "token offsets",
            changed { $0.tokenOffsets[0] = 1 })
        refuse("offsets that decrease are an error", .invalidArgument, "decrease", changed { $0.itemOffsets[1] = 9 })
        refuse(
            "offsets that end elsewhere are an error", .invalidArgument, "item offsets",
            changed { $0.itemOffsets[2] = 2 })
        refuse(
            "as many token as item offsets, or an error", .invalidArgument, "offsets",
            changed { $0.tokenOffsets = [0, 3] })
        refuse(
            "log-weights of another length are an error", .invalidArgument, "log-weights",
            changed { $0.logWeights = [0] })
        refuse(
            "a log-weight that is NaN is an error", .invalidWeight, "log-weight",
            changed { $0.logWeights = [0, .nan, 0] })
        refuse(
            "flags of another length are an error", .invalidArgument, "flags",
            changed { $0.contributesToCatalogGradient = [true] })
    }
}
