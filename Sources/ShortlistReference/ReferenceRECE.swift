/// RECE's selection (arXiv 2408.02354), to be combined as a `union`.
///
/// In each round every valid token and every selectable item gets the key `argmax_k ⟨r_k, v⟩` (ties to the lower k).
/// Each side is put in order of (key, index) and cut into `n_c` chunks, chunk c of M things holding the places
/// `⌊c·M/n_c⌋ ..< ⌊(c+1)·M/n_c⌋`. Token chunk c sees the item chunks c − n_ec … c + n_ec that exist.
/// Excluded items, items of bias −∞ and ignored tokens are not sorted at all: M counts what is left.
///
/// - Parameters:
///   - directions: R, one set of n_b rows of d numbers for each round.
///   - chunkCount: n_c, capped at the smaller of the two M (but never below 1).
///   - neighbourChunks: n_ec ≥ 0.
/// - Returns: rounds × n_c blocks, round after round. A block is a token chunk and the items it sees.
public func selectRECE(
    _ problem: ReferenceProblem, directions: [[[Double]]], chunkCount: Int, neighbourChunks: Int
) -> [ReferenceBlock] {
    let tokens = problem.validTokens
    let items = problem.selectableItems
    let chunks = max(1, min(chunkCount, tokens.count, items.count))
    var blocks: [ReferenceBlock] = []
    for round in directions {
        let sortedTokens = sorted(tokens, byHashWith: round, vector: problem.token)
        let sortedItems = sorted(items, byHashWith: round, vector: problem.item)
        for c in 0..<chunks {
            let first = max(0, c - neighbourChunks)
            let last = min(chunks - 1, c + neighbourChunks)
            let tokenPlaces = cut(c, of: tokens.count, into: chunks)..<cut(c + 1, of: tokens.count, into: chunks)
            let itemPlaces = cut(first, of: items.count, into: chunks)..<cut(last + 1, of: items.count, into: chunks)
            blocks.append(
                ReferenceBlock(
                    tokens: sortedTokens[tokenPlaces].sorted(), items: sortedItems[itemPlaces].sorted()))
        }
    }
    return blocks
}

/// RECE's sizes when the caller names none: n_b = max(1, ⌊√(4·(1 + 2n_ec)·min(n, C))⌋), n_c = n_b capped at min(n, M).
///
/// C counts all rows of the catalog here, M the selectable ones: capping (or shrinking) n_b would change the hashes.
public func defaultRECESizes(
    _ problem: ReferenceProblem, neighbourChunks: Int = 1
) -> (bucketCount: Int, chunkCount: Int) {
    let n = problem.validTokens.count
    let buckets = max(1, floorOfSquareRoot(4 * (1 + 2 * neighbourChunks) * min(n, problem.itemCount)))
    return (buckets, max(1, min(buckets, n, problem.selectableItems.count)))
}

/// Where chunk c of M things begins.
private func cut(_ c: Int, of count: Int, into chunks: Int) -> Int { c * count / chunks }

/// `indices` in order of (hash of its vector, index).
private func sorted(
    _ indices: [Int], byHashWith directions: [[Double]], vector: (Int) -> [Double]
) -> [Int] {
    let keys = indices.map { index in
        let v = vector(index)
        return ReferenceKernels.argmax(directions.map { dot($0, v) }, rows: 1, columns: directions.count)[0]
    }
    return ReferenceKernels.stableSort(byKey: keys).map { indices[$0] }
}
