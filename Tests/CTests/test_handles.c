/* Handles: stale, foreign, released twice, shared by threads, carried over a fork. */
#include "fixture.h"
#include "tests.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A context and something of each kind made from it. */
typedef struct made {
    fixture f;
    shortlist_context *context;
    shortlist_catalog *catalog;
    shortlist_state *state;
} made;

static void make(made *m) {
    fixture_make(&m->f, 20, 50, 6, 2);
    m->context = make_context(2);
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_create(&m->catalog, m->context, &m->f.batch.items, m->f.bias));
    CHECK_STATUS(SHORTLIST_OK, run_forward(SCE, &m->f, m->context, NULL, &m->state));
}

static void unmake(made *m) {
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(m->context));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(m->catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(m->state));
    fixture_free(&m->f);
}

/* Every function that takes one of the handles must return `expected` and write nothing. Release functions are left to
 * the caller, since some expectations would release. NULL leaves a kind of handle out. */
static void every_use_gives(shortlist_status expected, fixture *f, shortlist_context *context,
                            shortlist_catalog *catalog, shortlist_state *state) {
    const shortlist_outputs outputs = fixture_outputs(f, SHORTLIST_CATALOG_GRADIENT_STORE);
    shortlist_outputs gradients = outputs;
    shortlist_query query = SHORTLIST_QUERY_INIT;
    int32_t ids[40];
    int64_t numbers[40];
    gradients.token_losses = gradients.log_sum_exp = NULL;
    query.queries = f->batch.hidden;
    query.items = f->batch.items;
    fixture_fill(f);
    if (context != NULL) {
        shortlist_context_info info = SHORTLIST_CONTEXT_INFO_INIT;
        shortlist_catalog *new_catalog = NULL;
        shortlist_state *new_state = NULL;
        for (int kind = 0; kind < LOSS_COUNT; kind++) {
            check_about(loss_names[kind]);
            CHECK_STATUS(expected, run(kind, f, context, &outputs));
            CHECK_STATUS(expected, run_forward(kind, f, context, NULL, &new_state));
        }
        check_about("");
        CHECK_STATUS(expected, shortlist_top_k(ids, NULL, context, &query, 2, &f->report));
        CHECK_STATUS(expected, shortlist_target_ranks(numbers, context, &query, &f->batch.targets, &f->report));
        CHECK_STATUS(expected, shortlist_context_get_info(&info, context));
        CHECK_STATUS(expected, shortlist_catalog_create(&new_catalog, context, &f->batch.items, NULL));
        CHECK(new_catalog == NULL && new_state == NULL);
    }
    if (catalog != NULL) {
        const shortlist_indices rows = shortlist_indices_i32(f->targets, 2);
        CHECK_STATUS(expected, shortlist_catalog_update(catalog));
        CHECK_STATUS(expected, shortlist_catalog_update_rows(catalog, &rows));
    }
    if (state != NULL) {
        CHECK_STATUS(expected, shortlist_backward(state, &gradients, &f->report));
        CHECK_STATUS(expected, shortlist_state_selection_size(NULL, NULL, NULL, state));
        CHECK_STATUS(expected, shortlist_state_get_selection(numbers, ids, numbers, ids, state));
    }
    CHECK(fixture_untouched(f));
}

static void released_handles_are_refused(void) {
    made m;
    make(&m);
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(m.state));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(m.catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(m.context));
    every_use_gives(SHORTLIST_INVALID_HANDLE, &m.f, m.context, m.catalog, m.state);
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_state_release(m.state));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_catalog_release(m.catalog));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_context_release(m.context));
    fixture_free(&m.f);
}

static void a_new_handle_does_not_revive_an_old_one(void) {
    shortlist_context *old = make_context(1), *later[8];
    shortlist_context_info info = SHORTLIST_CONTEXT_INFO_INIT;
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(old));
    for (int i = 0; i < 8; i++) {
        later[i] = make_context(1);
        CHECK(later[i] != old);
        CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_context_get_info(&info, old));
    }
    for (int i = 0; i < 8; i++) { CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(later[i])); }
}

