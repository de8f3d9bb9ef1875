import CShortlist
import Shortlist

/// A struct that begins with `uint32_t struct_size`.
protocol SizedStruct {
    var struct_size: UInt32 { get }
    /// Its name in messages.
    static var name: String { get }
}

extension shortlist_batch: SizedStruct { static var name: String { "shortlist_batch" } }
extension shortlist_outputs: SizedStruct { static var name: String { "shortlist_outputs" } }
extension shortlist_report: SizedStruct { static var name: String { "shortlist_report" } }
extension shortlist_query: SizedStruct { static var name: String { "shortlist_query" } }
extension shortlist_cross_entropy_options: SizedStruct { static var name: String { "shortlist_cross_entropy_options" } }
extension shortlist_sce_options: SizedStruct { static var name: String { "shortlist_sce_options" } }
extension shortlist_rece_options: SizedStruct { static var name: String { "shortlist_rece_options" } }
extension shortlist_given_candidates_options: SizedStruct {
    static var name: String { "shortlist_given_candidates_options" }
}
extension shortlist_context_options: SizedStruct { static var name: String { "shortlist_context_options" } }
extension shortlist_context_info: SizedStruct { static var name: String { "shortlist_context_info" } }
extension shortlist_device_info: SizedStruct { static var name: String { "shortlist_device_info" } }

func invalid(_ message: String) -> ShortlistError { ShortlistError(.invalidArgument, message) }

/// No struct of any version is larger; a struct_size above it is memory that nobody initialised.
private let largestStruct: UInt32 = 4096

/// Checks the size of a caller's struct. This is version 0.1: every struct is at least as large as it is here. A later
/// version whose struct has grown copies the caller's bytes over its defaults here.
func checkSize<Struct: SizedStruct>(of pointer: UnsafePointer<Struct>) throws(ShortlistError) {
    guard UInt(bitPattern: pointer) % UInt(MemoryLayout<Struct>.alignment) == 0 else {
        throw invalid("the \(Struct.name) is not aligned")
    }
    let known = UInt32(MemoryLayout<Struct>.size)
    let size = pointer.pointee.struct_size
    guard size >= known, size <= largestStruct else {
        throw invalid("\(Struct.name).struct_size is \(size), not \(known): initialise it with its _INIT macro")
    }
    let bytes = UnsafeRawBufferPointer(start: pointer, count: Int(size))
    guard bytes[Int(known)...].allSatisfy({ $0 == 0 }) else {
        throw ShortlistError(
            .invalidArgument,
            "\(Struct.name) has fields beyond its first \(known) bytes that this version does not know and that are set"
        )
    }
}

/// A caller's struct that must be there.
func required<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>?) throws(ShortlistError) -> Struct {
    guard let value = try optional(pointer) else { throw invalid("the \(Struct.name) is NULL") }
    return value
}

/// A caller's struct, nil for NULL.
func optional<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>?) throws(ShortlistError) -> Struct? {
    guard let pointer else { return nil }
    try checkSize(of: pointer)
    return pointer.pointee
}

/// A caller's struct to be filled.
func output<Struct: SizedStruct>(
    _ pointer: UnsafeMutablePointer<Struct>?
) throws(ShortlistError) -> UnsafeMutablePointer<Struct>? {
    guard let pointer else { return nil }
    try checkSize(of: UnsafePointer(pointer))
    return pointer
}

func checkReserved(_ value: Int32, of name: String) throws(ShortlistError) {
    guard value == 0 else { throw invalid("\(name).reserved is \(value); it must be 0") }
}
