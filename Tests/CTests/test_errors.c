/* Bad input: each gives its status, and no output is touched. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One way to spoil a batch (and its outputs), and what must come back. */
typedef struct spoiler {
    const char *what;
    shortlist_status expected;
    void (*spoil)(fixture *f, shortlist_outputs *outputs);
} spoiler;

static const int32_t one_excluded[] = {2};

#define SPOIL(name, statements)                                                                                        \
    static void name(fixture *f, shortlist_outputs *outputs) {                                                         \
        (void)f, (void)outputs;                                                                                        \
        statements                                                                                                     \
    }

SPOIL(hidden_null, f->batch.hidden.data = NULL;)
SPOIL(hidden_negative_rows, f->batch.hidden.rows = -1;)
SPOIL(hidden_negative_columns, f->batch.hidden.columns = -6;)
SPOIL(hidden_other_width, f->batch.hidden.columns -= 1;)
SPOIL(hidden_short_stride, f->batch.hidden.row_stride = f->width - 1;)
SPOIL(hidden_negative_stride, f->batch.hidden.row_stride = -f->width;)
SPOIL(hidden_no_dtype, f->batch.hidden.dtype = 0;)
SPOIL(hidden_f16, f->batch.hidden.dtype = SHORTLIST_FLOAT16;)
SPOIL(hidden_bf16, f->batch.hidden.dtype = SHORTLIST_BFLOAT16;)
SPOIL(hidden_int, f->batch.hidden.dtype = SHORTLIST_INT32;)
SPOIL(hidden_reserved, f->batch.hidden.reserved = 1;)
SPOIL(hidden_misaligned, f->batch.hidden.data = (const char *)f->hidden + 2;)
SPOIL(hidden_huge_rows, f->batch.hidden.rows = INT64_MAX / 2; f->batch.targets.count = INT64_MAX / 2;)
SPOIL(hidden_huge_stride, f->batch.hidden.row_stride = INT64_MAX;)
SPOIL(items_null, f->batch.items.data = NULL;)
SPOIL(items_none, f->batch.items = (shortlist_matrix)SHORTLIST_MATRIX_NONE;)
SPOIL(items_empty, f->batch.items.rows = 0;)
SPOIL(items_f16, f->batch.items.dtype = SHORTLIST_FLOAT16;)
SPOIL(items_misaligned, f->batch.items.data = (const char *)f->item_vectors + 1;)
SPOIL(items_beyond_int32, f->batch.items.rows = INT64_C(1) << 32;)
SPOIL(items_huge, f->batch.items.rows = INT64_MAX; f->batch.items.row_stride = INT64_MAX;)
SPOIL(bias_misaligned, f->batch.item_bias = (const float *)(const void *)((const char *)f->bias + 2);)
SPOIL(targets_null, f->batch.targets.data = NULL;)
SPOIL(targets_few, f->batch.targets.count -= 1;)
SPOIL(targets_negative_count, f->batch.targets.count = -1;)
SPOIL(targets_float, f->batch.targets.dtype = SHORTLIST_FLOAT32;)
SPOIL(targets_misaligned, f->batch.targets.data = (const char *)f->targets + 2;)
SPOIL(targets_reserved, f->batch.targets.reserved = 5;)
SPOIL(target_of_c, f->targets[7] = (int32_t)f->items;)
SPOIL(target_negative, f->targets[0] = -1;)
SPOIL(target_minimum, f->targets[19] = INT32_MIN;)
SPOIL(target_not_ignored, f->targets[3] = -100; f->batch.ignore_index = -101; f->batch.use_ignore_index = 1;)
SPOIL(ignore_off, f->targets[3] = -100; f->batch.ignore_index = -100; f->batch.use_ignore_index = 0;)
SPOIL(ignore_flag, f->batch.use_ignore_index = 2;)
SPOIL(wide_target, f->targets64[4] = INT64_C(1) << 40;
      f->batch.targets = shortlist_indices_i64(f->targets64, f->tokens);)
SPOIL(excluded_target, f->targets[1] = 2; f->batch.excluded_items = shortlist_indices_i32(one_excluded, 1);)
SPOIL(bias_excluded_target, f->targets[1] = 2; f->bias[2] = -INFINITY; f->batch.item_bias = f->bias;)
SPOIL(excluded_out_of_range, static const int32_t bad[] = {1 << 20};
      f->batch.excluded_items = shortlist_indices_i32(bad, 1);)
