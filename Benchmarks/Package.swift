// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "shortlist-benchmarks",
    dependencies: [
        .package(name: "shortlist", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .systemLibrary(name: "CBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .executableTarget(
            name: "lossbench",
            dependencies: [
                "CBLAS",
                .product(name: "Shortlist", package: "shortlist"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        // A device held to the conformance suite, without a test framework: for machines that have no Swift.
        .executableTarget(
            name: "conformance",
            dependencies: [
                .product(name: "Shortlist", package: "shortlist"),
                .product(name: "ShortlistConformance", package: "shortlist"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
