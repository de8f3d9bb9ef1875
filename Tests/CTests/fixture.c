#include "fixture.h"

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const loss_names[LOSS_COUNT] = {"cross-entropy", "SCE", "RECE", "given candidates"};

enum { PATTERN = 0x5A };

double uniform(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void *room(int64_t count, size_t size) {
    void *memory = calloc((size_t)(count > 0 ? count : 1), size);
    if (memory == NULL) {
        fprintf(stderr, "the test has no memory\n");
        exit(2);
    }
    return memory;
}

static float *random_floats(int64_t count, double scale, uint64_t *state) {
    float *values = room(count, sizeof(float));
    for (int64_t i = 0; i < count; i++) { values[i] = (float)(scale * (2 * uniform(state) - 1)); }
    return values;
}

/* Three blocks in which every token stands once or twice, and about a third of the items. */
static void make_blocks(fixture *f, uint64_t *state) {
    f->blocks = 3;
    f->token_offsets = room(f->blocks + 1, sizeof(int64_t));
    f->item_offsets = room(f->blocks + 1, sizeof(int64_t));
    f->block_tokens = room(f->tokens * f->blocks, sizeof(int32_t));
    f->block_items = room(f->items * f->blocks, sizeof(int32_t));
    int64_t tokens = 0, items = 0;
    for (int64_t block = 0; block < f->blocks; block++) {
        for (int64_t i = 0; i < f->tokens; i++) {
            if (i % f->blocks == block || uniform(state) < 0.25) { f->block_tokens[tokens++] = (int32_t)i; }
        }
        for (int64_t j = 0; j < f->items; j++) {
            if (uniform(state) < 0.3) { f->block_items[items++] = (int32_t)j; }
        }
        f->token_offsets[block + 1] = tokens;
        f->item_offsets[block + 1] = items;
    }
    shortlist_given_candidates_options given = SHORTLIST_GIVEN_CANDIDATES_OPTIONS_INIT;
    given.block_count = f->blocks;
    given.token_offsets = f->token_offsets;
    given.tokens = f->block_tokens;
    given.item_offsets = f->item_offsets;
    given.items = f->block_items;
    f->given = given;
}

static void make_options(fixture *f) {
    shortlist_cross_entropy_options cross_entropy = SHORTLIST_CROSS_ENTROPY_OPTIONS_INIT;
    shortlist_sce_options sce = SHORTLIST_SCE_OPTIONS_INIT;
    shortlist_rece_options rece = SHORTLIST_RECE_OPTIONS_INIT;
    sce.seed = 11;
    sce.step = 3;
    sce.items_per_bucket = 17;
    rece.seed = 5;
    rece.rounds = 2;
    f->cross_entropy = cross_entropy;
    f->sce = sce;
    f->rece = rece;
}

void fixture_make(fixture *f, int64_t tokens, int64_t items, int64_t width, uint64_t seed) {
    shortlist_batch batch = SHORTLIST_BATCH_INIT;
    shortlist_report report = SHORTLIST_REPORT_INIT;
    uint64_t state = seed;
    memset(f, 0, sizeof *f);
    f->tokens = tokens;
    f->items = items;
    f->width = width;
    f->hidden = random_floats(tokens * width, 1.5, &state);
    f->item_vectors = random_floats(items * width, 1.5, &state);
    f->bias = random_floats(items, 1, &state);
    f->weights = random_floats(tokens, 1, &state);
    f->upstream = random_floats(tokens, 2, &state);
    f->targets = room(tokens, sizeof(int32_t));
    f->targets64 = room(tokens, sizeof(int64_t));
    for (int64_t i = 0; i < tokens; i++) {
        f->weights[i] = fabsf(f->weights[i]);
        f->targets64[i] = (int64_t)(uniform(&state) * (double)items);
        f->targets[i] = (int32_t)f->targets64[i];
    }
    make_blocks(f, &state);
    make_options(f);
    batch.hidden = shortlist_matrix_f32(f->hidden, tokens, width);
    batch.targets = shortlist_indices_i32(f->targets, tokens);
    batch.items = shortlist_matrix_f32(f->item_vectors, items, width);
    f->batch = batch;
    f->token_losses = room(tokens, sizeof(float));
    f->log_sum_exp = room(tokens, sizeof(float));
    f->hidden_gradient = room(tokens * width, sizeof(float));
    f->catalog_gradient = room(items * width, sizeof(float));
    f->bias_gradient = room(items, sizeof(float));
    f->row_ids = room(items, sizeof(int32_t));
    f->report = report;
    fixture_fill(f);
}

void fixture_free(fixture *f) {
    void *all[] = {f->hidden,       f->item_vectors, f->bias,          f->weights,      f->upstream,
                   f->targets,      f->targets64,    f->token_offsets, f->item_offsets, f->block_tokens,
                   f->block_items,  f->token_losses, f->log_sum_exp,   f->hidden_gradient,
                   f->catalog_gradient, f->bias_gradient, f->row_ids};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) { free(all[i]); }
    memset(f, 0, sizeof *f);
}

typedef struct area {
    void *base;
    size_t bytes;
} area;

enum { AREA_COUNT = 9 };

