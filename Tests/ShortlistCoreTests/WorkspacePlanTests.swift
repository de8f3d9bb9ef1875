import ShortlistCore
import Testing

@Suite("Workspace plans")
struct WorkspacePlanTests {
    @Test("Each vector counts with its bytes rounded up to the alignment")
    func rounding() throws {
        var plan = WorkspacePlan(limit: nil)
        #expect(plan.limit == .max)
        _ = try plan.reserve(Float.self, count: 0)
        #expect(plan.reservedBytes == 0)
        _ = try plan.reserve(Float.self, count: 1)
        #expect(plan.reservedBytes == 64)
        _ = try plan.reserve(Float.self, count: 16)
        #expect(plan.reservedBytes == 128)
        _ = try plan.reserve(Double.self, count: 9)
        #expect(plan.reservedBytes == 256)
        _ = try plan.reserve(BlockRange.self, count: 1)
        #expect(plan.reservedBytes == 320)
        _ = try plan.reserve(UInt8.self, count: 65)
        #expect(plan.reservedBytes == 448)
    }

    @Test("A planned vector has its count and names no memory")
    func placeholder() throws {
        var plan = WorkspacePlan(limit: 10)
        let vector = try plan.reserve(Int32.self, count: 5)
        #expect(vector.count == 5 && vector.offset == 0 && vector.buffer.rawValue < 0)
    }

    @Test("Sizes that do not fit are an overflow, not a trap, and leave the plan as it was")
    func overflow() throws {
        var plan = WorkspacePlan(limit: nil)
        _ = try plan.reserve(UInt64.self, count: 100)
        for count in [Int.max, Int.max / 8, Int.max / 8 - 50, Int.min, -1] {
            #expect(code { () throws(ShortlistError) in _ = try plan.reserve(UInt64.self, count: count) } == .overflow)
        }
        for count in [Int.max, Int.max - 1, Int.max - 63, Int.max - 64, Int.max - 863] {
            #expect(code { () throws(ShortlistError) in _ = try plan.reserve(UInt8.self, count: count) } == .overflow)
        }
        #expect(plan.reservedBytes == 832)
        _ = try plan.reserve(UInt8.self, count: Int.max / 2)
        #expect(code { () throws(ShortlistError) in _ = try plan.reserve(UInt8.self, count: Int.max / 2) } == .overflow)
    }

    @Test("Products of sizes that do not fit say what was being sized")
    func products() throws {
        #expect(try 3.multiplied(by: 4, for: "places") == 12)
        #expect(try Int.max.multiplied(by: 0, for: "places") == 0)
        let error = failure { () throws(ShortlistError) in _ = try Int.max.multiplied(by: 2, for: "places") }
        #expect(error?.code == .overflow && error?.message.contains("places") == true)
    }

    @Test("Slices of vectors, and rows of matrices, lie inside them")
    func slices() {
        let vector = Vector<Float>(buffer: BufferID(rawValue: 3), offset: 10, count: 20)
        let slice = vector.slice(5..<9).slice(1..<3)
        #expect(slice.buffer == vector.buffer && slice.offset == 16 && slice.count == 2)
        let matrix = DeviceMatrix(buffer: BufferID(rawValue: 1), offset: 2, rows: 9, columns: 3, rowStride: 5)
        let rows = matrix.rowRange(4..<6)
        #expect(rows.offset == 22 && rows.rows == 2 && rows.columns == 3 && rows.rowStride == 5)
    }
}
