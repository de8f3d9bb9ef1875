import CVulkan
import Glibc
import ShortlistCore

/// Seconds that the device spent, by stage of a call and, on request, by kernel.
///
/// Timestamps are written where the stage changes, or after each dispatch where kernels are timed, which costs a little;
/// they are read when the host has waited anyway.
struct DeviceClock {
    enum Stage: Int, CaseIterable {
        case select, score, combine, gradient
    }

    static let capacity = 1024
    let timesKernels: Bool
    private let secondsPerTick: Double
    private let mask: UInt64
    /// What the time up to each timestamp after the first went to.
    private var marks: [(stage: Stage, kernel: String)] = []
    private(set) var stages = StageSeconds()
    private(set) var kernels: [String: CallMeasures.Kernel] = [:]

    /// nil without timestamps on the device's queue.
    init?(_ device: VulkanDevice, timesKernels: Bool) {
        let bits = slv_timestamp_bits(device.handle)
        guard device.info.timestamp_period > 0, bits > 0 else { return nil }
        self.timesKernels = timesKernels
        secondsPerTick = Double(device.info.timestamp_period) * 1e-9
        mask = bits >= 64 ? .max : (1 << UInt64(bits)) - 1
    }

    var isFull: Bool { marks.count + 2 >= DeviceClock.capacity }

    mutating func reset() {
        stages = StageSeconds()
        kernels = [:]
    }

    /// The first timestamp of a command buffer.
    mutating func begin(_ device: VulkanDevice, _ recorder: inout slv_recorder) {
        marks.removeAll(keepingCapacity: true)
        slv_timestamp(device.handle, &recorder, 0)
    }

    /// Ends an interval: everything since the last mark was `stage`'s, or this kernel's.
    mutating func mark(_ stage: Stage, _ kernel: String, _ device: VulkanDevice, _ recorder: inout slv_recorder) {
        marks.append((stage, kernel))
        slv_timestamp(device.handle, &recorder, UInt32(marks.count))
    }

    /// Reads the timestamps of a command buffer that the device has finished.
    mutating func collect(_ device: VulkanDevice, _ recorder: inout slv_recorder) throws(ShortlistError) {
        guard !marks.isEmpty else { return }
        var ticks = [UInt64](repeating: 0, count: marks.count + 1)
        try device.check(slv_timestamps(device.handle, &recorder, UInt32(ticks.count), &ticks), "timestamps")
        for (place, mark) in marks.enumerated() {
            // The counter may begin anew in between.
            let seconds = Double((ticks[place + 1] &- ticks[place]) & mask) * secondsPerTick
            switch mark.stage {
            case .select: stages.select += seconds
            case .score: stages.score += seconds
            case .combine: stages.combine += seconds
            case .gradient: stages.gradient += seconds
            }
            guard timesKernels else { continue }
            kernels[mark.kernel, default: .init()].seconds += seconds
            kernels[mark.kernel, default: .init()].dispatches += 1
        }
        marks.removeAll(keepingCapacity: true)
    }
}

extension DeviceClock.Stage {
    /// The stage of a call that a kernel belongs to.
    init(_ kernel: Kernel) {
        switch kernel {
        case .targetLogits, .blockLogSumExp: self = .score
        case .combine: self = .combine
        case .fill, .coefficients, .blockGradient, .targetGradient, .evaluateDense: self = .gradient
        case .gram, .addProduct, .logits, .selectTop, .sortByKey, .invert, .linkTokens, .touchedItems, .countAbove,
            .projectAndSelect, .hash, .targetRanks:
            self = .select
        }
    }
}
