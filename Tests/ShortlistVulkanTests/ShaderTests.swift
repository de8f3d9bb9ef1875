import CShortlistShaders
import Testing

/// What the committed SPIR-V declares, read from its words.
private struct Module {
    let name: String
    var capabilities: Set<UInt32> = []
    var decorations: Set<UInt32> = []

    init(_ shader: sl_shader) {
        name = String(cString: shader.name)
        let words = UnsafeBufferPointer(start: shader.code, count: shader.size / 4)
        var place = 5
        while place < words.count {
            let (length, operation) = (Int(words[place] >> 16), words[place] & 0xFFFF)
            guard length > 0 else { break }
            if operation == 17 { capabilities.insert(words[place + 1]) }
            if operation == 71 { decorations.insert(words[place + 2]) }
            place += length
        }
    }

    static let all: [Module] = {
        var modules: [Module] = []
        while let shader = sl_shader_at(modules.count) { modules.append(Module(shader.pointee)) }
        return modules
    }()
}

@Suite("The committed shaders")
struct ShaderTests {
    /// Shader, Float64, Int64, PhysicalStorageBufferAddresses: what `devices()` asks for. Not Int64Atomics (12), so
    /// that there is nothing to fall back from where a device has no 64-bit atomics, and no subgroup operation.
    @Test("no shader wants a capability that a device is not asked for: no 64-bit atomics, no subgroups")
    func capabilities() {
        #expect(Module.all.count > 30)
        for module in Module.all {
            #expect(module.capabilities.contains(1), "\(module.name)")
            #expect(module.capabilities.isSubset(of: [1, 10, 11, 5347]), "\(module.name): \(module.capabilities)")
        }
    }

    /// Memory is reached through 64-bit addresses: a tensor may exceed maxStorageBufferRange, however small that is.
    @Test("no shader has a descriptor, so that maxStorageBufferRange bounds nothing")
    func descriptors() {
        for module in Module.all {
            #expect(module.decorations.isDisjoint(with: [33, 34]), "\(module.name) has a binding")
        }
    }
}
