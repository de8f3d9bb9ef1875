/* Losses and gradients through the C interface. That the numbers are right is the conformance suite's business (and
 * examples/python's); here one small case is computed by hand, and the ways to ask for the same thing must agree. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static shortlist_outputs gradients_only(fixture *f, int32_t mode) {
    shortlist_outputs outputs = fixture_outputs(f, mode);
    outputs.token_losses = outputs.log_sum_exp = NULL;
    return outputs;
}

/* ---- against a computation by hand ---- */

enum { N = 37, C = 211, D = 13 };

typedef struct by_hand {
    double loss, scale_gradient, log_sum_exp[N], token_losses[N], hidden[N][D], items[C][D], bias[C];
} by_hand;

/* Exact cross-entropy in double, as it is defined. */
static void cross_entropy_by_hand(const fixture *f, double upstream, by_hand *r) {
    const double s = f->batch.scale;
    double weight_sum = 0;
    static double z[C];
    memset(r, 0, sizeof *r);
    for (int i = 0; i < N; i++) { weight_sum += f->targets[i] == -7 ? 0 : f->weights[i]; }
    for (int i = 0; i < N; i++) {
        const int t = f->targets[i];
        if (t == -7) { continue; }
        double sum = 0;
        for (int j = 0; j < C; j++) {
            double product = 0;
            for (int k = 0; k < D; k++) { product += (double)f->hidden[i * D + k] * f->item_vectors[j * D + k]; }
            z[j] = j == 3 ? -INFINITY : s * product + f->bias[j]; /* item 3 is excluded */
            sum += exp(z[j]);
        }
        const double g = upstream * f->weights[i] / weight_sum;
        r->log_sum_exp[i] = log(sum);
        r->token_losses[i] = log(sum) - z[t];
        r->loss += f->weights[i] * r->token_losses[i] / weight_sum;
        for (int j = 0; j < C; j++) {
            const double p = g * (exp(z[j]) / sum - (j == t));
            if (j == 3) { continue; }
            r->bias[j] += p;
            r->scale_gradient += p * (z[j] - f->bias[j]) / s;
            for (int k = 0; k < D; k++) {
                r->hidden[i][k] += s * p * f->item_vectors[j * D + k];
                r->items[j][k] += s * p * f->hidden[i * D + k];
            }
        }
    }
}

static double largest_difference(const double *expected, const float *actual, int count) {
    double largest = 0;
    for (int i = 0; i < count; i++) {
        const double difference = fabs(expected[i] - (double)actual[i]);
        if (!(difference <= largest)) { largest = difference; }
    }
    return largest;
}

