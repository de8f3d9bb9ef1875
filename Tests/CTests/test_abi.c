/* Version, names, messages, struct sizes, random numbers, the device list: what needs no data. */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void version_matches_the_header(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", SHORTLIST_VERSION_MAJOR, SHORTLIST_VERSION_MINOR, SHORTLIST_VERSION_PATCH);
    CHECK(shortlist_version() == SHORTLIST_VERSION);
    CHECK(strcmp(shortlist_version_string(), text) == 0);
}

static void every_status_has_a_name(void) {
    CHECK(strcmp(shortlist_status_name(SHORTLIST_OK), "SHORTLIST_OK") == 0);
    CHECK(strcmp(shortlist_status_name(SHORTLIST_INVALID_ARGUMENT), "SHORTLIST_INVALID_ARGUMENT") == 0);
    CHECK(strcmp(shortlist_status_name(SHORTLIST_OVERFLOW), "SHORTLIST_OVERFLOW") == 0);
    CHECK(strcmp(shortlist_status_name(SHORTLIST_INTERNAL_ERROR), "SHORTLIST_INTERNAL_ERROR") == 0);
    CHECK(strcmp(shortlist_status_name(-50), "SHORTLIST_UNKNOWN_STATUS") == 0);
    CHECK(strcmp(shortlist_status_name(INT32_MIN), "SHORTLIST_UNKNOWN_STATUS") == 0);
    for (int32_t status = SHORTLIST_OVERFLOW; status <= SHORTLIST_OK; status++) {
        CHECK(strcmp(shortlist_status_name(status), "SHORTLIST_UNKNOWN_STATUS") != 0);
        for (int32_t other = SHORTLIST_OVERFLOW; other < status; other++) {
            CHECK(strcmp(shortlist_status_name(status), shortlist_status_name(other)) != 0);
        }
    }
}

static void *another_thread(void *seen) {
    int *ok = seen;
    *ok = strcmp(shortlist_last_error_message(), "") == 0 && shortlist_last_error_need() == 0;
    *ok = *ok && shortlist_context_release((shortlist_context *)(uintptr_t)77) == SHORTLIST_INVALID_HANDLE;
    *ok = *ok && strlen(shortlist_last_error_message()) > 8;
    return NULL;
}

static void each_thread_has_its_own_message(void) {
    int64_t count;
    char before[1024];
    pthread_t thread;
    int ok = 0;
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_device_count(NULL));
    snprintf(before, sizeof before, "%s", shortlist_last_error_message());
    CHECK(pthread_create(&thread, NULL, another_thread, &ok) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(ok);
    CHECK(strcmp(before, shortlist_last_error_message()) == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_device_count(&count));
    CHECK(strcmp(before, shortlist_last_error_message()) == 0); /* success leaves it */
    CHECK(shortlist_last_error_need() == 0);
}

/* A struct_size that is too small, absurd, or larger with bytes that are not zero, for one struct in one call. `object`
 * is the struct, followed by 64 bytes that belong to the test. */
#define SIZES_REFUSED(object, call)                                                                                    \
    do {                                                                                                               \
        const uint32_t size = (uint32_t)sizeof(object.value);                                                          \
        const uint32_t wrong[] = {0, 4, size - 8, size - 1, 1u << 20, UINT32_MAX};                                     \
        for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {                                                    \
            object.value.struct_size = wrong[w];                                                                       \
            CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, call);                                                            \
        }                                                                                                              \
        object.value.struct_size = size + 16;                                                                          \
        object.tail[3] = 1;                                                                                            \
        CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, call);                                                                \
        object.tail[3] = 0;                                                                                            \
        CHECK_STATUS(SHORTLIST_OK, call);                                                                              \
        object.value.struct_size = size;                                                                               \
        CHECK_STATUS(SHORTLIST_OK, call);                                                                              \
    } while (0)

#define WITH_TAIL(type, name, init)                                                                                    \
    struct {                                                                                                           \
        type value;                                                                                                    \
        unsigned char tail[64];                                                                                        \
    } name = {init, {0}}

static shortlist_status create_and_release(const shortlist_context_options *options) {
    shortlist_context *context = NULL;
    shortlist_status status = shortlist_context_create(&context, options);
    if (status == SHORTLIST_OK) { status = shortlist_context_release(context); }
    return status;
}

