import CShortlist
import Shortlist

// MARK: Version

@c @implementation
public func shortlist_version() -> Int32 {
    SHORTLIST_VERSION_MAJOR * 10000 + SHORTLIST_VERSION_MINOR * 100 + SHORTLIST_VERSION_PATCH
}

@c @implementation
public func shortlist_version_string() -> UnsafePointer<CChar>! { constantText("0.1.0") }

// MARK: Status

@c @implementation
public func shortlist_status_name(_ status: shortlist_status) -> UnsafePointer<CChar>! {
    guard status != 0 else { return constantText("SHORTLIST_OK") }
    guard let code = ShortlistError.Code(rawValue: status) else { return constantText("SHORTLIST_UNKNOWN_STATUS") }
    return switch code {
    case .invalidArgument: constantText("SHORTLIST_INVALID_ARGUMENT")
    case .targetOutOfRange: constantText("SHORTLIST_TARGET_OUT_OF_RANGE")
    case .excludedTarget: constantText("SHORTLIST_EXCLUDED_TARGET")
    case .invalidWeight: constantText("SHORTLIST_INVALID_WEIGHT")
    case .overlappingMemory: constantText("SHORTLIST_OVERLAPPING_MEMORY")
    case .workspaceLimit: constantText("SHORTLIST_WORKSPACE_LIMIT")
    case .outOfMemory: constantText("SHORTLIST_OUT_OF_MEMORY")
    case .roomTooSmall: constantText("SHORTLIST_ROOM_TOO_SMALL")
    case .unsupported: constantText("SHORTLIST_UNSUPPORTED")
    case .backendUnavailable: constantText("SHORTLIST_BACKEND_UNAVAILABLE")
    case .unknownBackend: constantText("SHORTLIST_UNKNOWN_BACKEND")
    case .busy: constantText("SHORTLIST_BUSY")
    case .invalidHandle: constantText("SHORTLIST_INVALID_HANDLE")
    case .forked: constantText("SHORTLIST_FORKED")
    case .cancelled: constantText("SHORTLIST_CANCELLED")
    case .numericalFailure: constantText("SHORTLIST_NUMERICAL_FAILURE")
    case .indexOutOfRange: constantText("SHORTLIST_INDEX_OUT_OF_RANGE")
    case .deviceLost: constantText("SHORTLIST_DEVICE_LOST")
    case .overflow: constantText("SHORTLIST_OVERFLOW")
    case .internalError: constantText("SHORTLIST_INTERNAL_ERROR")
    }
}

@c @implementation
public func shortlist_last_error_message() -> UnsafePointer<CChar>! { LastError.message }

@c @implementation
public func shortlist_last_error_need() -> Int64 { LastError.need }

// MARK: Random numbers

@c @implementation
public func shortlist_philox_block(
    _ result: UnsafeMutablePointer<UInt32>!, _ counter: UnsafePointer<UInt32>!, _ key: UnsafePointer<UInt32>!
) -> shortlist_status {
    status { () throws(ShortlistError) in
        let counter = try array(counter, 4, "counter")
        let key = try array(key, 2, "key")
        let result = try array(result, 4, "result")
        let words = Philox.block(
            counter: SIMD4(counter[0], counter[1], counter[2], counter[3]), key: SIMD2(key[0], key[1]))
        for index in 0..<4 { result[index] = words[index] }
    }
}

@c @implementation
public func shortlist_philox_normal(
    _ draws: UnsafePointer<shortlist_mutable_matrix>!, _ seed: UInt64, _ step: UInt64, _ stream: Int32,
    _ first_row: Int64
) -> shortlist_status {
    status { () throws(ShortlistError) in
        guard let value = try optionalArray(draws, 1, "draws")?.first else { throw invalid("draws is NULL") }
        let target = try matrix(value, "draws")
        guard step < Philox.stepLimit else { throw invalid("step \(step): steps are below 2^56") }
        guard let kind = UInt32(exactly: stream).flatMap(Philox.Stream.init(rawValue:)) else {
            throw invalid("stream \(stream) is not known")
        }
        // Rows are 32 bits of the generator's counter.
        guard first_row >= 0, first_row <= Int64(UInt32.max), Int64(target.rows) <= Int64(UInt32.max) - first_row else {
            throw invalid("rows from \(first_row) on: rows are below 2^32")
        }
        Philox.fillNormal(target, seed: seed, step: step, stream: kind.rawValue, firstRow: Int(first_row))
    }
}
