/* The workspace limit. (What the plan says against what is allocated: test_memory.c.) */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static shortlist_context *limited_context(int64_t limit) {
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context *context = NULL;
    options.workspace_limit = limit;
    options.threads = 2;
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options));
    return context;
}

/* Larger than any tile in every dimension. */
static void large(fixture *f) {
    fixture_make(f, 700, 5000, 40, 21);
    f->batch.item_bias = f->bias;
    f->batch.weights = f->weights;
    f->sce.items_per_bucket = 200;
}

static void the_least_works_and_a_byte_less_does_not(void) {
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        for (int32_t mode = SHORTLIST_CATALOG_GRADIENT_NONE; mode <= SHORTLIST_CATALOG_GRADIENT_ROWS; mode++) {
            fixture f;
            large(&f);
            check_about(loss_names[kind]);
            const shortlist_outputs outputs = fixture_outputs(&f, mode);
            /* one byte is too little, and the message names the least */
            shortlist_context *context = limited_context(1);
            CHECK_STATUS(SHORTLIST_WORKSPACE_LIMIT, run(kind, &f, context, &outputs));
            const int64_t least = shortlist_last_error_need();
            char digits[32];
            snprintf(digits, sizeof digits, "%lld", (long long)least);
            CHECK(least > 1 && strstr(shortlist_last_error_message(), digits) != NULL);
            CHECK(fixture_untouched(&f));
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
            /* the least works */
            context = limited_context(least);
            memset(f.catalog_gradient, 0, sizeof(float) * (size_t)(f.items * f.width));
            memset(f.bias_gradient, 0, sizeof(float) * (size_t)f.items);
            CHECK_STATUS(SHORTLIST_OK, run(kind, &f, context, &outputs));
            CHECK(f.report.workspace_planned <= least && f.report.workspace_used <= f.report.workspace_planned);
            CHECK(f.report.workspace_least == least);
            const double loss = f.loss;
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
            /* and gives what no limit gives, but for rounding */
            context = make_context(2);
            CHECK_STATUS(SHORTLIST_OK, run(kind, &f, context, &outputs));
            CHECK_NEAR(f.loss, loss, 1e-5 * fabs(f.loss));
            CHECK(f.report.workspace_least == least);
            /* nothing of size N x C, but for logits that cross-entropy keeps where there is room */
            const int64_t logits = f.tokens * f.items * (int64_t)sizeof(float);
            CHECK(least < logits / 2);
            CHECK(kind == CROSS_ENTROPY || f.report.workspace_planned < logits);
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
            /* one byte less does not work */
            fixture_fill(&f);
            context = limited_context(least - 1);
            CHECK_STATUS(SHORTLIST_WORKSPACE_LIMIT, run(kind, &f, context, &outputs));
            CHECK(shortlist_last_error_need() == least);
            CHECK(fixture_untouched(&f));
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
            fixture_free(&f);
        }
    }
}

static void the_least_of_forward_and_backward(void) {
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        fixture f;
        shortlist_state *state = NULL;
        large(&f);
        check_about(loss_names[kind]);
        shortlist_outputs gradients = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
        gradients.token_losses = gradients.log_sum_exp = NULL;
        shortlist_context *context = limited_context(1);
        CHECK_STATUS(SHORTLIST_WORKSPACE_LIMIT, run_forward(kind, &f, context, NULL, &state));
        CHECK(state == NULL);
        const int64_t forward_least = shortlist_last_error_need();
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        context = limited_context(forward_least);
        CHECK_STATUS(SHORTLIST_OK, run_forward(kind, &f, context, NULL, &state));
        /* a backward call either fits too or says what it needs */
        fixture_fill(&f);
        const shortlist_status status = shortlist_backward(state, &gradients, &f.report);
        CHECK(status == SHORTLIST_OK || status == SHORTLIST_WORKSPACE_LIMIT);
        if (status == SHORTLIST_WORKSPACE_LIMIT) {
            const int64_t least = shortlist_last_error_need();
            CHECK(least > forward_least || least > 0);
            CHECK(fixture_untouched(&f));
            shortlist_context *roomy = limited_context(least > forward_least ? least : forward_least);
            CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
            CHECK_STATUS(SHORTLIST_OK, run_forward(kind, &f, roomy, NULL, &state));
            CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, &f.report));
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(roomy));
        }
        CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        fixture_free(&f);
    }
}

