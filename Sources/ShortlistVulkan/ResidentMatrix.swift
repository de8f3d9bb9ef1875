import ShortlistCore
import Synchronization

/// A catalog's items and bias on the device. Changes are sent, rows gathered in runs, when a call next binds it.
final class ResidentMatrix: ResidentCatalog, @unchecked Sendable {
    // Sendable: constants, and notes of changes behind a lock; the caller's memory is read inside calls alone.
    let device: VulkanDevice
    let items: DevicePlace
    let bias: DevicePlace?
    let itemBytes: Int
    private let view: MatrixView
    private let biasValues: UnsafeBufferPointer<Float>?

    private struct Changes {
        var all = true
        var rows: Set<Int> = []
    }
    private let changes = Mutex(Changes())

    init(
        _ view: MatrixView, bias values: UnsafeBufferPointer<Float>?, device: VulkanDevice
    ) throws(ShortlistError) {
        self.device = device
        self.view = view
        biasValues = values
        itemBytes = try view.rows.multiplied(by: view.columns, for: "the catalog").multiplied(by: 4, for: "the catalog")
        try device.checkAlive()
        func make(_ bytes: Int) throws(ShortlistError) -> DevicePlace {
            guard let buffer = device.pool.take(bytes) else {
                throw ShortlistError(
                    .outOfMemory, "\(device.info.nameText) has no room for a catalog of \(bytes) bytes")
            }
            return DevicePlace(buffer: buffer, offset: 0)
        }
        items = try make(itemBytes)
        bias = values == nil ? nil : try make(view.rows * 4)
    }

    func update() throws(ShortlistError) {
        try device.checkAlive()
        changes.withLock { $0.all = true }
    }

    func update(row: Int) throws(ShortlistError) {
        try device.checkAlive()
        changes.withLock { changes in
            if !changes.all { changes.rows.insert(row) }
        }
    }

    /// Brings the copy up to date. A failed upload is made again by the next call.
    func sendUpdates(through recorder: Recorder) throws(ShortlistError) {
        let pending = changes.withLock { changes in
            defer { changes = Changes(all: false) }
            return changes
        }
        do throws(ShortlistError) {
            if pending.all {
                try send(0..<view.rows, through: recorder)
            } else {
                var run: Range<Int>?
                for row in pending.rows.sorted() {
                    if let open = run, open.upperBound == row {
                        run = open.lowerBound..<row + 1
                    } else {
                        if let run { try send(run, through: recorder) }
                        run = row..<row + 1
                    }
                }
                if let run { try send(run, through: recorder) }
            }
        } catch {
            changes.withLock { $0.all = true }
            throw error
        }
    }

    private func send(_ rows: Range<Int>, through recorder: Recorder) throws(ShortlistError) {
        let rowBytes = view.columns * 4
        try recorder.upload(
            view.row(rows.lowerBound), rows: rows.count, rowBytes: rowBytes, stride: view.rowStride * 4,
            to: DevicePlace(buffer: items.buffer, offset: items.offset + rows.lowerBound * rowBytes))
        if let bias, let base = biasValues?.baseAddress {
            try recorder.upload(
                base + rows.lowerBound, rows: 1, rowBytes: rows.count * 4, stride: rows.count * 4,
                to: DevicePlace(buffer: bias.buffer, offset: bias.offset + rows.lowerBound * 4))
        }
    }
}
