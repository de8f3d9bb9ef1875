import ArgumentParser
import Foundation

/// One measurement a process, so that a peak of memory belongs to it, printed as one line of JSON. `Benchmarks/run`
/// starts it in turn with its competitors.
@main
struct LossBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lossbench",
        abstract:
            "Time and peak memory of one loss, one retrieval, or the products that they need, as one line of JSON.",
        subcommands: [LossCommand.self, FloorCommand.self, TopKCommand.self])
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
