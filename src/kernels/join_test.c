/* kernels/join_test.c -- every tier against distances computed window by window in long double, on awkward shapes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/join.h"

/* Error of a distance, in units of the largest variance (ZNORM: of 1). */
static const double TOLERANCE = 1e-12;

typedef enum series_shape { WALK, SINE, REPEAT, STEPS, OFFSET, SPIKE, SHAPE_COUNT } series_shape;

static double *make_series(series_shape shape, size_t n, uint64_t seed)
{
    tcsi_rng rng = tcsi_rng_make(seed, (uint64_t)shape);
    double *x = malloc((n ? n : 1) * sizeof *x), level = 0;
    for (size_t t = 0; t < n; t++) {
        double noise = tcsi_rng_normal(&rng);
        level += noise;
        switch (shape) {
        case WALK: x[t] = level; break;
        case SINE: x[t] = sin((double)t * 0.3) + 0.1 * noise; break;
        case REPEAT: x[t] = sin((double)(t % 25) * 0.7) * (double)(t % 25); break;
        case STEPS: x[t] = (double)(t / 40 % 3); break; /* constant windows */
        case OFFSET: x[t] = 1e9 + 1e-3 * noise; break;
        default: x[t] = t == n / 2 ? 1e6 : noise; break;
        }
    }
    return x;
}

/* Sums of values near 1e9 would cost the reference itself its digits. */
static long double mean_of(const double *x, size_t w, long double origin)
{
    long double sum = 0;
    for (size_t k = 0; k < w; k++) sum += x[k] - origin;
    return sum / (long double)w;
}

