import Glibc
import ShortlistCore

/// Vectors and matrices: names to the caller; here, where they are and which copy is the newer.
extension VulkanStream {
    func reserve<E: BitwiseCopyable>(_: E.Type, count: Int) throws(ShortlistError) -> Vector<E> {
        let bytes = try count.multiplied(by: MemoryLayout<E>.stride, for: "a vector")
        return Vector(buffer: try opened().reserve(bytes: bytes), offset: 0, count: count)
    }

    func withScratchVectors(_ body: () throws(ShortlistError) -> Void) throws(ShortlistError) {
        try opened().withScratch(body)
    }

    // MARK: Binding. Nothing is copied before a kernel asks.

    private func bind(_ base: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int, _ stride: Int, output: Bool)
        throws(ShortlistError) -> DeviceMatrix
    {
        let host = BoundBuffer.HostMemory(
            base: UnsafeMutableRawPointer(base), rows: rows, rowBytes: columns * 4, stride: stride * 4, owner: nil)
        let id = try opened().add(BoundBuffer(host: host, isOutput: output))
        return DeviceMatrix(buffer: id, offset: 0, rows: rows, columns: columns, rowStride: columns)
    }

    private func bind<E: BitwiseCopyable>(
        _ base: UnsafeMutablePointer<E>?, _ count: Int, output: Bool
    ) throws(ShortlistError) -> Vector<E> {
        guard let base else { return try reserve(E.self, count: 0) }
        let bytes = count * MemoryLayout<E>.stride
        let host = BoundBuffer.HostMemory(
            base: UnsafeMutableRawPointer(base), rows: 1, rowBytes: bytes, stride: bytes, owner: nil)
        let id = try opened().add(BoundBuffer(host: host, isOutput: output))
        return Vector(buffer: id, offset: 0, count: count)
    }

    func bind(_ view: MatrixView) throws(ShortlistError) -> DeviceMatrix {
        try bind(UnsafeMutablePointer(mutating: view.base), view.rows, view.columns, view.rowStride, output: false)
    }

    func bind<E: BitwiseCopyable>(_ values: UnsafeBufferPointer<E>) throws(ShortlistError) -> Vector<E> {
        try bind(UnsafeMutablePointer(mutating: values.baseAddress), values.count, output: false)
    }

    func bindOutput(_ view: MutableMatrixView) throws(ShortlistError) -> DeviceMatrix {
        try bind(view.base, view.rows, view.columns, view.rowStride, output: true)
    }

