/*
 * embed-c: trains a linear softmax classifier over many classes from plain C.
 *
 * The data: every class ("item") has a hidden vector v; a sample of the item is v plus noise, and items are drawn with
 * popularity 1 / rank, as in shops and languages. The model: logits = W x + b, with W (items x WIDTH) and b to learn.
 * A step draws a batch, lets the library compute scalable cross-entropy (SCE) and its row-sparse gradient, and changes
 * only the rows of W and b that the batch touched. Before and after, the exact cross-entropy and the share of samples
 * whose item is among the ten best are measured on fresh samples.
 */
#include <errno.h>
#include <math.h>
#include <shortlist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 32, BATCH = 1024, FRESH = 2048, STEPS = 300, REPORT_EVERY = 20, ITEMS_PER_BUCKET = 256, TOP = 10 };

static const double NOISE = 0.5, LEARNING_RATE = 0.5;

/* ---- helpers ---- */

static void fail(const char *what, const char *why) {
    fprintf(stderr, "embed-c: %s: %s\n", what, why);
    exit(1);
}

static void must(shortlist_status status, const char *what) {
    if (status != SHORTLIST_OK) { fail(what, shortlist_last_error_message()); }
}

static void *room(int64_t count, size_t size) {
    void *memory = count > 0 && (uint64_t)count <= SIZE_MAX / size ? calloc((size_t)count, size) : NULL;
    if (memory == NULL) { fail("memory", strerror(ENOMEM)); }
    return memory;
}

