// swift-tools-version: 6.1
import PackageDescription

// The examples are a package of their own, so that whoever imports Shortlist builds none of them.
let shortlist: Target.Dependency = .product(name: "Shortlist", package: "shortlist")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "shortlist-examples",
    dependencies: [
        .package(name: "shortlist", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.3.0"),
    ],
    targets: [
        .systemLibrary(name: "CBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .target(name: "NeuralLayers", dependencies: [shortlist, "CBLAS"]),
        .target(
            name: "LanguageModel", dependencies: ["ExampleSupport", "NeuralLayers", "Tokenization", shortlist]),
        .target(name: "ExampleSupport", dependencies: [shortlist]),
        .target(
            name: "Tokenization",
            dependencies: ["ExampleSupport", .product(name: "HeapModule", package: "swift-collections")]),
        .target(name: "ExampleCommandLine", dependencies: ["ExampleSupport", shortlist, argumentParser]),
        .executableTarget(
            name: "quickstart",
            dependencies: ["ExampleCommandLine", "ExampleSupport", "NeuralLayers", shortlist, argumentParser],
            path: "quickstart"),
        .executableTarget(
            name: "sasrec",
            dependencies: ["ExampleCommandLine", "ExampleSupport", "NeuralLayers", shortlist, argumentParser],
            path: "sasrec"),
        .executableTarget(
            name: "lm",
            dependencies: [
                "ExampleCommandLine", "ExampleSupport", "LanguageModel", "NeuralLayers", "Tokenization", shortlist,
                argumentParser,
            ],
            path: "lm"),
        .executableTarget(
            name: "onestep",
            dependencies: [
                "ExampleCommandLine", "ExampleSupport", "LanguageModel", "NeuralLayers", "Tokenization", shortlist,
                argumentParser,
            ],
            path: "onestep"),
        .testTarget(name: "NeuralLayersTests", dependencies: ["NeuralLayers", shortlist]),
        .testTarget(
            name: "LanguageModelTests", dependencies: ["LanguageModel", "NeuralLayers", "ExampleSupport", shortlist],
            exclude: ["make_fixtures.py", "check_with_transformers.py"],
            resources: [.copy("Fixtures")]),
        .target(name: "ExampleTestSupport", path: "Tests/ExampleTestSupport"),
        .testTarget(name: "ExampleSupportTests", dependencies: ["ExampleSupport", "ExampleTestSupport", shortlist]),
        .testTarget(
            name: "ExampleCommandLineTests", dependencies: ["ExampleCommandLine", "ExampleSupport", shortlist]),
        .testTarget(
            name: "TokenizationTests", dependencies: ["Tokenization", "ExampleSupport", "ExampleTestSupport"],
            exclude: ["make_fixtures.py"],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "QuickstartTests",
            dependencies: [
                "quickstart", "ExampleCommandLine", "ExampleSupport", "ExampleTestSupport", "NeuralLayers", shortlist,
            ]),
        .testTarget(
            name: "SASRecTests",
            dependencies: [
                "sasrec", "ExampleCommandLine", "ExampleSupport", "ExampleTestSupport", "NeuralLayers", shortlist,
            ]),
        .testTarget(
            name: "LMTests",
            dependencies: [
                "lm", "ExampleCommandLine", "ExampleSupport", "ExampleTestSupport", "LanguageModel", "NeuralLayers",
                "Tokenization", shortlist,
            ]),
        .testTarget(
            name: "OneStepTests",
            dependencies: [
                "onestep", "ExampleCommandLine", "ExampleSupport", "ExampleTestSupport", "LanguageModel",
                "NeuralLayers",
                "Tokenization", shortlist,
            ]),
    ],
    swiftLanguageModes: [.v6]
)