SPOIL(excluded_negative, static const int32_t bad[] = {-1}; f->batch.excluded_items = shortlist_indices_i32(bad, 1);)
SPOIL(excluded_wide, static const int64_t wide[] = {1}; f->batch.excluded_items = shortlist_indices_i64(wide, 1);)
SPOIL(excluded_null, f->batch.excluded_items = shortlist_indices_i32(NULL, 3);)
SPOIL(weight_negative, f->weights[5] = -0.5f; f->batch.weights = f->weights;)
SPOIL(weight_nan, f->weights[5] = NAN; f->batch.weights = f->weights;)
SPOIL(weight_misaligned, f->batch.weights = (const float *)(const void *)((const char *)f->weights + 1);)
SPOIL(scale_zero, f->batch.scale = 0;)
SPOIL(scale_negative, f->batch.scale = -1;)
SPOIL(scale_nan, f->batch.scale = NAN;)
SPOIL(scale_underflows, f->batch.scale = 1e-300;)
SPOIL(denominator_negative, f->batch.denominator = -1;)
SPOIL(denominator_nan, f->batch.denominator = NAN;)
SPOIL(reduction_unknown, f->batch.reduction = 3;)
SPOIL(reduction_negative, f->batch.reduction = -1;)
SPOIL(batch_reserved, f->batch.reserved = 1;)

SPOIL(hidden_gradient_shape, outputs->hidden_gradient.rows -= 1;)
SPOIL(hidden_gradient_width, outputs->hidden_gradient.columns -= 1;)
SPOIL(hidden_gradient_f16, outputs->hidden_gradient.dtype = SHORTLIST_FLOAT16;)
SPOIL(hidden_gradient_misaligned, outputs->hidden_gradient.data = (char *)f->hidden_gradient + 1;)
SPOIL(hidden_gradient_is_hidden, outputs->hidden_gradient.data = f->hidden;)
SPOIL(hidden_gradient_is_items, outputs->hidden_gradient.data = f->item_vectors + 3;)
SPOIL(catalog_gradient_shape, outputs->catalog_gradient.rows += 1;)
SPOIL(catalog_gradient_is_items, outputs->catalog_gradient.data = f->item_vectors;)
SPOIL(catalog_gradient_is_hidden_gradient, outputs->catalog_gradient.data = f->hidden_gradient;)
SPOIL(catalog_gradient_missing, outputs->catalog_gradient = (shortlist_mutable_matrix)SHORTLIST_MATRIX_NONE;
      outputs->bias_gradient = NULL;)
SPOIL(catalog_gradient_without_mode, outputs->catalog_mode = SHORTLIST_CATALOG_GRADIENT_NONE;)
SPOIL(catalog_mode_unknown, outputs->catalog_mode = 4;)
SPOIL(catalog_mode_negative, outputs->catalog_mode = -1;)
SPOIL(bias_gradient_is_bias, f->batch.item_bias = f->bias; outputs->bias_gradient = f->bias;)
SPOIL(bias_gradient_in_catalog_gradient, outputs->bias_gradient = f->catalog_gradient + 5;)
SPOIL(bias_gradient_misaligned, outputs->bias_gradient = (float *)(void *)((char *)f->bias_gradient + 2);)
SPOIL(losses_are_log_sum_exp, outputs->token_losses = f->log_sum_exp;)
SPOIL(losses_are_weights, f->batch.weights = f->weights; outputs->token_losses = f->weights;)
SPOIL(losses_are_targets, outputs->token_losses = (float *)(void *)f->targets;)
SPOIL(losses_misaligned, outputs->token_losses = (float *)(void *)((char *)f->token_losses + 3);)
SPOIL(scale_gradient_is_losses, outputs->scale_gradient = (double *)(void *)f->token_losses;)
SPOIL(upstream_vector_for_mean, outputs->token_upstream = f->upstream;)
SPOIL(upstream_missing, f->batch.reduction = SHORTLIST_REDUCTION_NONE; outputs->token_upstream = NULL;)
SPOIL(upstream_misaligned, f->batch.reduction = SHORTLIST_REDUCTION_NONE;
      outputs->token_upstream = (float *)(void *)((char *)f->upstream + 2);)
SPOIL(rows_without_ids, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS); outputs->row_ids = NULL;)
SPOIL(rows_without_count, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS); outputs->row_count = NULL;)
SPOIL(rows_negative_room, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS); outputs->row_capacity = -1;)
SPOIL(rows_huge_room, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
      outputs->row_capacity = INT64_MAX;)
