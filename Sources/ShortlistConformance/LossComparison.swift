import ShortlistCore
import ShortlistReference

/// One run held against the oracle on the same selection, within the bounds of the specification (Numbers):
/// |Δℓ| ≤ 1e-5·ℓ + 8ε·(1 + max|z|), each gradient element within that logit error × Σ|terms| of its sum.
struct LossComparison {
    let data: CaseData
    let reference: ReferenceResult
    /// The oracle's blocks, tidied.
    let blocks: [ReferenceBlock]
    /// The loss touches every selectable item (CE, RECE), whatever its blocks hold.
    var touchesAll: Bool
    private var width: Int { data.options.width }

    /// Below this the exponent range of f32 decides: p underflows to 0 under e^−87.
    private static let underflow = 1e-30

    /// Some token's two best blocks are nearer than their losses may be off, so that another tiling may choose the other.
    var winnersAreOpen: Bool {
        reference.counted.indices.contains {
            reference.counted[$0] && !(reference.winnerMargins[$0] > 2 * tokenBound($0))
        }
    }

    /// - Parameter sameWinners: the run chose the winners that the reference followed.
    func check(_ run: LossRun, _ form: String, sameWinners: Bool = true, into report: inout ConformanceReport) {
        report.expect(run.outputs.isIntact, "\(form): nothing is written outside the outputs", "a sentinel changed")
        report.expect(data.inputsAreIntact, "\(form): inputs stay as they were", "an input changed")
        checkCounts(run, form, into: &report)
        checkTokens(run, form, into: &report)
        if data.options.wantsGradients && (sameWinners || !winnersAreOpen) { checkGradients(run, form, into: &report) }
    }

    private func checkCounts(_ run: LossRun, _ form: String, into report: inout ConformanceReport) {
        let found = run.result.report
        func equal(_ name: String, _ value: Int, _ wanted: Int) {
            report.expect(value == wanted, "\(form): report.\(name)", "\(value), the oracle has \(wanted)")
        }
        equal("tokensValid", found.tokensValid, data.problem.validTokens.count)
        equal("tokensCounted", found.tokensCounted, reference.tokensCounted)
        equal("tokensNonFinite", found.tokensNonFinite, reference.tokensNonFinite)
        guard !data.problem.validTokens.isEmpty else { return }
        equal("distinctItemsTouched", found.distinctItemsTouched, touched.count)
        if data.options.kind != .crossEntropy {
            equal("candidateLogits", found.candidateLogits, blocks.reduce(0) { $0 + $1.tokens.count * $1.items.count })
        }
        report.expect(
            found.workspaceUsed <= found.workspacePlanned, "\(form): no more workspace is used than planned",
            "\(found.workspaceUsed) of \(found.workspacePlanned) bytes")
        report.expect(
            found.workspaceLeast <= found.workspacePlanned, "\(form): the least is no more than the plan",
            "\(found.workspaceLeast) above \(found.workspacePlanned)")
    }

    /// Distinct items that are candidates or targets of valid tokens, ascending.
    private var touched: [Int] {
        var items = Set(data.problem.validTokens.map { data.problem.targets[$0] })
        if touchesAll {
            items.formUnion(data.problem.selectableItems)
        } else {
            for block in blocks { items.formUnion(block.items) }
        }
        return items.sorted()
    }

    /// 8ε·(1 + max|z|), ε = 2⁻²⁴·√d. A product of long vectors that cancels is off by ε·‖x‖·‖y‖/√d whatever is left of
    /// it, so |z| stands for no less than ‖x‖·‖y‖/√d, which is what it is for vectors in no particular direction.
    private func logitBound(_ i: Int) -> Double {
        let typical = abs(data.problem.scale) * data.hiddenNorms[i] * data.longestItem / Double(width).squareRoot()
        return 8 * 0x1p-24 * Double(width).squareRoot() * (1 + max(reference.largestLogit[i], typical))
    }

    func tokenBound(_ i: Int) -> Double { 1e-5 * reference.tokenLosses[i] + logitBound(i) }

    private var largestLogitBound: Double {
        reference.counted.indices.filter { reference.counted[$0] && reference.tokenLosses[$0].isFinite }
            .map(logitBound).max() ?? 0
    }

    private func checkTokens(_ run: LossRun, _ form: String, into report: inout ConformanceReport) {
        let weighted = data.options.reduction == 2
        let want = weighted ? reference.weightedLosses : reference.tokenLosses
        elements(
            "\(form): token losses", run.outputs.losses.values, want, into: &report
        ) { i in
            let weight = weighted ? data.problem.weight(i) : 1
            return weight == 0 || !reference.counted[i] ? 0 : weight * tokenBound(i)
        }
        // Under `max` the library's log-sum-exp is its winner's, the oracle's the first largest block's.
        elements("\(form): log-sum-exps", run.outputs.logSumExp.values, reference.logSumExp, into: &report) { i in
            reference.counted[i] ? tokenBound(i) + reference.winnerShortfalls[i] : 0
        }
        var room = 0.0
        for i in reference.counted.indices where reference.counted[i] && data.problem.weight(i) > 0 {
            room += data.problem.weight(i) * tokenBound(i)
        }
        let divisor =
            data.options.reduction == 0 ? data.denominator ?? max(reference.totalWeight, 1e-300) : 1
        let loss = run.result.loss
        report.expect(
            reference.loss.isFinite
                ? abs(loss - reference.loss) <= room / divisor + 1e-12 * abs(reference.loss) : !loss.isFinite,
            "\(form): the reduced loss", "\(loss), the oracle has \(reference.loss) ± \(room / divisor)")
    }

