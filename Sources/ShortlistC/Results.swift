import CShortlist
import Glibc
import Shortlist

/// Where the results of a call go that are not arrays.
struct ResultPlaces {
    let loss: UnsafeMutablePointer<Double>?
    let report: UnsafeMutablePointer<shortlist_report>?
    let rowCount: UnsafeMutablePointer<Int64>?

    init(
        loss: UnsafeMutablePointer<Double>? = nil, report: UnsafeMutablePointer<shortlist_report>?,
        rowCount: UnsafeMutablePointer<Int64>? = nil
    ) throws(ShortlistError) {
        self.loss = try optionalPlace(loss, "loss")
        self.report = try output(report)
        self.rowCount = rowCount
    }

    func write(_ result: CallResult) {
        loss?.pointee = result.loss
        rowCount?.pointee = Int64(result.rowsUsed ?? 0)
        write(result.report)
    }

    /// Fields that the caller's version has beyond these stay as they are.
    func write(_ value: Report) {
        guard let report else { return }
        var target = shortlist_report()
        target.struct_size = report.pointee.struct_size
        target.threads = Int32(clamping: value.threads)
        target.tokens_valid = Int64(value.tokensValid)
        target.tokens_counted = Int64(value.tokensCounted)
        target.tokens_non_finite = Int64(value.tokensNonFinite)
        target.distinct_items_touched = Int64(value.distinctItemsTouched)
        target.candidate_logits = Int64(value.candidateLogits)
        target.bucket_count = Int64(value.bucketCount)
        target.tokens_per_bucket = Int64(value.tokensPerBucket)
        target.items_per_bucket = Int64(value.itemsPerBucket)
        target.chunk_count = Int64(value.chunkCount)
        target.neighbour_chunks = Int64(value.neighbourChunks)
        target.rounds = Int64(value.rounds)
        target.top_k = Int64(value.topK)
        target.workspace_planned = Int64(value.workspacePlanned)
        target.workspace_used = Int64(value.workspaceUsed)
        target.workspace_least = Int64(value.workspaceLeast)
        target.bytes_uploaded = Int64(value.bytesUploaded)
        target.bytes_downloaded = Int64(value.bytesDownloaded)
        target.seconds_select = value.seconds.select
        target.seconds_score = value.seconds.score
        target.seconds_combine = value.seconds.combine
        target.seconds_gradient = value.seconds.gradient
        target.seconds_total = value.seconds.total
        target.native_kernels = UInt64(value.nativeKernels.rawValue)
        target.composed_kernels = UInt64(value.composedKernels.rawValue)
        target.notes = UInt64(value.notes.rawValue)
        report.pointee = target
    }

    /// These places against the arrays of the call and each other; the arrays are checked against one another where
    /// their call is.
    func checkOverlap(with outputs: Outputs) throws(ShortlistError) {
        var arrays: [(UnsafeRawPointer?, Int)] = []
        func add(_ pointer: UnsafeRawPointer?, _ bytes: Int) { if pointer != nil { arrays.append((pointer, bytes)) } }
        add(outputs.tokens.losses?.baseAddress, 4 * (outputs.tokens.losses?.count ?? 0))
        add(outputs.tokens.logSumExp?.baseAddress, 4 * (outputs.tokens.logSumExp?.count ?? 0))
        add(outputs.gradients.hidden?.base, outputs.gradients.hidden?.byteExtent ?? 0)
        add(outputs.gradients.scale, 8)
        switch outputs.gradients.catalog {
        case .none: break
        case .dense(let matrix, let bias, _):
            add(matrix?.base, matrix?.byteExtent ?? 0)
            add(bias?.baseAddress, 4 * (bias?.count ?? 0))
        case .rows(let ids, let rows, let bias):
            add(ids.baseAddress, 4 * ids.count)
            add(rows?.base, rows?.byteExtent ?? 0)
            add(bias?.baseAddress, 4 * (bias?.count ?? 0))
        }
        for (pointer, bytes, name) in [
            (UnsafeRawPointer(loss), 8, "loss"), (UnsafeRawPointer(rowCount), 8, "row_count"),
            (UnsafeRawPointer(report), MemoryLayout<shortlist_report>.size, "the report"),
        ] where pointer != nil {
            for (other, otherBytes) in arrays where overlap(pointer, bytes, other, otherBytes) {
                throw ShortlistError(.overlappingMemory, "\(name) overlaps another output")
            }
            arrays.append((pointer, bytes))
        }
    }
}

/// Whether two areas share a byte. Both lie in the address space (`array` checks that).
private func overlap(_ a: UnsafeRawPointer?, _ aBytes: Int, _ b: UnsafeRawPointer?, _ bBytes: Int) -> Bool {
    let (a, b) = (UInt(bitPattern: a), UInt(bitPattern: b))
    return aBytes > 0 && bBytes > 0 && a < b &+ UInt(bBytes) && b < a &+ UInt(aBytes)
}

// MARK: Names in reports

/// The texts of bits as C strings, made once.
private func texts(_ count: Int, _ text: (Int) -> String?) -> [Int] {
    // Addresses rather than pointers, which are not Sendable.
    (0..<count).map { bit in text(bit).map { UInt(bitPattern: strdup($0)) } ?? 0 }.map(Int.init(bitPattern:))
}

private let kernelNames = texts(64) { bit in Kernel(rawValue: bit).map { "\($0)" } }
private let noteTexts = texts(64) { bit in bit < 32 ? Notes(rawValue: 1 << UInt32(bit)).descriptions.first : nil }

private func text(_ bit: Int32, in texts: [Int]) -> UnsafePointer<CChar>? {
    guard bit >= 0, Int(bit) < texts.count else { return nil }
    return UnsafePointer(bitPattern: texts[Int(bit)])
}

@c @implementation
public func shortlist_kernel_name(_ bit: Int32) -> UnsafePointer<CChar>! { text(bit, in: kernelNames) }

@c @implementation
public func shortlist_note_text(_ bit: Int32) -> UnsafePointer<CChar>! { text(bit, in: noteTexts) }