/* The definition, straight: C, R or Z of two windows. */
static double distance(tcsi_join_kind kind, bool second, const double *a, const double *b, size_t w, double floor)
{
    long double o = a[0], ma = mean_of(a, w, o), mb = mean_of(b, w, o), aa = 0, bb = 0, ab = 0;
    for (size_t k = 0; k < w; k++) {
        aa += (a[k] - o - ma) * (a[k] - o - ma) / (long double)w;
        bb += (b[k] - o - mb) * (b[k] - o - mb) / (long double)w;
        ab += (a[k] - o - ma) * (b[k] - o - mb) / (long double)w;
    }
    if (kind == TCSI_JOIN_ZNORM) {
        long double sa = fmaxl(sqrtl(aa), floor), sb = fmaxl(sqrtl(bb), floor);
        long double za = sa > 0 ? aa / (sa * sa) : 0, zb = sb > 0 ? bb / (sb * sb) : 0;
        return (double)(za + zb - (sa > 0 && sb > 0 ? 2 * ab / (sa * sb) : 0));
    }
    bool raw = kind == TCSI_JOIN_RAW || second;
    return (double)(aa + bb - 2 * ab + (raw ? (ma - mb) * (ma - mb) : 0));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Row i's kept minima by the definition. */
static void expect_row(const tcsi_join_plan *plan, const double *x, const tcsi_join_range *range, size_t i, bool second, double floor,
                       double *ret_kept)
{
    tcsi_join_segment all = { 0, plan->window_count };
    size_t count = range->segments ? range->segment_count : 1;
    double *minima = malloc((count + TCSI_JOIN_KEEP_MAX) * sizeof *minima);
    for (size_t s = 0; s < count + TCSI_JOIN_KEEP_MAX; s++) minima[s] = INFINITY;
    for (size_t s = 0; s < count; s++) {
        tcsi_join_segment segment = range->segments ? range->segments[s] : all;
        bool near = i + range->exclusion >= segment.begin && i < segment.begin + segment.count + range->exclusion;
        if (!range->cell_exclusion && near) continue;
        for (size_t j = segment.begin; j < segment.begin + segment.count; j++) {
            size_t apart = i > j ? i - j : j - i;
            if (range->cell_exclusion && (apart < range->exclusion || (range->left && j > i))) continue;
            minima[s] = fmin(minima[s], fmax(0, distance(plan->kind, second, x + i, x + j, plan->window, floor)));
        }
    }
    qsort(minima, count, sizeof *minima, ascending);
    memcpy(ret_kept, minima, range->keep_count * sizeof *minima);
    free(minima);
}

static void check(tcsi_isa isa, tcsi_join_kind kind, const double *x, size_t n, size_t w, const tcsi_join_range *range, tcsi_pool *pool)
{
    tcsi_join_plan plan;
    double floor = 0;
    if (kind == TCSI_JOIN_ZNORM) /* a floor well above rounding: without one, nearly constant windows amplify it */
        for (size_t t = 0; t < n; t++) floor = fmax(floor, 0.02 * fabs(x[t] - x[0]));
    assert_ok(tcsi_join_plan_init(&plan, kind, x, n, w, floor, NULL));
    size_t count = plan.window_count, total = count * range->keep_count;
    double *first = malloc(total * sizeof *first), *second = kind == TCSI_JOIN_BOTH ? malloc(total * sizeof *second) : NULL;
    assert_ok(tcsi_join_run(isa, &plan, range, pool, first, second, NULL));
    double scale = 0, unit = kind == TCSI_JOIN_ZNORM ? 1 : plan.unit * plan.unit;
    for (size_t i = 0; i < count; i++) {
        double own = distance(kind, true, x + i, x, w, floor);
        scale = fmax(scale, kind == TCSI_JOIN_ZNORM ? 100 : own);
    }
    for (size_t i = 0; i < count; i++)
        for (int part = 0; part < (second ? 2 : 1); part++) {
            double kept[TCSI_JOIN_KEEP_MAX];
            expect_row(&plan, x, range, i, part == 1, floor, kept);
            for (size_t k = 0; k < range->keep_count; k++) {
                double actual = (part ? second : first)[k * count + i];
                if (isinf(kept[k])) assert_true(isinf(actual));
                else if (!(fabs(actual * unit - kept[k]) <= TOLERANCE * fmax(scale, 1e-300)))
                    fail_msg("%s kind %d part %d n %zu w %zu row %zu keep %zu: %.17g, expected %.17g (scale %g)", tcsi_isa_name(isa), kind,
                             part, n, w, i, k, actual * unit, kept[k], scale);
            }
        }
    free(first);
    free(second);
    tcsi_join_plan_deinit(&plan);
}

static void for_every_case(void (*body)(tcsi_isa isa, tcsi_join_kind kind, const double *x, size_t n, size_t w))
{
    static const size_t sizes[][2] = { { 5, 4 }, { 9, 9 }, { 40, 4 }, { 61, 7 }, { 95, 32 }, { 130, 33 }, { 333, 12 } };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        for (size_t s = 0; s < TCS_COUNT(sizes) - (test_is_small() ? 2 : 0) && tcsi_isa_supported((tcsi_isa)isa); s++)
            for (int shape = 0; shape < SHAPE_COUNT; shape++) {
                double *x = make_series((series_shape)shape, sizes[s][0], s);
                for (int kind = 0; kind < 4; kind++) body((tcsi_isa)isa, (tcsi_join_kind)kind, x, sizes[s][0], sizes[s][1]);
                free(x);
            }
}

static void check_segments(tcsi_isa isa, tcsi_join_kind kind, const double *x, size_t n, size_t w)
{
    size_t count = n - w + 1, odd = count < 7 ? count : 7;
    tcsi_join_segment segments[] = { { 0, 1 }, { 0, count }, { count / 2, count - count / 2 }, { count - odd, odd }, { count / 3, 1 } };
    tcsi_join_range range = { .segments = segments, .segment_count = TCS_COUNT(segments), .exclusion = w / 2, .keep_count = 3 };
    check(isa, kind, x, n, w, &range, NULL);
    range.exclusion = 0;
    range.keep_count = 1;
    check(isa, kind, x, n, w, &range, NULL);
}

static void test_segments_equal_the_definition(void **state)
{
    (void)state;
    for_every_case(check_segments);
}

static void check_self(tcsi_isa isa, tcsi_join_kind kind, const double *x, size_t n, size_t w)
{
    size_t exclusions[] = { 1, w / 2 + 1, w, 3 * w };
    for (size_t e = 0; e < TCS_COUNT(exclusions); e++)
        for (int left = 0; left < 2; left++) {
            tcsi_join_range range = { .exclusion = exclusions[e], .keep_count = 1, .cell_exclusion = true, .left = left == 1 };
            check(isa, kind, x, n, w, &range, NULL);
        }
}

static void test_self_and_left_joins_equal_the_definition(void **state)
{
    (void)state;
    for_every_case(check_self);
}

/* Longer than a block of rows, so that restarts and task borders are crossed. */
static void test_tiers_agree_on_long_series(void **state)
{
    (void)state;
    enum { N = 2600, W = 32 };
    for (int shape = 0; shape < (test_is_small() ? 1 : SHAPE_COUNT); shape++) {
        double *x = make_series((series_shape)shape, N, 7), floor = 0;
        for (size_t t = 0; t < N; t++) floor = fmax(floor, 0.02 * fabs(x[t] - x[0]));
        for (int kind = 0; kind < 4; kind++) {
            tcsi_join_plan plan;
            assert_ok(tcsi_join_plan_init(&plan, (tcsi_join_kind)kind, x, N, W, floor, NULL));
            tcsi_join_segment segments[] = { { 3, 64 }, { 700, 64 }, { 2200, 400 - 64 } };
            tcsi_join_range ranges[] = { { .segments = segments, .segment_count = 3, .exclusion = W, .keep_count = 2 },
                                         { .exclusion = W, .keep_count = 1, .cell_exclusion = true },
                                         { .exclusion = W, .keep_count = 1, .cell_exclusion = true, .left = true } };
            for (size_t r = 0; r < TCS_COUNT(ranges); r++) {
                size_t total = plan.window_count * ranges[r].keep_count;
                double *out[TCSI_ISA_COUNT][2] = { { NULL } };
                for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
                    if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
                    for (int part = 0; part < (kind == TCSI_JOIN_BOTH ? 2 : 1); part++) out[isa][part] = malloc(total * sizeof(double));
                    assert_ok(tcsi_join_run((tcsi_isa)isa, &plan, &ranges[r], NULL, out[isa][0], out[isa][1], NULL));
                    for (size_t i = 0; i < total; i++) {
                        assert_near(out[0][0][i], out[isa][0][i], TOLERANCE);
                        if (kind == TCSI_JOIN_BOTH) assert_near(out[0][1][i], out[isa][1][i], TOLERANCE);
                    }
                }
                for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
                    free(out[isa][0]);
                    free(out[isa][1]);
                }
            }
            tcsi_join_plan_deinit(&plan);
        }
        free(x);
    }
}

