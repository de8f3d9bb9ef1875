/* The Vulkan backend behind the C library: test_vulkan device | without-driver | left-out.
 *
 *   device          there is a device, software or not
 *   without-driver  the library has the backend, the machine no driver
 *   left-out        the library was built without the backend */
#include "fixture.h"
#include "tests.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static shortlist_status open_vulkan(shortlist_context **context) {
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    options.backend = "vulkan";
    return shortlist_context_create(context, &options);
}

/* The entry of the list of devices with this backend, or 0. */
static int find(const char *backend, shortlist_device_info *info) {
    int64_t count = 0;
    CHECK_STATUS(SHORTLIST_OK, shortlist_device_count(&count));
    for (int64_t position = 0; position < count; position++) {
        info->struct_size = sizeof *info;
        CHECK_STATUS(SHORTLIST_OK, shortlist_device_get_info(info, position));
        if (strcmp(info->backend, backend) == 0) { return 1; }
    }
    return 0;
}

static double error_of(const float *one, const float *other, int64_t count) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += (one[i] - other[i]) * (double)(one[i] - other[i]);
        size += other[i] * (double)other[i];
    }
    return size > 0 ? difference / size : difference;
}

static void losses_agree(void) {
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        fixture cpu, vulkan;
        shortlist_context *context = NULL;
        check_about(loss_names[kind]);
        fixture_make(&cpu, 120, 600, 24, 5);
        fixture_make(&vulkan, 120, 600, 24, 5);
        cpu.batch.item_bias = cpu.bias;
        vulkan.batch.item_bias = vulkan.bias;
        const shortlist_outputs expected = fixture_outputs(&cpu, SHORTLIST_CATALOG_GRADIENT_STORE);
        const shortlist_outputs found = fixture_outputs(&vulkan, SHORTLIST_CATALOG_GRADIENT_STORE);
        shortlist_context *host = make_context(2);
        CHECK_STATUS(SHORTLIST_OK, run(kind, &cpu, host, &expected));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(host));
        if (CHECK_STATUS(SHORTLIST_OK, open_vulkan(&context))) {
            CHECK_STATUS(SHORTLIST_OK, run(kind, &vulkan, context, &found));
            CHECK_NEAR(cpu.loss, vulkan.loss, 1e-5 * fabs(cpu.loss));
            CHECK(error_of(vulkan.hidden_gradient, cpu.hidden_gradient, 120 * 24) < 1e-9);
            CHECK(error_of(vulkan.catalog_gradient, cpu.catalog_gradient, 600 * 24) < 1e-9);
            CHECK(error_of(vulkan.bias_gradient, cpu.bias_gradient, 600) < 1e-9);
            CHECK(vulkan.report.composed_kernels == 0 && vulkan.report.native_kernels != 0);
            CHECK(vulkan.report.bytes_uploaded > 600 * 24 * 4 && vulkan.report.bytes_downloaded > 600 * 24 * 4);
            CHECK(vulkan.report.tokens_counted == cpu.report.tokens_counted);
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        }
        fixture_free(&cpu);
        fixture_free(&vulkan);
    }
}

static void a_catalog_is_sent_once(void) {
    fixture f;
    shortlist_context *context = NULL;
    shortlist_catalog *catalog = NULL;
    fixture_make(&f, 40, 3000, 24, 6);
    if (CHECK_STATUS(SHORTLIST_OK, open_vulkan(&context))) {
        CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &f.batch.items, NULL));
        f.batch.catalog = catalog;
        memset(&f.batch.items, 0, sizeof f.batch.items);
        CHECK_STATUS(SHORTLIST_OK, run(CROSS_ENTROPY, &f, context, NULL));
        const double loss = f.loss;
        CHECK(f.report.bytes_uploaded > 3000 * 24 * 4);
        CHECK_STATUS(SHORTLIST_OK, run(CROSS_ENTROPY, &f, context, NULL));
        CHECK(f.loss == loss && f.report.bytes_uploaded < 40 * 25 * 4 + 4096);
        /* the catalog outlives the context that made it */
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
    }
    fixture_free(&f);
}

