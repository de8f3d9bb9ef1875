// swift-tools-version: 6.1
import Foundation
import PackageDescription

// One language mode for every Swift target; CI adds -warnings-as-errors on the command line, because a manifest that
// carries unsafe flags cannot be depended upon.
let swift6: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

// The Vulkan backend is built where the compiler finds the Vulkan headers (Debian: libvulkan-dev), and left out with
// SHORTLIST_VULKAN=0; SHORTLIST_VULKAN=1 builds it whatever is found. libvulkan itself is opened at run time.
let hasVulkan: Bool = {
    switch Context.environment["SHORTLIST_VULKAN"] {
    case "0": return false
    case "1": return true
    case nil, "":
        let named = ["CPATH", "C_INCLUDE_PATH"].flatMap { (Context.environment[$0] ?? "").split(separator: ":") }
        let folders = ["/usr/local/include", "/usr/include"] + named.map(String.init)
        return folders.contains { FileManager.default.fileExists(atPath: $0 + "/vulkan/vulkan.h") }
    case let value?: fatalError("SHORTLIST_VULKAN is '\(value)'; it may be 0, 1 or not set")
    }
}()
let vulkanTargets: [Target] =
    hasVulkan
    ? [
        .target(name: "CVulkan"),
        .target(name: "CShortlistShaders", exclude: ["spirv", "table.inc"]),
        .target(
            name: "ShortlistVulkan", dependencies: ["ShortlistCore", "CVulkan", "CShortlistShaders"],
            swiftSettings: swift6),
        .testTarget(
            name: "ShortlistVulkanTests", dependencies: ["ShortlistVulkan", "ShortlistConformance", "ShortlistLosses"],
            swiftSettings: swift6),
    ] : []

let package = Package(
    name: "shortlist",
    products: [
        .library(name: "Shortlist", targets: ["Shortlist"]),
        .library(name: "ShortlistCore", targets: ["ShortlistCore"]),
        .library(name: "ShortlistConformance", targets: ["ShortlistConformance"]),
        .library(name: "shortlist-c", type: .dynamic, targets: ["ShortlistC"]),
    ],
    targets: [
        // select → score → combine
        .target(name: "ShortlistCore", swiftSettings: swift6),
        .target(name: "ShortlistLosses", dependencies: ["ShortlistCore"], swiftSettings: swift6),

        // Backends
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .target(name: "CShortlistKernels"),
        .target(
            name: "ShortlistCPU",
            dependencies: ["ShortlistCore", "CShortlistKernels", "COpenBLAS"],
            swiftSettings: swift6),

        // What users import, and what C programs link
        .target(
            name: "Shortlist",
            dependencies: ["ShortlistCore", "ShortlistLosses", "ShortlistCPU"] + (hasVulkan ? ["ShortlistVulkan"] : []),
            swiftSettings: swift6 + (hasVulkan ? [.define("SHORTLIST_VULKAN")] : [])),
        .target(name: "CShortlist", path: "include", publicHeadersPath: "."),
        .target(
            name: "ShortlistC", dependencies: ["Shortlist", "CShortlist"], exclude: ["shortlist.map"],
            swiftSettings: swift6),

        // What the rest is held to
        .target(name: "ShortlistReference", swiftSettings: swift6),
        .target(
            name: "ShortlistConformance",
            dependencies: ["ShortlistCore", "ShortlistLosses", "ShortlistReference"],
            swiftSettings: swift6),

        .testTarget(
            name: "ShortlistCoreTests",
            dependencies: [
                "ShortlistCore", "ShortlistLosses", "ShortlistCPU", "ShortlistReference", "ShortlistConformance",
            ],
            swiftSettings: swift6),
        .testTarget(name: "ShortlistReferenceTests", dependencies: ["ShortlistReference"], swiftSettings: swift6),
        .testTarget(
            name: "ShortlistCPUTests",
            dependencies: ["ShortlistCPU", "ShortlistConformance", "ShortlistLosses"],
            swiftSettings: swift6),
        .testTarget(
            name: "ShortlistTests", dependencies: ["Shortlist", "ShortlistReference", "ShortlistConformance"],
            swiftSettings: swift6),
    ] + vulkanTargets,
    cLanguageStandard: .gnu17
)
