import ArgumentParser
import Foundation
import Shortlist

/// What this build can run on, as one line of JSON: what a script chooses from.
struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "Every backend with its devices, or the reason why it has none.")

    func run() throws {
        let backends = BackendRegistry.standard.list().map { listing -> [String: Any] in
            var line: [String: Any] = [
                "backend": listing.name,
                "devices": listing.devices.map { device -> [String: Any] in
                    [
                        "name": device.name, "index": device.index, "score": device.score, "detail": device.detail,
                        "is_software": device.onlyByName,
                    ]
                },
            ]
            line["unavailable"] = listing.unavailableReason
            return line
        }
        let json = try JSONSerialization.data(withJSONObject: backends, options: [.sortedKeys])
        print(String(decoding: json, as: UTF8.self))
    }
}