static void exact_cross_entropy_is_right(void) {
    static by_hand expected;
    static const int32_t excluded[] = {3};
    fixture f;
    fixture_make(&f, N, C, D, 4);
    for (int i = 0; i < N; i++) { f.targets[i] = f.targets[i] == 3 ? 4 : f.targets[i]; }
    f.targets[5] = f.targets[20] = -7;
    f.batch.ignore_index = -7;
    f.batch.use_ignore_index = 1;
    f.batch.item_bias = f.bias;
    f.batch.weights = f.weights;
    f.batch.scale = 0.5;
    f.batch.excluded_items = shortlist_indices_i32(excluded, 1);
    cross_entropy_by_hand(&f, 1.5, &expected);
    shortlist_context *context = make_context(2);
    shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    outputs.upstream = 1.5;
    CHECK_STATUS(SHORTLIST_OK, run(CROSS_ENTROPY, &f, context, &outputs));
    CHECK_NEAR(expected.loss, f.loss, 1e-5);
    CHECK_NEAR(expected.scale_gradient, f.scale_gradient, 1e-5);
    CHECK(largest_difference(expected.token_losses, f.token_losses, N) < 1e-5);
    CHECK(largest_difference(expected.log_sum_exp, f.log_sum_exp, N) < 1e-5);
    CHECK(largest_difference(&expected.hidden[0][0], f.hidden_gradient, N * D) < 1e-6);
    CHECK(largest_difference(&expected.items[0][0], f.catalog_gradient, C * D) < 1e-6);
    CHECK(largest_difference(expected.bias, f.bias_gradient, C) < 1e-6);
    CHECK(f.report.tokens_valid == N - 2 && f.report.tokens_counted == N - 2 && f.report.tokens_non_finite == 0);
    CHECK(f.report.threads >= 1 && f.report.threads <= 2 && f.report.seconds_total > 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

/* ---- the same asked for in two ways ---- */

/* Runs `body` for every loss with a batch that has everything, once for each reduction. */
static void for_every_loss(void (*body)(int kind, fixture *f, shortlist_context *context)) {
    static const int32_t excluded[] = {3, 80};
    shortlist_context *context = make_context(2);
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        for (int32_t reduction = SHORTLIST_REDUCTION_MEAN; reduction <= SHORTLIST_REDUCTION_NONE; reduction++) {
            fixture f;
            fixture_make(&f, 61, 157, 10, 100 + (uint64_t)kind);
            for (int i = 0; i < 61; i++) {
                if (f.targets[i] == 3 || f.targets[i] == 80) { f.targets[i] = 4; }
                if (i % 9 == 2) { f.targets[i] = -100; }
                f.targets64[i] = f.targets[i];
            }
            f.batch.use_ignore_index = 1;
            f.batch.reduction = reduction;
            f.batch.item_bias = f.bias;
            f.batch.weights = f.weights;
            f.batch.scale = 0.7;
            f.batch.excluded_items = shortlist_indices_i32(excluded, 2);
            check_about(loss_names[kind]);
            body(kind, &f, context);
            fixture_free(&f);
        }
    }
    check_about("");
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void two_phases_once(int kind, fixture *f, shortlist_context *context) {
    for (int32_t mode = SHORTLIST_CATALOG_GRADIENT_NONE; mode <= SHORTLIST_CATALOG_GRADIENT_ROWS; mode++) {
        shortlist_state *state = NULL;
        shortlist_outputs outputs = fixture_outputs(f, mode), tokens = SHORTLIST_OUTPUTS_INIT;
        shortlist_outputs gradients = gradients_only(f, mode);
        tokens.token_losses = f->token_losses;
        tokens.log_sum_exp = f->log_sum_exp;
        fixture_fill(f);
        memset(f->catalog_gradient, 0, sizeof(float) * (size_t)(f->items * f->width));
        memset(f->bias_gradient, 0, sizeof(float) * (size_t)f->items);
        CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
        CHECK(f->report.tokens_counted > 0 && f->report.tokens_counted <= f->report.tokens_valid);
        results once = keep_results(f);
        for (int repeat = 0; repeat < 2; repeat++) {
            fixture_fill(f);
            memset(f->catalog_gradient, 0, sizeof(float) * (size_t)(f->items * f->width));
            memset(f->bias_gradient, 0, sizeof(float) * (size_t)f->items);
            CHECK_STATUS(SHORTLIST_OK, run_forward(kind, f, context, &tokens, &state));
            CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, &f->report));
            CHECK(same_results(&once, f));
            CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
        }
        results_free(&once);
    }
}

static void one_call_equals_two_phases(void) { for_every_loss(two_phases_once); }

static void backward_again_and_again(int kind, fixture *f, shortlist_context *context) {
    shortlist_state *state = NULL, *other = NULL;
    shortlist_outputs gradients = gradients_only(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    CHECK_STATUS(SHORTLIST_OK, run_forward(kind, f, context, NULL, &state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, NULL));
    results first = keep_results(f);
    const float before = f->hidden_gradient[0];
    /* another state and another call in between change nothing */
    CHECK_STATUS(SHORTLIST_OK, run_forward((kind + 1) % LOSS_COUNT, f, context, NULL, &other));
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, NULL));
    if (f->batch.reduction != SHORTLIST_REDUCTION_NONE) {
        gradients.upstream = 2;
        CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, NULL));
        CHECK(f->hidden_gradient[0] == 2 * before);
        gradients.upstream = 1;
    }
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, NULL));
    CHECK(same_results(&first, f));
    /* a choice of gradients */
    shortlist_outputs hidden_only = SHORTLIST_OUTPUTS_INIT;
    hidden_only.hidden_gradient = gradients.hidden_gradient;
    hidden_only.token_upstream = gradients.token_upstream;
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &hidden_only, NULL));
    CHECK(same_results(&first, f));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(other));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    results_free(&first);
}

static void a_state_serves_any_number_of_backward_calls(void) { for_every_loss(backward_again_and_again); }

