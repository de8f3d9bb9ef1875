import Testing

@testable import ExampleSupport

@Suite struct TextTests {
    @Test func `a table aligns its columns`() {
        var table = TextTable(header: ["loss", "NDCG@10"])
        table.append(["ce", "0.1"])
        table.append(["popularity", ""])
        #expect(
            table.description == """
                loss         NDCG@10
                --------------------
                ce               0.1
                popularity          \("")
                """)
    }

    @Test func `numbers are written for people`() {
        #expect([0, 999, 1000, 1_234_567, -1000].map(grouped) == ["0", "999", "1,000", "1,234,567", "-1,000"])
        #expect(
            [0, 999, 12_340, 245_760_000].map { readable(bytes: $0) } == ["0 bytes", "999 bytes", "12.3 kB", "246 MB"])
        #expect([0.4, 59.6, 75].map { readable(seconds: $0) } == ["0s", "1m 0s", "1m 15s"])
        #expect(readable(seconds: .infinity) == "?")
    }
}
