import Foundation

/// `value` with a fixed number of decimals.
public func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
}

/// 1234567 as 1,234,567.
public func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

/// Bytes in units a person reads: 12.3 MB is 12,300,000 bytes.
public func readable(bytes: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    return "\(unit == 0 ? String(bytes) : fixed(value, value < 100 ? 1 : 0)) \(units[unit])"
}

/// 75 as 1m 15s.
public func readable(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 360_000 else { return "?" }
    let whole = Int(seconds.rounded())
    return whole < 60 ? "\(whole)s" : "\(whole / 60)m \(whole % 60)s"
}