SPOIL(rows_ids_in_rows, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
      outputs->row_ids = (int32_t *)(void *)f->catalog_gradient;)
SPOIL(rows_one_short, *outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS); outputs->row_capacity = 1;
      outputs->catalog_gradient.rows = 1;)

static const spoiler spoilers[] = {
    {"hidden is NULL", SHORTLIST_INVALID_ARGUMENT, hidden_null},
    {"hidden has negative rows", SHORTLIST_INVALID_ARGUMENT, hidden_negative_rows},
    {"hidden has negative columns", SHORTLIST_INVALID_ARGUMENT, hidden_negative_columns},
    {"hidden has another width than the items", SHORTLIST_INVALID_ARGUMENT, hidden_other_width},
    {"hidden has a stride below its columns", SHORTLIST_INVALID_ARGUMENT, hidden_short_stride},
    {"hidden has a negative stride", SHORTLIST_INVALID_ARGUMENT, hidden_negative_stride},
    {"hidden has no dtype", SHORTLIST_INVALID_ARGUMENT, hidden_no_dtype},
    {"hidden is float16", SHORTLIST_UNSUPPORTED, hidden_f16},
    {"hidden is bfloat16", SHORTLIST_UNSUPPORTED, hidden_bf16},
    {"hidden is int32", SHORTLIST_INVALID_ARGUMENT, hidden_int},
    {"hidden has reserved bits", SHORTLIST_INVALID_ARGUMENT, hidden_reserved},
    {"hidden is misaligned", SHORTLIST_INVALID_ARGUMENT, hidden_misaligned},
    {"hidden is beyond 63 bits", SHORTLIST_OVERFLOW, hidden_huge_rows},
    {"hidden has a stride beyond 63 bits", SHORTLIST_OVERFLOW, hidden_huge_stride},
    {"items are NULL", SHORTLIST_INVALID_ARGUMENT, items_null},
    {"there are no items", SHORTLIST_INVALID_ARGUMENT, items_none},
    {"the catalog is empty", SHORTLIST_INVALID_ARGUMENT, items_empty},
    {"items are float16", SHORTLIST_UNSUPPORTED, items_f16},
    {"items are misaligned", SHORTLIST_INVALID_ARGUMENT, items_misaligned},
    {"items are too many for 32 bits", SHORTLIST_UNSUPPORTED, items_beyond_int32},
    {"items are beyond 63 bits", SHORTLIST_OVERFLOW, items_huge},
    {"the bias is misaligned", SHORTLIST_INVALID_ARGUMENT, bias_misaligned},
    {"targets are NULL", SHORTLIST_INVALID_ARGUMENT, targets_null},
    {"a target is missing", SHORTLIST_INVALID_ARGUMENT, targets_few},
    {"the number of targets is negative", SHORTLIST_INVALID_ARGUMENT, targets_negative_count},
    {"targets are floats", SHORTLIST_INVALID_ARGUMENT, targets_float},
    {"targets are misaligned", SHORTLIST_INVALID_ARGUMENT, targets_misaligned},
    {"targets have reserved bits", SHORTLIST_INVALID_ARGUMENT, targets_reserved},
    {"a target is C", SHORTLIST_TARGET_OUT_OF_RANGE, target_of_c},
    {"a target is -1", SHORTLIST_TARGET_OUT_OF_RANGE, target_negative},
    {"a target is the least int", SHORTLIST_TARGET_OUT_OF_RANGE, target_minimum},
    {"a target is not the ignore index", SHORTLIST_TARGET_OUT_OF_RANGE, target_not_ignored},
    {"the ignore index is off", SHORTLIST_TARGET_OUT_OF_RANGE, ignore_off},
    {"the ignore flag is 2", SHORTLIST_INVALID_ARGUMENT, ignore_flag},
    {"a 64-bit target is beyond 32 bits", SHORTLIST_TARGET_OUT_OF_RANGE, wide_target},
    {"a target is excluded", SHORTLIST_EXCLUDED_TARGET, excluded_target},
    {"a target has a bias of minus infinity", SHORTLIST_EXCLUDED_TARGET, bias_excluded_target},
    {"an excluded item is out of range", SHORTLIST_INDEX_OUT_OF_RANGE, excluded_out_of_range},
    {"an excluded item is negative", SHORTLIST_INDEX_OUT_OF_RANGE, excluded_negative},
    {"excluded items are int64", SHORTLIST_UNSUPPORTED, excluded_wide},
    {"excluded items are NULL", SHORTLIST_INVALID_ARGUMENT, excluded_null},
    {"a weight is negative", SHORTLIST_INVALID_WEIGHT, weight_negative},
    {"a weight is NaN", SHORTLIST_INVALID_WEIGHT, weight_nan},
    {"weights are misaligned", SHORTLIST_INVALID_ARGUMENT, weight_misaligned},
    {"the scale is 0", SHORTLIST_INVALID_WEIGHT, scale_zero},
    {"the scale is negative", SHORTLIST_INVALID_WEIGHT, scale_negative},
    {"the scale is NaN", SHORTLIST_INVALID_WEIGHT, scale_nan},
    {"the scale is 0 as a float", SHORTLIST_INVALID_WEIGHT, scale_underflows},
    {"the denominator is negative", SHORTLIST_INVALID_WEIGHT, denominator_negative},
    {"the denominator is NaN", SHORTLIST_INVALID_WEIGHT, denominator_nan},
    {"the reduction is 3", SHORTLIST_INVALID_ARGUMENT, reduction_unknown},
    {"the reduction is -1", SHORTLIST_INVALID_ARGUMENT, reduction_negative},
    {"the batch has reserved bits", SHORTLIST_INVALID_ARGUMENT, batch_reserved},
    {"the hidden gradient has a row too few", SHORTLIST_INVALID_ARGUMENT, hidden_gradient_shape},
    {"the hidden gradient has another width", SHORTLIST_INVALID_ARGUMENT, hidden_gradient_width},
    {"the hidden gradient is float16", SHORTLIST_UNSUPPORTED, hidden_gradient_f16},
    {"the hidden gradient is misaligned", SHORTLIST_INVALID_ARGUMENT, hidden_gradient_misaligned},
    {"the hidden gradient is the hidden states", SHORTLIST_OVERLAPPING_MEMORY, hidden_gradient_is_hidden},
    {"the hidden gradient lies in the items", SHORTLIST_OVERLAPPING_MEMORY, hidden_gradient_is_items},
    {"the catalog gradient has a row too many", SHORTLIST_INVALID_ARGUMENT, catalog_gradient_shape},
    {"the catalog gradient is the catalog", SHORTLIST_OVERLAPPING_MEMORY, catalog_gradient_is_items},
    {"the catalog gradient is the hidden gradient", SHORTLIST_OVERLAPPING_MEMORY, catalog_gradient_is_hidden_gradient},
    {"the catalog gradient is nowhere", SHORTLIST_INVALID_ARGUMENT, catalog_gradient_missing},
    {"the catalog gradient has no mode", SHORTLIST_INVALID_ARGUMENT, catalog_gradient_without_mode},
    {"the catalog mode is 4", SHORTLIST_INVALID_ARGUMENT, catalog_mode_unknown},
    {"the catalog mode is -1", SHORTLIST_INVALID_ARGUMENT, catalog_mode_negative},
    {"the bias gradient is the bias", SHORTLIST_OVERLAPPING_MEMORY, bias_gradient_is_bias},
    {"the bias gradient lies in the catalog gradient", SHORTLIST_OVERLAPPING_MEMORY, bias_gradient_in_catalog_gradient},
    {"the bias gradient is misaligned", SHORTLIST_INVALID_ARGUMENT, bias_gradient_misaligned},
    {"losses and log-sum-exp are one", SHORTLIST_OVERLAPPING_MEMORY, losses_are_log_sum_exp},
    {"losses go over the weights", SHORTLIST_OVERLAPPING_MEMORY, losses_are_weights},
    {"losses go over the targets", SHORTLIST_OVERLAPPING_MEMORY, losses_are_targets},
    {"losses are misaligned", SHORTLIST_INVALID_ARGUMENT, losses_misaligned},
    {"the scale gradient goes over the losses", SHORTLIST_OVERLAPPING_MEMORY, scale_gradient_is_losses},
    {"an upstream vector goes with MEAN", SHORTLIST_INVALID_ARGUMENT, upstream_vector_for_mean},
    {"NONE has no upstream vector", SHORTLIST_INVALID_ARGUMENT, upstream_missing},
    {"the upstream vector is misaligned", SHORTLIST_INVALID_ARGUMENT, upstream_misaligned},
    {"ROWS has no ids", SHORTLIST_INVALID_ARGUMENT, rows_without_ids},
    {"ROWS has no count", SHORTLIST_INVALID_ARGUMENT, rows_without_count},
    {"ROWS has a negative room", SHORTLIST_INVALID_ARGUMENT, rows_negative_room},
    {"ROWS says more room than it has rows", SHORTLIST_INVALID_ARGUMENT, rows_huge_room},
    {"ROWS has its ids in its rows", SHORTLIST_OVERLAPPING_MEMORY, rows_ids_in_rows},
    {"ROWS has room for one", SHORTLIST_ROOM_TOO_SMALL, rows_one_short},
};

