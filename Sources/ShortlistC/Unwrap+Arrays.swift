import CShortlist
import Shortlist

/// Checks that `count` elements can lie at an address: not NULL, aligned, and within the address space. Returns the
/// address to use.
private func address<Element>(
    _ pointer: UnsafeRawPointer?, _ count: Int, of _: Element.Type, _ name: String
) throws(ShortlistError) -> UnsafeMutableRawPointer? {
    guard count >= 0 else { throw invalid("\(name): \(count) elements") }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow else { throw ShortlistError(.overflow, "\(name): \(count) elements do not fit in 63 bits") }
    guard let pointer else {
        guard count == 0 else { throw invalid("\(name): NULL for \(count) elements") }
        return UnsafeMutableRawPointer(bitPattern: MemoryLayout<Element>.alignment)
    }
    let start = UInt(bitPattern: pointer)
    guard start % UInt(MemoryLayout<Element>.alignment) == 0 else { throw invalid("\(name) is not aligned") }
    guard !start.addingReportingOverflow(UInt(bytes)).overflow else {
        throw invalid("\(name) reaches beyond the address space")
    }
    return UnsafeMutableRawPointer(mutating: pointer)
}

/// `count` elements to read.
func array<Element>(
    _ pointer: UnsafePointer<Element>?, _ count: Int, _ name: String
) throws(ShortlistError) -> UnsafeBufferPointer<Element> {
    let base = try address(pointer, count, of: Element.self, name)
    return UnsafeBufferPointer(start: base?.assumingMemoryBound(to: Element.self), count: count)
}

/// `count` elements to write.
func array<Element>(
    _ pointer: UnsafeMutablePointer<Element>?, _ count: Int, _ name: String
) throws(ShortlistError) -> UnsafeMutableBufferPointer<Element> {
    let base = try address(pointer, count, of: Element.self, name)
    return UnsafeMutableBufferPointer(start: base?.assumingMemoryBound(to: Element.self), count: count)
}

/// nil for NULL: an array that may be left out.
func optionalArray<Element>(
    _ pointer: UnsafePointer<Element>?, _ count: Int, _ name: String
) throws(ShortlistError) -> UnsafeBufferPointer<Element>? {
    pointer == nil ? nil : try array(pointer, count, name)
}

func optionalArray<Element>(
    _ pointer: UnsafeMutablePointer<Element>?, _ count: Int, _ name: String
) throws(ShortlistError) -> UnsafeMutableBufferPointer<Element>? {
    pointer == nil ? nil : try array(pointer, count, name)
}

/// A place for one value, nil for NULL.
func optionalPlace<Value>(
    _ pointer: UnsafeMutablePointer<Value>?, _ name: String
) throws(ShortlistError) -> UnsafeMutablePointer<Value>? {
    try optionalArray(pointer, 1, name)?.baseAddress
}

// MARK: Matrices

private func checkFloat(_ dtype: Int32, _ name: String) throws(ShortlistError) {
    switch Int(dtype) {
    case SHORTLIST_FLOAT32: return
    case SHORTLIST_FLOAT16:
        throw ShortlistError(.unsupported, "\(name): float16 is not supported by this version, float32 is")
    case SHORTLIST_BFLOAT16:
        throw ShortlistError(.unsupported, "\(name): bfloat16 is not supported by this version, float32 is")
    default: throw invalid("\(name): dtype \(dtype); a matrix is SHORTLIST_FLOAT32")
    }
}

/// The address of a matrix's elements, and its row stride, once all of it is known to make sense.
private func elements(
    _ data: UnsafeRawPointer?, _ matrix: (rows: Int64, columns: Int64, stride: Int64), dtype: Int32, reserved: Int32,
    _ name: String
) throws(ShortlistError) -> (base: UnsafeMutablePointer<Float>, stride: Int) {
    try checkReserved(reserved, of: name)
    try checkFloat(dtype, name)
    guard matrix.rows >= 0, matrix.columns >= 0 else { throw invalid("\(name): \(matrix.rows) × \(matrix.columns)") }
    let stride = matrix.stride == 0 ? Int(matrix.columns) : Int(matrix.stride)
    guard stride >= matrix.columns else {
        throw invalid("\(name): a row stride of \(stride) for \(matrix.columns) columns")
    }
    let count = try Int(matrix.rows).multiplied(by: stride, for: "matrix elements")
    let base = try address(data, matrix.columns == 0 ? 0 : count, of: Float.self, name)
    guard let base else { throw invalid("\(name): NULL") }
    return (base.assumingMemoryBound(to: Float.self), stride)
}

