import CShortlist
import Shortlist

@c @implementation
public func shortlist_context_create(
    _ context: UnsafeMutablePointer<OpaquePointer?>!, _ options: UnsafePointer<shortlist_context_options>!
) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (table) throws(ShortlistError) in
            guard let place = try optionalPlace(context, "context") else { throw invalid("context is NULL") }
            let value = try optional(options)
            let made = try Context(try contextOptions(value))
            if let function = value?.should_stop {
                let stop = StopCallback(function: function, userData: value?.stop_user_data)
                made.shouldStop = { stop() }
            }
            place.pointee = try table.insert(ContextObject(Core(made)))
        }
    }
}

private func contextOptions(_ value: shortlist_context_options?) throws(ShortlistError) -> ContextOptions {
    guard let value else { return ContextOptions() }
    try checkReserved(value.reserved, of: "options")
    guard value.threads >= 0 else { throw invalid("options.threads is \(value.threads)") }
    guard value.device >= -1 else { throw invalid("options.device is \(value.device)") }
    guard value.workspace_limit >= 0 else { throw invalid("options.workspace_limit is \(value.workspace_limit)") }
    return ContextOptions(
        backend: value.backend.map { String(cString: $0) },
        device: value.device == -1 ? nil : Int(value.device),
        threads: value.threads == 0 ? nil : Int(value.threads),
        workspaceLimit: value.workspace_limit == 0 ? nil : Int(value.workspace_limit))
}

@c @implementation
public func shortlist_context_release(_ context: OpaquePointer!) -> shortlist_status {
    release(ContextObject.self, context)
}

@c @implementation
public func shortlist_context_get_info(
    _ info: UnsafeMutablePointer<shortlist_context_info>!, _ context: OpaquePointer!
) -> shortlist_status {
    withContext(context) { (object, _) throws(ShortlistError) in
        guard let info = try output(info) else { throw invalid("info is NULL") }
        let made = object.core.context
        var value = shortlist_context_info()
        value.struct_size = info.pointee.struct_size
        value.threads = Int32(clamping: made.threads)
        value.workspace_limit = Int64(made.options.workspaceLimit ?? 0)
        withUnsafeMutableBytes(of: &value.backend) { copyText(made.backend.name, to: $0) }
        withUnsafeMutableBytes(of: &value.device) { copyText(made.backend.device.name, to: $0) }
        withUnsafeMutableBytes(of: &value.reason) { copyText(made.backend.reason, to: $0) }
        info.pointee = value
    }
}

func withContext(
    _ context: OpaquePointer?, _ body: (ContextObject, HandleTable) throws(ShortlistError) -> Void
) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (table) throws(ShortlistError) in
            try table.use(ContextObject.self, context) { (object) throws(ShortlistError) in try body(object, table) }
        }
    }
}

// MARK: Devices

/// One line of the list: a device, or a backend that has none.
private struct DeviceEntry {
    let backend: String
    let device: Device
    let isAvailable: Bool
}

private func deviceEntries() -> [DeviceEntry] {
    BackendRegistry.standard.list().flatMap { listing in
        guard listing.devices.isEmpty else {
            return listing.devices.map { device in
                DeviceEntry(
                    backend: listing.name, device: device,
                    isAvailable: listing.unavailableReason == nil && device.score > 0)
            }
        }
        let reason = listing.unavailableReason ?? "no device"
        return [
            DeviceEntry(
                backend: listing.name, device: Device(name: "", index: -1, score: 0, detail: reason),
                isAvailable: false)
        ]
    }
}

@c @implementation
public func shortlist_device_count(_ count: UnsafeMutablePointer<Int64>!) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (_) throws(ShortlistError) in
            guard let count = try optionalPlace(count, "count") else { throw invalid("count is NULL") }
            count.pointee = Int64(deviceEntries().count)
        }
    }
}

@c @implementation
public func shortlist_device_get_info(
    _ info: UnsafeMutablePointer<shortlist_device_info>!, _ position: Int64
) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (_) throws(ShortlistError) in
            guard let info = try output(info) else { throw invalid("info is NULL") }
            let entries = deviceEntries()
            guard position >= 0, position < entries.count else {
                throw ShortlistError(.indexOutOfRange, "device \(position) of \(entries.count)")
            }
            let entry = entries[Int(position)]
            var value = shortlist_device_info()
            value.struct_size = info.pointee.struct_size
            value.available = entry.isAvailable ? 1 : 0
            value.score = entry.isAvailable ? Int64(entry.device.score) : 0
            value.index = Int32(clamping: entry.device.index)
            withUnsafeMutableBytes(of: &value.backend) { copyText(entry.backend, to: $0) }
            withUnsafeMutableBytes(of: &value.device) { copyText(entry.device.name, to: $0) }
            withUnsafeMutableBytes(of: &value.reason) { copyText(entry.device.detail, to: $0) }
            info.pointee = value
        }
    }
}