static void foreign_handles_are_refused(void) {
    made m;
    char memory[64] = {0};
    make(&m);
    void *const foreign[] = {memory, &m, m.f.hidden, (void *)(uintptr_t)1, (void *)(uintptr_t)UINTPTR_MAX,
                             (void *)((uintptr_t)m.context ^ 1u),
                             (void *)((uintptr_t)m.context + ((uintptr_t)1 << 40))};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        every_use_gives(SHORTLIST_INVALID_HANDLE, &m.f, foreign[i], foreign[i], foreign[i]);
        CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_context_release(foreign[i]));
        CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_catalog_release(foreign[i]));
        CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_state_release(foreign[i]));
    }
    /* of another kind */
    every_use_gives(SHORTLIST_INVALID_HANDLE, &m.f, (void *)m.catalog, (void *)m.state, (void *)m.context);
    every_use_gives(SHORTLIST_INVALID_HANDLE, &m.f, (void *)m.state, (void *)m.context, (void *)m.catalog);
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_context_release((void *)m.state));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_catalog_release((void *)m.context));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_state_release((void *)m.catalog));
    /* NULL */
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, run(SCE, &m.f, NULL, NULL));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_catalog_update(NULL));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_state_selection_size(NULL, NULL, NULL, NULL));
    unmake(&m);
}

static void a_catalog_serves_its_own_context_only(void) {
    made m;
    make(&m);
    shortlist_context *other = make_context(1);
    m.f.batch.catalog = m.catalog;
    m.f.batch.items = (shortlist_matrix)SHORTLIST_MATRIX_NONE;
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &m.f, m.context, NULL));
    fixture_fill(&m.f);
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, run(SCE, &m.f, other, NULL));
    m.f.batch.catalog = (void *)m.state;
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, run(SCE, &m.f, m.context, NULL));
    m.f.batch.catalog = (void *)m.context;
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, run(SCE, &m.f, m.context, NULL));
    CHECK(fixture_untouched(&m.f));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(other));
    unmake(&m);
}

static void what_was_made_outlives_its_context(void) {
    made m;
    make(&m);
    shortlist_outputs gradients = fixture_outputs(&m.f, SHORTLIST_CATALOG_GRADIENT_STORE);
    gradients.token_losses = gradients.log_sum_exp = NULL;
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(m.state, &gradients, NULL));
    results before = keep_results(&m.f);
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(m.context));
    memset(m.f.hidden_gradient, 0, sizeof(float) * (size_t)(m.f.tokens * m.f.width));
    CHECK_STATUS(SHORTLIST_OK, shortlist_backward(m.state, &gradients, NULL));
    CHECK(same_results(&before, &m.f));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_update(m.catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_catalog_release(m.catalog));
    CHECK_STATUS(SHORTLIST_OK, shortlist_state_release(m.state));
    results_free(&before);
    fixture_free(&m.f);
}

/* ---- threads ---- */

/* A call that stays inside the library until it is told to go on: its stop callback waits. */
typedef struct stuck_call {
    made m;
    sem_t inside, go_on;
    int waited;
    int32_t answer; /* of the callback */
    shortlist_status reentrant, result;
    pthread_t thread;
} stuck_call;

static int32_t wait_inside(void *user_data) {
    stuck_call *call = user_data;
    if (!call->waited) {
        call->waited = 1;
        call->reentrant = shortlist_cross_entropy(NULL, call->m.context, NULL, &call->m.f.batch, NULL, NULL);
        sem_post(&call->inside);
        while (sem_wait(&call->go_on) != 0) {}
    }
    return call->answer;
}

static void *run_stuck_call(void *user_data) {
    stuck_call *call = user_data;
    call->result = shortlist_cross_entropy(NULL, call->m.context, NULL, &call->m.f.batch, NULL, NULL);
    return NULL;
}

static void start_stuck_call(stuck_call *call, int32_t answer) {
    shortlist_context_options options = SHORTLIST_CONTEXT_OPTIONS_INIT;
    memset(call, 0, sizeof *call);
    fixture_make(&call->m.f, 20, 50, 6, 2);
    options.threads = 2;
    options.should_stop = wait_inside;
    options.stop_user_data = call;
    call->waited = 1; /* not while the state is made */
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_create(&call->m.context, &options));
    CHECK_STATUS(SHORTLIST_OK,
                 shortlist_catalog_create(&call->m.catalog, call->m.context, &call->m.f.batch.items, NULL));
    CHECK_STATUS(SHORTLIST_OK, run_forward(SCE, &call->m.f, call->m.context, NULL, &call->m.state));
    call->waited = 0;
    call->answer = answer;
    CHECK(sem_init(&call->inside, 0, 0) == 0 && sem_init(&call->go_on, 0, 0) == 0);
    CHECK(pthread_create(&call->thread, NULL, run_stuck_call, call) == 0);
    while (sem_wait(&call->inside) != 0) {}
}

static void finish_stuck_call(stuck_call *call) {
    sem_post(&call->go_on);
    CHECK(pthread_join(call->thread, NULL) == 0);
    call->answer = 0;
    CHECK(sem_destroy(&call->inside) == 0 && sem_destroy(&call->go_on) == 0);
    unmake(&call->m);
}

