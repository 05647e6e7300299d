/* detect/window/joins_test.c -- joins and residuals: reference components, limits, failing memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/window/ar.h"
#include "detect/window/joins.h"
#include "detect/window/coarse.h"
#include "series/moving.h"

enum { ROW_COUNT_MAX = 120000, COLUMN_COUNT = 8 };

/* A CSV of numbers with a header; rows with an empty field are dropped.  Returns the row count. */
static size_t read_numbers(const char *path, size_t column_count, double *columns[])
{
    char line[512];
    size_t count = 0;
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_non_null(fgets(line, sizeof line, stream));
    while (count < ROW_COUNT_MAX && fgets(line, sizeof line, stream)) {
        char *at = line;
        bool complete = true;
        for (size_t c = 0; c < column_count && complete; c++) {
            char *end;
            columns[c][count] = strtod(at, &end);
            complete = end > at;
            at = *end == ',' ? end + 1 : end;
        }
        count += complete;
    }
    fclose(stream);
    return count;
}

static void standardize(double *x, size_t n)
{
    double mean = 0, square = 0;
    for (size_t t = 0; t < n; t++) mean += x[t] / (double)n;
    for (size_t t = 0; t < n; t++) square += (x[t] - mean) * (x[t] - mean) / (double)n;
    for (size_t t = 0; t < n; t++) x[t] = square > 0 ? (x[t] - mean) / sqrt(square) : 0;
}

static double correlation(const double *a, const double *b, size_t n)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (size_t t = 0; t < n; t++) {
        ma += a[t] / (double)n;
        mb += b[t] / (double)n;
    }
    for (size_t t = 0; t < n; t++) {
        aa += (a[t] - ma) * (a[t] - ma);
        bb += (b[t] - mb) * (b[t] - mb);
        ab += (a[t] - ma) * (b[t] - mb);
    }
    return aa == 0 && bb == 0 ? 1 : ab / sqrt(aa * bb);
}

typedef struct component_file {
    char name[128];
    size_t period, train_row_count;
} component_file;

/* The components of one file, each against its column. */
static void check_file(const component_file *file)
{
    static const char *const names[] = { "C", "R", "A", "Ch", "Z", "T", "E" };
    double *memory = malloc((COLUMN_COUNT + 10) * ROW_COUNT_MAX * sizeof *memory), *columns[COLUMN_COUNT + 10];
    char relative[256];
    for (size_t c = 0; c < COLUMN_COUNT + 10; c++) columns[c] = memory + c * ROW_COUNT_MAX;
    double *x = columns[COLUMN_COUNT], **ours = columns + COLUMN_COUNT + 2;
    snprintf(relative, sizeof relative, "golden/recipe/%s", file->name);
    size_t expected_count = read_numbers(test_shared(relative), COLUMN_COUNT, columns);
    snprintf(relative, sizeof relative, "data/tsb-ad-u/%s", file->name);
    const char *path = test_shared(relative);
    assert_non_null(path);
    size_t n = read_numbers(path, 2, columns + COLUMN_COUNT);
    assert_int_equal(n, expected_count);
    standardize(x, n);
    size_t L = file->period;
    tcsi_join_options whole = { .window = L }, half = { .window = L / 2 > 4 ? L / 2 : 4, .segment_count = 80 };
    assert_ok(tcsi_join_segments(x, n, &whole, ours[0], ours[1], test_err));
    assert_ok(tcsi_join_segments(x, n, &half, ours[3], NULL, test_err));
    assert_ok(tcsi_join_self_znorm(x, n, &whole, ours[4], test_err));
    assert_ok(tcsi_join_prefix(x, n, file->train_row_count, &whole, ours[5], test_err));
    tcsi_ar_options ar = { .period = L, .train_row_count = file->train_row_count };
    tcsi_ar_model model;
    assert_ok(tcsi_ar_fit(x, n, &ar, &model, test_err));
    tcsi_ar_apply(&model, x, n, ours[7]);
    tcsi_moving_rms(ours[7], n, L, ours[2]);
    tcsi_moving_rms(x, n, L, ours[6]);
    for (size_t c = 0; c < TCS_COUNT(names); c++) {
        double r = correlation(columns[c], ours[c], n);
        print_message("# %s %s %.9f\n", file->name, names[c], r);
        assert_true(r >= 0.9999);
    }
    free(memory);
}

static void test_components_equal_the_reference(void **state)
{
    (void)state;
    const char *path = test_shared("golden/recipe/summary.csv");
    if (!path) skip();
    FILE *stream = fopen(path, "r");
    char line[256];
    size_t file_count = 0;
    assert_non_null(fgets(line, sizeof line, stream));
    while (fgets(line, sizeof line, stream)) {
        component_file file;
        assert_int_equal(sscanf(line, "%127[^,],%zu,%zu", file.name, &file.period, &file.train_row_count), 3);
        check_file(&file);
        file_count++;
    }
    fclose(stream);
    assert_int_equal(file_count, 6);
}

static void test_scale_places_windows_at_their_centre(void **state)
{
    (void)state;
    tcsi_coarse scale = tcsi_coarse_make(1000, 300, 32); /* 300 / 32 = 9.4 */
    assert_int_equal(scale.factor, 9);
    assert_int_equal(scale.window, 33);
    assert_int_equal(scale.value_count, 112);
    assert_int_equal(scale.window_count, 0); /* fewer than 8 windows */
    scale = tcsi_coarse_make(1000, 48, 32);   /* 1.5 rounds to the even 2 */
    assert_int_equal(scale.factor, 2);
    assert_int_equal(scale.window_count, 500 - 24 + 1);
    double values[1000], coarse[500], scores[477], rows[1000];
    for (size_t t = 0; t < 1000; t++) values[t] = (double)t;
    tcsi_coarse_shrink(&scale, values, coarse);
    assert_near(0.5, coarse[0], 0);
    assert_near(998.5, coarse[499], 0);
    for (size_t i = 0; i < 477; i++) scores[i] = (double)i;
    tcsi_coarse_expand(&scale, scores, rows);
    assert_near(0, rows[0], 0);
    assert_near(476, rows[999], 0);
    assert_near(100.25, rows[2 * 112 + 1], 1e-12); /* window 100 covers coarse values 100..123, centre 112 */
}