static void test_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    enum { N = 3000, W = 20 };
    double *x = make_series(SINE, N, 3), *one = malloc(N * sizeof *one), *many = malloc(N * sizeof *many);
    tcsi_join_plan plan;
    tcsi_pool *pool;
    assert_ok(tcsi_join_plan_init(&plan, TCSI_JOIN_ZNORM, x, N, W, 0, NULL));
    assert_ok(tcsi_pool_create(3, &pool, NULL));
    assert_ok(tcsi_join_over_all(&plan, W, NULL, one, NULL, NULL));
    assert_ok(tcsi_join_over_all(&plan, W, pool, many, NULL, NULL));
    assert_memory_equal(one, many, plan.window_count * sizeof *one);
    tcsi_join_segment segments[] = { { 0, 64 }, { 900, 64 } };
    assert_ok(tcsi_join_over_segments(&plan, segments, 2, W, 1, NULL, one, NULL, NULL));
    assert_ok(tcsi_join_over_segments(&plan, segments, 2, W, 1, pool, many, NULL, NULL));
    assert_memory_equal(one, many, plan.window_count * sizeof *one);
    tcsi_pool_destroy(pool);
    tcsi_join_plan_deinit(&plan);
    free(x);
    free(one);
    free(many);
}

static void test_exact_repeats_come_out_near_zero(void **state)
{
    (void)state;
    enum { N = 2000, W = 25 };
    double *x = make_series(REPEAT, N, 0), first[N], second[N];
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        tcsi_join_plan plan;
        tcsi_join_range range = { .exclusion = W, .keep_count = 1, .cell_exclusion = true };
        assert_ok(tcsi_join_plan_init(&plan, TCSI_JOIN_BOTH, x, N, W, 0, NULL));
        assert_ok(tcsi_join_run((tcsi_isa)isa, &plan, &range, NULL, first, second, NULL));
        for (size_t i = 0; i < plan.window_count; i++) assert_true(first[i] < 2e-15 && second[i] < 2e-15);
        tcsi_join_plan_deinit(&plan);
    }
    free(x);
}