static void struct_sizes_are_checked(void) {
    fixture f;
    fixture_make(&f, 5, 30, 4, 1);
    shortlist_context *context = make_context(1);
    int32_t ids[10];

    WITH_TAIL(shortlist_context_options, options, SHORTLIST_CONTEXT_OPTIONS_INIT);
    SIZES_REFUSED(options, create_and_release(&options.value));
    WITH_TAIL(shortlist_batch, batch, SHORTLIST_BATCH_INIT);
    batch.value = f.batch;
    SIZES_REFUSED(batch, shortlist_cross_entropy(&f.loss, context, NULL, &batch.value, NULL, NULL));
    WITH_TAIL(shortlist_outputs, outputs, SHORTLIST_OUTPUTS_INIT);
    SIZES_REFUSED(outputs, shortlist_cross_entropy(&f.loss, context, NULL, &f.batch, &outputs.value, NULL));
    WITH_TAIL(shortlist_report, report, SHORTLIST_REPORT_INIT);
    SIZES_REFUSED(report, shortlist_cross_entropy(&f.loss, context, NULL, &f.batch, NULL, &report.value));
    WITH_TAIL(shortlist_cross_entropy_options, ce, SHORTLIST_CROSS_ENTROPY_OPTIONS_INIT);
    SIZES_REFUSED(ce, shortlist_cross_entropy(&f.loss, context, &ce.value, &f.batch, NULL, NULL));
    WITH_TAIL(shortlist_sce_options, sce, SHORTLIST_SCE_OPTIONS_INIT);
    SIZES_REFUSED(sce, shortlist_sce(&f.loss, context, &sce.value, &f.batch, NULL, NULL));
    WITH_TAIL(shortlist_rece_options, rece, SHORTLIST_RECE_OPTIONS_INIT);
    SIZES_REFUSED(rece, shortlist_rece(&f.loss, context, &rece.value, &f.batch, NULL, NULL));
    WITH_TAIL(shortlist_given_candidates_options, given, SHORTLIST_GIVEN_CANDIDATES_OPTIONS_INIT);
    given.value = f.given;
    SIZES_REFUSED(given, shortlist_given_candidates(&f.loss, context, &given.value, &f.batch, NULL, NULL));
    WITH_TAIL(shortlist_query, query, SHORTLIST_QUERY_INIT);
    query.value.queries = f.batch.hidden;
    query.value.items = f.batch.items;
    SIZES_REFUSED(query, shortlist_top_k(ids, NULL, context, &query.value, 2, NULL));
    WITH_TAIL(shortlist_context_info, info, SHORTLIST_CONTEXT_INFO_INIT);
    SIZES_REFUSED(info, shortlist_context_get_info(&info.value, context));
    WITH_TAIL(shortlist_device_info, device, SHORTLIST_DEVICE_INFO_INIT);
    SIZES_REFUSED(device, shortlist_device_get_info(&device.value, 0));

    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void a_report_larger_than_the_library_knows_keeps_its_tail(void) {
    fixture f;
    fixture_make(&f, 5, 30, 4, 1);
    shortlist_context *context = make_context(1);
    WITH_TAIL(shortlist_report, report, SHORTLIST_REPORT_INIT);
    report.value.struct_size += 16;
    report.tail[40] = 7;
    CHECK_STATUS(SHORTLIST_OK, shortlist_cross_entropy(&f.loss, context, NULL, &f.batch, NULL, &report.value));
    CHECK(report.value.tokens_valid == 5 && report.value.struct_size == sizeof(shortlist_report) + 16);
    for (int i = 0; i < 64; i++) { CHECK(report.tail[i] == (i == 40 ? 7 : 0)); }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void null_where_something_is_needed_is_refused(void) {
    fixture f;
    fixture_make(&f, 5, 30, 4, 1);
    shortlist_context *context = make_context(1);
    shortlist_catalog *catalog = NULL;
    shortlist_state *state = NULL;
    shortlist_query query = SHORTLIST_QUERY_INIT;
    const shortlist_indices targets = f.batch.targets;
    int32_t ids[10];
    int64_t numbers[10];
    query.queries = f.batch.hidden;
    query.items = f.batch.items;

    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_create(NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_context_get_info(NULL, context));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_device_count(NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_device_get_info(NULL, 0));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_cross_entropy(&f.loss, context, NULL, NULL, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_sce(&f.loss, context, NULL, NULL, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_rece(&f.loss, context, NULL, NULL, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT,
                 shortlist_given_candidates(&f.loss, context, NULL, &f.batch, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_sce_forward(NULL, NULL, context, NULL, &f.batch, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_create(NULL, context, &f.batch.items, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_catalog_create(&catalog, context, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_top_k(NULL, NULL, context, &query, 2, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_top_k(ids, NULL, context, NULL, 2, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_target_ranks(NULL, context, &query, &targets, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_target_ranks(numbers, context, NULL, &targets, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_target_ranks(numbers, context, &query, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(NULL, 1, 2, 0, 0));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_block(NULL, (uint32_t *)ids, (uint32_t *)ids));

    CHECK_STATUS(SHORTLIST_OK, shortlist_sce_forward(&state, NULL, context, NULL, &f.batch, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_backward(state, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_state_get_selection(NULL, ids, numbers, ids, state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_selection_size(NULL, NULL, NULL, state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));

    /* and where nothing is needed it is fine */
    CHECK_STATUS(SHORTLIST_OK, shortlist_cross_entropy(NULL, context, NULL, &f.batch, NULL, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

static void philox_gives_the_published_numbers(void) {
    /* Random123, kat_vectors: philox4x32 10 */
    const uint32_t zero_counter[4] = {0, 0, 0, 0}, zero_key[2] = {0, 0};
    const uint32_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    const uint32_t ones_counter[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    const uint32_t ones_key[2] = {UINT32_MAX, UINT32_MAX};
    const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    const uint32_t pi_counter[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    const uint32_t pi_key[2] = {0xa4093822, 0x299f31d0};
    const uint32_t pi[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    uint32_t result[4];
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_block(result, zero_counter, zero_key));
    CHECK(memcmp(result, zero, sizeof zero) == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_block(result, ones_counter, ones_key));
    CHECK(memcmp(result, ones, sizeof ones) == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_block(result, pi_counter, pi_key));
    CHECK(memcmp(result, pi, sizeof pi) == 0);
}

static void any_part_of_a_draw_can_be_had_alone(void) {
    enum { ROWS = 9, COLUMNS = 13, STRIDE = 16 };
    float all[ROWS * COLUMNS], part[3 * STRIDE];
    double mean = 0, square = 0;
    shortlist_mutable_matrix whole = shortlist_mutable_matrix_f32(all, ROWS, COLUMNS);
    shortlist_mutable_matrix some = shortlist_mutable_matrix_f32(part, 3, COLUMNS);
    some.row_stride = STRIDE;
    memset(part, 0, sizeof part);
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_normal(&whole, 42, 7, SHORTLIST_STREAM_DIRECTIONS, 0));
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_normal(&some, 42, 7, SHORTLIST_STREAM_DIRECTIONS, 5));
    for (int r = 0; r < 3; r++) {
        CHECK(memcmp(part + r * STRIDE, all + (5 + r) * COLUMNS, COLUMNS * sizeof(float)) == 0);
        for (int c = COLUMNS; c < STRIDE; c++) { CHECK(part[r * STRIDE + c] == 0); }
    }
    CHECK_STATUS(SHORTLIST_OK, shortlist_philox_normal(&some, 42, 8, SHORTLIST_STREAM_DIRECTIONS, 5));
    CHECK(memcmp(part, all + 5 * COLUMNS, COLUMNS * sizeof(float)) != 0);
    for (int i = 0; i < ROWS * COLUMNS; i++) { mean += all[i], square += (double)all[i] * all[i]; }
    CHECK_NEAR(0, mean / (ROWS * COLUMNS), 0.4);
    CHECK_NEAR(1, square / (ROWS * COLUMNS), 0.5);

    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(&whole, 42, UINT64_C(1) << 56, 0, 0));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(&whole, 42, 0, 0, -1));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(&whole, 42, 0, 9, 0));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(&whole, 42, 0, -1, 0));
    CHECK_STATUS(SHORTLIST_INVALID_ARGUMENT, shortlist_philox_normal(&whole, 42, 0, 0, INT64_MAX));
    whole.dtype = SHORTLIST_FLOAT16;
    CHECK_STATUS(SHORTLIST_UNSUPPORTED, shortlist_philox_normal(&whole, 42, 0, 0, 0));
}

static void the_device_list_has_an_available_cpu(void) {
    int64_t count = 0;
    int available = 0;
    CHECK_STATUS(SHORTLIST_OK, shortlist_device_count(&count));
    CHECK(count >= 1);
    for (int64_t i = 0; i < count; i++) {
        shortlist_device_info info = SHORTLIST_DEVICE_INFO_INIT;
        CHECK_STATUS(SHORTLIST_OK, shortlist_device_get_info(&info, i));
        CHECK(strlen(info.backend) > 0 && strlen(info.reason) > 0);
        CHECK(info.available == (info.score > 0));
        if (strcmp(info.backend, "cpu") == 0) { available = info.available; }
    }
    CHECK(available);
    shortlist_device_info info = SHORTLIST_DEVICE_INFO_INIT;
    CHECK_STATUS(SHORTLIST_INDEX_OUT_OF_RANGE, shortlist_device_get_info(&info, count));
    CHECK_STATUS(SHORTLIST_INDEX_OUT_OF_RANGE, shortlist_device_get_info(&info, -1));
    CHECK_STATUS(SHORTLIST_INDEX_OUT_OF_RANGE, shortlist_device_get_info(&info, INT64_MAX));
}

static void a_context_says_what_it_runs_on(void) {
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context_info info = SHORTLIST_CONTEXT_INFO_INIT;
    shortlist_context *context = NULL;
    options.backend = "cpu";
    options.device = 0;
    options.threads = 2;
    options.workspace_limit = 123456789;
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_get_info(&info, context));
    CHECK(strcmp(info.backend, "cpu") == 0 && strlen(info.device) > 0 && strlen(info.reason) > 0);
    CHECK(info.threads == 2 && info.workspace_limit == 123456789);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void kernels_and_notes_have_names(void) {
    fixture f;
    fixture_make(&f, 40, 60, 4, 3);
    shortlist_context *context = make_context(1);
    shortlist_outputs outputs = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
    f.sce.tokens_per_bucket = 1000;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, context, &outputs));
    CHECK((f.report.native_kernels | f.report.composed_kernels) != 0);
    CHECK((f.report.native_kernels & f.report.composed_kernels) == 0);
    CHECK(f.report.notes != 0 && f.report.tokens_per_bucket == 40);
    for (int32_t bit = 0; bit < 64; bit++) {
        const uint64_t mask = UINT64_C(1) << bit;
        if ((f.report.native_kernels | f.report.composed_kernels) & mask) { CHECK(shortlist_kernel_name(bit) != NULL); }
        if (f.report.notes & mask) { CHECK(shortlist_note_text(bit) != NULL); }
    }
    CHECK(shortlist_kernel_name(-1) == NULL && shortlist_kernel_name(63) == NULL);
    CHECK(shortlist_kernel_name(INT32_MAX) == NULL && shortlist_kernel_name(INT32_MIN) == NULL);
    CHECK(shortlist_note_text(-1) == NULL && shortlist_note_text(63) == NULL);
    CHECK(shortlist_note_text(INT32_MAX) == NULL && shortlist_note_text(INT32_MIN) == NULL);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    fixture_free(&f);
}

test_list abi_tests(void) {
    static const test tests[] = {
        {"the version function matches the header's macros", version_matches_the_header},
        {"every status has a name of its own", every_status_has_a_name},
        {"each thread has its own error message", each_thread_has_its_own_message},
        {"struct sizes too small, absurd, or with unknown bytes are refused", struct_sizes_are_checked},
        {"a larger report keeps its unknown tail", a_report_larger_than_the_library_knows_keeps_its_tail},
        {"NULL is refused where something is needed", null_where_something_is_needed_is_refused},
        {"Philox gives the published numbers", philox_gives_the_published_numbers},
        {"any part of a draw can be had alone", any_part_of_a_draw_can_be_had_alone},
        {"the device list has an available CPU", the_device_list_has_an_available_cpu},
        {"a context says what it runs on", a_context_says_what_it_runs_on},
        {"kernels and notes of a report have names", kernels_and_notes_have_names},
    };
    return LIST_OF(tests);
}
