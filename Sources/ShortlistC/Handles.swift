import Shortlist
import Synchronization

/// What a handle stands for.
enum HandleKind: UInt64 {
    case context = 1
    case catalog = 2
    case state = 3
}

/// The 64 bits of a handle: a mark that no address has, what it is, when and where it was made. Nothing is read
/// through it.
struct Handle {
    static let slotBits: UInt64 = 20
    private static let mark: UInt64 = 0xA

    let bits: UInt64

    init(kind: HandleKind, epoch: UInt8, generation: UInt32, slot: Int) {
        bits =
            Handle.mark << 60 | UInt64(epoch) << 54 | kind.rawValue << 52 | UInt64(generation) << Handle.slotBits
            | UInt64(slot)
    }

    init?(_ pointer: OpaquePointer?) {
        bits = UInt64(UInt(bitPattern: pointer))
        guard bits >> 60 == Handle.mark else { return nil }
    }

    var pointer: OpaquePointer? { OpaquePointer(bitPattern: UInt(bits)) }
    var slot: Int { Int(bits & (1 << Handle.slotBits - 1)) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> Handle.slotBits) }
    var kind: UInt64 { bits >> 52 & 3 }
    var epoch: UInt8 { UInt8(bits >> 54 & 0x3F) }
}

/// The context that a handle's object was made from. A thread that uses any of these objects holds this.
final class Core: @unchecked Sendable {
    // Sendable: `busy` is guarded by the table's lock.
    let context: Context
    fileprivate var busy = false

    init(_ context: Context) { self.context = context }
}

/// An object behind a handle.
protocol HandleObject: AnyObject, Sendable {
    static var kind: HandleKind { get }
    static var name: String { get }
    var core: Core { get }
}

/// The handles of one process: slots that are used again, each time with another generation.
final class HandleTable: Sendable {
    /// Which process in a line of forks; wraps at 64.
    let epoch: UInt8
    private let slots = Mutex(Slots())

    private struct Slot {
        var generation: UInt32 = 1
        var object: (any HandleObject)?
    }

    private struct Slots {
        var all: [Slot] = []
        var free: [Int] = []
    }

    /// Handles at one time. Enough for any program that releases what it made, and small beside real memory.
    private static let capacity = 1 << 16

    init(epoch: UInt8) { self.epoch = epoch & 0x3F }

    /// A handle for a new object. `core` must be in use by this thread, or new.
    func insert(_ object: some HandleObject) throws(ShortlistError) -> OpaquePointer? {
        try slots.withLock { (slots) throws(ShortlistError) in
            let index: Int
            if let reused = slots.free.popLast() {
                index = reused
            } else {
                guard slots.all.count < HandleTable.capacity else {
                    throw ShortlistError(
                        .outOfMemory, "\(HandleTable.capacity) handles are in use; release those that are not needed")
                }
                index = slots.all.count
                slots.all.append(Slot())
            }
            slots.all[index].object = object
            return Handle(
                kind: type(of: object).kind, epoch: epoch, generation: slots.all[index].generation, slot: index
            ).pointer
        }
    }

    /// Runs `body` with the object of a handle, whose core no other thread uses meanwhile.
    func use<Object: HandleObject, Result>(
        _: Object.Type, _ pointer: OpaquePointer?, _ body: (Object) throws(ShortlistError) -> Result
    ) throws(ShortlistError) -> Result {
        let object = try slots.withLock { (slots) throws(ShortlistError) in
            let object = try find(Object.self, pointer, slots)
            try occupy(object)
            return object
        }
        defer { slots.withLock { _ in object.core.busy = false } }
        return try body(object)
    }

    /// The object of a second handle, whose core must be `core`, which this thread holds.
    func companion<Object: HandleObject>(
        _: Object.Type, _ pointer: OpaquePointer?, of core: Core
    ) throws(ShortlistError) -> Object {
        let object = try slots.withLock { (slots) throws(ShortlistError) in try find(Object.self, pointer, slots) }
        guard object.core === core else {
            throw ShortlistError(.invalidHandle, "the \(Object.name) belongs to another context")
        }
        return object
    }

    /// Takes the object out, and lets it go while no other thread can use its core.
    func release<Object: HandleObject>(_: Object.Type, _ pointer: OpaquePointer?) throws(ShortlistError) {
        var object: Object? = try slots.withLock { (slots) throws(ShortlistError) in
            let object = try find(Object.self, pointer, slots)
            try occupy(object)
            guard let handle = Handle(pointer) else { return object }
            slots.all[handle.slot].object = nil
            slots.all[handle.slot].generation &+= 1
            slots.free.append(handle.slot)
            return object
        }
        guard let core = object?.core else { return }
        object = nil
        slots.withLock { _ in core.busy = false }
    }

    private func find<Object: HandleObject>(
        _: Object.Type, _ pointer: OpaquePointer?, _ slots: borrowing Slots
    ) throws(ShortlistError) -> Object {
        guard pointer != nil else { throw ShortlistError(.invalidHandle, "the \(Object.name) is NULL") }
        guard let handle = Handle(pointer), handle.kind == Object.kind.rawValue else {
            throw ShortlistError(.invalidHandle, "this is not a handle of a \(Object.name)")
        }
        guard handle.epoch == epoch else {
            throw ShortlistError(
                .forked, "the \(Object.name) was made before fork(); make a context of the child's own")
        }
        guard handle.slot < slots.all.count, slots.all[handle.slot].generation == handle.generation,
            let object = slots.all[handle.slot].object as? Object
        else {
            throw ShortlistError(.invalidHandle, "the \(Object.name) has been released")
        }
        return object
    }

    private func occupy(_ object: some HandleObject) throws(ShortlistError) {
        guard !object.core.busy else {
            throw ShortlistError(
                .busy, "the context is in use by another call; a context and what was made from it serve one at a time")
        }
        object.core.busy = true
    }
}
