import ArgumentParser
import Glibc
import Shortlist
import ShortlistConformance

/// Holds one device to the conformance suite, part by part: a line a part as it ends, failures in full.
@main
struct Conformance: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conformance",
        abstract: "Holds a device to the conformance suite. Ends with status 1 where something does not hold.",
        discussion: """
            Parts: \(Part.allCases.map(\.rawValue).joined(separator: ", ")). Every kernel against its reference, every \
            loss and retrieval against an oracle in Double, edges of the specification, gradients against finite \
            differences, the same bits from the same call, and workspace limits.
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case kernels, losses, retrieval, edges, derivatives, determinism, limits
    }

    @Option(help: "Backend, by name.") var backend = "vulkan"
    @Option(help: "Device of that backend, by index.") var device = 0
    @Option(help: "Random cases of losses; the other parts take a fifth as many.") var seeds = 200
    @Option(help: "Threads of the host, where the backend has a use for them.") var threads = 2
    @Option(parsing: .upToNextOption, help: "Parts to run, all without it.") var parts: [Part] = Part.allCases

    func validate() throws {
        guard seeds > 0 else { throw ValidationError("--seeds must be at least 1, not \(seeds)") }
    }

    func run() throws {
        let choice = try BackendRegistry.standard.choose(backend: backend, device: device)
        guard let chosen = BackendRegistry.standard.backends.first(where: { $0.name == backend }) else {
            throw ValidationError("no backend named '\(backend)'")
        }
        print("\(choice.name) \(device): \(choice.device.name) (\(choice.device.detail))")
        let suite = ConformanceSuite(chosen, device: device, threads: threads)
        var all = ConformanceReport()
        for part in parts {
            let start = ContinuousClock.now
            let report = run(part, of: suite)
            let elapsed = start.duration(to: .now)
            print(
                "\(report.holds ? "holds" : "FAILS"): \(part.rawValue), \(elapsed.components.seconds) s: \(report)")
            fflush(nil)  // whoever reads a pipe sees a part when it ends
            // A part that compares nothing cannot pass for one that holds.
            if report.comparisons == 0 { all.fail("\(part.rawValue) compares something", "nothing was compared") }
            all.merge(report)
        }
        print("\(all.cases) cases, \(all.comparisons) comparisons, \(all.failures.count) failures")
        guard all.holds else { throw ExitCode(1) }
    }

    private func run(_ part: Part, of suite: ConformanceSuite) -> ConformanceReport {
        let few = 0..<max(1, seeds / 5)
        switch part {
        case .kernels: return suite.kernels()
        case .losses: return suite.losses(seeds: 0..<seeds)
        case .retrieval: return suite.retrieval(seeds: few)
        case .edges: return suite.edges()
        case .derivatives: return suite.finiteDifferences(seeds: few)
        case .determinism: return suite.determinism(threads: [1, 2])
        case .limits: return suite.limits(seeds: few)
        }
    }
}
