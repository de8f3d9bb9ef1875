import Foundation

/// Copies of `value`, each with one number or truth value in it changed, however deep it lies.
public func copiesWithOneChange<Value: Codable>(of value: Value) throws -> [Value] {
    func variants(_ object: [String: Any]) -> [[String: Any]] {
        object.flatMap { key, value -> [[String: Any]] in
            var copy = object
            switch value {
            case let inner as [String: Any]:
                return variants(inner).map {
                    copy[key] = $0
                    return copy
                }
            case let number as NSNumber:
                let isTruth = String(cString: number.objCType) == "c"
                copy[key] = isTruth ? !number.boolValue : (number.doubleValue == 0 ? 1 : 0) as Any
            default: return []
            }
            return [copy]
        }
    }
    guard let whole = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any] else {
        throw NotAnObject()
    }
    return try variants(whole).map {
        try JSONDecoder().decode(Value.self, from: JSONSerialization.data(withJSONObject: $0))
    }
}

private struct NotAnObject: Error, CustomStringConvertible {
    var description: String { "settings that are not an object in JSON" }
}
