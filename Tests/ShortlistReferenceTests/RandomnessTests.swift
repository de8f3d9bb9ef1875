import ShortlistReference
import Testing

private typealias K = ReferenceKernels

@Suite("Randomness")
struct RandomnessTests {
    @Test("Philox 4×32-10 gives Random123's known answers")
    func knownAnswers() {
        let ones: UInt32 = 0xFFFF_FFFF
        #expect(
            K.philox(counter: [0, 0, 0, 0], key: [0, 0]) == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
        #expect(
            K.philox(counter: [ones, ones, ones, ones], key: [ones, ones])
                == [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD])
        #expect(
            K.philox(
                counter: [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], key: [0xA409_3822, 0x299F_31D0])
                == [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1])
    }

    @Test("the counter holds column block, row, low step, and stream over high step")
    func counter() {
        #expect(
            K.philoxCounter(row: 9, column: 23, step: 0x00AB_CDEF_1234_5678, stream: 0xFE)
                == [5, 9, 0x1234_5678, 0xFEAB_CDEF])
        #expect(K.philoxCounter(row: 0, column: 3, step: 0, stream: 0) == [0, 0, 0, 0])
        #expect(K.philoxCounter(row: 0, column: 4, step: 1 << 32, stream: 1) == [1, 0, 0, 0x0100_0001])
    }

    @Test("a step of 2⁵⁶ and a stream of 2⁸ are trapped")
    func refused() async {
        await #expect(processExitsWith: .failure) {
            _ = ReferenceKernels.philoxCounter(row: 0, column: 0, step: 1 << 56, stream: 0)
        }
        await #expect(processExitsWith: .failure) {
            _ = ReferenceKernels.philoxCounter(row: 0, column: 0, step: 0, stream: 256)
        }
    }

    @Test("normal draws are those computed once by another program")
    func normalVectors() {
        // From a separate Python program: its own Philox (checked against the known answers) and Box–Muller in double.
        let cases: [(row: Int, seed: UInt64, step: UInt64, stream: UInt32, numbers: [Float])] = [
            (
                0, 0, 0, 0,
                [0.9911377, -0.9246626, -0.61760896, -0.4820686, -0.15363823, 0.1808259, 0.83173513]
            ),
            (
                0, 0, 0, 1,
                [0.5575361, 0.90880454, 0.94003886, -1.0171558, -0.04571352, 0.20725895, -0.7141389]
            ),
            (
                3, 0x0123_4567_89AB_CDEF, 0x00FE_DCBA_9876_5432, 0,
                [-0.5417509, -0.5001212, 0.89347833, 0.67536223, 0.43028998, -0.57000613, -0.6546396]
            ),
            (
                3, 0x0123_4567_89AB_CDEF, 0x00FE_DCBA_9876_5432, 1,
                [0.7938232, 0.03261014, -0.69603932, -0.3208234, -0.61291283, 0.7465442, -1.7422113]
            ),
            // The first word is 63: without the half, the first number would be 0.46970.
            (22_978_087, 0, 0, 0, [0.46960196, -5.9865527, -1.758732, 1.1201258]),
        ]
        for c in cases {
            let found = K.normals(
                rows: c.row..<c.row + 1, columns: c.numbers.count, seed: c.seed, step: c.step, stream: c.stream)
            #expect(found.count == c.numbers.count)
            for (a, b) in zip(found, c.numbers) { #expect(abs(a - b) <= 2 * b.ulp, "\(a) against \(b)") }
        }
    }

    @Test("any row can be had alone, and seed, step, stream and row each change the draws")
    func draws() {
        let block = K.normals(rows: 0..<6, columns: 5, seed: 3, step: 8, stream: 0)
        #expect(K.normals(rows: 4..<6, columns: 5, seed: 3, step: 8, stream: 0) == Array(block[20...]))
        // A narrower matrix is a cut of the wider one.
        #expect(K.normals(rows: 2..<3, columns: 3, seed: 3, step: 8, stream: 0) == Array(block[10..<13]))
        let others = [
            K.normals(rows: 0..<6, columns: 5, seed: 4, step: 8, stream: 0),
            K.normals(rows: 0..<6, columns: 5, seed: 3 + 1 << 32, step: 8, stream: 0),
            K.normals(rows: 0..<6, columns: 5, seed: 3, step: 9, stream: 0),
            K.normals(rows: 0..<6, columns: 5, seed: 3, step: 8 + 1 << 32, stream: 0),
            K.normals(rows: 0..<6, columns: 5, seed: 3, step: 8, stream: 1),
            K.normals(rows: 1..<7, columns: 5, seed: 3, step: 8, stream: 0),
        ]
        for other in others { #expect(zip(block, other).allSatisfy { $0 != $1 }) }
    }

    @Test("the draws have mean 0, variance 1, fourth moment 3 and no correlation within a block")
    func moments() {
        let n = K.normals(rows: 0..<4000, columns: 8, seed: 11, step: 0, stream: 0).map(Double.init)
        let count = Double(n.count)
        #expect(abs(n.reduce(0, +) / count) < 4 / count.squareRoot())
        #expect(abs(n.reduce(0) { $0 + $1 * $1 } / count - 1) < 4 * (2 / count).squareRoot())
        #expect(abs(n.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count - 3) < 4 * (96 / count).squareRoot())
        for (a, b) in [(0, 1), (0, 2), (2, 3), (3, 4)] {
            let sum = (0..<4000).reduce(0.0) { $0 + n[$1 * 8 + a] * n[$1 * 8 + b] }
            #expect(abs(sum / 4000) < 4 / 4000.0.squareRoot())
        }
    }

    @Test("directions are the generator's rows, round ρ of RECE from row ρ·n_b")
    func directions() {
        let rows = K.normals(rows: 0..<12, columns: 3, seed: 5, step: 6, stream: 0).map(Double.init)
        let cut = (0..<12).map { Array(rows[$0 * 3..<$0 * 3 + 3]) }
        #expect(gaussianDirections(bucketCount: 12, dimension: 3, seed: 5, step: 6) == cut)
        #expect(
            receDirections(rounds: 3, bucketCount: 4, dimension: 3, seed: 5, step: 6)
                == [Array(cut[0..<4]), Array(cut[4..<8]), Array(cut[8..<12])])
    }
}