/* An event that happened twice is hidden from the minimum and seen by the second smallest. */
static void test_rank_sees_what_happened_twice(void **state)
{
    (void)state;
    enum { N = 6000, W = 32 };
    static double x[N], minimum[N], second[N];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 6.283185307179586 / W) + 0.02 * tcsi_rng_normal(&rng);
    for (size_t k = 0; k < 20; k++) x[2000 + k] = x[4880 + k] = 0.4 * (double)(k % 5);
    tcsi_join_options options = { .window = W, .segment_count = 90 };
    assert_ok(tcsi_join_segments(x, N, &options, minimum, NULL, NULL));
    options.rank = 4;
    assert_ok(tcsi_join_segments(x, N, &options, second, NULL, NULL));
    double normal = 0;
    for (size_t t = 100; t < 1900; t++) normal = fmax(normal, second[t]);
    assert_true(second[2010] > 3 * normal && second[4890] > 3 * normal);
    assert_true(minimum[2010] < second[2010] / 2);
}

static void test_short_and_broken_input(void **state)
{
    (void)state;
    double x[300] = { 0 }, a[300], b[300];
    tcs_error err;
    tcsi_join_options options = { .window = 50 };
    assert_ok(tcsi_join_segments(x, 300, &options, a, b, NULL)); /* 6 windows: zeros */
    assert_near(0, a[299], 0);
    assert_ok(tcsi_join_segments(x, 0, &options, a, b, NULL));
    options.window = 10;
    assert_ok(tcsi_join_segments(x, 300, &options, a, b, NULL)); /* constant */
    for (size_t t = 0; t < 300; t++) assert_near(0, a[t] + b[t], 0);
    assert_ok(tcsi_join_self_znorm(x, 300, &options, a, NULL));
    assert_ok(tcsi_join_prefix(x, 300, 0, &options, a, NULL));
    assert_ok(tcsi_join_prefix(x, 300, 5000, &options, a, NULL));
    x[7] = NAN;
    assert_int_equal(tcsi_join_segments(x, 300, &options, a, b, &err), TCS_E_INVALID);
    x[7] = 1e150;
    assert_ok(tcsi_join_segments(x, 300, &options, a, b, NULL));
    for (size_t t = 0; t < 300; t++) assert_true(isfinite(a[t]) && isfinite(b[t]));
    options.rank = 5;
    assert_int_equal(tcsi_join_segments(x, 300, &options, a, b, &err), TCS_E_INVALID);
    for (size_t at = 1; at < 9; at++) {
        tcsi_join_options plain = { .window = 10 };
        tcsi_ar_options ar = { .period = 10, .train_row_count = 200 };
        tcsi_ar_model model;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status statuses[] = { tcsi_join_segments(a, 300, &plain, b, NULL, &err), tcsi_join_self_znorm(a, 300, &plain, b, &err),
                                  tcsi_ar_fit(a, 300, &ar, &model, &err) };
        for (size_t i = 0; i < TCS_COUNT(statuses); i++) assert_true(statuses[i] == TCS_OK || statuses[i] == TCS_E_MEMORY);
        assert_int_equal(statuses[2], TCS_E_MEMORY);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

/* An autoregression of order 2 is recovered in spite of outliers; its recursive twin too. */
static void test_residuals_recover_a_known_recursion(void **state)
{
    (void)state;
    enum { N = 4000 };
    static double x[N], residuals[N];
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < N; t++) {
        x[t] = (t > 1 ? 1.2 * x[t - 1] - 0.5 * x[t - 2] : 0) + 0.3 * tcsi_rng_normal(&rng);
        if (t % 400 == 399) x[t] += 8;
    }
    tcsi_ar_options options = { .period = 9, .train_row_count = 2000 };
    tcsi_ar_model model;
    assert_ok(tcsi_ar_fit(x, N, &options, &model, NULL));
    assert_near(1.2, model.coefficients[0], 0.08);
    assert_near(-0.5, model.coefficients[1], 0.1);
    tcsi_ar_apply(&model, x, N, residuals);
    assert_true(fabs(residuals[2799]) > 6 && fabs(residuals[3500]) < 2);
    tcsi_rls rls;
    assert_ok(tcsi_rls_init(&rls, 9, N, NULL));
    double sum = 0;
    for (size_t t = 0; t < N; t++) {
        double error = tcsi_rls_push(&rls, x[t]);
        if (t >= N / 2 && t % 400 > 10 && t % 400 < 399) sum += error * error;
    }
    assert_true(sqrt(sum / (N / 2)) < 0.45);
    for (size_t t = 0; t < N; t++) assert_true(isfinite(tcsi_rls_push(&rls, t % 2 ? 1e300 : -1e300)));
    tcsi_rls_deinit(&rls);
}

TCS_TEST_MAIN(cmocka_unit_test(test_components_equal_the_reference), cmocka_unit_test(test_scale_places_windows_at_their_centre),
              cmocka_unit_test(test_rank_sees_what_happened_twice), cmocka_unit_test(test_short_and_broken_input),
              cmocka_unit_test(test_residuals_recover_a_known_recursion))
