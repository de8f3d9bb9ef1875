#define _GNU_SOURCE
#include "interpose.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* glibc's own functions under their second names: no look-up that would itself allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static int counting;
static size_t large;
static int64_t fail_place;
static interpose_counts now;

void interpose_begin(size_t large_from, int64_t fail_at) {
    const interpose_counts zero = {0, 0, 0, 0, 0};
    large = large_from;
    fail_place = fail_at;
    now = zero;
    __atomic_store_n(&counting, 1, __ATOMIC_SEQ_CST);
}

void interpose_end(interpose_counts *counts) {
    __atomic_store_n(&counting, 0, __ATOMIC_SEQ_CST);
    *counts = now;
}

/* Counts an allocation before it is made; 0: it must fail. */
static int admit(size_t size) {
    if (!__atomic_load_n(&counting, __ATOMIC_RELAXED)) { return 1; }
    __atomic_fetch_add(&now.calls, 1, __ATOMIC_RELAXED);
    if (size < large) { return 1; }
    if (__atomic_add_fetch(&now.large_calls, 1, __ATOMIC_RELAXED) != fail_place) { return 1; }
    __atomic_fetch_add(&now.failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 0;
}

static void add_bytes(int64_t bytes) {
    const int64_t live = __atomic_add_fetch(&now.live_bytes, bytes, __ATOMIC_RELAXED);
    int64_t high = __atomic_load_n(&now.high_bytes, __ATOMIC_RELAXED);
    while (live > high &&
           !__atomic_compare_exchange_n(&now.high_bytes, &high, live, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

static void *allocated(void *memory) {
    if (memory != NULL && __atomic_load_n(&counting, __ATOMIC_RELAXED)) {
        add_bytes((int64_t)malloc_usable_size(memory));
    }
    return memory;
}

void *malloc(size_t size) { return admit(size) ? allocated(__libc_malloc(size)) : NULL; }

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) { return errno = ENOMEM, NULL; }
    return admit(bytes) ? allocated(__libc_calloc(count, size)) : NULL;
}

void *realloc(void *memory, size_t size) {
    const int64_t before = memory == NULL ? 0 : (int64_t)malloc_usable_size(memory);
    if (!admit(size)) { return NULL; }
    void *moved = __libc_realloc(memory, size);
    if (moved != NULL && __atomic_load_n(&counting, __ATOMIC_RELAXED)) {
        add_bytes((int64_t)malloc_usable_size(moved) - before);
    }
    return moved;
}

void *memalign(size_t alignment, size_t size) {
    return admit(size) ? allocated(__libc_memalign(alignment, size)) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) { return EINVAL; }
    void *found = memalign(alignment, size);
    if (found == NULL) { return ENOMEM; }
    *memory = found;
    return 0;
}

void free(void *memory) {
    if (memory != NULL && __atomic_load_n(&counting, __ATOMIC_RELAXED)) {
        __atomic_fetch_sub(&now.live_bytes, (int64_t)malloc_usable_size(memory), __ATOMIC_RELAXED);
    }
    __libc_free(memory);
}
