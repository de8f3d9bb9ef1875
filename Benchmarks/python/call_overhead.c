/* The time of one call of shortlist_cross_entropy with both gradients, from C: what the same call from Python is
 * compared with. Prints the median over `repeats` calls, in microseconds.
 *
 *     call_overhead TOKENS ITEMS WIDTH REPEATS
 */
#define _POSIX_C_SOURCE 199309L
#include <shortlist.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    int64_t n = atoll(arguments[1]), c = atoll(arguments[2]), d = atoll(arguments[3]), repeats = atoll(arguments[4]);
    float *x = calloc(n * d, sizeof(float)), *y = calloc(c * d, sizeof(float));
    float *dx = calloc(n * d, sizeof(float)), *dy = calloc(c * d, sizeof(float));
    int64_t *t = calloc(n, sizeof(int64_t));
    double *times = calloc(repeats, sizeof(double));
    shortlist_mutable_matrix drawn = shortlist_mutable_matrix_f32(x, n, d);
    shortlist_philox_normal(&drawn, 1, 0, SHORTLIST_STREAM_DIRECTIONS, 0);
    drawn = shortlist_mutable_matrix_f32(y, c, d);
    shortlist_philox_normal(&drawn, 2, 0, SHORTLIST_STREAM_DIRECTIONS, 0);
    for (int64_t i = 0; i < n; i++) t[i] = i % c;

    shortlist_context_options settings = SHORTLIST_CONTEXT_OPTIONS_INIT;
    settings.threads = 1;
    shortlist_context *context = NULL;
    if (shortlist_context_create(&context, &settings) != SHORTLIST_OK) goto failed;
    for (int64_t i = 0; i < repeats; i++) {
        double begin = now(), loss;
        shortlist_batch batch = SHORTLIST_BATCH_INIT;
        batch.hidden = shortlist_matrix_f32(x, n, d);
        batch.items = shortlist_matrix_f32(y, c, d);
        batch.targets = shortlist_indices_i64(t, n);
        shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
        outputs.hidden_gradient = shortlist_mutable_matrix_f32(dx, n, d);
        outputs.catalog_gradient = shortlist_mutable_matrix_f32(dy, c, d);
        outputs.catalog_mode = SHORTLIST_CATALOG_GRADIENT_STORE;
        shortlist_report report = SHORTLIST_REPORT_INIT;
        if (shortlist_cross_entropy(&loss, context, NULL, &batch, &outputs, &report) != SHORTLIST_OK) goto failed;
        times[i] = now() - begin;
    }
    qsort(times, repeats, sizeof(double), ascending);
    printf("%.3f\n", times[repeats / 2]);
    return 0;

failed:
    fprintf(stderr, "%s\n", shortlist_last_error_message());
    return 1;
}