static void *call_ten_times(void *argument) {
    fixture f;
    shortlist_context *context = NULL;
    double *loss = argument;
    fixture_make(&f, 60, 400, 16, 7);
    int failures = open_vulkan(&context) != SHORTLIST_OK;
    for (int call = 0; call < 10 && !failures; call++) {
        failures = run(SCE, &f, context, NULL) != SHORTLIST_OK || (call > 0 && f.loss != *loss);
        *loss = f.loss;
    }
    if (failures || shortlist_context_release(context) != SHORTLIST_OK) { *loss = NAN; }
    fixture_free(&f);
    return NULL;
}

static void two_threads(void) {
    pthread_t threads[2];
    double losses[2] = {0, 0};
    for (int i = 0; i < 2; i++) { CHECK(pthread_create(&threads[i], NULL, call_ten_times, &losses[i]) == 0); }
    for (int i = 0; i < 2; i++) { CHECK(pthread_join(threads[i], NULL) == 0); }
    CHECK(losses[0] > 0 && losses[0] == losses[1]);
}

static void a_device_is_listed(void) {
    shortlist_device_info info;
    shortlist_context_info made = SHORTLIST_CONTEXT_INFO_INIT;
    shortlist_context *context = NULL;
    CHECK(find("vulkan", &info) && info.available == 1 && info.score > 0 && info.device[0] != 0);
    if (CHECK_STATUS(SHORTLIST_OK, open_vulkan(&context))) {
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_get_info(&made, context));
        CHECK(strcmp(made.backend, "vulkan") == 0 && strstr(made.reason, "asked for by name") != NULL);
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    }
}

static void the_default_is_the_cpu(void) {
    shortlist_context_info made = SHORTLIST_CONTEXT_INFO_INIT;
    shortlist_context *context = make_context(1);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_get_info(&made, context));
    CHECK(strcmp(made.backend, "cpu") == 0);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void no_driver(void) {
    shortlist_device_info info;
    shortlist_context *context = NULL;
    CHECK(find("vulkan", &info) && info.available == 0 && info.index == -1);
    CHECK(strstr(info.reason, "driver") != NULL);
    CHECK_STATUS(SHORTLIST_BACKEND_UNAVAILABLE, open_vulkan(&context));
    CHECK(strstr(shortlist_last_error_message(), info.reason) != NULL);
    CHECK(context == NULL);
    the_default_is_the_cpu();
}

static void left_out(void) {
    shortlist_device_info info;
    shortlist_context *context = NULL;
    CHECK(!find("vulkan", &info));
    CHECK_STATUS(SHORTLIST_UNKNOWN_BACKEND, open_vulkan(&context));
    CHECK(strstr(shortlist_last_error_message(), "'cpu'") != NULL);
    the_default_is_the_cpu();
}

int main(int argc, char **argv) {
    static const test with_device[] = {
        {"a Vulkan device is listed, and opened when its backend is named", a_device_is_listed},
        {"every loss and its gradients on Vulkan are those of the CPU", losses_agree},
        {"a catalog is sent to the device once, and outlives its context", a_catalog_is_sent_once},
        {"two threads with a Vulkan context each get the same loss", two_threads},
    };
    static const test without_driver[] = {
        {"without a Vulkan driver the backend is listed with the reason, refused, and the CPU works", no_driver},
    };
    static const test without_backend[] = {
        {"a build without Vulkan lists no such backend and refuses its name", left_out},
    };
    const char *mode = argc == 2 ? argv[1] : "";
    if (strcmp(mode, "device") == 0) { return run_tests(with_device, 4, NULL); }
    if (strcmp(mode, "without-driver") == 0) { return run_tests(without_driver, 1, NULL); }
    if (strcmp(mode, "left-out") == 0) { return run_tests(without_backend, 1, NULL); }
    fprintf(stderr, "usage: test_vulkan device | without-driver | left-out\n");
    return 2;
}
