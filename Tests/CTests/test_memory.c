/* What the library allocates, counted from outside (run with LD_PRELOAD=libinterpose.so): the plan is kept, nothing is
 * allocated in a call like the one before, and every large allocation may fail. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "interpose.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static interpose_begin_function *begin;
static interpose_end_function *end;

enum { LARGE = 64 * 1024, TOP_K = LOSS_COUNT, RANKS, JOB_COUNT };

/* Beside the plan: the context's own small objects, and rounding. */
enum { SLACK = 128 * 1024 };

static const char *job_name(int job) { return job < LOSS_COUNT ? loss_names[job] : job == TOP_K ? "top-k" : "ranks"; }

/* A fixture larger than any tile, so that N x C would stand out, and room for the retrieval jobs. */
typedef struct work {
    fixture f;
    int32_t *ids;
    int64_t *ranks;
    shortlist_query query;
} work;

enum { TOKENS = 1500, ITEMS = 20000, WIDTH = 24, PLACES = 50 };

static void make_work(work *w) {
    const shortlist_query query = SHORTLIST_QUERY_INIT;
    fixture_make(&w->f, TOKENS, ITEMS, WIDTH, 8);
    w->f.batch.item_bias = w->f.bias;
    w->f.batch.weights = w->f.weights;
    w->f.sce.items_per_bucket = 256;
    w->ids = calloc((size_t)TOKENS * PLACES, sizeof *w->ids);
    w->ranks = calloc(TOKENS, sizeof *w->ranks);
    w->query = query;
    w->query.queries = w->f.batch.hidden;
    w->query.items = w->f.batch.items;
}

static void free_work(work *w) {
    fixture_free(&w->f);
    free(w->ids);
    free(w->ranks);
}

static shortlist_status run_job(int job, work *w, shortlist_context *context, int32_t mode) {
    if (job == TOP_K) { return shortlist_top_k(w->ids, NULL, context, &w->query, PLACES, &w->f.report); }
    if (job == RANKS) {
        return shortlist_target_ranks(w->ranks, context, &w->query, &w->f.batch.targets, &w->f.report);
    }
    const shortlist_outputs outputs = fixture_outputs(&w->f, mode);
    return run(job, &w->f, context, &outputs);
}

/* Dense and row-sparse gradients; retrieval has one way only. */
static int modes_of(int job) { return job < LOSS_COUNT ? 2 : 1; }
static int32_t mode_of(int index) {
    return index == 0 ? SHORTLIST_CATALOG_GRADIENT_STORE : SHORTLIST_CATALOG_GRADIENT_ROWS;
}

/* The first use of the library makes things that stay (tables of the runtime): not part of any plan. */
static void warm_up(work *w) {
    shortlist_context *context = make_context(2);
    for (int job = 0; job < JOB_COUNT; job++) { CHECK_STATUS(SHORTLIST_OK, run_job(job, w, context, mode_of(0))); }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
}

static void the_plan_is_what_is_allocated(void) {
    work w;
    make_work(&w);
    warm_up(&w);
    for (int job = 0; job < JOB_COUNT; job++) {
        for (int m = 0; m < modes_of(job); m++) {
            interpose_counts counts;
            check_about(job_name(job));
            shortlist_context *context = make_context(2);
            begin(LARGE, 0);
            const shortlist_status status = run_job(job, &w, context, mode_of(m));
            end(&counts);
            CHECK_STATUS(SHORTLIST_OK, status);
            const shortlist_report *report = &w.f.report;
            CHECK(counts.high_bytes <= report->workspace_planned + SLACK);
            CHECK(report->workspace_planned <= counts.high_bytes + counts.high_bytes / 4 + SLACK);
            CHECK(report->workspace_planned < (int64_t)TOKENS * ITEMS * 4 / 4);
            printf("  %-16s %s planned %7.0f KiB, allocated %7.0f KiB in %d large pieces; N x C %7.0f KiB\n",
                   job_name(job), m == 0 ? "dense " : "sparse", (double)report->workspace_planned / 1024,
                   (double)counts.high_bytes / 1024, (int)counts.large_calls, TOKENS * (double)ITEMS * 4 / 1024);
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        }
    }
    free_work(&w);
}

static void a_limit_holds_for_what_is_allocated(void) {
    work w;
    make_work(&w);
    warm_up(&w);
    for (int job = 0; job < JOB_COUNT; job++) {
        interpose_counts counts;
        shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
        shortlist_context *context = make_context(2);
        check_about(job_name(job));
        CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(0)));
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        options.threads = 2;
        options.workspace_limit = w.f.report.workspace_least;
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options));
        begin(LARGE, 0);
        const shortlist_status status = run_job(job, &w, context, mode_of(0));
        end(&counts);
        CHECK_STATUS(SHORTLIST_OK, status);
        CHECK(counts.high_bytes <= options.workspace_limit + SLACK);
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    }
    free_work(&w);
}

