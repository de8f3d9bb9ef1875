/* Top-k and ranks, against sorting all scores. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 23, ITEMS = 307, WIDTH = 5, K = 40 };

/* Small whole numbers: every product and sum is exact, so that the order is exact, ties included. */
typedef struct ranking {
    float queries[QUERIES * WIDTH], items[ITEMS * WIDTH], bias[ITEMS];
    int32_t targets[QUERIES], seen_items[QUERIES * 6], excluded[3];
    int64_t offsets[QUERIES + 1];
    shortlist_query query;
} ranking;

static void make_ranking(ranking *r) {
    uint64_t state = 31;
    const shortlist_query query = SHORTLIST_QUERY_INIT;
    for (int i = 0; i < QUERIES * WIDTH; i++) { r->queries[i] = (float)((int)(uniform(&state) * 7) - 3); }
    for (int i = 0; i < ITEMS * WIDTH; i++) { r->items[i] = (float)((int)(uniform(&state) * 7) - 3); }
    for (int i = 0; i < ITEMS; i++) { r->bias[i] = (float)((int)(uniform(&state) * 5) - 2); }
    r->excluded[0] = 17, r->excluded[1] = 200, r->excluded[2] = 17;
    r->bias[50] = -INFINITY;
    r->offsets[0] = 0;
    for (int q = 0; q < QUERIES; q++) {
        do { r->targets[q] = (int32_t)(uniform(&state) * ITEMS); } while (r->targets[q] == 17 || r->targets[q] == 200 ||
                                                                         r->targets[q] == 50);
        r->offsets[q + 1] = r->offsets[q] + q % 6;
        for (int64_t i = r->offsets[q]; i < r->offsets[q + 1]; i++) {
            r->seen_items[i] = i == r->offsets[q] ? r->targets[q] : (int32_t)(uniform(&state) * ITEMS);
        }
    }
    r->query = query;
    r->query.queries = shortlist_matrix_f32(r->queries, QUERIES, WIDTH);
    r->query.items = shortlist_matrix_f32(r->items, ITEMS, WIDTH);
    r->query.item_bias = r->bias;
    r->query.seen.offsets = r->offsets;
    r->query.seen.items = r->seen_items;
    r->query.seen.list_count = QUERIES;
    r->query.excluded_items = shortlist_indices_i32(r->excluded, 3);
}

static float score(const ranking *r, int q, int item) {
    float product = 0;
    for (int k = 0; k < WIDTH; k++) { product += r->queries[q * WIDTH + k] * r->items[item * WIDTH + k]; }
    return product + r->bias[item];
}

static int left_out(const ranking *r, int q, int item) {
    for (int64_t i = r->offsets[q]; i < r->offsets[q + 1]; i++) {
        if (r->seen_items[i] == item) { return 1; }
    }
    return item == 17 || item == 200 || item == 50;
}

/* Items of query q that are better than `item`, or as good with a lower number. */
static int better(const ranking *r, int q, int item) {
    int count = 0;
    const float own = score(r, q, item);
    for (int other = 0; other < ITEMS; other++) {
        if (other == item || left_out(r, q, other)) { continue; }
        const float theirs = score(r, q, other);
        count += theirs > own || (theirs == own && other < item);
    }
    return count;
}