static void a_second_thread_is_told_busy(void) {
    stuck_call call;
    fixture mine;
    start_stuck_call(&call, 0);
    fixture_make(&mine, 20, 50, 6, 2);
    every_use_gives(SHORTLIST_BUSY, &mine, call.m.context, call.m.catalog, call.m.state);
    CHECK_STATUS(SHORTLIST_BUSY, shortlist_context_release(call.m.context));
    CHECK_STATUS(SHORTLIST_BUSY, shortlist_catalog_release(call.m.catalog));
    CHECK_STATUS(SHORTLIST_BUSY, shortlist_state_release(call.m.state));
    CHECK(call.reentrant == SHORTLIST_BUSY);
    /* another context works meanwhile */
    shortlist_context *other = make_context(1);
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &mine, other, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(other));
    finish_stuck_call(&call);
    CHECK(call.result == SHORTLIST_OK);
    fixture_free(&mine);
}

static void the_stop_callback_ends_a_call(void) {
    stuck_call call;
    start_stuck_call(&call, 1);
    sem_post(&call.go_on);
    CHECK(pthread_join(call.thread, NULL) == 0);
    CHECK(call.result == SHORTLIST_CANCELLED);
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        check_about(loss_names[kind]);
        CHECK_STATUS(SHORTLIST_CANCELLED, run(kind, &call.m.f, call.m.context, NULL));
    }
    check_about("");
    call.answer = 0; /* and the context works on */
    for (int kind = 0; kind < LOSS_COUNT; kind++) {
        CHECK_STATUS(SHORTLIST_OK, run(kind, &call.m.f, call.m.context, NULL));
    }
    CHECK(sem_destroy(&call.inside) == 0 && sem_destroy(&call.go_on) == 0);
    unmake(&call.m);
}

enum { HAMMERS = 4, BLOWS = 200 };

typedef struct hammer {
    shortlist_context *shared;
    fixture f;
    int ok, busy, wrong;
} hammer;

static void *hammer_on(void *user_data) {
    hammer *h = user_data;
    for (int i = 0; i < BLOWS; i++) {
        shortlist_catalog *catalog = NULL;
        shortlist_status status = shortlist_catalog_create(&catalog, h->shared, &h->f.batch.items, NULL);
        if (status == SHORTLIST_OK) {
            while ((status = shortlist_catalog_release(catalog)) == SHORTLIST_BUSY) { h->busy += 1; }
        }
        if (status == SHORTLIST_OK) { status = run(SCE, &h->f, h->shared, NULL); }
        if (status == SHORTLIST_OK) {
            h->ok += 1;
        } else if (status == SHORTLIST_BUSY) {
            h->busy += 1;
        } else {
            h->wrong += 1;
        }
    }
    return NULL;
}

static void threads_on_one_context_get_results_or_busy(void) {
    static hammer hammers[HAMMERS];
    pthread_t threads[HAMMERS];
    shortlist_context *shared = make_context(2);
    int ok = 0;
    for (int i = 0; i < HAMMERS; i++) {
        memset(&hammers[i], 0, sizeof hammers[i]);
        fixture_make(&hammers[i].f, 20, 50, 6, 2);
        hammers[i].shared = shared;
    }
    for (int i = 0; i < HAMMERS; i++) { CHECK(pthread_create(&threads[i], NULL, hammer_on, &hammers[i]) == 0); }
    for (int i = 0; i < HAMMERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(hammers[i].wrong == 0);
        ok += hammers[i].ok;
        if (hammers[i].ok > 0 && hammers[0].ok > 0) { CHECK(hammers[i].f.loss == hammers[0].f.loss); }
    }
    CHECK(ok > 0);
    for (int i = 0; i < HAMMERS; i++) { fixture_free(&hammers[i].f); }
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(shared));
}

static void *use_own_context(void *user_data) {
    hammer *h = user_data;
    shortlist_context *own = NULL;
    for (int i = 0; i < 10; i++) {
        if (shortlist_context_create(&own, NULL) != SHORTLIST_OK) { h->wrong += 1; continue; }
        if (run(i % LOSS_COUNT, &h->f, own, NULL) == SHORTLIST_OK) { h->ok += 1; }
        if (shortlist_context_release(own) != SHORTLIST_OK) { h->wrong += 1; }
    }
    return NULL;
}

