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
    ]
)
