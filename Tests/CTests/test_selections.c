/* Selections: exported, given back, named by seed and step. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void export_and_give_back(int kind, int32_t combination) {
    fixture f;
    fixture_make(&f, 90, 300, 8, 9);
    shortlist_context *context = make_context(2);
    shortlist_state *state = NULL;
    shortlist_outputs gradients = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    gradients.token_losses = gradients.log_sum_exp = NULL;
    int64_t blocks = -1, tokens = -1, items = -1;
    f.sce.combination = combination;
    f.batch.item_bias = f.bias;
    f.batch.weights = f.weights;
    fixture_fill(&f);
    CHECK_STATUS(SHORTLIST_OK, run_forward(kind, &f, context, NULL, &state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, NULL));
    results expected = keep_results(&f);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_selection_size(&blocks, &tokens, &items, state));
    CHECK(blocks > 0 && tokens > 0 && items > 0);
    int64_t *token_offsets = calloc((size_t)blocks + 1, 8), *item_offsets = calloc((size_t)blocks + 1, 8);
    int32_t *token_ids = calloc((size_t)tokens, 4), *item_ids = calloc((size_t)items, 4);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_get_selection(token_offsets, token_ids, item_offsets, item_ids, state));
    CHECK(token_offsets[0] == 0 && token_offsets[blocks] == tokens);
    CHECK(item_offsets[0] == 0 && item_offsets[blocks] == items);
    int disorder = 0;
    for (int64_t b = 0; b < blocks; b++) {
        for (int64_t i = item_offsets[b]; i < item_offsets[b + 1]; i++) {
            disorder += item_ids[i] < 0 || item_ids[i] >= f.items;
            disorder += kind == SCE && i > item_offsets[b] && item_ids[i - 1] >= item_ids[i];
        }
        for (int64_t i = token_offsets[b]; i < token_offsets[b + 1]; i++) {
            disorder += token_ids[i] < 0 || token_ids[i] >= f.tokens;
        }
    }
    CHECK(disorder == 0);
    f.given.combination = combination;
    f.given.block_count = blocks;
    f.given.token_offsets = token_offsets;
    f.given.tokens = token_ids;
    f.given.item_offsets = item_offsets;
    f.given.items = item_ids;
    const double loss = f.loss;
    shortlist_outputs outputs = gradients;
    CHECK_STATUS(SHORTLIST_OK, run(GIVEN, &f, context, &outputs));
    CHECK_NEAR(loss, f.loss, 1e-6 * loss);
    if (kind == SCE) {
        CHECK(same_results(&expected, &f)); /* block for block the same products */
    } else {
        const float *hidden = (const float *)(expected.data + 8 * f.tokens); /* after two vectors of N floats */
        double worst = 0;
        for (int64_t i = 0; i < f.tokens * f.width; i++) {
            worst = fmax(worst, fabs(hidden[i] - f.hidden_gradient[i]));
        }
        CHECK(worst < 1e-6);
    }
    free(token_offsets), free(item_offsets), free(token_ids), free(item_ids);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    results_free(&expected);
    fixture_free(&f);
}

static void a_selection_given_back_gives_the_same(void) {
    check_about("SCE max");
    export_and_give_back(SCE, SHORTLIST_COMBINATION_MAX);
    check_about("SCE union");
    export_and_give_back(SCE, SHORTLIST_COMBINATION_UNION);
    check_about("RECE");
    export_and_give_back(RECE, SHORTLIST_COMBINATION_UNION);
}

