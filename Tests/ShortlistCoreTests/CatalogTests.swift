import ShortlistConformance
import ShortlistCore
import Testing

@Suite("Catalogs")
struct CatalogTests {
    private func catalog(_ rows: Int, _ columns: Int, bias: Int? = nil) -> ShortlistError.Code? {
        code { () throws(ShortlistError) in
            let stream = try PlainBackend().makeStream(device: 0, options: StreamOptions())
            let memory = try Memory(byteCount: 64, zeroed: true, for: "items")
            let base = memory.base.assumingMemoryBound(to: Float.self)
            // Nothing is read when a catalog is made, so that a large one can be pretended.
            let items = try MatrixView(base, rows: rows, columns: columns)
            _ = try Catalog(
                items: items, bias: bias.map { UnsafeBufferPointer(start: base, count: $0) }, on: stream)
        }
    }

    @Test("An empty catalog, a width of 0 and a bias of another length are refused")
    func refused() {
        #expect(catalog(0, 4) == .invalidArgument)
        #expect(catalog(4, 0) == .invalidArgument)
        #expect(catalog(4, 4, bias: 3) == .invalidArgument)
        #expect(catalog(4, 4, bias: 4) == nil && catalog(1, 1) == nil)
    }

    @Test("A catalog of 2³¹ − 1 items is refused, one item fewer is not")
    func largest() {
        #expect(catalog(Int(Int32.max), 1) == .unsupported)
        #expect(catalog(Int(Int32.max) - 1, 1) == nil)
    }

    @Test("Rows to update are checked, all before any is noted")
    func updates() throws {
        let stream = try PlainBackend().makeStream(device: 0, options: StreamOptions())
        let items = try Matrix(rows: 3, columns: 2)
        let catalog = try Catalog(items: items.view, owner: items, on: stream)
        try catalog.update()
        try catalog.update(rows: [2, 0, 2])
        #expect(code { () throws(ShortlistError) in try catalog.update(rows: [0, 3]) } == .indexOutOfRange)
        #expect(code { () throws(ShortlistError) in try catalog.update(rows: [-1]) } == .indexOutOfRange)
    }
}
