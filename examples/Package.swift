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
    ],
    targets: [
        .target(name: "ExampleSupport", dependencies: [shortlist]),
        .executableTarget(
            name: "quickstart", dependencies: ["ExampleSupport", shortlist, argumentParser], path: "quickstart"),
        .testTarget(name: "ExampleSupportTests", dependencies: ["ExampleSupport", shortlist]),
        .testTarget(name: "QuickstartTests", dependencies: ["quickstart", "ExampleSupport", shortlist]),
    ],
    swiftLanguageModes: [.v6]
)
