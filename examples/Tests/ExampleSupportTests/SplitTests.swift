import Testing

@testable import ExampleSupport

@Suite struct LeaveOneOutTests {
    let data = Interactions(histories: [[0, 1, 2, 3, 0], [3, 2, 1], [2, 3], [1]], itemNames: ["a", "b", "c", "d"])

    @Test func `the last item is the test, the one before it validates, the rest trains`() throws {
        let split = try Split.leaveOneOut(data)
        #expect(split.test == [Example(user: 0, position: 4), Example(user: 1, position: 2)])
        #expect(split.validation == [Example(user: 0, position: 3), Example(user: 1, position: 1)])
        #expect(
            split.training == [
                Example(user: 0, position: 1), Example(user: 0, position: 2), Example(user: 2, position: 1),
            ])
        #expect(split.trainedLengths == [3, 1, 2, 1])
        #expect(split.trainingCount == 3)
        #expect(split.droppedUsers == 0)
    }

    @Test func `an example is an item and what came before it`() throws {
        let example = Example(user: 0, position: 2)
        #expect(data.target(of: example) == 2)
        #expect(Array(data.history(before: example)) == [0, 1])
    }

    @Test func `popularity counts the training part alone`() throws {
        #expect(try Split.leaveOneOut(data).popularity(in: data) == [1, 2, 2, 2])
    }

    @Test(arguments: [[[0, 1], []], [[0, 1, 0], [1, 0, 1]], [[1]], []])
    func `histories too short to train on or to hold anything out are an error`(histories: [[Int32]]) {
        #expect(throws: SplitError.tooLittleData) {
            try Split.leaveOneOut(Interactions(histories: histories, itemNames: ["a", "b"]))
        }
    }
}

@Suite struct TemporalSplitTests {
    // Eleven times, 0 … 10: the 0.7 quantile is 7.
    let data = Interactions(
        histories: [[0, 1, 2], [2, 1, 0, 3], [3], [1, 2], [3]], times: [[0, 1, 7], [2, 3, 4, 8], [9], [5, 10], [6]],
        itemNames: ["a", "b", "c", "d"])

    @Test func `users with nothing after the moment are trained on whole, the others tested by their last two`() throws
    {
        let split = try Split.temporal(data, quantile: 0.7)
        #expect(split.trainedLengths == [3, 0, 0, 0, 1])
        #expect(split.training == [Example(user: 0, position: 1), Example(user: 0, position: 2)])
        #expect(split.trainingCount == 2)
        #expect(split.validation == [Example(user: 1, position: 2)])
        #expect(split.test == [Example(user: 1, position: 3)])
        #expect(split.droppedUsers == 2)
        #expect(split.popularity(in: data) == [1, 1, 1, 1])
    }

    @Test func `the quantile is the nearest time, ties to the earlier`() throws {
        func trained(_ quantile: Double) throws -> [Bool] {
            let single = Interactions(
                histories: [[0, 0], [0, 0, 0], [0, 0, 0]], times: [[1, 2], [1, 1, 3], [1, 1, 4]], itemNames: ["a"])
            return try Split.temporal(single, quantile: quantile).trainedLengths.map { $0 > 0 }
        }
        // Sorted: 1 1 1 1 1 2 3 4. Places 0 … 7; 0.786 · 7 = 5.502 is nearest to 6, 0.785 · 7 = 5.495 to 5.
        #expect(try trained(0.785) == [true, false, false])
        #expect(try trained(0.786) == [true, true, false])
        let halves = Interactions(
            histories: [[0, 0], [0, 0, 0, 0]], times: [[1, 2], [1, 1, 2, 3]], itemNames: ["a"])
        // Sorted: 1 1 1 2 2 3; 0.5 · 5 = 2.5 lies between 1 and 2, and at 1 there is nobody to train on.
        #expect(throws: SplitError.noTrainingUser(quantile: 0.5)) { try Split.temporal(halves, quantile: 0.5) }
        #expect(try Split.temporal(halves, quantile: 0.51).trainedLengths == [2, 0])
    }

    @Test(arguments: [0, 1, -0.5, 1.5, .nan, .infinity])
    func `a quantile outside 0 to 1 is refused`(quantile: Double) throws {
        let error = try #require(throws: SplitError.self) { try Split.temporal(data, quantile: quantile) }
        #expect(error.description.hasSuffix("is not \(quantile)"))
    }

    @Test func `data without times are refused with the formats that have them`() throws {
        let plain = Interactions(histories: [[0, 1]], itemNames: ["a", "b"])
        let error = try #require(throws: SplitError.noTimes) { try Split.temporal(plain) }
        #expect(error.description.contains("CSV and RecBole"))
    }

    @Test func `nobody on one side is refused, with the number of users too short to test`() throws {
        func data(_ times: [[Double]]) -> Interactions {
            Interactions(histories: times.map { $0.map { _ in 0 } }, times: times, itemNames: ["a"])
        }
        #expect(throws: SplitError.noTrainingUser(quantile: 0.5)) {
            try Split.temporal(data([[1, 2, 9], [1]]), quantile: 0.5)
        }
        #expect(throws: SplitError.noTestUser(quantile: 0.5, dropped: 2)) {
            try Split.temporal(data([[1, 2], [9], [1, 1]]), quantile: 0.5)
        }
        #expect(throws: SplitError.noTestUser(quantile: 0.5, dropped: 0)) {
            try Split.temporal(data([[1, 1, 1], [1, 1]]), quantile: 0.5)
        }
    }
}
