import COpenBLAS

/// The products of large tiles; those of blocks are our own (tiles.inc). Each runs on the thread that calls it: OpenBLAS
/// rounds differently when it splits a product, and the backend splits work itself.
enum BLAS {
    /// Set once, when the first CPU stream is made; the thread count of OpenBLAS is process-wide.
    static let prepared: Void = openblas_set_num_threads(1)

    /// The processor that OpenBLAS chose its kernels for.
    static var coreName: String { String(cString: openblas_get_corename()) }

    /// c (m × n) = alpha · a (m × k) · bᵀ (n × k) + beta · c
    static func multiplyTransposed(
        _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float = 0, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b,
            blasint(ldb), beta, c, blasint(ldc))
    }

    /// c (m × n) = alpha · aᵀ (k × m) · b (k × n) + beta · c
    static func transposedMultiply(
        _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float = 0, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b,
            blasint(ldb), beta, c, blasint(ldc))
    }

    /// c (n × n, upper triangle) += aᵀ a for a (k × n), in Double.
    static func addGram(
        _ n: Int, _ k: Int, _ a: UnsafePointer<Double>, _ lda: Int, _ c: UnsafeMutablePointer<Double>
    ) {
        cblas_dsyrk(
            CblasRowMajor, CblasUpper, CblasTrans, blasint(n), blasint(k), 1, a, blasint(lda), 1, c, blasint(n))
    }
}