static void catalog_and_items(int kind, fixture *f, shortlist_context *context) {
    shortlist_catalog *catalog = NULL;
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    results inlined = keep_results(f);
    fixture_fill(f);
    f->row_count = inlined.row_count;
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &f->batch.items, f->bias));
    f->batch.catalog = catalog;
    f->batch.items = (shortlist_matrix)SHORTLIST_MATRIX_NONE;
    f->batch.item_bias = NULL;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(same_results(&inlined, f));
    /* after a change and an update a call sees the change */
    for (int i = 0; i < f->width; i++) { f->item_vectors[5 * f->width + i] += 1; }
    const int32_t changed[] = {5, 5};
    const shortlist_indices rows = shortlist_indices_i32(changed, 2);
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_update_rows(catalog, &rows));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_update(catalog));
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(!same_results(&inlined, f));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
    results_free(&inlined);
}

static void a_catalog_and_the_items_in_the_batch_agree(void) { for_every_loss(catalog_and_items); }

static void wide_targets(int kind, fixture *f, shortlist_context *context) {
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    results narrow = keep_results(f);
    f->batch.targets = shortlist_indices_i64(f->targets64, f->tokens);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(same_results(&narrow, f));
    results_free(&narrow);
}

static void targets_of_32_and_64_bits_agree(void) { for_every_loss(wide_targets); }

static float *spread(const float *values, int64_t rows, int64_t columns, int64_t stride) {
    float *wide = malloc(sizeof(float) * (size_t)(rows * stride));
    for (int64_t r = 0; wide != NULL && r < rows; r++) {
        for (int64_t c = 0; c < stride; c++) { wide[r * stride + c] = c < columns ? values[r * columns + c] : 1e30f; }
    }
    return wide;
}

static void strided(int kind, fixture *f, shortlist_context *context) {
    enum { STRIDE = 17 };
    shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    float *hidden = spread(f->hidden, f->tokens, f->width, STRIDE);
    float *items = spread(f->item_vectors, f->items, f->width, STRIDE);
    float *hidden_gradient = spread(f->hidden, f->tokens, f->width, STRIDE);
    float *catalog_gradient = spread(f->item_vectors, f->items, f->width, STRIDE);
    const double loss = f->loss;
    f->batch.hidden = shortlist_matrix_f32(hidden, f->tokens, f->width);
    f->batch.items = shortlist_matrix_f32(items, f->items, f->width);
    outputs.hidden_gradient.data = hidden_gradient;
    outputs.catalog_gradient.data = catalog_gradient;
    f->batch.hidden.row_stride = f->batch.items.row_stride = STRIDE;
    outputs.hidden_gradient.row_stride = outputs.catalog_gradient.row_stride = STRIDE;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK_NEAR(loss, f->loss, 1e-6 * (1 + fabs(loss)));
    double worst = 0;
    int padding = 0;
    for (int64_t r = 0; r < f->tokens; r++) {
        for (int64_t c = 0; c < STRIDE; c++) {
            if (c >= f->width) {
                padding += hidden_gradient[r * STRIDE + c] != 1e30f;
            } else {
                worst = fmax(worst, fabs(hidden_gradient[r * STRIDE + c] - f->hidden_gradient[r * f->width + c]));
            }
        }
    }
    for (int64_t r = 0; r < f->items; r++) {
        for (int64_t c = 0; c < STRIDE; c++) {
            if (c >= f->width) {
                padding += catalog_gradient[r * STRIDE + c] != 1e30f;
            } else {
                worst = fmax(worst, fabs(catalog_gradient[r * STRIDE + c] - f->catalog_gradient[r * f->width + c]));
            }
        }
    }
    CHECK(worst < 1e-4);
    CHECK(padding == 0);
    free(hidden), free(items), free(hidden_gradient), free(catalog_gradient);
}

static void row_strides_are_honoured(void) { for_every_loss(strided); }

