import Testing

@testable import ExampleSupport

@Suite struct SyntheticDataTests {
    let data = SyntheticData(users: 2000, items: 1500, seed: 5).generate()

    @Test func `the same seed gives the same data, another seed others`() {
        #expect(SyntheticData(users: 2000, items: 1500, seed: 5).generate().histories == data.histories)
        #expect(SyntheticData(users: 2000, items: 1500, seed: 6).generate().histories != data.histories)
    }

    @Test func `histories are of the length said, without repetitions, of items of the catalog`() {
        #expect(data.histories.count == 2000 && data.itemCount == 1500)
        for history in data.histories {
            #expect((5...24).contains(history.count))
            #expect(Set(history).count == history.count)
            #expect(history.allSatisfy { (0..<1500).contains($0) })
        }
    }

    @Test func `a tenth of the items has a third of the choices and more`() {
        var counts = [Int](repeating: 0, count: data.itemCount)
        for item in data.histories.joined() { counts[Int(item)] += 1 }
        let top = counts.sorted(by: >).prefix(150).reduce(0, +)
        let share = Double(top) / Double(data.count)
        #expect(share > 0.33 && share < 0.8)
    }

    @Test func `order matters: neighbours repeat twice as often as in shuffled histories`() {
        /// Of all pairs of neighbours, the share whose pair occurs three times at least.
        func repeatedShare(_ histories: [[Int32]]) -> Double {
            var pairs: [SIMD2<Int32>: Int] = [:]
            for history in histories {
                for (item, next) in zip(history, history.dropFirst()) { pairs[[item, next], default: 0] += 1 }
            }
            return Double(pairs.values.filter { $0 >= 3 }.reduce(0, +)) / Double(pairs.values.reduce(0, +))
        }
        var generator = SeededGenerator(seed: 1)
        let shuffled = data.histories.map { history in
            var history = history
            generator.shuffle(&history)
            return history
        }
        #expect(repeatedShare(data.histories) > 2 * repeatedShare(shuffled))
    }

    @Test func `tastes drift: what is close in time is chosen together more often than what is far apart`() {
        /// How often two items of one history, `gap` places apart, are a pair that some other history has too.
        func sharedPairs(gap: Int) -> Double {
            var users: [SIMD2<Int32>: Int] = [:]
            for history in data.histories where history.count > 12 {
                for (item, later) in zip(history, history.dropFirst(gap)) {
                    users[[min(item, later), max(item, later)], default: 0] += 1
                }
            }
            return Double(users.values.filter { $0 > 1 }.reduce(0, +)) / Double(users.values.reduce(0, +))
        }
        #expect(sharedPairs(gap: 2) > 1.2 * sharedPairs(gap: 12))
    }

    @Test(arguments: [(1, 1), (3, 2), (1, 59), (50, 61)])
    func `tiny worlds work`(users: Int, items: Int) {
        let data = SyntheticData(users: users, items: items, seed: 0).generate()
        #expect(data.histories.count == users)
        #expect(data.histories.allSatisfy { !$0.isEmpty && $0.count <= items })
    }

    @Test func `the generator is SplitMix64, with streams of its own`() {
        var generator = SeededGenerator(seed: 0)
        #expect(generator.next() == 0xE220_A839_7B1D_CDAF)
        #expect(generator.next() == 0x6E78_9E6A_A1B9_65F4)
        var other = SeededGenerator(seed: 0, stream: 1)
        #expect(other.next() != 0xE220_A839_7B1D_CDAF)
    }

    @Test func `draws stay in range and fill it`() {
        var generator = SeededGenerator(seed: 9)
        let indices = (0..<1000).map { _ in generator.index(below: 7) }
        #expect(Set(indices) == Set(0..<7))
        let uniforms = (0..<1000).map { _ in generator.uniform() }
        #expect(uniforms.allSatisfy { (0..<1).contains($0) })
        #expect(abs(uniforms.reduce(0, +) / 1000 - 0.5) < 0.05)
        var shuffled = Array(0..<100)
        generator.shuffle(&shuffled)
        #expect(shuffled != Array(0..<100) && shuffled.sorted() == Array(0..<100))
    }

    @Test func `a weighted choice follows its weights and never takes a weight of zero`() {
        var generator = SeededGenerator(seed: 1)
        let choice = WeightedChoice([0, 1, 0, 3, 0])
        var counts = [Int](repeating: 0, count: 5)
        for _ in 0..<4000 { counts[choice.draw(&generator)] += 1 }
        #expect(counts[0] == 0 && counts[2] == 0 && counts[4] == 0)
        #expect(abs(Double(counts[3]) / 4000 - 0.75) < 0.04)
    }
}
