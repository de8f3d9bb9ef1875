import ArgumentParser
import ExampleSupport
import Shortlist

/// Where and with how much the library works.
public struct ContextSettings: ParsableArguments {
    @Option(help: "Backend by name, such as cpu (default: the best there is).")
    public var backend: String?

    @Option(
        help: ArgumentHelp(
            "Device of --backend: its index or a part of its name (default: its best). A software device such as "
                + "llvmpipe is taken only when it is named.", valueName: "device"))
    public var device: String?

    @Option(help: "Worker threads (default: one per core).")
    public var threads: Int?

    @Option(help: ArgumentHelp("Most workspace a call may use, such as 64MB or 1000000.", valueName: "bytes"))
    public var workspaceLimit: ByteCount?

    public init() {}

    /// A context that stops at Control-C.
    public func makeContext() throws -> Context {
        let listing = BackendRegistry.standard.list().first { $0.name == backend }
        let index = try listing.flatMap { try DeviceChoice.index(device, of: $0.name, among: $0.devices) }
        let context = try Context(
            ContextOptions(backend: backend, device: index, threads: threads, workspaceLimit: workspaceLimit?.bytes))
        context.shouldStop = { Interrupt.isRequested }
        return context
    }

    public func validate() throws {
        if device != nil, backend == nil { throw ValidationError("--device needs --backend") }
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1, not \(threads)") }
    }
}

/// A number of bytes, with kB, MB or GB behind it or nothing.
public struct ByteCount: ExpressibleByArgument, Sendable {
    public let bytes: Int

    public init?(argument: String) {
        let units = [
            ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1000), ("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10),
        ]
        let text = argument.lowercased()
        let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Int(text.dropLast(unit.0.count)), number > 0,
            case let product = number.multipliedReportingOverflow(by: unit.1), !product.overflow
        else { return nil }
        bytes = product.partialValue
    }
}
