import CBLAS

/// Matrix products, each on the thread that calls it: work is split between threads by sequences, not inside products,
/// so that results do not depend on the number of threads.
public enum Products {
    /// OpenBLAS's thread count is process-wide; the library sets the same.
    private static let prepared: Void = openblas_set_num_threads(1)

    /// c (m × n) = alpha · a (m × k) · bᵀ (b is n × k) + beta · c
    public static func timesTransposed(
        _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float = 0, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        _ = prepared
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b,
            blasint(ldb), beta, c, blasint(ldc))
    }

    /// c (m × n) = alpha · a (m × k) · b (k × n) + beta · c
    public static func times(
        _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float = 0, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        _ = prepared
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b,
            blasint(ldb), beta, c, blasint(ldc))
    }

    /// c (m × n) = alpha · aᵀ (a is k × m) · b (k × n) + beta · c
    public static func transposedTimes(
        _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float = 0, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        _ = prepared
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b,
            blasint(ldb), beta, c, blasint(ldc))
    }
}
