/// In-place ascending heap sort: the standard library's sort allocates, and what is sorted here can be large.
package func sortInPlace<E: Comparable & BitwiseCopyable>(_ values: UnsafeMutableBufferPointer<E>) {
    guard let base = values.baseAddress else { return }
    func siftDown(_ start: Int, _ end: Int) {
        var root = start
        while 2 * root + 1 < end {
            var child = 2 * root + 1
            if child + 1 < end && base[child] < base[child + 1] { child += 1 }
            guard base[root] < base[child] else { return }
            (base[root], base[child]) = (base[child], base[root])
            root = child
        }
    }
    var ascending = true
    for index in 1..<max(values.count, 1) where base[index] < base[index - 1] {
        ascending = false
        break
    }
    if ascending { return }
    for start in stride(from: values.count / 2 - 1, through: 0, by: -1) { siftDown(start, values.count) }
    for end in stride(from: values.count - 1, to: 0, by: -1) {
        (base[0], base[end]) = (base[end], base[0])
        siftDown(0, end)
    }
}