/* Rows pushed one at a time against stored segments give what the segment join gives. */
static void test_row_by_row_equals_the_strip(void **state)
{
    (void)state;
    enum { N = 500, W = 13, O = 37, PADDED = 40, S = 3, FROM = 200 };
    static const size_t begins[S] = { 0, 50, 120 };
    double *x = make_series(WALK, N, 1), *first = malloc(N * sizeof *first), *second = malloc(N * sizeof *second);
    double arrays[S][5][PADDED] = { { { 0 } } };
    tcsi_join_plan plan;
    assert_ok(tcsi_join_plan_init(&plan, TCSI_JOIN_BOTH, x, N, W, 0, NULL));
    tcsi_join_segment segments[S];
    tcsi_join_stored stored[S];
    for (size_t s = 0; s < S; s++) {
        segments[s] = (tcsi_join_segment){ begins[s], O };
        for (size_t o = 0; o < O; o++) {
            arrays[s][0][o] = plan.mean[begins[s] + o];
            arrays[s][1][o] = plan.energy[begins[s] + o];
            arrays[s][2][o] = plan.df[begins[s] + o];
            arrays[s][3][o] = plan.dg[begins[s] + o];
        }
        for (size_t o = O; o < PADDED; o++) arrays[s][1][o] = 1e300;
        stored[s] = (tcsi_join_stored){ plan.values + begins[s], arrays[s][0], arrays[s][1], arrays[s][2], arrays[s][3], arrays[s][4] };
    }
    assert_ok(tcsi_join_over_segments(&plan, segments, S, 0, 1, NULL, first, second, NULL));
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        for (size_t i = FROM; i < plan.window_count; i++) {
            tcsi_join_row row = { W, O, plan.values + i, plan.mean[i], plan.energy[i], plan.df[i], plan.dg[i] };
            double centred, raw;
            if (i == FROM)
                for (size_t s = 0; s < S; s++) tcsi_join_row_start((tcsi_isa)isa, &row, &stored[s]);
            if (i == FROM) continue;
            tcsi_join_row_push((tcsi_isa)isa, &row, stored, S, &centred, &raw);
            assert_near(first[i], fmax(0, centred + row.energy), TOLERANCE);
            assert_near(second[i], fmax(0, raw + row.energy), TOLERANCE);
        }
    }
    tcsi_join_plan_deinit(&plan);
    free(x);
    free(first);
    free(second);
}

static void test_bad_input_is_refused(void **state)
{
    (void)state;
    double x[4] = { 1, 2, NAN, 4 }, y[4] = { 1e150, -1e150, 0, 1e150 }, out[4];
    tcsi_join_plan plan;
    tcs_error err;
    assert_int_equal(tcsi_join_plan_init(&plan, TCSI_JOIN_CENTRED, x, 4, 2, 0, &err), TCS_E_INVALID);
    tcsi_join_plan_deinit(&plan);
    assert_int_equal(tcsi_join_plan_init(&plan, TCSI_JOIN_CENTRED, y, 4, 5, 0, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_join_plan_init(&plan, TCSI_JOIN_CENTRED, y, 4, 0, 0, &err), TCS_E_INVALID);
    assert_ok(tcsi_join_plan_init(&plan, TCSI_JOIN_CENTRED, y, 4, 2, 0, NULL));
    tcsi_join_segment outside = { 2, 2 };
    assert_int_equal(tcsi_join_over_segments(&plan, &outside, 1, 0, 1, NULL, out, NULL, &err), TCS_E_INVALID);
    assert_ok(tcsi_join_over_all(&plan, 1, NULL, out, NULL, NULL));
    for (size_t i = 0; i < plan.window_count; i++) assert_true(isfinite(out[i]));
    assert_ok(tcsi_join_over_all(&plan, 10, NULL, out, NULL, NULL));
    assert_true(isinf(out[0]));
    assert_ok(tcsi_join_over_segments(&plan, NULL, 0, 0, 1, NULL, out, NULL, NULL));
    assert_true(isinf(out[0]));
    tcsi_join_plan_deinit(&plan);
    for (size_t at = 1; at <= 2; at++) {
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_join_plan_init(&plan, TCSI_JOIN_CENTRED, y, 4, 2, 0, &err);
        if (status == TCS_OK) status = tcsi_join_over_all(&plan, 1, NULL, out, NULL, &err);
        assert_int_equal(status, TCS_E_MEMORY);
        tcsi_join_plan_deinit(&plan);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_segments_equal_the_definition), cmocka_unit_test(test_self_and_left_joins_equal_the_definition),
              cmocka_unit_test(test_tiers_agree_on_long_series), cmocka_unit_test(test_same_bits_for_any_number_of_threads),
              cmocka_unit_test(test_exact_repeats_come_out_near_zero), cmocka_unit_test(test_row_by_row_equals_the_strip),
              cmocka_unit_test(test_bad_input_is_refused))