/* Bytes of the inputs that an overlapping output could have spoilt. */
static uint64_t inputs_hash(const fixture *f) {
    uint64_t hash = 1469598103934665603u;
    const unsigned char *areas[] = {(const unsigned char *)f->hidden, (const unsigned char *)f->item_vectors,
                                    (const unsigned char *)f->weights, (const unsigned char *)f->targets,
                                    (const unsigned char *)f->bias};
    const int64_t sizes[] = {f->tokens * f->width * 4, f->items * f->width * 4, f->tokens * 4, f->tokens * 4,
                             f->items * 4};
    for (int a = 0; a < 5; a++) {
        for (int64_t i = 0; i < sizes[a]; i++) { hash = (hash ^ areas[a][i]) * 1099511628211u; }
    }
    return hash;
}

static void bad_batches_and_outputs_are_refused_and_nothing_is_written(void) {
    shortlist_context *context = make_context(2);
    for (size_t s = 0; s < sizeof spoilers / sizeof *spoilers; s++) {
        for (int kind = 0; kind < LOSS_COUNT; kind++) {
            fixture f;
            fixture_make(&f, 24, 61, 6, 77);
            for (int i = 0; i < 24; i++) { f.targets[i] = f.targets[i] == 2 ? 5 : f.targets[i]; }
            shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
            char about[120];
            snprintf(about, sizeof about, "%s, %s", loss_names[kind], spoilers[s].what);
            check_about(about);
            spoilers[s].spoil(&f, &outputs);
            const uint64_t inputs = inputs_hash(&f);
            CHECK_STATUS(spoilers[s].expected, run(kind, &f, context, &outputs));
            CHECK(fixture_untouched(&f));
            CHECK(inputs == inputs_hash(&f));
            CHECK((shortlist_last_error_need() > 0) == (spoilers[s].expected == SHORTLIST_ROOM_TOO_SMALL));
            fixture_free(&f);
        }
    }
    /* after all of that the context works */
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    check_about("");
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    fixture_free(&f);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void the_first_bad_target_is_named(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(1);
    f.targets[7] = 6161;
    f.targets[12] = -4;
    CHECK_STATUS(SHORTLIST_TARGET_OUT_OF_RANGE, run(CROSS_ENTROPY, &f, context, NULL));
    CHECK(strstr(shortlist_last_error_message(), "7") != NULL);
    CHECK(strstr(shortlist_last_error_message(), "6161") != NULL);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void a_batch_names_its_catalog_once(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(1);
    shortlist_catalog *catalog = NULL;
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &f.batch.items, NULL));
    f.batch.catalog = catalog;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, run(SCE, &f, context, NULL)); /* and items */
    f.batch.items = (shortlist_matrix)SHORTLIST_MATRIX_NONE;
    f.batch.item_bias = f.bias;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, run(SCE, &f, context, NULL)); /* and a bias */
    f.batch.item_bias = NULL;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void bad_context_options_are_refused(void) {
    shortlist_context *context = NULL;
    const shortlist_context_options good = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context_options options = good;
    options.backend = "abacus";
    CHECK_STATUS(SHORTLIST_UNKNOWN_BACKEND, shortlist_context_create(&context, &options));
    CHECK(strstr(shortlist_last_error_message(), "abacus") != NULL);
    options.backend = "";
    CHECK_STATUS(SHORTLIST_UNKNOWN_BACKEND, shortlist_context_create(&context, &options));
    options.backend = "\xff\xfe not UTF-8";
    CHECK_STATUS(SHORTLIST_UNKNOWN_BACKEND, shortlist_context_create(&context, &options));
    options = good;
    options.backend = "cpu";
    options.device = 99;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options.device = -2;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options = good;
    options.device = 0; /* of which backend? */
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options = good;
    options.threads = -1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options.threads = INT32_MAX;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options = good;
    options.workspace_limit = -1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    options = good;
    options.reserved = 1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(&context, &options));
    CHECK(context == NULL);
}

