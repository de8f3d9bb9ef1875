import ArgumentParser
import Foundation
import Shortlist

/// One measurement a process, so that a peak of memory belongs to it, printed as one line of JSON. `Benchmarks/run`
/// starts it in turn with its competitors.
@main
struct LossBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lossbench",
        abstract:
            "Time and peak memory of one loss, one retrieval, or the products that they need, as one line of JSON.",
        subcommands: [LossCommand.self, FloorCommand.self, TopKCommand.self, DevicesCommand.self])
}

enum Kind: String, ExpressibleByArgument, CaseIterable { case ce, sce, rece }

/// N, C and d, threads and repetitions: what every measurement has.
struct SizeOptions: ParsableArguments {
    @Option(help: "N, tokens or queries.") var tokens: Int
    @Option(help: "C, items.") var items: Int
    @Option(help: "d, width.") var width: Int
    @Option(help: "Timed repetitions.") var repeats = 5
    @Option(help: "Threads.") var threads = 2

    func validate() throws {
        for (name, value) in [
            ("tokens", tokens), ("items", items), ("width", width), ("repeats", repeats), ("threads", threads),
        ] where value < 1 {
            throw ValidationError("--\(name) must be at least 1, not \(value)")
        }
    }
}

/// Which backend and which of its devices.
struct DeviceOptions: ParsableArguments {
    @Option(help: "Backend, by name; `lossbench devices` lists them.") var backend = "cpu"
    @Option(help: "Device of that backend, by index; without it, the backend's best.") var device: Int?

    func context(threads: Int, workspaceLimit: Int? = nil) throws -> Context {
        try Context(.init(backend: backend, device: device, threads: threads, workspaceLimit: workspaceLimit))
    }
}

/// Times `repeats` calls of `body` after one that is not counted.
func timed(_ repeats: Int, _ body: (Int) throws -> Void) rethrows -> [Double] {
    var seconds: [Double] = []
    for step in 0...repeats {
        let start = ContinuousClock.now
        try body(step)
        let elapsed = start.duration(to: .now)
        if step > 0 {
            seconds.append(Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds))
        }
    }
    return seconds.sorted()
}

/// What a report says of one call: seconds by stage, bytes that crossed a bus, planned memory.
func fields(of report: Report, on context: Context) -> [String: Any] {
    let stages = report.seconds
    return [
        "threads": report.threads, "device": context.backend.device.name, "backend": context.backend.name,
        "workspace_mib": Double(report.workspacePlanned) / 1_048_576,
        "select_s": stages.select, "score_s": stages.score, "combine_s": stages.combine,
        "gradient_s": stages.gradient, "total_s": stages.total,
        "uploaded_mib": Double(report.bytesUploaded) / 1_048_576,
        "downloaded_mib": Double(report.bytesDownloaded) / 1_048_576,
        "notes": report.notes.descriptions,
        "native_kernels": report.nativeKernels.names, "composed_kernels": report.composedKernels.names,
    ]
}

/// Prints one line of JSON with the median and the range of `seconds` beside `fields`.
func report(_ seconds: [Double], _ fields: [String: Any]) throws {
    var line = fields
    line["median_s"] = seconds[seconds.count / 2]
    line["min_s"] = seconds[0]
    line["max_s"] = seconds[seconds.count - 1]
    let json = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
    print(String(decoding: json, as: UTF8.self))
}

/// Resident set now, and its peak, from the kernel's account of this process.
func residentKiB() -> Int { status("VmRSS:") }
func peakKiB() -> Int { status("VmHWM:") }

private func status(_ field: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(field) {
        return Int(line.split(whereSeparator: \.isWhitespace)[1]) ?? 0
    }
    return 0
}
