import Shortlist
import Testing

@testable import ExampleCommandLine

@Suite struct DeviceChoiceTests {
    private let gpus = [
        Device(name: "Alpha 10", index: 0, score: 1000, detail: "discrete"),
        Device(name: "Alpha 20", index: 1, score: 1000, detail: "discrete"),
        Device(name: "llvmpipe (256 bits)", index: 2, score: 1, detail: "a processor", onlyByName: true),
    ]

    private func choose(_ wanted: String?, _ devices: [Device]) throws -> Int? {
        try DeviceChoice.index(wanted, of: "vulkan", among: devices)
    }

    private func refusal(_ wanted: String?, _ devices: [Device]) -> String {
        do {
            _ = try choose(wanted, devices)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func `without a name the library chooses among GPUs`() throws {
        #expect(try choose(nil, gpus) == nil)
        #expect(try choose(nil, []) == nil)
    }

    @Test func `a device is named by its index or by a part of its name`() throws {
        #expect(try choose("1", gpus) == 1)
        #expect(try choose("alpha 10", gpus) == 0)
        #expect(try choose("LLVMpipe", gpus) == 2)
    }

    @Test func `a software device alone is refused until it is named, and the message says how`() throws {
        let message = refusal(nil, [gpus[2]])
        #expect(message.contains("llvmpipe") && message.contains("--device 2"))
        #expect(try choose("llvmpipe", [gpus[2]]) == 2)
    }

    @Test func `a name that fits no device or several is refused with the devices' names`() {
        #expect(refusal("beta", gpus).contains("no device") && refusal("beta", gpus).contains("0 (Alpha 10)"))
        #expect(refusal("alpha", gpus).contains("2 devices"))
    }

    @Test func `a backend that cannot run here is left to the library to explain`() throws {
        #expect(try choose("beta", []) == nil)
    }
}
