/* Options of the losses: bad ones are refused, and no number traps. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sets one option, expects a status, sets it back. */
#define WITH_OPTION(kind, expected, place, bad)                                                                        \
    do {                                                                                                               \
        const typeof_##kind kept = f.kind;                                                                             \
        f.kind.place = bad;                                                                                            \
        check_about(#kind "." #place " = " #bad);                                                                      \
        CHECK_STATUS(expected, run(KIND_##kind, &f, context, &outputs));                                               \
        CHECK(fixture_untouched(&f));                                                                                  \
        f.kind = kept;                                                                                                 \
    } while (0)

typedef shortlist_cross_entropy_options typeof_cross_entropy;
typedef shortlist_sce_options typeof_sce;
typedef shortlist_rece_options typeof_rece;
typedef shortlist_given_candidates_options typeof_given;
enum { KIND_cross_entropy = CROSS_ENTROPY, KIND_sce = SCE, KIND_rece = RECE, KIND_given = GIVEN };

static void bad_options_of_losses_are_refused(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(2);
    shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    static float directions[10 * 6];
    const shortlist_matrix ten = shortlist_matrix_f32(directions, 10, 6);

    WITH_OPTION(cross_entropy, SHORTLIST_INVALID_ARGUMENT, reserved, 1);

    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, reserved, 1);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, directions, 3);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, directions, -1);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, combination, 2);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, combination, -1);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, bucket_count, -1);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, tokens_per_bucket, -1);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, items_per_bucket, INT64_MIN);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, step, UINT64_C(1) << 56);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, given_directions, ten); /* without GIVEN */
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, directions, SHORTLIST_DIRECTIONS_GIVEN); /* without any */
    f.sce.directions = SHORTLIST_DIRECTIONS_GIVEN;
    f.sce.given_directions = ten;
    f.sce.bucket_count = 10;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    fixture_fill(&f);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, bucket_count, 9);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, given_directions.columns, 5);
    WITH_OPTION(sce, SHORTLIST_INVALID_ARGUMENT, given_directions.row_stride, 4);
    WITH_OPTION(sce, SHORTLIST_UNSUPPORTED, given_directions.dtype, SHORTLIST_FLOAT16);

    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, directions, SHORTLIST_DIRECTIONS_MIX);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, directions, 9);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, bucket_count, -1);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, chunk_count, -1);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, neighbour_chunks, -1);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, rounds, 0);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, rounds, -1);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, step, UINT64_MAX);
    f.rece.directions = SHORTLIST_DIRECTIONS_GIVEN;
    f.rece.given_directions = ten;
    f.rece.bucket_count = 5;
    CHECK_STATUS(SHORTLIST_OK, run(RECE, &f, context, NULL));
    fixture_fill(&f);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, bucket_count, 4);
    WITH_OPTION(rece, SHORTLIST_INVALID_ARGUMENT, given_directions.columns, 7);

    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, combination, 2);
    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, block_count, -1);
    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, token_offsets, NULL);
    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, tokens, NULL);
    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, item_offsets, NULL);
    WITH_OPTION(given, SHORTLIST_INVALID_ARGUMENT, items, NULL);
    check_about("");
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void options_of_any_size_never_trap(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context_options limited = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context *context = NULL;
    limited.threads = 2;
    limited.workspace_limit = INT64_C(1) << 28; /* a system may promise memory that it does not have */
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &limited));
    const int64_t sizes[] = {1, 2, 61, 1000, INT32_MAX, INT64_C(1) << 40, INT64_MAX / 8, INT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int place = 0; place < 8; place++) {
            fixture_fill(&f);
            shortlist_sce_options sce = f.sce;
            shortlist_rece_options rece = f.rece;
            int64_t *const places[] = {&f.sce.bucket_count,    &f.sce.tokens_per_bucket, &f.sce.items_per_bucket,
                                       &f.rece.bucket_count,   &f.rece.chunk_count,      &f.rece.neighbour_chunks,
                                       &f.rece.rounds,         &f.rece.rounds};
            /* what is not capped and honest work in a large size is left out */
            const int uncapped = place == 0 || place == 3 || place >= 5;
            if (uncapped && sizes[i] > 1000 && sizes[i] < (INT64_C(1) << 40)) { continue; }
            *places[place] = sizes[i];
            const shortlist_status status = run(place < 3 ? SCE : RECE, &f, context, NULL);
            CHECK(status == SHORTLIST_OK || status == SHORTLIST_OVERFLOW || status == SHORTLIST_WORKSPACE_LIMIT ||
                  status == SHORTLIST_INVALID_ARGUMENT || status == SHORTLIST_UNSUPPORTED);
            if (!uncapped) { CHECK(status == SHORTLIST_OK); }
            if (status != SHORTLIST_OK) { CHECK(fixture_untouched(&f)); }
            f.sce = sce;
            f.rece = rece;
        }
    }
    /* any numbers together, with the doubles of the batch */
    const int64_t wild[] = {0, 0, 0, 1, 2, 7, 61, 90, -1, INT32_MAX, INT64_C(1) << 40, INT64_MAX / 8, INT64_MAX,
                            INT64_MAX - 1, INT64_MIN};
    const double scales[] = {1, 1, 1e-3, 1e30, 1e-30, 1e300, 0, -1, NAN, INFINITY};
    const shortlist_sce_options sce = f.sce;
    const shortlist_rece_options rece = f.rece;
    uint64_t state = 99;
    for (int i = 0; i < 800; i++) {
        int64_t any[7];
        for (int a = 0; a < 7; a++) { any[a] = wild[(size_t)(uniform(&state) * (sizeof wild / sizeof *wild))]; }
        f.sce.bucket_count = any[0], f.sce.tokens_per_bucket = any[1], f.sce.items_per_bucket = any[2];
        f.sce.combination = i % 2;
        f.sce.directions = i % 4 / 2;
        f.rece.bucket_count = any[3], f.rece.chunk_count = any[4], f.rece.neighbour_chunks = any[5];
        f.rece.rounds = any[6];
        f.batch.scale = scales[(size_t)(uniform(&state) * (sizeof scales / sizeof *scales))];
        f.batch.denominator = uniform(&state) < 0.8 ? 0 : f.batch.scale;
        fixture_fill(&f);
        const shortlist_outputs outputs = fixture_outputs(&f, 1 + i % 3);
        const shortlist_status status = run(i % 8 < 4 ? SCE : RECE, &f, context, &outputs);
        if (status != SHORTLIST_OK) { CHECK(fixture_untouched(&f)); }
        CHECK(status != SHORTLIST_INTERNAL_ERROR && status >= SHORTLIST_OVERFLOW);
    }
    f.sce = sce, f.rece = rece;
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void bad_blocks_are_refused(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(2);
    shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    int64_t tokens[] = {0, 2, 3}, items[] = {0, 3, 5};
    int32_t token_ids[] = {0, 1, 1}, item_ids[] = {5, 4, 5, 0, 60};
    uint8_t flags[] = {0, 1};
    float log_weights[] = {0, -1, 0, 0, 1};
    f.given.block_count = 2;
    f.given.token_offsets = tokens;
    f.given.item_offsets = items;
    f.given.tokens = token_ids;
    f.given.items = item_ids;
    f.given.contributes_to_catalog_gradient = flags;
    f.given.log_weights = log_weights;
    CHECK_STATUS(SHORTLIST_OK, run(GIVEN, &f, context, &outputs));
    CHECK(f.report.tokens_counted == 2);

#define BAD_BLOCK(expected, place, value)                                                                              \
    do {                                                                                                               \
        const int64_t kept = place;                                                                                    \
        place = value;                                                                                                 \
        check_about(#place " = " #value);                                                                              \
        fixture_fill(&f);                                                                                              \
        CHECK_STATUS(expected, run(GIVEN, &f, context, &outputs));                                                     \
        CHECK(fixture_untouched(&f));                                                                                  \
        place = kept;                                                                                                  \
    } while (0)

    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, tokens[0], 1);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, tokens[0], -1);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, tokens[1], 4);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, tokens[1], INT64_MIN);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, items[0], 1);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, items[1], 6);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, items[2], -5);
    BAD_BLOCK(SHORTLIST_INDEX_OUT_OF_RANGE, token_ids[2], 24);
    BAD_BLOCK(SHORTLIST_INDEX_OUT_OF_RANGE, token_ids[0], -1);
    BAD_BLOCK(SHORTLIST_INDEX_OUT_OF_RANGE, item_ids[4], 61);
    BAD_BLOCK(SHORTLIST_INDEX_OUT_OF_RANGE, item_ids[1], INT32_MIN);
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, token_ids[1], 0); /* twice in a block */
    BAD_BLOCK(SHORTLIST_INVALID_ARGUMENT, flags[1], 2);
#undef BAD_BLOCK

    check_about("");
    CHECK_STATUS(SHORTLIST_OK, run(GIVEN, &f, context, &outputs));
    /* no blocks at all: no token counts */
    f.given.block_count = 0;
    f.given.token_offsets = f.given.item_offsets = NULL;
    f.given.tokens = f.given.items = NULL;
    f.given.contributes_to_catalog_gradient = NULL;
    f.given.log_weights = NULL;
    CHECK_STATUS(SHORTLIST_OK, run(GIVEN, &f, context, &outputs));
    CHECK(f.loss == 0 && f.report.tokens_counted == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

test_list option_tests(void) {
    static const test tests[] = {
        {"bad options of losses are refused", bad_options_of_losses_are_refused},
        {"options of any size never trap", options_of_any_size_never_trap},
        {"bad blocks are refused", bad_blocks_are_refused},
    };
    return LIST_OF(tests);
}