@Suite("Mix")
struct MixTests {
    @Test("mixed directions are G·Lᵀ: with G the identity, their outer products sum to the Gram matrix and jitter")
    func covariance() throws {
        let problem = richProblem()
        let x = K.gather(problem.hidden, dimension: 3, ids: problem.validTokens)
        var gram = K.gram(x, dimension: 3)
        let jitter = 1e-6 * (gram[0] + gram[4] + gram[8]) / 3
        for k in [0, 4, 8] { gram[k] += jitter }
        guard case .directions(let b) = mixDirections(problem, gaussian: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]) else {
            Issue.record("no directions")
            return
        }
        #expect(allNear(K.gram(b.flatMap { $0 }, dimension: 3), gram))
        // L e_3 has only its last entry: the rows are L's columns, not its rows.
        #expect(b[2][0] == 0 && b[2][1] == 0 && b[2][2] > 0 && b[0][2] != 0)
        guard case .directions(let sum) = mixDirections(problem, gaussian: [[2, -1, 3]]) else {
            Issue.record("no directions")
            return
        }
        #expect(allNear(sum[0], (0..<3).map { 2 * b[0][$0] - b[1][$0] + 3 * b[2][$0] }))
    }

    @Test("Mix by Ω is Ωᵀ·X over the valid tokens")
    func omega() {
        let problem = ReferenceProblem(
            hidden: [1, 2, 100, 100, 3, 4], catalog: [0, 0], dimension: 2, targets: [0, -1, 0], ignoreIndex: -1)
        #expect(mixDirections(problem, omega: [[1, 0, 2], [0, 1, -1]]) == [[1, 2], [3, 4], [-1, 0]])
    }

    @Test("both forms of Mix have the covariance XᵀX")
    func bothForms() throws {
        let problem = richProblem()
        let n = problem.validTokens.count
        let count = 6000
        let gram = K.gram(K.gather(problem.hidden, dimension: 3, ids: problem.validTokens), dimension: 3)
        let g = gaussianDirections(bucketCount: count, dimension: 3, seed: 1, step: 0)
        guard case .directions(let throughGram) = mixDirections(problem, gaussian: g) else {
            Issue.record("no directions")
            return
        }
        let streamed = mixDirections(
            problem, omega: gaussianDirections(bucketCount: n, dimension: count, seed: 2, step: 0))
        let trace = gram[0] + gram[4] + gram[8]
        for b in [throughGram, streamed] {
            #expect(b.count == count)
            let covariance = K.gram(b.flatMap { $0 }, dimension: 3).map { $0 / Double(count) }
            for k in 0..<9 { #expect(abs(covariance[k] - gram[k]) < 0.05 * trace) }
        }
        #expect(gram.min()! < 0.2 * trace)
    }

    @Test("tokens of low rank still have a factor, through the jitter")
    func lowRank() {
        let problem = ReferenceProblem(
            hidden: [1, 1, 1, 2, 2, 2], catalog: [0, 0, 0], dimension: 3, targets: [0, 0])
        guard case .directions(let b) = mixDirections(problem, gaussian: [[1, 0.5, -1]]) else {
            Issue.record("no directions")
            return
        }
        #expect(allNear(b[0], [2.236, 2.236, 2.236], relative: 1e-2))
    }

    @Test("a trace that is zero or not finite means plain Gaussian directions")
    func fallsBack() {
        var problem = plainProblem()
        problem.hidden[4] = .nan
        #expect(mixDirections(problem, gaussian: [[1, 0, 0]]) == .plainGaussian)
        problem.hidden[4] = .infinity
        #expect(mixDirections(problem, gaussian: [[1, 0, 0]]) == .plainGaussian)
        problem.hidden = [Double](repeating: 0, count: 27)
        #expect(mixDirections(problem, gaussian: [[1, 0, 0]]) == .plainGaussian)
        problem.ignoreIndex = 3
        problem.targets = [Int](repeating: 3, count: 9)
        #expect(mixDirections(problem, gaussian: [[1, 0, 0]]) == .plainGaussian)
    }
}
