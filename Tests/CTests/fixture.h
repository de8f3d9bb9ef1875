/* A batch of random data, room for every output, and the four losses behind one call. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <shortlist.h>

enum { CROSS_ENTROPY, SCE, RECE, GIVEN, LOSS_COUNT };
extern const char *const loss_names[LOSS_COUNT];

typedef struct fixture {
    int64_t tokens, items, width;
    float *hidden, *item_vectors, *bias, *weights, *upstream;
    int32_t *targets;
    int64_t *targets64;

    /* given candidates */
    int64_t blocks;
    int64_t *token_offsets, *item_offsets;
    int32_t *block_tokens, *block_items;

    /* options of every loss, and the batch */
    shortlist_cross_entropy_options cross_entropy;
    shortlist_sce_options sce;
    shortlist_rece_options rece;
    shortlist_given_candidates_options given;
    shortlist_batch batch;

    /* outputs */
    double loss, scale_gradient;
    float *token_losses, *log_sum_exp, *hidden_gradient, *catalog_gradient, *bias_gradient;
    int32_t *row_ids;
    int64_t row_count;
    shortlist_report report;
} fixture;

/* Random data for `tokens` x `items` x `width`, a batch without weights or bias, default-like small options. */
void fixture_make(fixture *f, int64_t tokens, int64_t items, int64_t width, uint64_t seed);
void fixture_free(fixture *f);

/* Fills every output with a pattern, and says whether all of it is still there. */
void fixture_fill(fixture *f);
int fixture_untouched(const fixture *f);

/* Every output there is, the catalog gradient in `mode`. With NONE reduction, `token_upstream` is set too. */
shortlist_outputs fixture_outputs(fixture *f, int32_t mode);

/* One call of loss `kind` on the fixture's batch into f->loss and f->report. */
shortlist_status run(int kind, fixture *f, shortlist_context *context, const shortlist_outputs *outputs);
shortlist_status run_forward(int kind, fixture *f, shortlist_context *context, const shortlist_outputs *outputs,
                             shortlist_state **state);

/* A reproducible uniform number in [0, 1). */
double uniform(uint64_t *state);

/* A context with `threads` workers that must come into being. */
shortlist_context *make_context(int32_t threads);

/* Everything a call wrote, copied aside to compare with a later call bit by bit. */
typedef struct results {
    double loss, scale_gradient;
    int64_t row_count;
    size_t bytes;
    unsigned char *data;
} results;
results keep_results(const fixture *f);
int same_results(const results *kept, const fixture *f);
void results_free(results *kept);

#endif