    private func checkGradients(_ run: LossRun, _ form: String, into report: inout ConformanceReport) {
        let largest = largestLogitBound
        let before = run.outputs.form == .accumulate ? Double(run.outputs.before) : 0
        if let hidden = run.outputs.hidden {
            let got = hidden.values
            elements("\(form): dX", got, reference.hiddenGradient, into: &report) { place in
                let magnitude = reference.hiddenMagnitude[place]
                return magnitude == 0 ? 0 : logitBound(place / width) * magnitude
            }
            wholeError("\(form): dX", got, reference.hiddenGradient, reference.hiddenMagnitude, 0, into: &report)
        }
        let dense = run.outputs.form != .rows
        let rows = dense ? Array(0..<data.options.items) : touchedRows(run, form, into: &report)
        guard let rows else { return }
        if let catalog = run.outputs.catalog {
            let got = Array(catalog.values.prefix(rows.count * width))
            let pick = { (values: [Double]) in rows.flatMap { values[$0 * width..<($0 + 1) * width] } }
            let (want, magnitude) = (pick(reference.catalogGradient), pick(reference.catalogMagnitude))
            elements("\(form): dY", got, want.map { $0 + before }, into: &report) { place in
                largest * (magnitude[place] + before)
            }
            wholeError("\(form): dY", got, want, magnitude, before, into: &report)
        }
        if let bias = run.outputs.bias {
            let got = Array(bias.values.prefix(rows.count))
            elements("\(form): db", got, rows.map { reference.biasGradient[$0] + before }, into: &report) { place in
                largest * (reference.biasMagnitude[rows[place]] + before)
            }
        }
        if let scale = run.outputs.scale {
            let (got, want) = (scale.values[0], reference.scaleGradient)
            report.expect(
                want.isFinite
                    ? abs(got - want) <= largest * reference.scaleMagnitude + LossComparison.underflow : !got.isFinite,
                "\(form): ds", "\(got), the oracle has \(want) ± \(largest * reference.scaleMagnitude)")
        }
    }

    /// The ids of a row-sparse gradient, checked; nil when they are wrong. What the rows leave out must be zero.
    private func touchedRows(_ run: LossRun, _ form: String, into report: inout ConformanceReport) -> [Int]? {
        guard let ids = run.outputs.ids else { return [] }
        let used = run.result.rowsUsed ?? -1
        let want = data.problem.validTokens.isEmpty ? [] : touched
        guard
            report.expect(
                used == want.count, "\(form): a row-sparse gradient has a row for each touched item",
                "\(used) rows used, the oracle has \(want.count)")
        else { return nil }
        let got = ids.values.prefix(used).map(Int.init)
        guard report.expect(got == want, "\(form): row ids ascend and are the touched items", "\(got) not \(want)")
        else { return nil }
        let rest = (run.outputs.catalog?.values ?? []).dropFirst(used * width)
        report.expect(
            rest.allSatisfy { $0.bitPattern == poison.bitPattern }, "\(form): rows beyond the used ones stay untouched",
            "one was written")
        return want
    }

    /// Each element within its bound, and non-finite exactly where the oracle's is. The first that is not is shown.
    private func elements(
        _ name: String, _ got: [Float], _ want: [Double], into report: inout ConformanceReport,
        bound: (Int) -> Double
    ) {
        guard report.expect(got.count == want.count, "\(name) have as many elements as the oracle's") else { return }
        var wrong = 0
        var first = ""
        for place in got.indices {
            let value = Double(got[place])
            let room = want[place].isFinite ? bound(place) + LossComparison.underflow : 0
            let holds = want[place].isFinite ? abs(value - want[place]) <= room : !value.isFinite
            if holds { continue }
            if wrong == 0 { first = "element \(place) is \(value), the oracle has \(want[place]) ± \(room)" }
            wrong += 1
        }
        report.expect(wrong == 0, "\(name) within the bound", "\(wrong) of \(got.count) are not; \(first)")
    }

    /// ‖error‖² ≤ 1e-9·‖gradient‖², where f32 logits can be that good and the norm is not what cancellation left.
    private func wholeError(
        _ name: String, _ got: [Float], _ want: [Double], _ magnitude: [Double], _ before: Double,
        into report: inout ConformanceReport
    ) {
        guard before == 0, want.allSatisfy(\.isFinite), data.options.data != ConformanceCase.Data.large.rawValue
        else { return }
        let norm = want.reduce(0) { $0 + $1 * $1 }
        let terms = magnitude.reduce(0) { $0 + $1 * $1 }
        // f32 logits near 500 are off by 2e-5 each: what the elements' bound says is then all there is to say.
        let largest = reference.largestLogit.filter(\.isFinite).max() ?? 0
        guard norm > 1e-3 * terms, norm > 1e-20, largest < 50 else { return }
        let error = ReferenceFaithfulness.normalisedMeanSquaredError(got.map(Double.init), reference: want)
        report.expect(error <= 1e-9, "\(name): normalised mean squared error at most 1e-9", "\(error)")
    }
}