/* What one call leaves for the next must not add up beyond the limit either. */
static void a_limit_holds_over_different_calls(void) {
    work w;
    int64_t largest = 0;
    interpose_counts counts;
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_context *context = make_context(2);
    make_work(&w);
    for (int job = 0; job < JOB_COUNT; job++) {
        CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(0)));
        if (w.f.report.workspace_least > largest) { largest = w.f.report.workspace_least; }
    }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    options.threads = 2;
    options.workspace_limit = largest;
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options));
    begin(LARGE, 0);
    for (int i = 0; i < 3 * JOB_COUNT; i++) {
        check_about(job_name(i * 5 % JOB_COUNT));
        CHECK_STATUS(SHORTLIST_OK, run_job(i * 5 % JOB_COUNT, &w, context, mode_of(i % 2)));
    }
    end(&counts);
    check_about("");
    CHECK(counts.high_bytes <= options.workspace_limit + SLACK);
    printf("  limit %.0f KiB, allocated at most %.0f KiB\n", (double)options.workspace_limit / 1024,
           (double)counts.high_bytes / 1024);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    free_work(&w);
}

static void a_call_like_the_one_before_allocates_nothing_large(void) {
    work w;
    make_work(&w);
    for (int job = 0; job < JOB_COUNT; job++) {
        for (int m = 0; m < modes_of(job); m++) {
            interpose_counts counts;
            check_about(job_name(job));
            shortlist_context *context = make_context(2);
            CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(m)));
            CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(m)));
            begin(LARGE, 0);
            for (int step = 0; step < 3; step++) {
                w.f.sce.step += 1;
                CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(m)));
            }
            end(&counts);
            CHECK(counts.large_calls == 0);
            CHECK(counts.live_bytes <= 4096);
            CHECK(counts.high_bytes <= 64 * 1024);
            printf("  %-16s %s %d small allocations a call, %d bytes at most\n", job_name(job),
                   m == 0 ? "dense " : "sparse", (int)(counts.calls / 3), (int)counts.high_bytes);
            CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        }
    }
    free_work(&w);
}

static void two_phases_keep_one_state_of_memory(void) {
    /* many tokens, so that what a backward call needs beside its state is large too */
    const int64_t shapes[2][3] = {{TOKENS, ITEMS, WIDTH}, {20000, 300, 4}};
    for (int i = 0; i < 2 * LOSS_COUNT; i++) {
        const int kind = i / 2;
        fixture f;
        interpose_counts counts;
        shortlist_state *state = NULL;
        check_about(loss_names[kind]);
        fixture_make(&f, shapes[i % 2][0], shapes[i % 2][1], shapes[i % 2][2], 8);
        shortlist_context *context = make_context(2);
        shortlist_outputs gradients = fixture_outputs(&f, SHORTLIST_CATALOG_GRADIENT_STORE);
        gradients.token_losses = gradients.log_sum_exp = NULL;
        for (int step = 0; step < 7; step++) {
            if (step == 3) { begin(LARGE, 0); }
            CHECK_STATUS(SHORTLIST_OK, run_forward(kind, &f, context, NULL, &state));
            CHECK_STATUS(SHORTLIST_OK, shortlist_backward(state, &gradients, NULL));
            CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
        }
        end(&counts);
        CHECK(counts.large_calls == 0);
        CHECK(counts.live_bytes <= 4096);
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        fixture_free(&f);
    }
}

static void release_gives_everything_back(void) {
    work w;
    interpose_counts counts;
    make_work(&w);
    warm_up(&w);
    begin(LARGE, 0);
    for (int round = 0; round < 3; round++) {
        shortlist_context *context = make_context(2);
        shortlist_catalog *catalog = NULL;
        shortlist_state *state = NULL;
        CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&catalog, context, &w.f.batch.items, NULL));
        CHECK_STATUS(SHORTLIST_OK, run_forward(SCE, &w.f, context, NULL, &state));
        for (int job = 0; job < JOB_COUNT; job++) { CHECK_STATUS(SHORTLIST_OK, run_job(job, &w, context, mode_of(1))); }
        CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
        CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(catalog));
        CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state));
    }
    for (int i = 0; i < 1000; i++) {
        CHECK(shortlist_context_release((shortlist_context *)(uintptr_t)99) == SHORTLIST_INVALID_HANDLE);
    }
    end(&counts);
    CHECK(counts.live_bytes <= 16 * 1024);
    free_work(&w);
}