/* The outputs as memory; the report without its struct_size. */
static void areas(const fixture *f, area all[AREA_COUNT]) {
    const size_t tokens = (size_t)f->tokens, items = (size_t)f->items, width = (size_t)f->width;
    const area listed[AREA_COUNT] = {
        {f->token_losses, tokens * sizeof(float)},
        {f->log_sum_exp, tokens * sizeof(float)},
        {f->hidden_gradient, tokens * width * sizeof(float)},
        {f->catalog_gradient, items * width * sizeof(float)},
        {f->bias_gradient, items * sizeof(float)},
        {f->row_ids, items * sizeof(int32_t)},
        {(void *)&f->loss, 2 * sizeof(double)},
        {(void *)&f->row_count, sizeof(int64_t)},
        {(char *)&f->report + sizeof(uint32_t), sizeof(shortlist_report) - sizeof(uint32_t)},
    };
    memcpy(all, listed, sizeof listed);
}

void fixture_fill(fixture *f) {
    area all[AREA_COUNT];
    areas(f, all);
    for (int i = 0; i < AREA_COUNT; i++) { memset(all[i].base, PATTERN, all[i].bytes); }
}

int fixture_untouched(const fixture *f) {
    area all[AREA_COUNT];
    areas(f, all);
    for (int i = 0; i < AREA_COUNT; i++) {
        const unsigned char *bytes = all[i].base;
        for (size_t at = 0; at < all[i].bytes; at++) {
            if (bytes[at] != PATTERN) { return 0; }
        }
    }
    return 1;
}

shortlist_outputs fixture_outputs(fixture *f, int32_t mode) {
    shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
    outputs.catalog_mode = mode;
    outputs.token_losses = f->token_losses;
    outputs.log_sum_exp = f->log_sum_exp;
    outputs.hidden_gradient = shortlist_mutable_matrix_f32(f->hidden_gradient, f->tokens, f->width);
    outputs.bias_gradient = f->bias_gradient;
    outputs.scale_gradient = &f->scale_gradient;
    if (mode != SHORTLIST_CATALOG_GRADIENT_NONE) {
        outputs.catalog_gradient = shortlist_mutable_matrix_f32(f->catalog_gradient, f->items, f->width);
    }
    if (mode == SHORTLIST_CATALOG_GRADIENT_ROWS) {
        outputs.row_ids = f->row_ids;
        outputs.row_capacity = f->items;
        outputs.row_count = &f->row_count;
    }
    if (f->batch.reduction == SHORTLIST_REDUCTION_NONE) { outputs.token_upstream = f->upstream; }
    return outputs;
}

shortlist_status run(int kind, fixture *f, shortlist_context *context, const shortlist_outputs *outputs) {
    switch (kind) {
    case CROSS_ENTROPY:
        return shortlist_cross_entropy(&f->loss, context, &f->cross_entropy, &f->batch, outputs, &f->report);
    case SCE: return shortlist_sce(&f->loss, context, &f->sce, &f->batch, outputs, &f->report);
    case RECE: return shortlist_rece(&f->loss, context, &f->rece, &f->batch, outputs, &f->report);
    default: return shortlist_given_candidates(&f->loss, context, &f->given, &f->batch, outputs, &f->report);
    }
}

shortlist_status run_forward(int kind, fixture *f, shortlist_context *context, const shortlist_outputs *outputs,
                             shortlist_state **state) {
    switch (kind) {
    case CROSS_ENTROPY:
        return shortlist_cross_entropy_forward(state, &f->loss, context, &f->cross_entropy, &f->batch, outputs,
                                               &f->report);
    case SCE: return shortlist_sce_forward(state, &f->loss, context, &f->sce, &f->batch, outputs, &f->report);
    case RECE: return shortlist_rece_forward(state, &f->loss, context, &f->rece, &f->batch, outputs, &f->report);
    default:
        return shortlist_given_candidates_forward(state, &f->loss, context, &f->given, &f->batch, outputs, &f->report);
    }
}

shortlist_context *make_context(int32_t threads) {
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context *context = NULL;
    options.threads = threads;
    if (!CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options))) { exit(1); }
    return context;
}

results keep_results(const fixture *f) {
    area all[AREA_COUNT];
    results kept = {f->loss, f->scale_gradient, f->row_count, 0, NULL};
    areas(f, all);
    for (int i = 0; i < 6; i++) { kept.bytes += all[i].bytes; }
    kept.data = room((int64_t)kept.bytes, 1);
    for (size_t i = 0, at = 0; i < 6; at += all[i++].bytes) { memcpy(kept.data + at, all[i].base, all[i].bytes); }
    return kept;
}

int same_results(const results *kept, const fixture *f) {
    area all[AREA_COUNT];
    areas(f, all);
    if (memcmp(&kept->loss, &f->loss, sizeof f->loss) != 0) { return 0; }
    if (memcmp(&kept->scale_gradient, &f->scale_gradient, sizeof f->scale_gradient) != 0) { return 0; }
    if (kept->row_count != f->row_count) { return 0; }
    for (size_t i = 0, at = 0; i < 6; at += all[i++].bytes) {
        if (memcmp(kept->data + at, all[i].base, all[i].bytes) != 0) { return 0; }
    }
    return 1;
}

void results_free(results *kept) {
    free(kept->data);
    kept->data = NULL;
}