/* Tokens in winning blocks, checked against the definition on the exported selection. */
static void winners_are_blocks_that_hold_their_token(void) {
    fixture f;
    fixture_make(&f, 90, 300, 8, 9);
    shortlist_context *context = make_context(2);
    shortlist_state *state = NULL;
    int64_t blocks = 0, tokens = 0, items = 0, counted = 0;
    int32_t winners[90];
    CHECK_STATUS(SHORTLIST_OK, run_forward(SCE, &f, context, NULL, &state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_selection_size(&blocks, &tokens, &items, state));
    int64_t *token_offsets = calloc((size_t)blocks + 1, 8), *item_offsets = calloc((size_t)blocks + 1, 8);
    int32_t *token_ids = calloc((size_t)tokens, 4), *item_ids = calloc((size_t)items, 4);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_get_selection(token_offsets, token_ids, item_offsets, item_ids, state));
    CHECK_STATUS(SHORTLIST_ROOM_TOO_SMALL, shortlist_state_get_winners(winners, 89, state));
    CHECK(shortlist_last_error_need() == 90);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_get_winners(winners, 90, state));
    for (int32_t token = 0; token < 90; token++) {
        int somewhere = 0, in_winner = 0;
        for (int64_t b = 0; b < blocks; b++) {
            for (int64_t i = token_offsets[b]; i < token_offsets[b + 1]; i++) {
                somewhere |= token_ids[i] == token;
                in_winner |= token_ids[i] == token && winners[token] == b;
            }
        }
        CHECK(somewhere ? in_winner : winners[token] == -1);
        counted += winners[token] >= 0;
    }
    CHECK(counted == f.report.tokens_counted);
    free(token_offsets), free(item_offsets), free(token_ids), free(item_ids);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void exact_cross_entropy_has_no_selection(void) {
    fixture f;
    fixture_make(&f, 9, 30, 8, 9);
    shortlist_context *context = make_context(1);
    shortlist_state *state = NULL;
    int64_t blocks = -1;
    CHECK_STATUS(SHORTLIST_OK, run_forward(CROSS_ENTROPY, &f, context, NULL, &state));
    CHECK_STATUS(SHORTLIST_UNSUPPORTED, shortlist_state_selection_size(&blocks, NULL, NULL, state));
    CHECK(blocks == -1);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void seed_and_step_name_the_draw(void) {
    fixture f;
    fixture_make(&f, 90, 300, 8, 9);
    shortlist_context *context = make_context(2);
    float directions[20 * 8];
    shortlist_mutable_matrix drawn = shortlist_mutable_matrix_f32(directions, 20, 8);
    f.sce.directions = SHORTLIST_DIRECTIONS_GAUSSIAN;
    f.sce.bucket_count = 20;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    const double loss = f.loss;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    CHECK(f.loss == loss); /* no hidden counter */
    f.sce.step += 1;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    CHECK(f.loss != loss);
    f.sce.step -= 1;
    f.sce.seed += 1;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    CHECK(f.loss != loss);
    f.sce.seed -= 1;
    /* the same directions, drawn by the caller */
    CHECK_STATUS(SHORTLIST_OK,
                 shortlist_philox_normal(&drawn, f.sce.seed, f.sce.step, SHORTLIST_STREAM_DIRECTIONS, 0));
    f.sce.directions = SHORTLIST_DIRECTIONS_GIVEN;
    f.sce.given_directions = shortlist_matrix_f32(directions, 20, 8);
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, NULL));
    CHECK(f.loss == loss);
    /* and RECE's: two rounds of ten */
    f.rece.bucket_count = 10;
    CHECK_STATUS(SHORTLIST_OK, run(RECE, &f, context, NULL));
    const double rece_loss = f.loss;
    CHECK_STATUS(SHORTLIST_OK,
                 shortlist_philox_normal(&drawn, f.rece.seed, f.rece.step, SHORTLIST_STREAM_DIRECTIONS, 0));
    f.rece.directions = SHORTLIST_DIRECTIONS_GIVEN;
    f.rece.given_directions = shortlist_matrix_f32(directions, 20, 8);
    CHECK_STATUS(SHORTLIST_OK, run(RECE, &f, context, NULL));
    CHECK(f.loss == rece_loss);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void options_left_out_are_the_defaults(void) {
    fixture f;
    fixture_make(&f, 90, 300, 8, 9);
    shortlist_context *context = make_context(2);
    shortlist_sce_options sce = SHORTLIST_SCE_OPTIONS_INIT;
    shortlist_rece_options rece = SHORTLIST_RECE_OPTIONS_INIT;
    double loss = 0, again = -1;
    CHECK_STATUS(SHORTLIST_OK, shortlist_sce(&loss, context, NULL, &f.batch, NULL, &f.report));
    CHECK_STATUS(SHORTLIST_OK, shortlist_sce(&again, context, &sce, &f.batch, NULL, NULL));
    CHECK(loss == again);
    CHECK(f.report.bucket_count == 18 && f.report.tokens_per_bucket == 18 && f.report.items_per_bucket == 256);
    CHECK_STATUS(SHORTLIST_OK, shortlist_rece(&loss, context, NULL, &f.batch, NULL, &f.report));
    CHECK_STATUS(SHORTLIST_OK, shortlist_rece(&again, context, &rece, &f.batch, NULL, NULL));
    CHECK(loss == again);
    CHECK(f.report.bucket_count == 32 && f.report.chunk_count == 32 && f.report.neighbour_chunks == 1);
    CHECK(f.report.rounds == 1 && f.report.tokens_counted == 90);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

test_list selection_tests(void) {
    static const test tests[] = {
        {"a selection exported and given back gives the same", a_selection_given_back_gives_the_same},
        {"winners are blocks that hold their token", winners_are_blocks_that_hold_their_token},
        {"exact cross-entropy has no selection to export", exact_cross_entropy_has_no_selection},
        {"seed and step name the draw", seed_and_step_name_the_draw},
        {"options left out are the defaults", options_left_out_are_the_defaults},
    };
    return LIST_OF(tests);
}
