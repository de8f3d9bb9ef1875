import Synchronization
import Testing

@testable import NeuralLayers

@Suite struct MemoryTests {
    @Test func `tiles of an arena do not overlap and a reset gives the memory back`() {
        let arena = Arena()
        var firsts: [UnsafeMutablePointer<Float>] = []
        for pass in 0..<2 {
            let tiles = [(3, 5), (0, 4), (300, 400), (1, 1), (1000, 64)].map { arena.take($0.0, $0.1) }
            for (value, tile) in tiles.enumerated() { tile.fill(Float(value)) }
            for (value, tile) in tiles.enumerated() {
                #expect((0..<tile.count).allSatisfy { tile.base[$0] == Float(value) })
            }
            if pass == 0 { firsts = tiles.map(\.base) } else { #expect(firsts == tiles.map(\.base)) }
            arena.reset()
        }
    }

    @Test(arguments: [1, 2, 5]) func `workers run every task once, and a worker has one task at a time`(count: Int) {
        let ran = (0..<100).map { _ in Counter() }
        let busy = (0..<count).map { _ in Counter() }
        Workers(count).run(100) { task, worker in
            #expect(busy[worker].value.wrappingAdd(1, ordering: .relaxed).oldValue == 0)
            ran[task].value.wrappingAdd(1, ordering: .relaxed)
            busy[worker].value.wrappingSubtract(1, ordering: .relaxed)
        }
        #expect(ran.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
        Workers(count).run(0) { _, _ in Issue.record("there was no task") }
    }

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    @Test func `parameters stand one after the other, each at a multiple of 64 bytes`() {
        var layout = ParameterLayout()
        let a = layout.add("a", rows: 3, columns: 5)
        let b = layout.add("b", rows: 1, columns: 17)
        #expect(a.range == 0..<15 && b.range == 16..<33 && layout.count == 48)
        #expect(layout.entries.map(\.name) == ["a", "b"])
    }
}
