// swift-tools-version: 6.1
import PackageDescription

// A package of somebody else's, which `run.sh` builds in a folder of its own: it proves what a consumer needs (Swift and
// OpenBLAS) and what a backend from outside can do.
let package = Package(
    name: "consumer",
    dependencies: [.package(name: "shortlist", path: "../..")],
    targets: [
        .executableTarget(
            name: "consumer",
            dependencies: [.product(name: "Shortlist", package: "shortlist"), "OwnBackend"]),
        // A copy of the plain backend, put here by `run.sh`: only what is public in ShortlistCore is within its reach.
        .target(name: "OwnBackend", dependencies: [.product(name: "ShortlistCore", package: "shortlist")]),
    ],
    swiftLanguageModes: [.v6]
)
