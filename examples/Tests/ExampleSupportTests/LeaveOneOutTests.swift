import Testing

@testable import ExampleSupport

@Suite struct LeaveOneOutTests {
    let data = Interactions(histories: [[0, 1, 2, 3, 0], [3, 2, 1], [2, 3], [1]], itemNames: ["a", "b", "c", "d"])

    @Test func `the last item is the test, the one before it validates, the rest trains`() throws {
        let split = try LeaveOneOut(data)
        #expect(split.test == [Example(user: 0, position: 4), Example(user: 1, position: 2)])
        #expect(split.validation == [Example(user: 0, position: 3), Example(user: 1, position: 1)])
        #expect(
            split.training == [
                Example(user: 0, position: 1), Example(user: 0, position: 2), Example(user: 2, position: 1),
            ])
    }

    @Test func `an example is an item and what came before it`() throws {
        let example = Example(user: 0, position: 2)
        #expect(data.target(of: example) == 2)
        #expect(Array(data.history(before: example)) == [0, 1])
    }

    @Test func `popularity counts the training part alone`() throws {
        #expect(LeaveOneOut.popularity(in: data) == [1, 2, 2, 2])
    }

    @Test(arguments: [[[0, 1], []], [[0, 1, 0], [1, 0, 1]], [[1]], []])
    func `histories too short to train on or to hold anything out are an error`(histories: [[Int32]]) {
        #expect(throws: TooLittleData.self) {
            try LeaveOneOut(Interactions(histories: histories, itemNames: ["a", "b"]))
        }
    }
}