static void rows_and_dense(int kind, fixture *f, shortlist_context *context) {
    shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    fixture_fill(f);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    results sparse = keep_results(f);
    const int64_t used = f->row_count;
    float *rows = spread(f->catalog_gradient, f->items, f->width, f->width);
    float *bias = spread(f->bias_gradient, f->items, 1, 1);
    CHECK(used > 0 && used <= f->items && used == f->report.distinct_items_touched);
    for (int64_t r = 1; r < used; r++) { CHECK(f->row_ids[r - 1] < f->row_ids[r]); }
    CHECK(f->row_ids[0] >= 0 && f->row_ids[used - 1] < f->items);
    outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(f->loss == sparse.loss);
    int wrong = 0;
    for (int64_t item = 0, r = 0; item < f->items; item++) {
        const int touched = r < used && f->row_ids[r] == item;
        for (int64_t c = 0; c < f->width; c++) {
            const float expected = touched ? rows[r * f->width + c] : 0;
            wrong += !(fabs(f->catalog_gradient[item * f->width + c] - expected) <= 1e-6 * (1 + fabs(expected)));
        }
        wrong += !(fabs(f->bias_gradient[item] - (touched ? bias[r] : 0)) <= 1e-6);
        r += touched;
    }
    CHECK(wrong == 0);
    /* exactly the room that is used is enough; one row less is refused, and the need is named */
    outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    outputs.row_capacity = outputs.catalog_gradient.rows = used;
    fixture_fill(f);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(same_results(&sparse, f));
    outputs.row_capacity = outputs.catalog_gradient.rows = used - 1;
    fixture_fill(f);
    CHECK_STATUS(SHORTLIST_ROOM_TOO_SMALL, run(kind, f, context, &outputs));
    CHECK(shortlist_last_error_need() == used);
    CHECK(fixture_untouched(f));
    free(rows), free(bias);
    results_free(&sparse);
}

static void row_sparse_and_dense_gradients_agree(void) { for_every_loss(rows_and_dense); }

static void added(int kind, fixture *f, shortlist_context *context) {
    shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    float *stored = spread(f->catalog_gradient, f->items, f->width, f->width);
    float *bias = spread(f->bias_gradient, f->items, 1, 1);
    for (int64_t i = 0; i < f->items * f->width; i++) { f->catalog_gradient[i] = (float)(i % 7); }
    for (int64_t i = 0; i < f->items; i++) { f->bias_gradient[i] = (float)(i % 5); }
    outputs.catalog_mode = SHORTLIST_CATALOG_GRADIENT_ADD;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    double worst = 0;
    for (int64_t i = 0; i < f->items * f->width; i++) {
        worst = fmax(worst, fabs(f->catalog_gradient[i] - stored[i] - (double)(i % 7)));
    }
    for (int64_t i = 0; i < f->items; i++) {
        worst = fmax(worst, fabs(f->bias_gradient[i] - bias[i] - (double)(i % 5)));
    }
    CHECK(worst < 1e-5);
    free(stored), free(bias);
}

static void add_adds_to_what_is_there(void) { for_every_loss(added); }

static void threads_1_2_3_8(int kind, fixture *f, shortlist_context *context) {
    const int32_t counts[] = {1, 2, 3, 8};
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    results expected = keep_results(f);
    for (int i = 0; i < 4; i++) {
        shortlist_context *other = make_context(counts[i]);
        CHECK_STATUS(SHORTLIST_OK, run(kind, f, other, &outputs));
        CHECK(same_results(&expected, f));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(other));
    }
    results_free(&expected);
}

static void any_number_of_threads_gives_the_same_bits(void) { for_every_loss(threads_1_2_3_8); }

static void nothing_valid(int kind, fixture *f, shortlist_context *context) {
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_ROWS);
    shortlist_outputs dense = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    for (int64_t i = 0; i < f->tokens; i++) { f->targets[i] = -100; }
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(f->loss == 0 && f->row_count == 0 && f->scale_gradient == 0 && f->report.tokens_valid == 0);
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &dense));
    CHECK(f->loss == 0);
    int not_zero = 0;
    for (int64_t i = 0; i < f->tokens * f->width; i++) { not_zero += f->hidden_gradient[i] != 0; }
    for (int64_t i = 0; i < f->items * f->width; i++) { not_zero += f->catalog_gradient[i] != 0; }
    for (int64_t i = 0; i < f->items; i++) { not_zero += f->bias_gradient[i] != 0; }
    for (int64_t i = 0; i < f->tokens; i++) { not_zero += f->token_losses[i] != 0 || f->log_sum_exp[i] != 0; }
    CHECK(not_zero == 0);
    /* the same with weights that sum to 0 */
    for (int64_t i = 0; i < f->tokens; i++) { f->targets[i] = 4, f->weights[i] = 0; }
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &dense));
    CHECK(f->loss == 0 && f->hidden_gradient[0] == 0 && f->report.tokens_valid == f->tokens);
}