func matrix(_ value: shortlist_matrix, _ name: String) throws(ShortlistError) -> MatrixView {
    let (base, stride) = try elements(
        value.data, (value.rows, value.columns, value.row_stride), dtype: value.dtype, reserved: value.reserved, name)
    return try MatrixView(base, rows: Int(value.rows), columns: Int(value.columns), rowStride: stride)
}

func matrix(_ value: shortlist_mutable_matrix, _ name: String) throws(ShortlistError) -> MutableMatrixView {
    let (base, stride) = try elements(
        value.data, (value.rows, value.columns, value.row_stride), dtype: value.dtype, reserved: value.reserved, name)
    return try MutableMatrixView(base, rows: Int(value.rows), columns: Int(value.columns), rowStride: stride)
}

extension shortlist_matrix {
    /// SHORTLIST_MATRIX_NONE.
    var isNone: Bool {
        data == nil && rows == 0 && columns == 0 && row_stride == 0 && dtype == 0 && reserved == 0
    }
}

extension shortlist_mutable_matrix {
    /// SHORTLIST_MATRIX_NONE.
    var isNone: Bool {
        data == nil && rows == 0 && columns == 0 && row_stride == 0 && dtype == 0 && reserved == 0
    }
}

// MARK: Indices

/// Item ids of 32 bits; all zero: none.
func itemIds(_ value: shortlist_indices, _ name: String) throws(ShortlistError) -> UnsafeBufferPointer<Int32> {
    try checkReserved(value.reserved, of: name)
    if value.data == nil, value.count == 0 { return UnsafeBufferPointer(start: nil, count: 0) }
    switch Int(value.dtype) {
    case SHORTLIST_INT32: return try array(value.data?.assumingMemoryBound(to: Int32.self), Int(value.count), name)
    case SHORTLIST_INT64:
        throw ShortlistError(
            .unsupported, "\(name): int64 is not supported by this version (but for targets), int32 is")
    default: throw invalid("\(name): dtype \(value.dtype); item numbers are SHORTLIST_INT32")
    }
}

func targets(_ value: shortlist_indices) throws(ShortlistError) -> Targets {
    try checkReserved(value.reserved, of: "targets")
    let count = Int(value.count)
    switch Int(value.dtype) {
    case SHORTLIST_INT32: return .int32(try array(value.data?.assumingMemoryBound(to: Int32.self), count, "targets"))
    case SHORTLIST_INT64: return .int64(try array(value.data?.assumingMemoryBound(to: Int64.self), count, "targets"))
    default: throw invalid("targets: dtype \(value.dtype); they are SHORTLIST_INT32 or SHORTLIST_INT64")
    }
}

/// Offsets of `lists` lists and the number of elements they speak of.
func offsets(
    _ pointer: UnsafePointer<Int64>?, lists: Int, _ name: String
) throws(ShortlistError) -> (UnsafeBufferPointer<Int>, elements: Int) {
    let (count, overflow) = lists.addingReportingOverflow(1)
    guard !overflow else { throw ShortlistError(.overflow, "\(name): \(lists) lists") }
    guard lists >= 0 else { throw invalid("\(name): \(lists) lists") }
    let values = try array(pointer, count, name)
    // Int and Int64 are the same on the platforms that are supported (64 bits).
    let rebound = UnsafeBufferPointer(
        start: UnsafeRawPointer(values.baseAddress)?.assumingMemoryBound(to: Int.self), count: count)
    guard rebound[0] == 0, rebound[lists] >= 0 else {
        throw invalid("\(name) go from \(rebound[0]) to \(rebound[lists]); they begin at 0 and never fall")
    }
    return (rebound, rebound[lists])
}

func seenItems(_ value: shortlist_lists) throws(ShortlistError) -> RaggedIndices? {
    if value.offsets == nil, value.items == nil, value.list_count == 0 { return nil }
    let (starts, count) = try offsets(value.offsets, lists: Int(value.list_count), "seen.offsets")
    return RaggedIndices(offsets: starts, ids: try array(value.items, count, "seen.items"))
}
