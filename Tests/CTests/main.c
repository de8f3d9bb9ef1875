/* Runs every test of the C library: test_shortlist [PART OF A NAME]. */
#include "tests.h"

#include <stdio.h>

int main(int argc, char **argv) {
    const test_list lists[] = {abi_tests(),   handle_tests(), loss_tests(),  selection_tests(),
                               error_tests(), option_tests(), limit_tests(), retrieval_tests()};
    test all[128];
    int count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (int t = 0; t < lists[i].count && count < 128; t++) { all[count++] = lists[i].tests[t]; }
    }
    return run_tests(all, count, argc > 1 ? argv[1] : NULL);
}
