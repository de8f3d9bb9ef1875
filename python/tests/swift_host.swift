// A Swift program, with a Swift runtime of its own, that opens the library and calls it.
import CShortlist
import Glibc

typealias Create =
    @convention(c) (
        UnsafeMutablePointer<OpaquePointer?>?, UnsafePointer<shortlist_context_options>?
    ) -> Int32
typealias Evaluate =
    @convention(c) (
        UnsafeMutablePointer<Double>?, OpaquePointer?, UnsafePointer<shortlist_cross_entropy_options>?,
        UnsafePointer<shortlist_batch>?, UnsafePointer<shortlist_outputs>?, UnsafeMutablePointer<shortlist_report>?
    ) -> Int32
typealias Message = @convention(c) () -> UnsafePointer<CChar>?

struct Failure: Error { let what: String }

func symbol<T>(_ name: String, in library: UnsafeMutableRawPointer, as type: T.Type) throws -> T {
    guard let address = dlsym(library, name) else { throw Failure(what: "no \(name)") }
    return unsafeBitCast(address, to: type)
}

/// The exact loss of 3 tokens over 4 items, each vector of a single number: all of them 1, so that it is log 4.
func loss(path: String) throws -> Double {
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else { throw Failure(what: String(cString: dlerror())) }
    let create = try symbol("shortlist_context_create", in: library, as: Create.self)
    let evaluate = try symbol("shortlist_cross_entropy", in: library, as: Evaluate.self)
    let message = try symbol("shortlist_last_error_message", in: library, as: Message.self)
    var context: OpaquePointer?
    guard create(&context, nil) == 0 else { throw Failure(what: message().map { String(cString: $0) } ?? "") }
    let ones = [Float](repeating: 1, count: 4)
    let targets: [Int32] = [0, 1, 2]
    var result = 0.0
    let status = ones.withUnsafeBufferPointer { numbers in
        targets.withUnsafeBufferPointer { places in
            var batch = shortlist_batch()
            batch.struct_size = UInt32(MemoryLayout<shortlist_batch>.size)
            batch.scale = 1
            batch.hidden = shortlist_matrix_f32(numbers.baseAddress, 3, 1)
            batch.items = shortlist_matrix_f32(numbers.baseAddress, 4, 1)
            batch.targets = shortlist_indices_i32(places.baseAddress, 3)
            return evaluate(&result, context, nil, &batch, nil, nil)
        }
    }
    guard status == 0 else { throw Failure(what: message().map { String(cString: $0) } ?? "") }
    return result
}

// The program's own concurrency, strings and errors before, between and after.
let path = CommandLine.arguments[1]
let tasks = await withTaskGroup(of: Double?.self) { group in
    for _ in 0..<4 { group.addTask { try? loss(path: path) } }
    var found: [Double?] = []
    for await one in group { found.append(one) }
    return found
}
print(tasks.map { $0.map { "\(($0 * 1e6).rounded() / 1e6)" } ?? "failed" }.joined(separator: " "))
do {
    print(try loss(path: "/nowhere/libshortlist.so"))
} catch let failure as Failure {
    print("caught", failure.what.isEmpty ? "nothing" : "a failure")
}
