import CVulkan
import Glibc

/// Compiled pipelines on disk: $XDG_CACHE_HOME/shortlist (or ~/.cache/shortlist), a file for each driver and version.
///
/// The file begins with a line of its own: a magic word, a version, and a checksum of the rest. One that is damaged or
/// of another version is not used and is written anew; the driver checks its own header besides. Failing to read or
/// write it costs time alone, so that neither is an error.
package struct PipelineCacheFile {
    private let path: String
    private static let magic: [UInt8] = Array("shortlist-pipelines-1\n".utf8)

    /// nil where there is no folder to keep it in.
    init?(_ info: slv_device_info) {
        let folder: String
        if let cache = environmentValue("XDG_CACHE_HOME"), cache.hasPrefix("/") {
            folder = cache
        } else if let home = environmentValue("HOME"), home.hasPrefix("/") {
            folder = home + "/.cache"
        } else {
            return nil
        }
        let uuid = withUnsafeBytes(of: info.cache_uuid) { bytes in
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        mkdir(folder, 0o700)
        mkdir(folder + "/shortlist", 0o700)
        path = "\(folder)/shortlist/vulkan-\(uuid)-\(String(info.driver_version, radix: 16)).bin"
    }

    package init(path: String) { self.path = path }

    package func read() -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < 1 << 28 {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { break }
            bytes += piece.prefix(count)
        }
        let head = PipelineCacheFile.magic.count
        guard bytes.count > head + 8, bytes.starts(with: PipelineCacheFile.magic) else { return nil }
        let body = Array(bytes[(head + 8)...])
        return Array(bytes[head..<head + 8]) == PipelineCacheFile.checksum(body) ? body : nil
    }

    package func write(_ body: [UInt8]) {
        // Written beside and renamed, so that no reader sees half a file.
        let temporary = "\(path).\(getpid())"
        guard let file = fopen(temporary, "wb") else { return }
        let bytes = PipelineCacheFile.magic + PipelineCacheFile.checksum(body) + body
        let written = fwrite(bytes, 1, bytes.count, file)
        if fclose(file) != 0 || written != bytes.count || rename(temporary, path) != 0 { unlink(temporary) }
    }

    /// FNV-1a, 64 bits.
    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) }
    }
}

/// An environment variable, nil where it is not set or empty.
func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