    func bindOutput<E: BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<E>
    ) throws(ShortlistError) -> Vector<E> {
        try bind(values.baseAddress, values.count, output: true)
    }

    func bind(_ catalog: Catalog) throws(ShortlistError) -> (items: DeviceMatrix, bias: Vector<Float>?) {
        guard let resident = catalog.resident as? ResidentMatrix, resident.device === device else {
            var bias: Vector<Float>?
            if let values = catalog.bias { bias = try bind(values) }
            return (try bind(catalog.items), bias)
        }
        try resident.sendUpdates(through: recorder)
        let workspace = try opened()
        let items = workspace.add(BoundBuffer(resident: resident.items, byteCount: resident.itemBytes))
        var bias: Vector<Float>?
        if let place = resident.bias {
            let id = workspace.add(BoundBuffer(resident: place, byteCount: catalog.itemCount * 4))
            bias = Vector(buffer: id, offset: 0, count: catalog.itemCount)
        }
        return (
            DeviceMatrix(
                buffer: items, offset: 0, rows: catalog.itemCount, columns: catalog.width, rowStride: catalog.width),
            bias
        )
    }

    func makeResident(
        _ items: MatrixView, bias: UnsafeBufferPointer<Float>?
    ) throws(ShortlistError) -> (any ResidentCatalog)? {
        try ResidentMatrix(items, bias: bias, device: device)
    }

    // MARK: The host's side

    func write<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeMutableBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        let buffer = try opened().buffer(vector.buffer)
        if !buffer.hostIsCurrent {
            if buffer.host == nil {
                let memory = try Memory(byteCount: buffer.byteCount, for: "the host's copy of a vector")
                buffer.host = .init(
                    base: memory.base, rows: 1, rowBytes: buffer.byteCount, stride: buffer.byteCount, owner: memory)
            }
            if buffer.deviceIsCurrent { try bringBack(buffer) }
        }
        guard let host = buffer.host, host.isContiguous else {
            throw ShortlistError(.internalError, "a strided matrix was written as a vector")
        }
        buffer.hostIsCurrent = true
        buffer.deviceIsCurrent = false
        let base = host.base.assumingMemoryBound(to: E.self) + vector.offset
        try body(UnsafeMutableBufferPointer(start: base, count: vector.count))
    }

    func read<E: BitwiseCopyable>(
        _ vector: Vector<E>, _ body: (UnsafeBufferPointer<E>) throws(ShortlistError) -> Void
    ) throws(ShortlistError) {
        let buffer = try opened().buffer(vector.buffer)
        if buffer.hostIsCurrent, let host = buffer.host, host.isContiguous {
            let base = host.base.assumingMemoryBound(to: E.self) + vector.offset
            return try body(UnsafeBufferPointer(start: base, count: vector.count))
        }
        let bytes = vector.count * MemoryLayout<E>.stride
        let memory = try Memory(byteCount: bytes, for: "a result")
        if bytes > 0 {
            let place = try self.place(buffer, writes: false)
            let start = DevicePlace(
                buffer: place.buffer, offset: place.offset + vector.offset * MemoryLayout<E>.stride)
            try recorder.download(start, rows: 1, rowBytes: bytes, stride: bytes, to: memory.base)
        }
        try body(UnsafeBufferPointer(start: memory.base.assumingMemoryBound(to: E.self), count: vector.count))
    }

    /// Copies a buffer's contents from the device to its host memory.
    func bringBack(_ buffer: BoundBuffer) throws(ShortlistError) {
        guard let host = buffer.host, let place = buffer.place, buffer.byteCount > 0 else { return }
        try recorder.download(place, rows: host.rows, rowBytes: host.rowBytes, stride: host.stride, to: host.base)
        buffer.hostIsCurrent = true
    }

    // MARK: The device's side

    /// Where a buffer is on the device, brought up to date. With `discards` its old contents are not wanted.
    private func place(
        _ buffer: BoundBuffer, writes: Bool, discards: Bool = false
    ) throws(ShortlistError) -> DevicePlace {
        let place: DevicePlace
        if let known = buffer.place {
            place = known
        } else {
            place = try opened().inputPlace(buffer.byteCount)
            buffer.place = place
        }
        if !buffer.deviceIsCurrent, !discards, buffer.hostIsCurrent, let host = buffer.host {
            try recorder.upload(host.base, rows: host.rows, rowBytes: host.rowBytes, stride: host.stride, to: place)
        }
        buffer.deviceIsCurrent = true
        if writes { buffer.hostIsCurrent = false }
        return place
    }

    /// The address of a vector that a kernel reads.
    func reads<E: BitwiseCopyable>(_ vector: Vector<E>) throws(ShortlistError) -> UInt64 {
        let place = try place(try opened().buffer(vector.buffer), writes: false)
        return noted(place, vector, isWritten: false)
    }

    /// The address of a vector that a kernel reads, 0 for none.
    func reads<E: BitwiseCopyable>(_ vector: Vector<E>?) throws(ShortlistError) -> UInt64 {
        guard let vector else { return 0 }
        return try reads(vector)
    }

    /// The address of a vector that a kernel changes. With `discards`, all of the vector is stored anew.
    func writes<E: BitwiseCopyable>(_ vector: Vector<E>, discards: Bool = false) throws(ShortlistError) -> UInt64 {
        let buffer = try opened().buffer(vector.buffer)
        let whole = discards && vector.count * MemoryLayout<E>.stride == buffer.byteCount
        return noted(try place(buffer, writes: true, discards: whole), vector, isWritten: true)
    }

    func writes<E: BitwiseCopyable>(_ vector: Vector<E>?) throws(ShortlistError) -> UInt64 {
        guard let vector else { return 0 }
        return try writes(vector)
    }

    func reads(_ matrix: DeviceMatrix) throws(ShortlistError) -> UInt64 {
        noted(try place(try opened().buffer(matrix.buffer), writes: false), matrix, isWritten: false)
    }

    func writes(_ matrix: DeviceMatrix, discards: Bool = false) throws(ShortlistError) -> UInt64 {
        let buffer = try opened().buffer(matrix.buffer)
        let whole = discards && matrix.rows * matrix.columns * 4 == buffer.byteCount
        return noted(try place(buffer, writes: true, discards: whole), matrix, isWritten: true)
    }

    func writes(_ matrix: DeviceMatrix?) throws(ShortlistError) -> UInt64 {
        guard let matrix else { return 0 }
        return try writes(matrix)
    }

    /// The address of a vector, told to the recorder, which puts barriers where they are needed.
    private func noted<E: BitwiseCopyable>(_ place: DevicePlace, _ vector: Vector<E>, isWritten: Bool) -> UInt64 {
        let address = place.address + UInt64(vector.offset * MemoryLayout<E>.stride)
        recorder.note(address, bytes: vector.count * MemoryLayout<E>.stride, isWritten: isWritten)
        return address
    }

    private func noted(_ place: DevicePlace, _ matrix: DeviceMatrix, isWritten: Bool) -> UInt64 {
        let address = place.address + UInt64(matrix.offset * 4)
        let elements = matrix.rows == 0 ? 0 : (matrix.rows - 1) * matrix.rowStride + matrix.columns
        recorder.note(address, bytes: elements * 4, isWritten: isWritten)
        return address
    }
}
