/* tests/support/test.h -- cmocka with what our tests share.  Each test program prints TAP, so that every case counts.
 *
 *     static void test_something(void **state) { (void)state; assert_near(1.0, f(), 1e-9); }
 *     TCS_TEST_MAIN(cmocka_unit_test(test_something), ...)
 */
#ifndef TCS_TEST_H
#define TCS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"

#define TCS_TEST_MAIN(...)                                                   \
    static int test_run_all(void)                                            \
    {                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                   \
        cmocka_set_message_output(CM_OUTPUT_TAP);                            \
        test_choose_cases();                                                 \
        return cmocka_run_group_tests(tests, NULL, NULL);                    \
    }                                                                        \
    int main(void)                                                           \
    {                                                                        \
        return test_relay(test_run_all);                                     \
    }

/* Under valgrind and sanitizers TOCSIN_TEST_SMALL=1 makes the few long cases shorter: fewer rounds of the same code. */
static inline bool test_is_small(void)
{
    return getenv("TOCSIN_TEST_SMALL") != NULL;
}

/* TOCSIN_TEST_CASES='*thread*' runs only the cases whose names match. */
static inline void test_choose_cases(void)
{
    if (getenv("TOCSIN_TEST_CASES")) cmocka_set_test_filter(getenv("TOCSIN_TEST_CASES"));
}

/* cmocka 1.1 writes a skipped case as "not ok 3 # SKIP name", which every reader of TAP counts as failed.  So the cases run in
 * a child whose lines pass through here and lose that "not ".  Returns what the child returns; 99 when a signal ended it. */
static inline int test_relay(int (*run)(void))
{
    int ends[2], status = 0;
    char line[8192];
    fflush(stdout);
    if (pipe(ends) != 0) return 99;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[1]);
        setvbuf(stdout, NULL, _IOLBF, 0); /* what was printed before a crash is seen */
        exit(run());
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    while (lines && fgets(line, sizeof line, lines)) {
        bool skipped = strncmp(line, "not ok ", 7) == 0 && strstr(line, " # SKIP");
        fputs(skipped ? line + 4 : line, stdout);
        fflush(stdout);
    }
    if (lines) fclose(lines);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 99;
    return WEXITSTATUS(status);
}

/* Relative above 1, absolute below; NaN equals NaN only. */
#define assert_near(expected, actual, tolerance) test_assert_near((expected), (actual), (tolerance), #actual, __FILE__, __LINE__)

static inline void test_assert_near(double expected, double actual, double tolerance, const char *text, const char *file, int line)
{
    if (isnan(expected) && isnan(actual)) return;
    double scale = fmax(1.0, fabs(expected));
    if (fabs(expected - actual) <= tolerance * scale || expected == actual) return;
    print_error("%s:%d: %s is %.17g, expected %.17g within %g\n", file, line, text, actual, expected, tolerance);
    _fail(file, line);
}

/* The call must return TCS_OK; prints the error text otherwise. */
#define assert_ok(call)                                                                         \
    do {                                                                                        \
        tcs_error *test_err = &(tcs_error){ 0 };                                                \
        (void)test_err;                                                                         \
        tcs_status test_status = (call);                                                        \
        if (test_status != TCS_OK) {                                                            \
            print_error("%s:%d: %s returned %s\n", __FILE__, __LINE__, #call, tcsi_status_name(test_status)); \
            _fail(__FILE__, __LINE__);                                                          \
        }                                                                                       \
    } while (0)

/* ../shared beside the source tree, or $TOCSIN_SHARED; NULL when it is not there.  Cases that need it call
 * `const char *path = test_shared("data/nab"); if (!path) skip();` and are then reported as skipped.
 * The returned text lives until the next call. */
static inline const char *test_shared(const char *relative)
{
    static char path[4096];
    const char *root = getenv("TOCSIN_SHARED");
    if (root) snprintf(path, sizeof path, "%s/%s", root, relative);
    else snprintf(path, sizeof path, "%s/../shared/%s", TCSI_SOURCE_ROOT, relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* A committed file of the source tree, "tests/golden/...". */
static inline const char *test_source(const char *relative)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", TCSI_SOURCE_ROOT, relative);
    return path;
}

#endif
