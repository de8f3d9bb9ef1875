import CVulkan
import ShortlistCore

/// libvulkan, opened at run time, and an instance: what devices are listed from and made with.
final class Loader: @unchecked Sendable {
    // Sendable: Vulkan's instances may be used from any thread but for their destruction, which is `deinit`'s.
    let instance: OpaquePointer
    let devices: [slv_device_info]

    /// The loader, or why there is none.
    static func open(_ options: VulkanOptions) -> Result<Loader, LoadError> {
        var instance: OpaquePointer?
        var why = [CChar](repeating: 0, count: 256)
        slv_instance_create(&instance, options.validation ? 1 : 0, &why, why.count)
        guard let instance else { return .failure(LoadError(reason: text(why))) }
        return .success(Loader(instance, without: options.without))
    }

    private init(_ instance: OpaquePointer, without: String) {
        self.instance = instance
        devices = (0..<slv_device_count(instance)).map { index in
            var info = slv_device_info()
            slv_device_describe(instance, index, without, &info)
            return info
        }
    }

    deinit { slv_instance_destroy(instance) }

    /// What the validation layer has said so far: how many warnings and errors, and the first.
    var validationMessages: (count: Int, first: String) {
        var first = [CChar](repeating: 0, count: 1024)
        let count = slv_instance_messages(instance, &first, first.count)
        return (Int(count), text(first))
    }
}

/// Why libvulkan cannot be used here.
struct LoadError: Error {
    let reason: String
}

/// Characters up to the first 0.
func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension slv_device_info {
    var nameText: String { withUnsafeBytes(of: name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
    var missingText: String { withUnsafeBytes(of: missing) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

    var isProcessor: Bool { type == 4 }

    /// Discrete before integrated before anything else; 0 for one that lacks something.
    var score: Int {
        guard missingText.isEmpty else { return 0 }
        switch type {
        case 2: return 1000
        case 1: return 500
        case 3: return 400
        case 4: return 1
        default: return 5
        }
    }

    var detail: String {
        let kinds = ["another kind of device", "integrated GPU", "discrete GPU", "virtual GPU", "a processor"]
        let kind = kinds[type < 5 ? Int(type) : 0]
        let version = "Vulkan \(api_version >> 22 & 0x7F).\(api_version >> 12 & 0x3FF)"
        return missingText.isEmpty
            ? "\(kind), \(version), \(local_heap_bytes >> 20) MiB" : "\(kind), \(version), lacks \(missingText)"
    }
}