static void bad_catalogs_are_refused(void) {
    fixture f;
    fixture_make(&f, 4, 10, 6, 77);
    shortlist_context *context = make_context(1);
    shortlist_catalog *catalog = NULL;
    shortlist_matrix items = f.batch.items;
    items.rows = 0;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_create(&catalog, context, &items, NULL));
    items = f.batch.items;
    items.columns = 0;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_create(&catalog, context, &items, NULL));
    items = f.batch.items;
    items.dtype = SHORTLIST_BFLOAT16;
    CHECK_STATUS(SHORTLIST_UNSUPPORTED, shortlist_catalog_create(&catalog, context, &items, NULL));
    items = f.batch.items;
    items.rows = INT64_MAX;
    CHECK_STATUS(SHORTLIST_OVERFLOW, shortlist_catalog_create(&catalog, context, &items, NULL));
    CHECK(catalog == NULL);
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &f.batch.items, f.bias));
    const int32_t bad[] = {3, 10};
    shortlist_indices rows = shortlist_indices_i32(bad, 2);
    CHECK_STATUS(SHORTLIST_INDEX_OUT_OF_RANGE, shortlist_catalog_update_rows(catalog, &rows));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_update_rows(catalog, NULL));
    rows.count = -1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_update_rows(catalog, &rows));
    rows.count = 0;
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_update_rows(catalog, &rows));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void results_may_not_share_memory(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(1);
    shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    const uint64_t inputs = inputs_hash(&f);
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY,
                 shortlist_sce(&f.scale_gradient, context, NULL, &f.batch, &outputs, &f.report));
    double *const taken[] = {(double *)(void *)&f.row_count, (double *)(void *)f.hidden_gradient};
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY, shortlist_sce(taken[0], context, NULL, &f.batch, &outputs, &f.report));
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY, shortlist_sce(taken[1], context, NULL, &f.batch, &outputs, &f.report));
    outputs.row_count = (int64_t *)(void *)&f.report.tokens_valid;
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY, shortlist_sce(&f.loss, context, NULL, &f.batch, &outputs, &f.report));
    CHECK(fixture_untouched(&f) && inputs == inputs_hash(&f));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void forward_and_backward_refuse_what_is_not_theirs(void) {
    fixture f;
    fixture_make(&f, 24, 61, 6, 77);
    shortlist_context *context = make_context(1);
    shortlist_state *state = NULL;
    shortlist_outputs all = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, run_forward(kind, &f, context, &all, &state));
        CHECK(state == NULL);
        CHECK(fixture_untouched(&f));
    }
    CHECK_STATUS(SHORTLIST_OK, run_forward(SCE, &f, context, NULL, &state));
    fixture_fill(&f);
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_backward(state, &all, NULL));
    all.token_losses = all.log_sum_exp = NULL;
    all.catalog_gradient.rows -= 1;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_backward(state, &all, NULL));
    all.catalog_gradient.rows += 1;
    all.hidden_gradient.data = f.hidden;
    CHECK_STATUS(SHORTLIST_OVERLAPPING_MEMORY, shortlist_backward(state, &all, NULL));
    all = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    all.token_losses = all.log_sum_exp = NULL;
    all.row_capacity = all.catalog_gradient.rows = 2;
    CHECK_STATUS(SHORTLIST_ROOM_TOO_SMALL, shortlist_backward(state, &all, &f.report));
    const int64_t need = shortlist_last_error_need();
    CHECK(need > 2);
    CHECK(fixture_untouched(&f));
    all.row_capacity = all.catalog_gradient.rows = need;
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &all, &f.report));
    CHECK(f.row_count == need);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

test_list error_tests(void) {
    static const test tests[] = {
        {"bad batches and outputs are refused and nothing is written",
         bad_batches_and_outputs_are_refused_and_nothing_is_written},
        {"the first bad target is named", the_first_bad_target_is_named},
        {"a batch names its catalog once", a_batch_names_its_catalog_once},
        {"bad context options are refused", bad_context_options_are_refused},
        {"bad catalogs are refused", bad_catalogs_are_refused},
        {"results may not share memory", results_may_not_share_memory},
        {"forward and backward refuse what is not theirs", forward_and_backward_refuse_what_is_not_theirs},
    };
    return LIST_OF(tests);
}