static void the_least_of_top_k_and_ranks(void) {
    fixture f;
    static int32_t ids[700 * 10], again[700 * 10];
    static int64_t ranks[700], ranks_again[700];
    large(&f);
    shortlist_query query = SHORTLIST_QUERY_INIT;
    query.queries = f.batch.hidden;
    query.items = f.batch.items;
    shortlist_context *context = limited_context(1);
    memset(ids, 0x5A, sizeof ids);
    memset(ranks, 0x5A, sizeof ranks);
    CHECK_STATUS(SHORTLIST_WORKSPACE_LIMIT, shortlist_top_k(ids, NULL, context, &query, 10, NULL));
    const int64_t top_least = shortlist_last_error_need();
    CHECK_STATUS(SHORTLIST_WORKSPACE_LIMIT, shortlist_target_ranks(ranks, context, &query, &f.batch.targets, NULL));
    const int64_t rank_least = shortlist_last_error_need();
    CHECK(ids[0] == 0x5A5A5A5A && ranks[0] == INT64_C(0x5A5A5A5A5A5A5A5A)); /* refused before anything is written */
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    context = make_context(2);
    CHECK_STATUS(SHORTLIST_OK, shortlist_top_k(ids, NULL, context, &query, 10, &f.report));
    CHECK(f.report.workspace_least == top_least && f.report.workspace_planned >= top_least);
    CHECK_STATUS(SHORTLIST_OK, shortlist_target_ranks(ranks, context, &query, &f.batch.targets, &f.report));
    CHECK(f.report.workspace_least == rank_least && f.report.workspace_planned >= rank_least);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    for (int less = 0; less <= 1; less++) {
        const shortlist_status expected = less ? SHORTLIST_WORKSPACE_LIMIT : SHORTLIST_OK;
        context = limited_context(top_least - less);
        CHECK_STATUS(expected, shortlist_top_k(again, NULL, context, &query, 10, NULL));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        context = limited_context(rank_least - less);
        CHECK_STATUS(expected, shortlist_target_ranks(ranks_again, context, &query, &f.batch.targets, NULL));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    }
    int different = 0;
    for (int i = 0; i < 700; i++) { different += ranks[i] != ranks_again[i] || ids[10 * i] != again[10 * i]; }
    CHECK(different <= 7); /* near-ties may fall otherwise in other tiles */
    fixture_free(&f);
}

static void a_limit_between_least_and_plenty_is_obeyed(void) {
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        fixture f;
        large(&f);
        check_about(loss_names[kind]);
        const shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
        shortlist_context *context = make_context(2);
        CHECK_STATUS(SHORTLIST_OK, run(kind, &f, context, &outputs));
        const double loss = f.loss;
        const int64_t least = f.report.workspace_least, planned = f.report.workspace_planned;
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        for (int quarter = 1; quarter < 4; quarter++) {
            const int64_t limit = least + (planned - least) / 4 * quarter;
            context = limited_context(limit);
            CHECK_STATUS(SHORTLIST_OK, run(kind, &f, context, &outputs));
            CHECK(f.report.workspace_planned <= limit && f.report.workspace_used <= limit);
            CHECK_NEAR(loss, f.loss, 1e-5 * fabs(loss));
            results first = keep_results(&f);
            CHECK_STATUS(SHORTLIST_OK, run(kind, &f, context, &outputs));
            CHECK(same_results(&first, &f));
            results_free(&first);
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        }
        fixture_free(&f);
    }
}

test_list limit_tests(void) {
    static const test tests[] = {
        {"the least workspace works and a byte less does not", the_least_works_and_a_byte_less_does_not},
        {"forward and backward name their least", the_least_of_forward_and_backward},
        {"top-k and ranks name their least", the_least_of_top_k_and_ranks},
        {"a limit between the least and plenty is obeyed", a_limit_between_least_and_plenty_is_obeyed},
    };
    return LIST_OF(tests);
}
