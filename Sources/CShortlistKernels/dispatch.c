// One table of kernels, chosen once. A table rather than target_clones, which crashes the toolchain's clang under the
// thread sanitizer, and so that tests can run every level.

#include <stdatomic.h>

#include "shortlist_kernels.h"

typedef struct {
    void (*lse_rows)(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, float *, double *, float *,
                     ptrdiff_t);
    void (*softmax_rows)(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, const float *,
                         float *, ptrdiff_t, double *);
    void (*add_column_sums)(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, float *);
    int64_t (*count_above)(const float *, ptrdiff_t, int32_t, float, int32_t);
    void (*mask_met)(float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const int32_t *, ptrdiff_t, const int32_t *,
                     const int32_t *, ptrdiff_t);
    void (*mask_near)(float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const uint16_t *, ptrdiff_t,
                      const uint16_t *, ptrdiff_t, uint16_t);
    float (*dot)(const float *, const float *, ptrdiff_t);
    void (*axpy)(float, const float *, float *, ptrdiff_t);
    void (*widen)(const float *, double *, ptrdiff_t);
    void (*pack_strips)(const float *, ptrdiff_t, const int32_t *, ptrdiff_t, ptrdiff_t, ptrdiff_t, float *);
    void (*multiply_strips)(ptrdiff_t, ptrdiff_t, ptrdiff_t, float, const float *, ptrdiff_t, const float *, float *,
                            ptrdiff_t, sl_ahead *);
    void (*add_product)(ptrdiff_t, ptrdiff_t, ptrdiff_t, float, const float *, ptrdiff_t, ptrdiff_t, const float *,
                        ptrdiff_t, float *, ptrdiff_t, const int32_t *, sl_ahead *);
    void (*project_top)(const sl_top *, const float *, ptrdiff_t, const int32_t *, ptrdiff_t, ptrdiff_t);
    void (*hash_rows)(const float *, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, const int32_t *, ptrdiff_t,
                      ptrdiff_t, float *, int32_t *, int32_t *);
} kernel_table;

#define DECLARE(level)                                                                                              \
    void sl_##level##_lse_rows(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, float *, double *,     \
                               float *, ptrdiff_t);                                                                 \
    void sl_##level##_softmax_rows(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *,     \
                                   const float *, float *, ptrdiff_t, double *);                                    \
    void sl_##level##_add_column_sums(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, float *);                      \
    int64_t sl_##level##_count_above(const float *, ptrdiff_t, int32_t, float, int32_t);                             \
    void sl_##level##_mask_met(float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const int32_t *, ptrdiff_t,     \
                               const int32_t *, const int32_t *, ptrdiff_t);                                        \
    void sl_##level##_mask_near(float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const uint16_t *, ptrdiff_t,   \
                                const uint16_t *, ptrdiff_t, uint16_t);                                             \
    float sl_##level##_dot(const float *, const float *, ptrdiff_t);                                                 \
    void sl_##level##_axpy(float, const float *, float *, ptrdiff_t);                                                \
    void sl_##level##_widen(const float *, double *, ptrdiff_t);                                                     \
    void sl_##level##_pack_strips(const float *, ptrdiff_t, const int32_t *, ptrdiff_t, ptrdiff_t, ptrdiff_t,        \
                                  float *);                                                                         \
    void sl_##level##_multiply_strips(ptrdiff_t, ptrdiff_t, ptrdiff_t, float, const float *, ptrdiff_t,             \
                                      const float *, float *, ptrdiff_t, sl_ahead *);                               \
    void sl_##level##_add_product(ptrdiff_t, ptrdiff_t, ptrdiff_t, float, const float *, ptrdiff_t, ptrdiff_t,      \
                                  const float *, ptrdiff_t, float *, ptrdiff_t, const int32_t *, sl_ahead *);       \
    void sl_##level##_project_top(const sl_top *, const float *, ptrdiff_t, const int32_t *, ptrdiff_t, ptrdiff_t);  \
    void sl_##level##_hash_rows(const float *, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, const int32_t *,      \
                                ptrdiff_t, ptrdiff_t, float *, int32_t *, int32_t *);

