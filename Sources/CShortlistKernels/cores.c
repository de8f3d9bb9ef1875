// Cores that this process may run on: what Swift's Glibc overlay does not show.
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "shortlist_kernels.h"

int sl_core_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}
