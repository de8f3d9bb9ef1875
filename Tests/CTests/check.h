/* The whole test harness: checks that count, tests with a name, and a summary. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>

/* Counts a check and prints the ones that fail. */
#define CHECK(condition) check_that((condition) != 0, __FILE__, __LINE__, #condition)

/* The call must return this status. A failing call must also leave a message. */
#define CHECK_STATUS(expected, call) check_status((expected), (call), __FILE__, __LINE__, #call)

#define CHECK_NEAR(expected, actual, tolerance)                                                                        \
    check_near((expected), (actual), (tolerance), __FILE__, __LINE__, #actual)

typedef struct test {
    const char *name; /* a sentence of what must hold */
    void (*run)(void);
} test;

int check_that(int holds, const char *file, int line, const char *what);
int check_status(int32_t expected, int32_t actual, const char *file, int line, const char *what);
int check_near(double expected, double actual, double tolerance, const char *file, int line, const char *what);

/* Names what the following checks are about, for the messages of those that fail ("" for nothing). */
void check_about(const char *about);

/* Failed checks of the running test so far. */
int check_failures(void);

/* Runs tests one after the other and ends with "N passed, N failed". Returns the exit status. `only` (or NULL) picks
 * the tests whose name contains it. */
int run_tests(const test *tests, int count, const char *only);

#endif