#define TABLE(level)                                                                                                \
    {sl_##level##_lse_rows,    sl_##level##_softmax_rows, sl_##level##_add_column_sums, sl_##level##_count_above,     \
     sl_##level##_mask_met,    sl_##level##_mask_near,    sl_##level##_dot,             sl_##level##_axpy,            \
     sl_##level##_widen,       sl_##level##_pack_strips,  sl_##level##_multiply_strips, sl_##level##_add_product,     \
     sl_##level##_project_top, sl_##level##_hash_rows}

DECLARE(baseline)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
static const kernel_table tables[] = {TABLE(baseline), TABLE(avx2), TABLE(avx512)};
#else
static const kernel_table tables[] = {TABLE(baseline)};
#endif

static atomic_int best = -1;

// Of a thread, so that a test that forces a level changes no other's numbers.
static _Thread_local int forced __attribute__((tls_model("initial-exec"))) = -1;

int sl_best_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx512 ? 2 : avx2 ? 1 : 0;
#else
    return 0;
#endif
}

int sl_level(void) {
    if (forced >= 0) return forced;
    int level = atomic_load_explicit(&best, memory_order_relaxed);
    if (level < 0) {  // several threads may find the same answer at once
        level = sl_best_level();
        atomic_store_explicit(&best, level, memory_order_relaxed);
    }
    return level;
}

int sl_force_level(int level) {
    int most = sl_best_level();
    forced = level < 0 ? 0 : level > most ? most : level;
    return forced;
}

#define RUN(name) tables[sl_level()].name

void sl_lse_rows(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, const float *bias, float *max,
                 double *sum, float *kept, ptrdiff_t kept_ld) {
    RUN(lse_rows)(z, ld, rows, cols, bias, max, sum, kept, kept_ld);
}
void sl_softmax_rows(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, const float *bias, const float *lse,
                     const float *coefficient, float *out, ptrdiff_t out_ld, double *row_dot) {
    RUN(softmax_rows)(z, ld, rows, cols, bias, lse, coefficient, out, out_ld, row_dot);
}
void sl_add_column_sums(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, float *out) {
    RUN(add_column_sums)(z, ld, rows, cols, out);
}
int64_t sl_count_above(const float *z, ptrdiff_t n, int32_t first, float target, int32_t target_id) {
    return RUN(count_above)(z, n, first, target, target_id);
}
void sl_mask_met(float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t rounds, const int32_t *places,
                 ptrdiff_t places_ld, const int32_t *first, const int32_t *count, ptrdiff_t token_ld) {
    RUN(mask_met)(z, ld, rows, cols, rounds, places, places_ld, first, count, token_ld);
}
void sl_mask_near(float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t rounds, const uint16_t *chunks,
                  ptrdiff_t chunks_ld, const uint16_t *first, ptrdiff_t first_ld, uint16_t span) {
    RUN(mask_near)(z, ld, rows, cols, rounds, chunks, chunks_ld, first, first_ld, span);
}
float sl_dot(const float *a, const float *b, ptrdiff_t n) { return RUN(dot)(a, b, n); }
void sl_axpy(float a, const float *x, float *y, ptrdiff_t n) { RUN(axpy)(a, x, y, n); }
void sl_widen(const float *x, double *y, ptrdiff_t n) { RUN(widen)(x, y, n); }

void sl_pack_strips(const float *rows, ptrdiff_t stride, const int32_t *ids, ptrdiff_t first, ptrdiff_t count,
                    ptrdiff_t width, float *strips) {
    RUN(pack_strips)(rows, stride, ids, first, count, width, strips);
}
void sl_multiply_strips(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, float alpha, const float *a,
                        ptrdiff_t a_row, const float *strips, float *c, ptrdiff_t c_row, sl_ahead *ahead) {
    RUN(multiply_strips)(rows, columns, depth, alpha, a, a_row, strips, c, c_row, ahead);
}
void sl_add_product(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, float alpha, const float *a, ptrdiff_t a_row,
                    ptrdiff_t a_step, const float *b, ptrdiff_t b_row, float *c, ptrdiff_t c_row, const int32_t *c_ids,
                    sl_ahead *ahead) {
    RUN(add_product)(rows, columns, depth, alpha, a, a_row, a_step, b, b_row, c, c_row, c_ids, ahead);
}
void sl_project_top(const sl_top *top, const float *rows, ptrdiff_t stride, const int32_t *ids, ptrdiff_t first,
                    ptrdiff_t count) {
    RUN(project_top)(top, rows, stride, ids, first, count);
}
void sl_hash_rows(const float *strips, ptrdiff_t directions, ptrdiff_t width, const float *rows, ptrdiff_t stride,
                  const int32_t *ids, ptrdiff_t first, ptrdiff_t count, float *best, int32_t *where, int32_t *keys) {
    RUN(hash_rows)(strips, directions, width, rows, stride, ids, first, count, best, where, keys);
}
