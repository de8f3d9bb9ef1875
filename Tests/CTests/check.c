#include "check.h"

#include <math.h>
#include <shortlist.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int checks, failures;
static char about_text[160];

void check_about(const char *about) { snprintf(about_text, sizeof about_text, "%s", about); }

int check_failures(void) { return failures; }

static void failed(const char *file, int line) {
    failures += 1;
    printf("  %s:%d: %s%s", file, line, about_text, about_text[0] ? ": " : "");
}

int check_that(int holds, const char *file, int line, const char *what) {
    checks += 1;
    if (!holds) {
        failed(file, line);
        printf("does not hold: %s\n", what);
    }
    return holds;
}

int check_status(int32_t expected, int32_t actual, const char *file, int line, const char *what) {
    checks += 1;
    if (actual != expected) {
        failed(file, line);
        printf("%s, expected %s from %s", shortlist_status_name(actual), shortlist_status_name(expected), what);
        printf(actual == SHORTLIST_OK ? "\n" : "\n    %s\n", shortlist_last_error_message());
        return 0;
    }
    if (expected != SHORTLIST_OK && strlen(shortlist_last_error_message()) < 8) {
        failed(file, line);
        printf("no message for %s from %s\n", shortlist_status_name(actual), what);
        return 0;
    }
    return 1;
}

int check_near(double expected, double actual, double tolerance, const char *file, int line, const char *what) {
    checks += 1;
    if (!(fabs(expected - actual) <= tolerance)) {
        failed(file, line);
        printf("%s is %.9g, expected %.9g within %.3g\n", what, actual, expected, tolerance);
        return 0;
    }
    return 1;
}

int run_tests(const test *tests, int count, const char *only) {
    int passed = 0, not_passed = 0;
    for (int index = 0; index < count; index++) {
        if (only != NULL && strstr(tests[index].name, only) == NULL) { continue; }
        failures = 0;
        check_about("");
        alarm(240); /* a hang is a failure */
        tests[index].run();
        alarm(0);
        printf("%s %s\n", failures == 0 ? "ok  " : "FAIL", tests[index].name);
        fflush(stdout);
        if (failures == 0) { passed += 1; } else { not_passed += 1; }
    }
    printf("%d checks\n%d passed, %d failed\n", checks, passed, not_passed);
    return not_passed == 0 && passed > 0 ? 0 : 1;
}