/* SplitMix64: a uniform number in [0, 1). */
static double uniform(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* `rows` rows of normal numbers: rows first_row ... of the matrix that seed and step name. */
static void normal(float *numbers, int64_t rows, uint64_t seed, uint64_t step, int64_t first_row) {
    const shortlist_mutable_matrix draws = shortlist_mutable_matrix_f32(numbers, rows, WIDTH);
    must(shortlist_philox_normal(&draws, seed, step, SHORTLIST_STREAM_DIRECTIONS, first_row), "drawing numbers");
}

/* ---- the data ---- */

typedef struct samples {
    int64_t count;
    float *x; /* count x WIDTH */
    int32_t *item;
} samples;

/* Batch `number` of the data that `seed` names. Items have no stored vectors: each is drawn when it is needed. */
static void draw(samples *s, int64_t items, uint64_t seed, uint64_t number) {
    uint64_t state = seed * UINT64_C(0xD1342543DE82EF95) + number;
    float vector[WIDTH];
    normal(s->x, s->count, seed + 1, number, 0); /* the noise */
    for (int64_t i = 0; i < s->count; i++) {
        /* exp(u log(items + 1)) falls in [k, k + 1) with a chance of about 1 / k */
        const double place = exp(uniform(&state) * log((double)items + 1));
        s->item[i] = (int32_t)fmin(place - 1, (double)items - 1);
        normal(vector, 1, seed, 0, s->item[i]);
        for (int k = 0; k < WIDTH; k++) {
            float *x = &s->x[i * WIDTH + k];
            *x = (float)((vector[k] + NOISE * *x) / sqrt(WIDTH));
        }
    }
}

static samples new_samples(int64_t count) {
    samples s = {count, NULL, NULL};
    s.x = room(count * WIDTH, sizeof *s.x);
    s.item = room(count, sizeof *s.item);
    return s;
}

static shortlist_batch batch_of(const samples *s, shortlist_catalog *catalog) {
    shortlist_batch batch = SHORTLIST_BATCH_INIT;
    batch.hidden = shortlist_matrix_f32(s->x, s->count, WIDTH);
    batch.targets = shortlist_indices_i32(s->item, s->count);
    batch.catalog = catalog;
    return batch;
}

/* ---- the model ---- */

typedef struct model {
    int64_t items;
    float *weights;             /* items x WIDTH */
    float *bias;                /* items */
    float *gradient_square;     /* items: sum of squared gradients of the row, for AdaGrad */
    shortlist_catalog *catalog; /* weights and bias, as the library sees them */
    /* one batch's row-sparse gradient */
    int64_t room;
    float *rows, *row_bias;
    int32_t *row_ids;
} model;

static model new_model(shortlist_context *context, int64_t items, uint64_t seed) {
    model m = {items, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL};
    m.weights = room(items * WIDTH, sizeof *m.weights);
    m.bias = room(items, sizeof *m.bias);
    m.gradient_square = room(items, sizeof *m.gradient_square);
    normal(m.weights, items, seed + 2, 0, 0);
    for (int64_t i = 0; i < items * WIDTH; i++) { m.weights[i] *= 0.01f; }

    /* SCE touches at most bucket_count * items_per_bucket items and the batch's own: 2 sqrt(1024) = 64 buckets. */
    m.room = 64 * ITEMS_PER_BUCKET + BATCH;
    if (m.room > items) { m.room = items; }
    m.rows = room(m.room * WIDTH, sizeof *m.rows);
    m.row_bias = room(m.room, sizeof *m.row_bias);
    m.row_ids = room(m.room, sizeof *m.row_ids);

    const shortlist_matrix weights = shortlist_matrix_f32(m.weights, items, WIDTH);
    must(shortlist_catalog_create(&m.catalog, context, &weights, m.bias), "making the catalog");
    return m;
}

/* One step of gradient descent, each row with a rate of its own (AdaGrad). Returns the loss. */
static double train(model *m, shortlist_context *context, const samples *s, uint64_t seed, uint64_t step) {
    const shortlist_batch batch = batch_of(s, m->catalog);
    shortlist_sce_options sce = SHORTLIST_SCE_OPTIONS_INIT;
    shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
    int64_t used = 0;
    double loss = 0;
    sce.items_per_bucket = ITEMS_PER_BUCKET;
    sce.seed = seed;
    sce.step = step;
    outputs.catalog_mode = SHORTLIST_CATALOG_GRADIENT_ROWS;
    outputs.catalog_gradient = shortlist_mutable_matrix_f32(m->rows, m->room, WIDTH);
    outputs.bias_gradient = m->row_bias;
    outputs.row_ids = m->row_ids;
    outputs.row_capacity = m->room;
    outputs.row_count = &used;
    must(shortlist_sce(&loss, context, &sce, &batch, &outputs, NULL), "a training step");

    for (int64_t r = 0; r < used; r++) {
        const int64_t item = m->row_ids[r];
        const float *gradient = &m->rows[r * WIDTH];
        double square = (double)m->row_bias[r] * m->row_bias[r];
        for (int k = 0; k < WIDTH; k++) { square += (double)gradient[k] * gradient[k]; }
        if (square == 0) { continue; }
        m->gradient_square[item] += (float)square;
        const double rate = LEARNING_RATE / sqrt(m->gradient_square[item]);
        for (int k = 0; k < WIDTH; k++) { m->weights[item * WIDTH + k] -= (float)(rate * gradient[k]); }
        m->bias[item] -= (float)(rate * m->row_bias[r]);
    }
    /* a device copies these rows; the CPU sees them anyway */
    const shortlist_indices changed = shortlist_indices_i32(m->row_ids, used);
    must(shortlist_catalog_update_rows(m->catalog, &changed), "updating the catalog");
    return loss;
}

/* Exact cross-entropy, and the share of samples whose item is among the ten best, on samples never seen. */
static void evaluate(const char *when, model *m, shortlist_context *context, const samples *s) {
    const shortlist_batch batch = batch_of(s, m->catalog);
    const shortlist_indices targets = shortlist_indices_i32(s->item, s->count);
    shortlist_query query = SHORTLIST_QUERY_INIT;
    int64_t *ranks = room(s->count, sizeof *ranks), hits = 0;
    double loss = 0;
    query.queries = batch.hidden;
    query.catalog = m->catalog;
    must(shortlist_cross_entropy(&loss, context, NULL, &batch, NULL, NULL), "the exact cross-entropy");
    must(shortlist_target_ranks(ranks, context, &query, &targets, NULL), "ranking");
    for (int64_t i = 0; i < s->count; i++) { hits += ranks[i] <= TOP; }
    printf("%-6s exact cross-entropy %8.4f   among the top %d %6.2f %%\n", when, loss, TOP,
           100.0 * (double)hits / (double)s->count);
    fflush(stdout);
    free(ranks);
}

/* ---- the program ---- */

static void usage(FILE *to) {
    fprintf(to,
            "usage: embed-c [items] [seed]\n"
            "\n"
            "Trains a linear softmax classifier over `items` classes (%d or more; default 100000) with scalable\n"
            "cross-entropy, on data drawn from `seed` (default 1), and prints the loss as it goes, and the exact\n"
            "cross-entropy and top-%d accuracy on fresh samples before and after. Memory: 140 bytes an item.\n",
            TOP + 1, TOP);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *what) {
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] < '0' || text[0] > '9' || value < least || value > most) {
        fprintf(stderr, "embed-c: %s is '%s'; it must be a number from %llu to %llu\n", what, text,
                (unsigned long long)least, (unsigned long long)most);
        usage(stderr);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) { return usage(stdout), 0; }
    if (argc > 3) { return usage(stderr), 2; }
    const int64_t items = argc > 1 ? (int64_t)number(argv[1], TOP + 1, 1000000000, "the number of items") : 100000;
    const uint64_t seed = argc > 2 ? number(argv[2], 0, INT64_MAX, "the seed") : 1;

    shortlist_context *context = NULL;
    shortlist_context_info info = SHORTLIST_CONTEXT_INFO_INIT;
    must(shortlist_context_create(&context, NULL), "making a context");
    must(shortlist_context_get_info(&info, context), "asking the context");
    printf("shortlist %s on %s, %d threads; %lld items, seed %llu\n", shortlist_version_string(), info.backend,
           (int)info.threads, (long long)items, (unsigned long long)seed);

    model m = new_model(context, items, seed);
    samples batch = new_samples(BATCH), fresh = new_samples(FRESH);
    draw(&fresh, items, seed, STEPS); /* training uses the numbers below */
    evaluate("before", &m, context, &fresh);
    double sum = 0;
    for (int step = 0; step < STEPS; step++) {
        draw(&batch, items, seed, (uint64_t)step);
        sum += train(&m, context, &batch, seed, (uint64_t)step);
        if ((step + 1) % REPORT_EVERY == 0) {
            printf("loss   %8.4f   steps %d to %d\n", sum / REPORT_EVERY, step + 2 - REPORT_EVERY, step + 1);
            fflush(stdout);
            sum = 0;
        }
    }
    evaluate("after", &m, context, &fresh);

    must(shortlist_catalog_release(m.catalog), "releasing the catalog");
    must(shortlist_context_release(context), "releasing the context");
    void *all[] = {m.weights, m.bias, m.gradient_square, m.rows, m.row_bias, m.row_ids,
                   batch.x,   batch.item, fresh.x,       fresh.item};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) { free(all[i]); }
    return 0;
}
