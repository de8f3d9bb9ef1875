/* The tests of each file. */
#ifndef TESTS_H
#define TESTS_H

#include "check.h"

typedef struct test_list {
    const test *tests;
    int count;
} test_list;

test_list abi_tests(void);
test_list handle_tests(void);
test_list loss_tests(void);
test_list selection_tests(void);
test_list error_tests(void);
test_list option_tests(void);
test_list limit_tests(void);
test_list retrieval_tests(void);

#define LIST_OF(array) ((test_list){(array), (int)(sizeof(array) / sizeof(*(array)))})

#endif
