/* Counts the memory of a process from outside the library, and makes chosen allocations fail. Put before the C
 * library's own allocator with LD_PRELOAD=libinterpose.so. Memory that is mapped rather than allocated (thread stacks, OpenBLAS's
 * packing buffers) is not counted. */
#ifndef INTERPOSE_H
#define INTERPOSE_H

#include <stddef.h>
#include <stdint.h>

typedef struct interpose_counts {
    int64_t calls;       /* allocations of any size since the beginning */
    int64_t large_calls; /* of these, the large ones */
    int64_t live_bytes;  /* allocated since the beginning and not freed */
    int64_t high_bytes;  /* the most that were live at one time */
    int64_t failed;      /* allocations that were made to fail */
} interpose_counts;

/* Begins counting from 0. Allocations of `large_from` bytes or more are large; the `fail_at`-th large one from now on
 * returns NULL (0: none does). */
typedef void interpose_begin_function(size_t large_from, int64_t fail_at);

/* Ends counting. */
typedef void interpose_end_function(interpose_counts *counts);

interpose_begin_function interpose_begin;
interpose_end_function interpose_end;

#endif
