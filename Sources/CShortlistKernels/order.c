// Selection and sorting of top-k keys. Keys of one query are distinct (each holds its item's id).

#include <string.h>

#include "shortlist_kernels.h"

float sl_load(const float *shared) {
    float value;
    __atomic_load(shared, &value, __ATOMIC_RELAXED);
    return value;
}

void sl_store(float *shared, float value) { __atomic_store(shared, &value, __ATOMIC_RELAXED); }

static inline void swap(uint64_t *a, uint64_t *b) {
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(uint64_t *keys, ptrdiff_t n) {
    for (ptrdiff_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        ptrdiff_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static void sift_down(uint64_t *keys, ptrdiff_t root, ptrdiff_t n) {
    for (ptrdiff_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && keys[child + 1] > keys[child]) child++;
        if (keys[root] >= keys[child]) return;
        swap(&keys[root], &keys[child]);
    }
}

static void heap_sort(uint64_t *keys, ptrdiff_t n) {
    for (ptrdiff_t i = n / 2; i-- > 0;) sift_down(keys, i, n);
    for (ptrdiff_t i = n; i-- > 1;) {
        swap(&keys[0], &keys[i]);
        sift_down(keys, 0, i);
    }
}

// Moves keys below the median of three to the front, without a branch that depends on a key: half of such branches
// would be mispredicted. Returns how many are below; fewer than n, and 0 where the median is the least. Keys may repeat
// only where the caller's do. n >= 3.
static ptrdiff_t partition(uint64_t *keys, ptrdiff_t n) {
    uint64_t a = keys[0], b = keys[n / 2], c = keys[n - 1];
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    uint64_t pivot = c < low ? low : c > high ? high : c;
    ptrdiff_t below = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        uint64_t key = keys[j];
        keys[j] = keys[below];
        keys[below] = key;
        below += key < pivot;
    }
    return below;
}

static void sort_bounded(uint64_t *keys, ptrdiff_t n, int depth) {
    while (n > 24) {
        if (depth-- == 0) {
            heap_sort(keys, n);
            return;
        }
        ptrdiff_t cut = partition(keys, n);
        if (cut < n - cut) {
            sort_bounded(keys, cut, depth);
            keys += cut;
            n -= cut;
        } else {
            sort_bounded(keys + cut, n - cut, depth);
            n = cut;
        }
    }
    insertion_sort(keys, n);
}

void sl_sort_u64(uint64_t *keys, ptrdiff_t n) {
    int depth = 4;
    for (ptrdiff_t m = n; m > 1; m /= 2) depth += 2;
    sort_bounded(keys, n, depth);
}

uint64_t *sl_radix_sort_u64(uint64_t *keys, uint64_t *scratch, ptrdiff_t n, int bits) {
    uint64_t differ = 0;
    for (ptrdiff_t i = 1; i < n; i++) differ |= keys[i] ^ keys[0];
    // Wide digits pay when keys are many beside them.
    int digit = n < 1024 ? 8 : 11;
    uint32_t starts[1 << 11], mask = (1u << digit) - 1;
    for (int shift = 0; shift < bits; shift += digit) {
        if (bits - shift < digit) mask = (1u << (bits - shift)) - 1;
        if (!(differ >> shift & mask)) continue;
        memset(starts, 0, (mask + 1) * sizeof *starts);
        for (ptrdiff_t i = 0; i < n; i++) starts[keys[i] >> shift & mask]++;
        uint32_t sum = 0;
        for (uint32_t d = 0; d <= mask; d++) {
            uint32_t count = starts[d];
            starts[d] = sum;
            sum += count;
        }
        for (ptrdiff_t i = 0; i < n; i++) scratch[starts[keys[i] >> shift & mask]++] = keys[i];
        uint64_t *sorted = scratch;
        scratch = keys;
        keys = sorted;
    }
    return keys;
}

void sl_select_largest(uint64_t *keys, ptrdiff_t n, ptrdiff_t k) {
    if (k <= 0 || k >= n) return;
    // Looking for the place n - k in ascending order, then the top part is moved to the front.
    ptrdiff_t low = 0, high = n, goal = n - k;
    int depth = 8;
    for (ptrdiff_t m = n; m > 1; m /= 2) depth += 2;
    while (high - low > 24) {
        if (depth-- == 0) {
            heap_sort(keys + low, high - low);
            low = high;
            break;
        }
        ptrdiff_t cut = low + partition(keys + low, high - low);
        if (goal < cut)
            high = cut;
        else
            low = cut;
    }
    if (low < high) insertion_sort(keys + low, high - low);
    for (ptrdiff_t i = 0, j = n - 1; i < k && i < j; i++, j--) swap(&keys[i], &keys[j]);
}

uint64_t sl_top_prune(const sl_top *top, ptrdiff_t query) {
    uint64_t *keys = top->keys + query * top->capacity;
    if (top->k == 0) top->counts[query] = 0;
    if (top->k == 0 || top->counts[query] < top->k) return 0;
    sl_select_largest(keys, top->counts[query], top->k);
    top->counts[query] = top->k;
    uint64_t least = keys[0];
    for (ptrdiff_t i = 1; i < top->k; i++) least = keys[i] < least ? keys[i] : least;
    uint32_t ordered = (uint32_t)(least >> 32);
    if (ordered == 0) return least;  // NaN: nothing is below it
    uint32_t bits = ordered & 0x80000000u ? ordered & 0x7FFFFFFFu : ~ordered;
    float score;
    memcpy(&score, &bits, sizeof score);
    top->thresholds[query] = score;
    if (score > sl_load(top->shared + query)) sl_store(top->shared + query, score);
    return least;
}
