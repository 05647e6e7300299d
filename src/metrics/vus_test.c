/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "metrics/vus.h"
#include "vus_reference.h"

/* ---- random series of every kind ---- */

enum { ROWS_MAX = 700 };

/* Events from sparse to crowded; scores continuous, tied or nearly constant. */
static size_t random_case(tcsi_rng *rng, double *scores, uint8_t *labels)
{
    size_t n = 2 + tcsi_rng_below(rng, ROWS_MAX - 2), kind = tcsi_rng_below(rng, 4);
    double start = (const double[]){ 0.003, 0.02, 0.1, 0.5 }[tcsi_rng_below(rng, 4)];
    double stay = (const double[]){ 0.0, 0.5, 0.95 }[tcsi_rng_below(rng, 3)];
    bool inside = false;
    size_t positives = 0;
    for (size_t i = 0; i < n; i++) {
        inside = tcsi_rng_uniform(rng) < (inside ? stay : start);
        labels[i] = inside;
        positives += inside;
        scores[i] = tcsi_rng_normal(rng) + (inside ? 1.0 : 0.0);
        if (kind == 1) scores[i] = floor(scores[i]);
        if (kind == 2) scores[i] = scores[i] > 1.0;
        if (kind == 3) scores[i] = exp(20.0 * scores[i]);
    }
    if (positives == 0) labels[n / 2] = 1;
    if (positives == n) labels[n / 2] = 0;
    return n;
}

static void test_equal_to_the_slow_sweep(void **state)
{
    (void)state;
    static double scores[ROWS_MAX];
    static uint8_t labels[ROWS_MAX];
    for (uint64_t seed = 0; seed < (test_is_small() ? 6 : 60); seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 1);
        size_t n = random_case(&rng, scores, labels);
        size_t window = tcsi_rng_below(&rng, seed % 5 == 0 ? 3 * n / 2 + 2 : 40);
        if (window > 150) window = 150 + seed % 7;
        tcsi_vus fast, slow = vus_reference(scores, labels, n, window);
        assert_ok(tcsi_vus_of_scores(scores, labels, n, window, &fast, test_err));
        if (fabs(slow.pr - fast.pr) > 1e-11 || fabs(slow.roc - fast.roc) > 1e-11)
            print_message("seed %d, %zu rows, window %zu\n", (int)seed, n, window);
        assert_near(slow.pr, fast.pr, 1e-11);
        assert_near(slow.roc, fast.roc, 1e-11);
    }
}

/* ---- known values ---- */

static void test_known_values(void **state)
{
    (void)state;
    double scores[300];
    uint8_t labels[300] = { 0 };
    for (size_t i = 100; i < 110; i++) labels[i] = 1;
    for (size_t i = 0; i < 300; i++) scores[i] = labels[i];
    tcsi_vus vus;
    assert_ok(tcsi_vus_of_scores(scores, labels, 300, 20, &vus, test_err)); /* perfect */
    assert_near(1.0, vus.pr, 1e-12);
    assert_near(1.0, vus.roc, 1e-12);
    for (size_t i = 0; i < 300; i++) scores[i] = 7.0;
    assert_ok(tcsi_vus_of_scores(scores, labels, 300, 0, &vus, test_err)); /* constant: everything enters at once */
    assert_near(10.0 / 300.0, vus.pr, 1e-12);
    assert_near(0.5, vus.roc, 1e-12);
}

static void test_undefined_and_refused(void **state)
{
    (void)state;
    double scores[4] = { 1, 2, 3, 4 };
    uint8_t none[4] = { 0 }, all[4] = { 1, 1, 1, 1 };
    tcsi_vus vus = { 5.0, 5.0 };
    assert_ok(tcsi_vus_of_scores(scores, none, 4, 3, &vus, test_err));
    assert_true(isnan(vus.pr) && isnan(vus.roc));
    assert_ok(tcsi_vus_of_scores(scores, all, 4, 3, &vus, test_err));
    assert_near(1.0, vus.pr, 1e-12);
    assert_true(isnan(vus.roc));
    tcs_error err = { 0 };
    vus = (tcsi_vus){ 5.0, 5.0 };
    assert_int_equal(tcsi_vus_of_scores(scores, none, 0, 3, &vus, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_vus_of_scores(scores, all, 4, TCSI_VUS_WINDOW_MAX + 1, &vus, &err), TCS_E_LIMIT);
    assert_true(vus.pr == 5.0); /* untouched on failure */
}

/* ---- laws ---- */

static void assert_same_vus(const double *scores, const uint8_t *labels, size_t n, tcsi_vus expected, double tolerance)
{
    tcsi_vus vus;
    assert_ok(tcsi_vus_of_scores(scores, labels, n, 17, &vus, test_err));
    assert_near(expected.pr, vus.pr, tolerance);
    assert_near(expected.roc, vus.roc, tolerance);
}

static void test_laws(void **state)
{
    (void)state;
    static double scores[ROWS_MAX], other[ROWS_MAX];
    static uint8_t labels[ROWS_MAX], mirrored[ROWS_MAX];
    for (uint64_t seed = 0; seed < 20; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 2);
        size_t n = random_case(&rng, scores, labels);
        tcsi_vus vus;
        assert_ok(tcsi_vus_of_scores(scores, labels, n, 17, &vus, test_err));
        assert_true(vus.pr >= 0.0 && vus.pr <= 1.0 + 1e-12);
        for (size_t i = 0; i < n; i++) other[i] = scores[i] * 1024.0; /* exact: only the order counts, to the last bit */
        assert_same_vus(other, labels, n, vus, 0.0);
        for (size_t i = 0; i < n; i++) other[i] = cbrt(scores[i]);
        assert_same_vus(other, labels, n, vus, 1e-9); /* two neighbours may round to one value: a new tie */
        for (size_t i = 0; i < n; i++) {
            other[i] = scores[n - 1 - i];
            mirrored[i] = labels[n - 1 - i];
        }
        assert_same_vus(other, mirrored, n, vus, 1e-12); /* time may run backward */
    }
}

