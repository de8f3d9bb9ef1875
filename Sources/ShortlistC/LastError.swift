import CShortlist
import Glibc
import Shortlist

/// What the last failing call of a thread left: the message as a C string, and the bytes or rows it would have needed.
///
/// One block of memory a thread, made at the thread's first failure and freed when the thread ends.
enum LastError {
    /// Bytes of a message, its NUL included; longer ones are cut.
    private static let capacity = 1024
    private static let messageOffset = MemoryLayout<Int64>.stride

    /// nil when the system has no key left: then there are codes, but no messages.
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        return pthread_key_create(&key, { free($0) }) == 0 ? key : nil
    }()

    static func set(_ error: ShortlistError) {
        guard let key else { return }
        var block = pthread_getspecific(key)
        if block == nil {
            block = malloc(messageOffset + capacity)
            guard let block, pthread_setspecific(key, block) == 0 else { return free(block) }
        }
        guard let block else { return }
        block.storeBytes(of: Int64(error.bytesNeeded ?? 0), as: Int64.self)
        copyText(error.message, to: UnsafeMutableRawBufferPointer(start: block + messageOffset, count: capacity))
    }

    static var message: UnsafePointer<CChar> {
        guard let key, let block = pthread_getspecific(key) else { return constantText("") }
        return UnsafePointer((block + messageOffset).assumingMemoryBound(to: CChar.self))
    }

    static var need: Int64 {
        guard let key, let block = pthread_getspecific(key) else { return 0 }
        return block.load(as: Int64.self)
    }
}

/// Runs a call: what it throws becomes its status, and the thread's last error.
func status(of body: () throws(ShortlistError) -> Void) -> shortlist_status {
    do {
        try body()
        return shortlist_status(SHORTLIST_OK)
    } catch {
        LastError.set(error)
        return error.code.rawValue
    }
}

/// Copies `text` with a NUL, cut between characters where it does not fit; a line break becomes a space.
func copyText(_ text: String, to target: UnsafeMutableRawBufferPointer) {
    guard target.count > 0 else { return }
    var end = 0
    for scalar in text.unicodeScalars {
        let bytes = UTF8.encode(scalar == "\n" ? " " : scalar) ?? UTF8.encodedReplacementCharacter
        guard end + bytes.count < target.count else { break }
        for byte in bytes {
            target[end] = byte
            end += 1
        }
    }
    target[end] = 0
}

/// A literal as a C string that lives as long as the process.
func constantText(_ text: StaticString) -> UnsafePointer<CChar> {
    // A StaticString of more than one character is a pointer to constant bytes that end in NUL.
    guard text.hasPointerRepresentation else { return emptyText }
    return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

// Sendable: the one byte is never written after it is made.
nonisolated(unsafe) private let emptyText: UnsafePointer<CChar> = {
    let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    byte.initialize(to: 0)
    return UnsafePointer(byte)
}()