static void a_batch_without_valid_tokens_gives_zeros(void) { for_every_loss(nothing_valid); }

static void not_finite(int kind, fixture *f, shortlist_context *context) {
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    f->hidden[1] = NAN;                /* token 0 */
    f->hidden[3 * f->width] = INFINITY; /* token 3 */
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK(f->report.tokens_non_finite >= (kind == SCE ? 0 : 2) && f->report.tokens_non_finite <= f->tokens);
    if (kind == CROSS_ENTROPY) { CHECK(!isfinite(f->token_losses[0]) && isfinite(f->token_losses[1])); }
    f->item_vectors[9 * f->width] = -INFINITY;
    f->item_vectors[10 * f->width] = NAN;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
}

static void numbers_that_are_not_finite_do_no_harm(void) { for_every_loss(not_finite); }

static void none_and_sum(int kind, fixture *f, shortlist_context *context) {
    shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    f->batch.reduction = SHORTLIST_REDUCTION_SUM;
    outputs.token_upstream = NULL;
    outputs.upstream = 1;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    float *catalog = spread(f->catalog_gradient, f->items, f->width, f->width);
    const double loss = f->loss;
    for (int64_t i = 0; i < f->tokens; i++) { f->upstream[i] = 1; }
    f->batch.reduction = SHORTLIST_REDUCTION_NONE;
    outputs.token_upstream = f->upstream;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    double sum = 0, worst = 0;
    for (int64_t i = 0; i < f->tokens; i++) { sum += f->token_losses[i]; }
    for (int64_t i = 0; i < f->items * f->width; i++) {
        worst = fmax(worst, fabs(catalog[i] - f->catalog_gradient[i]));
    }
    CHECK_NEAR(loss, f->loss, 1e-12 * fabs(loss));
    CHECK_NEAR(loss, sum, 1e-4 * fabs(loss));
    CHECK(worst <= 1e-6);
    free(catalog);
}

static void reduction_none_with_upstream_one_is_the_sum(void) { for_every_loss(none_and_sum); }

static void denominators(int kind, fixture *f, shortlist_context *context) {
    if (f->batch.reduction != SHORTLIST_REDUCTION_MEAN) { return; }
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    f->batch.denominator = 7;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    const double mean = f->loss, scale_gradient = f->scale_gradient;
    f->batch.reduction = SHORTLIST_REDUCTION_SUM;
    f->batch.denominator = 0;
    CHECK_STATUS(SHORTLIST_OK, run(kind, f, context, &outputs));
    CHECK_NEAR(f->loss / 7, mean, 1e-6 * fabs(mean));
    CHECK_NEAR(f->scale_gradient / 7, scale_gradient, 1e-5 * (1 + fabs(scale_gradient)));
}

static void a_denominator_replaces_the_sum_of_weights(void) { for_every_loss(denominators); }

test_list loss_tests(void) {
    static const test tests[] = {
        {"exact cross-entropy is right", exact_cross_entropy_is_right},
        {"one call equals two phases, bit for bit", one_call_equals_two_phases},
        {"a state serves any number of backward calls", a_state_serves_any_number_of_backward_calls},
        {"a catalog and the items in the batch agree", a_catalog_and_the_items_in_the_batch_agree},
        {"targets of 32 and 64 bits agree", targets_of_32_and_64_bits_agree},
        {"row strides are honoured", row_strides_are_honoured},
        {"row-sparse and dense gradients agree, and too little room is named", row_sparse_and_dense_gradients_agree},
        {"ADD adds to what is there", add_adds_to_what_is_there},
        {"any number of threads gives the same bits", any_number_of_threads_gives_the_same_bits},
        {"a batch without valid tokens gives zeros", a_batch_without_valid_tokens_gives_zeros},
        {"numbers that are not finite do no harm", numbers_that_are_not_finite_do_no_harm},
        {"reduction NONE with an upstream of one is the sum", reduction_none_with_upstream_one_is_the_sum},
        {"a denominator replaces the sum of weights", a_denominator_replaces_the_sum_of_weights},
    };
    return LIST_OF(tests);
}
