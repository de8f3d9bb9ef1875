/// The 256 characters by which GPT-2's vocabulary spells bytes: printable Latin-1 stands for itself, every other byte
/// for a character from U+0100 on, so that no token holds a blank or a control character (a space is "Ġ").
enum ByteAlphabet {
    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var others: UInt32 = 0x100
        return (0..<256).map { (byte: UInt32) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)!
            default:
                defer { others += 1 }
                return Unicode.Scalar(others)!
            }
        }
    }()

    private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
        uniqueKeysWithValues: zip(scalars, UInt8.min...UInt8.max))

    /// How a vocabulary spells `bytes`.
    static func spelling(_ bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(scalars[Int(byte)]) }
        return String(text)
    }

    /// The bytes that `token` spells; nil when a character of it is outside the alphabet.
    static func bytes(of token: String) -> [UInt8]? {
        var found: [UInt8] = []
        found.reserveCapacity(token.utf8.count)
        for scalar in token.unicodeScalars {
            guard let byte = bytes[scalar] else { return nil }
            found.append(byte)
        }
        return found
    }
}
