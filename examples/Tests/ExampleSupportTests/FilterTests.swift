import Testing

@testable import ExampleSupport

@Suite struct FilterTests {
    let data = Interactions(
        histories: [[0, 1, 2], [1, 2, 0], [3, 1], [4, 4, 1], [3]],
        times: [[1, 2, 3], [4, 5, 6], [7, 8], [9, 10, 11], [12]],
        userNames: ["u", "v", "w", "x", "y"], itemNames: ["a", "b", "c", "d", "e", "never"])

    @Test func `dropping goes on until both limits hold`() throws {
        // d has two, until y, with one, goes; then w is left with one.
        let left = try data.filtered(leastPerItem: 2, leastPerUser: 2)
        #expect(left.userNames == ["u", "v", "x"])
        #expect(left.itemNames == ["a", "b", "c", "e"])
        #expect(left.histories == [[0, 1, 2], [1, 2, 0], [3, 3, 1]])
        #expect(left.times == [[1, 2, 3], [4, 5, 6], [9, 10, 11]])
    }

    @Test func `what is left of random data has both limits`() throws {
        let data = SyntheticData(users: 300, items: 200, seed: 3).generate()
        let left = try data.filtered(leastPerItem: 6, leastPerUser: 7)
        var counts = [Int](repeating: 0, count: left.itemCount)
        for item in left.histories.joined() { counts[Int(item)] += 1 }
        #expect(counts.allSatisfy { $0 >= 6 })
        #expect(left.histories.allSatisfy { $0.count >= 7 })
        #expect(left.userCount > 0 && left.userCount < 300 && left.itemCount < 200)
        #expect(left.times == nil)
        // Nothing was dropped without need: every user kept has all of the items that were kept.
        let kept = Set(left.itemNames)
        for (name, history) in zip(left.userNames, left.histories) {
            let before = data.histories[data.userNames.firstIndex(of: name)!].map { data.itemNames[Int($0)] }
            #expect(history.map { left.itemNames[Int($0)] } == before.filter(kept.contains))
        }
    }

    @Test func `without limits all stays but users with nothing`() throws {
        let same = try data.filtered()
        #expect(same.histories == data.histories && same.itemNames == data.itemNames)
        let gap = Interactions(histories: [[], [0]], itemNames: ["a"])
        #expect(try gap.filtered().userNames == ["user 1"])
        #expect(try data.filtered(leastPerItem: 1).itemNames == ["a", "b", "c", "d", "e"])
    }

    @Test func `nothing left is an error with the limits`() throws {
        let error = try #require(throws: NothingLeft.self) { try data.filtered(leastPerItem: 5, leastPerUser: 2) }
        #expect(
            error.description == "no user is left with at least 5 interactions an item and 2 a user")
    }

    @Test func `a summary counts data and split`() throws {
        let split = try Split.temporal(data, quantile: 0.7)
        let summary = DataSummary(data, split)
        #expect(summary.users == 5 && summary.items == 6 && summary.interactions == 12)
        #expect(summary.density == 0.4)
        #expect(
            summary.lengths
                == DataSummary.Lengths(
                    min: 1, quantile5: 1, quantile25: 2, median: 3, quantile75: 3, quantile95: 3, max: 3, mean: 2.4))
        #expect(summary.trainingUsers == 3 && summary.trainingExamples == 5)
        #expect(summary.validationExamples == 1 && summary.testExamples == 1 && summary.droppedUsers == 1)
        let text = summary.description
        for part in [
            "5 users, 6 items, 12 interactions (density 40.000 %)", "median 3", "mean 2.4",
            "5 training examples of 3 users", "users dropped for having too little: 1",
        ] {
            #expect(text.contains(part), "\(text)")
        }
        let none = DataSummary(
            Interactions(histories: [], itemNames: []),
            Split(trainedLengths: [], validation: [], test: [], droppedUsers: 0))
        #expect(none.density == 0 && none.lengths.max == 0)
    }
}