static void test_missing_ranks_last(void **state)
{
    (void)state;
    static double scores[ROWS_MAX], other[ROWS_MAX];
    static uint8_t labels[ROWS_MAX];
    tcsi_rng rng = tcsi_rng_make(5, 3);
    size_t n = random_case(&rng, scores, labels);
    for (size_t i = 0; i < n; i += 7) scores[i] = NAN;
    for (size_t i = 0; i < n; i++) other[i] = isnan(scores[i]) ? -1e300 : scores[i];
    tcsi_vus vus;
    assert_ok(tcsi_vus_of_scores(other, labels, n, 17, &vus, test_err));
    assert_same_vus(scores, labels, n, vus, 0.0);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static double scores[ROWS_MAX];
    static uint8_t labels[ROWS_MAX];
    tcsi_rng rng = tcsi_rng_make(9, 4);
    size_t n = random_case(&rng, scores, labels);
    for (size_t at = 1;; at++) {
        tcsi_vus vus = { -1.0, -1.0 };
        tcs_error err;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_vus_of_scores(scores, labels, n, 30, &vus, &err);
        size_t live = tcsi_alloc_trace_stats().live_count;
        tcsi_alloc_trace_end();
        assert_int_equal(live, 0);
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(vus.pr == -1.0);
        assert_true(at < 100);
    }
}

/* ---- real series ---- */

/* The last column of a CSV file with a header.  *ret_values: (T), to be freed. */
static size_t last_column(const char *path, double **ret_values)
{
    tcsi_buffer text;
    tcsi_buffer_init(&text, (size_t)1 << 28);
    assert_non_null(path);
    assert_ok(tcsi_file_read(path, &text, test_err));
    size_t count = 0;
    double *values = malloc((text.size + 1) * sizeof *values);
    for (char *line = strchr(text.data, '\n') + 1; *line; count++) {
        char *end = strchr(line, '\n'), *comma = end;
        assert_non_null(end);
        while (comma > line && comma[-1] != ',') comma--;
        values[count] = strtod(comma, NULL);
        line = end + 1;
    }
    tcsi_buffer_deinit(&text);
    *ret_values = values;
    return count;
}

static void test_real_series(void **state)
{
    (void)state;
    const char *path = test_shared("golden/recipe/summary.csv");
    if (!path || !test_shared("data/tsb-ad-u")) skip();
    tcsi_buffer summary;
    tcsi_buffer_init(&summary, 1 << 20);
    path = test_shared("golden/recipe/summary.csv");
    assert_ok(tcsi_file_read(path, &summary, test_err));
    size_t file_count = 0;
    for (char *line = strchr(summary.data, '\n') + 1; *line; line = strchr(line, '\n') + 1, file_count++) {
        char name[256], relative[512];
        unsigned period, train;
        double expected, *scores, *flags;
        assert_int_equal(sscanf(line, "%255[^,],%u,%u,%lf", name, &period, &train, &expected), 4);
        snprintf(relative, sizeof relative, "golden/recipe/%s", name);
        size_t n = last_column(test_shared(relative), &scores);
        snprintf(relative, sizeof relative, "data/tsb-ad-u/%s", name);
        assert_int_equal(last_column(test_shared(relative), &flags), n);
        uint8_t *labels = malloc(n);
        for (size_t i = 0; i < n; i++) labels[i] = flags[i] != 0.0;
        tcsi_vus vus;
        assert_ok(tcsi_vus_of_scores(scores, labels, n, period, &vus, test_err));
        assert_near(expected, vus.pr, 1e-6); /* six digits are given */
        free(scores);
        free(flags);
        free(labels);
    }
    assert_int_equal(file_count, 6);
    tcsi_buffer_deinit(&summary);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equal_to_the_slow_sweep), cmocka_unit_test(test_known_values),
              cmocka_unit_test(test_undefined_and_refused), cmocka_unit_test(test_laws), cmocka_unit_test(test_missing_ranks_last),
              cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_real_series))
