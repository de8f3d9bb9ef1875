// The inner loops over logits that need SIMD, with run-time dispatch. Everything else of the CPU backend is Swift.
//
// Conventions: z is a tile of logits, `rows` x `cols`, consecutive rows `ld` floats apart. A logit that must not be
// seen (an own target, a pair that an earlier block holds) is SL_MASKED; a bias of -infinity or SL_MASKED hides its
// column. A logit that is not finite and not masked turns its row's sum into NaN, so that nothing hides it. Rows of z
// and `bias` are read, and rows of z written, to the end of their last 16 numbers: ld is at least that, and what lies
// past the last column is nobody's.
// All functions are reentrant; none allocates.
#pragma once

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_MASKED (-FLT_MAX)

/// Folds the tile into running log-sum-exps: max[i] (SL_MASKED for none) and sum[i] = sum of exp(z - max[i]).
/// `bias` (cols, may be null) is added to every row. `kept` (may be null; rows kept_ld apart, whole vectors, aligned to
/// 64 bytes) gets z as it is, past the caches: it is far larger than they are, and wanted later, by any thread.
void sl_lse_rows(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, const float *bias, float *max,
                 double *sum, float *kept, ptrdiff_t kept_ld);

/// out[i][j] = coefficient[i] * exp(z + bias - lse[i]), 0 where masked or where coefficient[i] is 0. `out`, with rows
/// out_ld apart, may be z. `row_dot` (rows, may be null) += sum over the row of out times z (bias not in it).
void sl_softmax_rows(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, const float *bias, const float *lse,
                     const float *coefficient, float *out, ptrdiff_t out_ld, double *row_dot);

/// out[j] += sum of column j.
void sl_add_column_sums(const float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, float *out);

/// Reorders keys so that the k largest come first (in any order). k <= n.
void sl_select_largest(uint64_t *keys, ptrdiff_t n, ptrdiff_t k);

/// Parts of the rows, for a projection that learns its first thresholds from a sample.
enum { SL_ALL_ROWS, SL_SAMPLED_ROWS, SL_OTHER_ROWS };

/// One row in 16 is sampled: the sample's row i is one of 16 * i ..< 16 * i + 16, chosen by i alone, so that rows in
/// clusters or with a period do not mislead.
enum { SL_SAMPLED_ONE_IN = 16 };
static inline ptrdiff_t sl_sampled_row(ptrdiff_t i) {
    return i * SL_SAMPLED_ONE_IN + (ptrdiff_t)((uint32_t)i * 0x9E3779B1u >> 28);
}
/// The row at a place of a part: the sample has rows / 16 places, the rest the others, ascending.
static inline ptrdiff_t sl_row_of_part(int part, ptrdiff_t rows, ptrdiff_t place) {
    if (part == SL_ALL_ROWS) return place;
    if (part == SL_SAMPLED_ROWS) return sl_sampled_row(place);
    ptrdiff_t run = place / (SL_SAMPLED_ONE_IN - 1), sampled = rows / SL_SAMPLED_ONE_IN;
    if (run >= sampled) return place + sampled;
    return place + run + (place + run >= sl_sampled_row(run));
}

/// The running k best of `queries` queries of `width` numbers, as one worker keeps them. Arrays by query have room for
/// a multiple of 32.
typedef struct {
    const float *strips;  ///< The queries, packed by sl_pack_strips.
    ptrdiff_t queries, width;
    ptrdiff_t rows;       ///< All rows, of which `part` is meant.
    int part;             ///< SL_ALL_ROWS or another.
    uint64_t *keys;       ///< queries x capacity top-k keys.
    ptrdiff_t *counts;
    float *thresholds;    ///< Scores below one cannot be among its query's k best.
    float *shared;        ///< The highest threshold that any worker has found, by query: a bound for all.
    ptrdiff_t capacity, limit, k;  ///< k < limit <= capacity: with `limit` keys a query's are cut back to the k best.
    const float *bias;    ///< By row, added to its scores; may be null, like the four that follow.
    const int32_t *excluded;  ///< Ascending rows that no query keeps.
    ptrdiff_t excluded_count;
    const ptrdiff_t *own_offsets;  ///< queries + 1 places in `own`: ascending rows that a query does not keep.
    const int32_t *own;
} sl_top;

/// Packs rows first ..< first + count (row i is at `rows` + stride * (ids ? ids[i] : i)) into strips of 32 columns or
/// fewer, a divisor of 32: room for ceil(count / 32) * 32 * width floats. What lies past the last row is 0. Strips of
/// the rows from any multiple of 32 on begin at that row's number times width.
void sl_pack_strips(const float *rows, ptrdiff_t stride, const int32_t *ids, ptrdiff_t first, ptrdiff_t count,
                    ptrdiff_t width, float *strips);

