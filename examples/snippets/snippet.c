/* The C snippet of README.md: `Tools/check-snippets` holds the two to each other, and the C tests build and run it. */
/* snippet begin */
#include <shortlist.h>
#include <stdio.h>

enum { N = 64, C = 10000, D = 16 };
static float hidden[N * D], items[C * D], hidden_gradient[N * D];
static int32_t targets[N];

int main(void) {
    /* Any numbers will do here: the library draws them for us. */
    shortlist_mutable_matrix x = shortlist_mutable_matrix_f32(hidden, N, D);
    shortlist_mutable_matrix y = shortlist_mutable_matrix_f32(items, C, D);
    shortlist_philox_normal(&x, 1, 0, SHORTLIST_STREAM_DIRECTIONS, 0);
    shortlist_philox_normal(&y, 2, 0, SHORTLIST_STREAM_DIRECTIONS, 0);
    for (int i = 0; i < N; i++) targets[i] = i * 100;

    shortlist_context *context = NULL;
    if (shortlist_context_create(&context, NULL) != SHORTLIST_OK) goto failed;

    shortlist_batch batch = SHORTLIST_BATCH_INIT;
    batch.hidden = shortlist_matrix_f32(hidden, N, D);
    batch.items = shortlist_matrix_f32(items, C, D);
    batch.targets = shortlist_indices_i32(targets, N);

    shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
    outputs.hidden_gradient = shortlist_mutable_matrix_f32(hidden_gradient, N, D);

    shortlist_sce_options sce = SHORTLIST_SCE_OPTIONS_INIT;
    sce.items_per_bucket = 512;
    sce.seed = 7;

    double loss;
    shortlist_report report = SHORTLIST_REPORT_INIT;
    if (shortlist_sce(&loss, context, &sce, &batch, &outputs, &report) != SHORTLIST_OK) goto failed;
    printf("loss %.4f over %lld tokens, %lld bytes of workspace\n", loss, (long long)report.tokens_counted,
           (long long)report.workspace_used);
    shortlist_context_release(context);
    return 0;

failed:
    fprintf(stderr, "%s\n", shortlist_last_error_message());
    return 1;
}
/* snippet end */
