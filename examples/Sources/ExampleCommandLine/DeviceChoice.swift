import Shortlist

/// A device as a user names it: by its index or by a part of its name, without regard to case.
///
/// A software device (lavapipe computes on the processor) is taken only when it is named.
struct DeviceChoice: Error, CustomStringConvertible {
    let description: String

    /// The index of the device to ask the backend for; nil leaves the choice to the library.
    ///
    /// - Throws: `DeviceChoice` where no device or several have the name, and where only software devices are there and
    ///   none is named.
    static func index(_ wanted: String?, of backend: String, among devices: [Device]) throws -> Int? {
        let usable = devices.filter { $0.score > 0 }
        // What is wrong with a backend that cannot run here the library says best.
        guard !usable.isEmpty else { return nil }
        func name(_ device: Device) -> String { "\(device.index) (\(device.name))" }
        guard let wanted else {
            guard let software = usable.first, usable.allSatisfy(\.onlyByName) else { return nil }
            throw DeviceChoice(
                description: "backend '\(backend)' has a software device alone, \(software.name): it computes on "
                    + "the processor, slowly; --device \(software.index) takes it")
        }
        if let index = Int(wanted) { return index }  // the library checks it
        let found = usable.filter { $0.name.lowercased().contains(wanted.lowercased()) }
        guard found.count == 1 else {
            let all = usable.map(name).joined(separator: ", ")
            throw DeviceChoice(
                description: "--device \(wanted) names \(found.isEmpty ? "no device" : "\(found.count) devices") of "
                    + "backend '\(backend)', which has \(all)")
        }
        return found[0].index
    }
}