/// Rows that will be wanted soon, `width` numbers at rows + stride * ids[i]. A product that is given them asks the memory
/// for those of done ..< count a few at a time as it goes, and counts `done` up.
typedef struct {
    const float *rows;
    ptrdiff_t stride, width;
    const uint16_t *beside;  ///< Not null: also what is at beside + beside_stride * ids[i], within a cache line.
    ptrdiff_t beside_stride;
    const int32_t *ids;
    ptrdiff_t count, done;
} sl_ahead;

/// c (rows x columns, rows c_row apart) = alpha * a * b^T for a tile whose `columns` rows of b are packed in strips.
/// Whole vectors of c are written: c_row is at least columns rounded up to 16. `ahead` may be null.
void sl_multiply_strips(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, float alpha, const float *a,
                        ptrdiff_t a_row, const float *strips, float *c, ptrdiff_t c_row, sl_ahead *ahead);

/// c[at(i) * c_row + j] += alpha * sum over k < depth of a[i * a_row + k * a_step] * b[k * b_row + j], for a tile, with
/// at(i) = c_ids[i], distinct, or i where c_ids is null. A row of b is read to the end of its last 16 numbers, whatever
/// they are. `ahead` may be null.
void sl_add_product(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, float alpha, const float *a, ptrdiff_t a_row,
                    ptrdiff_t a_step, const float *b, ptrdiff_t b_row, float *c, ptrdiff_t c_row, const int32_t *c_ids,
                    sl_ahead *ahead);

/// Scores the rows at places first ..< first + count of the part (found as above) against all queries and appends those
/// that may be among the k best under their number among all rows.
void sl_project_top(const sl_top *top, const float *rows, ptrdiff_t stride, const int32_t *ids, ptrdiff_t first,
                    ptrdiff_t count);
/// Keeps a query's k best and raises its thresholds to the k-th, whose key is returned; 0 where there are fewer.
uint64_t sl_top_prune(const sl_top *top, ptrdiff_t query);

/// keys[i] = the direction with the largest product with row first + i, the lowest on a tie, NaN below everything.
/// `best` and `where` are scratch of 16 * count, with count rounded up to 12.
void sl_hash_rows(const float *strips, ptrdiff_t directions, ptrdiff_t width, const float *rows, ptrdiff_t stride,
                  const int32_t *ids, ptrdiff_t first, ptrdiff_t count, float *best, int32_t *where, int32_t *keys);

/// A float that several threads read and write, each value as good as another: no order is promised.
float sl_load(const float *shared);
void sl_store(float *shared, float value);

/// Ascending, in place.
void sl_sort_u64(uint64_t *keys, ptrdiff_t n);
/// Ascending by the lowest `bits` bits, and stable: in `keys` or in `scratch`, of n numbers each; returns which.
uint64_t *sl_radix_sort_u64(uint64_t *keys, uint64_t *scratch, ptrdiff_t n, int bits);

/// How many of z (ids first, first + 1, ...) stand above a target: a greater value, or an equal one and a lower id.
int64_t sl_count_above(const float *z, ptrdiff_t n, int32_t first, float target, int32_t target_id);

/// z[i][j] = SL_MASKED where 0 <= places[t * places_ld + j] - first[t * token_ld + i] < count[t * token_ld + i] for one
/// of the t < rounds: row i met column j in an earlier round. Rows of `places` are read as those of z are.
void sl_mask_met(float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t rounds, const int32_t *places,
                 ptrdiff_t places_ld, const int32_t *first, const int32_t *count, ptrdiff_t token_ld);

/// The same in numbers of two bytes: z[i][j] = SL_MASKED where chunks[t * chunks_ld + j] - first[i * first_ld + t], wrapped
/// around 2^16, is at most span for one of the t < rounds. Rows of z are read and written, and rows of `chunks` read, to
/// the end of their last 32 numbers.
void sl_mask_near(float *z, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t rounds, const uint16_t *chunks,
                  ptrdiff_t chunks_ld, const uint16_t *first, ptrdiff_t first_ld, uint16_t span);

float sl_dot(const float *a, const float *b, ptrdiff_t n);
/// y += a * x
void sl_axpy(float a, const float *x, float *y, ptrdiff_t n);
void sl_widen(const float *x, double *y, ptrdiff_t n);

/// 0 baseline, 1 AVX2 + FMA, 2 AVX-512: what runs now, and the best that this processor has.
int sl_level(void);
int sl_best_level(void);
/// For tests: the calling thread, and worker pools that it makes, run the given level from now on, clipped to
/// sl_best_level(). Returns the level that runs.
int sl_force_level(int level);

/// Cores that this process may run on.
int sl_core_count(void);

#ifdef __cplusplus
}
#endif