/* ---- failing allocations ---- */

/* In a child: makes a context and runs a job with the `fail_at`-th large allocation failing. Exit status: 0 the failure
 * came back as it should and the context works on; 1 something was wrong; 3 there were fewer large allocations. */
static int run_with_a_failure(int job, int32_t mode, int two_phases, int64_t fail_at) {
    work w;
    interpose_counts counts;
    shortlist_context *context = NULL;
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    shortlist_state *state = NULL;
    shortlist_status status;
    make_work(&w);
    const int failures_before = check_failures();
    shortlist_outputs gradients = fixture_outputs(&w.f, mode);
    gradients.token_losses = gradients.log_sum_exp = NULL;
    options.threads = 2;
    begin(LARGE, fail_at);
    status = shortlist_context_create(&context, &options);
    if (status == SHORTLIST_OK && !two_phases) { status = run_job(job, &w, context, mode); }
    if (status == SHORTLIST_OK && two_phases) { status = run_forward(job, &w.f, context, NULL, &state); }
    const int forward_failed = status != SHORTLIST_OK;
    if (status == SHORTLIST_OK && two_phases) { status = shortlist_backward(state, &gradients, NULL); }
    end(&counts);
    if (counts.failed == 0) {
        CHECK_STATUS(SHORTLIST_OK, status);
        return check_failures() == failures_before ? 3 : 1;
    }
    CHECK_STATUS(SHORTLIST_OUT_OF_MEMORY, status);
    if (!two_phases || forward_failed) { CHECK(fixture_untouched(&w.f)); }
    if (two_phases && forward_failed) { CHECK(state == NULL); }
    if (context == NULL) { CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&context, &options)); }
    if (two_phases && state == NULL) { CHECK_STATUS(SHORTLIST_OK, run_forward(job, &w.f, context, NULL, &state)); }
    CHECK_STATUS(SHORTLIST_OK, two_phases ? shortlist_backward(state, &gradients, NULL)
                                          : run_job(job, &w, context, mode));
    if (state != NULL) { CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(state)); }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(context));
    free_work(&w);
    return check_failures() == failures_before ? 0 : 1;
}

static void each_large_allocation_may_fail(void) {
    int failures_seen = 0;
    for (int job = 0; job < JOB_COUNT; job++) {
        for (int way = 0; way < (job < LOSS_COUNT ? 4 : 1); way++) {
            for (int64_t fail_at = 1; fail_at < 200; fail_at++) {
                int status = 0;
                char about[80];
                snprintf(about, sizeof about, "%s%s%s, large allocation %d", job_name(job), way & 1 ? ", sparse" : "",
                         way & 2 ? ", two phases" : "", (int)fail_at);
                check_about(about);
                fflush(stdout);
                const pid_t child = fork();
                if (child == 0) {
                    alarm(60);
                    const int result = run_with_a_failure(job, mode_of(way & 1), way >= 2, fail_at);
                    fflush(stdout);
                    _exit(result);
                }
                CHECK(child > 0 && waitpid(child, &status, 0) == child);
                const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
                CHECK(code == 0 || code == 3);
                if (code != 0) { break; }
                failures_seen += 1;
            }
        }
    }
    check_about("");
    printf("  %d large allocations were made to fail\n", failures_seen);
    CHECK(failures_seen >= JOB_COUNT);
}

int main(int argc, char **argv) {
    static const test tests[] = {
        {"the plan is what is allocated", the_plan_is_what_is_allocated},
        {"a limit holds for what is allocated", a_limit_holds_for_what_is_allocated},
        {"a limit holds over different calls, one after the other", a_limit_holds_over_different_calls},
        {"a call like the one before allocates nothing large", a_call_like_the_one_before_allocates_nothing_large},
        {"forward, backward and release, again and again, allocate nothing large", two_phases_keep_one_state_of_memory},
        {"release gives everything back", release_gives_everything_back},
        {"each large allocation may fail", each_large_allocation_may_fail},
    };
    *(void **)&begin = dlsym(RTLD_DEFAULT, "interpose_begin");
    *(void **)&end = dlsym(RTLD_DEFAULT, "interpose_end");
    if (begin == NULL || end == NULL) {
        fprintf(stderr, "run this with LD_PRELOAD=libinterpose.so\n");
        return 2;
    }
    return run_tests(tests, (int)(sizeof tests / sizeof *tests), argc > 1 ? argv[1] : NULL);
}