static void contexts_of_different_threads_work_in_parallel(void) {
    static hammer hammers[HAMMERS];
    pthread_t threads[HAMMERS];
    for (int i = 0; i < HAMMERS; i++) {
        memset(&hammers[i], 0, sizeof hammers[i]);
        fixture_make(&hammers[i].f, 20, 50, 6, 2);
        CHECK(pthread_create(&threads[i], NULL, use_own_context, &hammers[i]) == 0);
    }
    for (int i = 0; i < HAMMERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(hammers[i].ok == 10 && hammers[i].wrong == 0);
        CHECK(hammers[i].f.loss == hammers[0].f.loss);
    }
    for (int i = 0; i < HAMMERS; i++) { fixture_free(&hammers[i].f); }
}

/* ---- fork ---- */

/* Runs `body` in a child that has 60 seconds, and says whether it found everything right. */
static int in_a_child(void (*body)(void *), void *argument) {
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const int failures_before = check_failures();
        alarm(60);
        body(argument);
        fflush(stdout);
        _exit(check_failures() == failures_before ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) { return 0; }
    if (WIFSIGNALED(status)) { printf("  the child ended by signal %d\n", WTERMSIG(status)); }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void use_inherited_handles(void *argument) {
    made *m = argument;
    every_use_gives(SHORTLIST_FORKED, &m->f, m->context, m->catalog, m->state);
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_context_release(m->context));
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_catalog_release(m->catalog));
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_state_release(m->state));
    CHECK_STATUS(SHORTLIST_INVALID_HANDLE, shortlist_context_release((shortlist_context *)(void *)m));
    /* a context of the child's own works, and gives the same numbers */
    fixture f;
    fixture_make(&f, 20, 50, 6, 2);
    shortlist_context *own = make_context(2);
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &f, own, NULL));
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_context_release(m->context));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(own));
    fixture_free(&f);
}

static void handles_carried_over_a_fork_are_refused(void) {
    made m;
    make(&m);
    CHECK(in_a_child(use_inherited_handles, &m));
    /* the parent goes on */
    CHECK_STATUS(SHORTLIST_OK, run(SCE, &m.f, m.context, NULL));
    unmake(&m);
}

static void use_library_after_fork_in_a_call(void *argument) {
    stuck_call *call = argument;
    shortlist_context *own = NULL;
    int64_t count = 0;
    every_use_gives(SHORTLIST_FORKED, &call->m.f, call->m.context, call->m.catalog, call->m.state);
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_context_create(&own, NULL));
    CHECK(own == NULL);
    CHECK_STATUS(SHORTLIST_FORKED, shortlist_device_count(&count));
    CHECK(shortlist_version() == SHORTLIST_VERSION);
}

static void fork_during_a_call_gives_codes_and_no_hang(void) {
    stuck_call call;
    start_stuck_call(&call, 0);
    CHECK(in_a_child(use_library_after_fork_in_a_call, &call));
    finish_stuck_call(&call);
    CHECK(call.result == SHORTLIST_OK);
}

static void make_a_context(void *argument) {
    (void)argument;
    fixture f;
    fixture_make(&f, 20, 50, 6, 2);
    shortlist_context *own = make_context(2);
    CHECK_STATUS(SHORTLIST_OK, run(CROSS_ENTROPY, &f, own, NULL));
    CHECK_STATUS(SHORTLIST_OK, shortlist_context_release(own));
    fixture_free(&f);
}

static void make_one_and_fork_again(void *argument) {
    make_a_context(argument);
    CHECK(in_a_child(make_a_context, argument));
}

static void children_of_children_can_make_contexts(void) {
    CHECK(in_a_child(make_one_and_fork_again, NULL));
}

test_list handle_tests(void) {
    static const test tests[] = {
        {"released handles are refused, also a second time", released_handles_are_refused},
        {"a new handle does not revive an old one", a_new_handle_does_not_revive_an_old_one},
        {"foreign handles are refused", foreign_handles_are_refused},
        {"a catalog serves its own context only", a_catalog_serves_its_own_context_only},
        {"what was made from a context outlives it", what_was_made_outlives_its_context},
        {"a second thread is told busy", a_second_thread_is_told_busy},
        {"the stop callback ends a call", the_stop_callback_ends_a_call},
        {"threads on one context get results or busy", threads_on_one_context_get_results_or_busy},
        {"contexts of different threads work in parallel", contexts_of_different_threads_work_in_parallel},
        {"handles carried over a fork are refused", handles_carried_over_a_fork_are_refused},
        {"fork during a call gives codes and no hang", fork_during_a_call_gives_codes_and_no_hang},
        {"children of children can make contexts", children_of_children_can_make_contexts},
    };
    return LIST_OF(tests);
}