static void top_k_is_exact_ties_included(void) {
    static ranking r;
    static int32_t ids[QUERIES * ITEMS];
    static float scores[QUERIES * ITEMS];
    shortlist_report report = SHORTLIST_REPORT_INIT;
    make_ranking(&r);
    shortlist_context *context = make_context(2);
    const int64_t ks[] = {1, K, ITEMS};
    for (int i = 0; i < 3; i++) {
        const int64_t k = ks[i];
        memset(ids, 0x5A, sizeof ids);
        CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(ids, scores, context, &r.query, k, &report));
        int wrong = 0;
        for (int q = 0; q < QUERIES; q++) {
            int64_t filled = 0;
            for (int item = 0; item < ITEMS; item++) {
                if (left_out(&r, q, item)) { continue; }
                filled += 1;
                const int place = better(&r, q, item);
                if (place >= k) { continue; }
                wrong += ids[q * k + place] != item || scores[q * k + place] != score(&r, q, item);
            }
            for (int64_t place = filled; place < k; place++) {
                wrong += ids[q * k + place] != -1 || scores[q * k + place] != -INFINITY;
            }
        }
        CHECK(wrong == 0);
        CHECK(report.top_k > 0 && report.top_k <= k);
    }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void ranks_are_exact_ties_included(void) {
    static ranking r;
    int64_t ranks[QUERIES], wide_targets[QUERIES];
    make_ranking(&r);
    shortlist_context *context = make_context(2);
    shortlist_indices targets = shortlist_indices_i32(r.targets, QUERIES);
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    for (int q = 0; q < QUERIES; q++) {
        CHECK(ranks[q] == 1 + better(&r, q, r.targets[q]));
        wide_targets[q] = r.targets[q];
        ranks[q] = 0;
    }
    targets = shortlist_indices_i64(wide_targets, QUERIES);
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    for (int q = 0; q < QUERIES; q++) { CHECK(ranks[q] == 1 + better(&r, q, r.targets[q])); }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void a_catalog_answers_queries_too(void) {
    static ranking r;
    int32_t ids[QUERIES * K], again[QUERIES * K];
    int64_t ranks[QUERIES], ranks_again[QUERIES];
    shortlist_catalog *catalog = NULL;
    make_ranking(&r);
    const shortlist_indices targets = shortlist_indices_i32(r.targets, QUERIES);
    shortlist_context *context = make_context(2);
    CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(ids, NULL, context, &r.query, K, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &r.query.items, r.bias));
    r.query.catalog = catalog;
    r.query.items = (shortlist_matrix)SHORTLIST_MATRIX_NONE;
    r.query.item_bias = NULL;
    CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(again, NULL, context, &r.query, K, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks_again, context, &r.query, &targets, NULL));
    CHECK(memcmp(ids, again, sizeof ids) == 0 && memcmp(ranks, ranks_again, sizeof ranks) == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void no_queries_is_nothing_to_do(void) {
    static ranking r;
    int32_t ids[1] = {77};
    make_ranking(&r);
    shortlist_context *context = make_context(1);
    r.query.queries.rows = 0;
    r.query.seen = (shortlist_lists)SHORTLIST_LISTS_NONE;
    CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(ids, NULL, context, &r.query, 5, NULL));
    CHECK(ids[0] == 77);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void numbers_that_are_not_finite_come_last(void) {
    static ranking r;
    int32_t ids[QUERIES * K];
    int64_t ranks[QUERIES];
    make_ranking(&r);
    const shortlist_indices targets = shortlist_indices_i32(r.targets, QUERIES);
    shortlist_context *context = make_context(2);
    for (int k = 0; k < WIDTH; k++) { r.items[8 * WIDTH + k] = NAN; }
    r.queries[0] = NAN;
    CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(ids, NULL, context, &r.query, K, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    for (int q = 0; q < QUERIES; q++) {
        CHECK(ranks[q] >= 1 && ranks[q] <= ITEMS);
        for (int k = 0; k < K; k++) {
            CHECK(ids[q * K + k] >= -1 && ids[q * K + k] < ITEMS);
            if (q > 0) { CHECK(ids[q * K + k] != 8); }
        }
    }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

#define REFUSED(expected, place, value)                                                                                \
    do {                                                                                                               \
        make_ranking(&r);                                                                                              \
        place = value;                                                                                                 \
        check_about(#place " = " #value);                                                                              \
        memset(ids, 0x5A, sizeof ids);                                                                                 \
        memset(ranks, 0x5A, sizeof ranks);                                                                             \
        CHECK_STATUS(expected, shortlist_top_k(ids, NULL, context, &r.query, K, NULL));                                \
        CHECK_STATUS(expected, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));                      \
        CHECK(ids[0] == 0x5A5A5A5A && ids[QUERIES * K - 1] == 0x5A5A5A5A);                                             \
        CHECK(ranks[0] == INT64_C(0x5A5A5A5A5A5A5A5A));                                                                \
    } while (0)

static void bad_queries_are_refused(void) {
    static ranking r;
    static int32_t ids[QUERIES * K];
    int64_t ranks[QUERIES];
    make_ranking(&r);
    shortlist_indices targets = shortlist_indices_i32(r.targets, QUERIES);
    shortlist_context *context = make_context(1);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.reserved, 1);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.queries.data, NULL);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.queries.columns, 4);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.items.data, NULL);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.items.rows, 0);
    REFUSED(SHORTLIST_UNSUPPORTED, r.query.items.dtype, SHORTLIST_FLOAT16);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.seen.list_count, QUERIES - 1);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.seen.list_count, -1);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.seen.offsets, NULL);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.query.seen.items, NULL);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.offsets[0], 1);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.offsets[4], 1000);
    REFUSED(SHORTLIST_INVALID_ARGUMENT, r.offsets[3], -1);
    REFUSED(SHORTLIST_INDEX_OUT_OF_RANGE, r.seen_items[2], ITEMS);
    REFUSED(SHORTLIST_INDEX_OUT_OF_RANGE, r.seen_items[2], -3);
    REFUSED(SHORTLIST_INDEX_OUT_OF_RANGE, r.excluded[1], ITEMS);
    check_about("");
    make_ranking(&r);
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_top_k(ids, NULL, context, &r.query, -1, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_top_k(ids, NULL, context, &r.query, 0, NULL));
    CHECK_STATUS(SHORTLIST_OVERFLOW, shortlist_top_k(ids, NULL, context, &r.query, INT64_MAX, NULL));
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY,
                 shortlist_top_k((int32_t *)(void *)r.items, NULL, context, &r.query, 2, NULL));
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY,
                 shortlist_top_k(ids, (float *)(void *)ids, context, &r.query, 2, NULL));
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY,
                 shortlist_target_ranks((int64_t *)(void *)r.offsets, context, &r.query, &targets, NULL));
    make_ranking(&r);
    r.targets[3] = ITEMS;
    CHECK_STATUS(SHORTLIST_TARGET_OUT_OF_RANGE, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    r.targets[3] = 17;
    CHECK_STATUS(SHORTLIST_EXCLUDED_TARGET, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    r.targets[3] = 5;
    targets.count -= 1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_target_ranks(ranks, context, &r.query, &targets, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

test_list retrieval_tests(void) {
    static const test tests[] = {
        {"top-k is exact, ties included", top_k_is_exact_ties_included},
        {"ranks are exact, ties included", ranks_are_exact_ties_included},
        {"a catalog answers queries too", a_catalog_answers_queries_too},
        {"no queries is nothing to do", no_queries_is_nothing_to_do},
        {"numbers that are not finite come last", numbers_that_are_not_finite_come_last},
        {"bad queries are refused", bad_queries_are_refused},
    };
    return LIST_OF(tests);
}
