/* Scaling and calendar.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "series/calendar.h"
#include "series/scale.h"
#include "series/stats.h"
#include "series/time.h"

static void test_scale_at_any_offset(void **state)
{
    (void)state;
    enum { N = 1000 };
    double x[N], y[N], z[N], scratch[N];
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (int i = 0; i < N; i++) x[i] = floor(1e4 * tcsi_rng_normal(&rng)) / 1024; /* exact at every offset below */
    for (double offset = 0; offset <= 1e9; offset = offset * 1e3 + 1) {
        for (int i = 0; i < N; i++) y[i] = x[i] + floor(offset);
        for (int robust = 0; robust < 2; robust++) {
            tcsi_scale plain = robust ? tcsi_scale_robust(x, N, scratch) : tcsi_scale_standard(x, N);
            tcsi_scale shifted = robust ? tcsi_scale_robust(y, N, scratch) : tcsi_scale_standard(y, N);
            tcsi_scale_apply(&plain, x, N, z);
            for (int i = 0; i < N; i++) assert_near(z[i], tcsi_scale_one(&shifted, y[i]), 1e-13 + 3e-17 * offset);
        }
    }
    tcsi_scale s = tcsi_scale_standard(x, N);
    tcsi_scale_apply(&s, x, N, z);
    assert_near(0, tcsi_mean(z, N), 1e-15);
    assert_near(1, tcsi_deviation(z, N), 1e-14);
    tcsi_scale_invert(&s, z, N, z);
    for (int i = 0; i < N; i++) assert_near(x[i], z[i], 1e-14);
}

static void test_scale_of_degenerate_data(void **state)
{
    (void)state;
    double scratch[100], x[100];
    for (int i = 0; i < 100; i++) x[i] = 0.1;
    tcsi_scale s = tcsi_scale_standard(x, 100);
    assert_true(s.constant && s.center == 0.1 && s.spread == 1);
    s = tcsi_scale_robust(x, 100, scratch);
    assert_true(s.constant && tcsi_scale_one(&s, 0.1) == 0);
    x[50] = nextafter(0.1, 1); /* one unit in the last place is rounding, not signal */
    s = tcsi_scale_robust(x, 100, scratch);
    assert_true(!s.constant && tcsi_scale_one(&s, x[50]) < 1);
    for (int i = 0; i < 100; i++) x[i] = i < 90 ? 0 : 5; /* a valve that is mostly shut: MAD is 0 */
    s = tcsi_scale_robust(x, 100, scratch);
    assert_near(0.1 * 1.5, s.spread, 1e-12);
    s = tcsi_scale_standard(NULL, 0);
    assert_true(s.constant && s.spread == 1 && s.center == 0);
    double hostile[] = { NAN, INFINITY, 1e308 };
    s = tcsi_scale_robust(hostile, 3, scratch);
    assert_true(s.constant && s.spread == 1);
    tcsi_scale_apply(&s, hostile, 3, scratch);
    for (int i = 0; i < 3; i++) assert_true(isnan(scratch[i]));
    double tiny[] = { 5e-324, 0, 1e-320 };
    s = tcsi_scale_standard(tiny, 3);
    assert_true(s.spread > 0 && isfinite(tcsi_scale_one(&s, 1e-320)));
    double huge[] = { 1e150, -1e150, 0 };
    s = tcsi_scale_robust(huge, 3, scratch);
    assert_true(isfinite(s.spread) && fabs(tcsi_scale_one(&s, 1e150)) < 2);
}

static int64_t at(const char *text)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    int64_t ns = 0;
    assert_true(tcsi_time_parse(&iso, text, strlen(text), &ns));
    return ns;
}

static void test_places(void **state)
{
    (void)state;
    tcsi_calendar utc = tcsi_calendar_fixed(0), india = tcsi_calendar_fixed(19800);
    tcsi_calendar_place p = tcsi_calendar_place_of(&utc, at("2014-02-14T14:30:59Z")); /* a Friday */
    assert_true(p.year == 2014 && p.month == 2 && p.day == 14 && p.weekday == 4 && p.hour == 14 && p.minute_of_day == 870);
    assert_true(p.day_of_year == 45 && !p.weekend && p.second_of_day == 52259);
    p = tcsi_calendar_place_of(&india, at("2014-02-14T20:00:00Z"));
    assert_true(p.day == 15 && p.weekday == 5 && p.weekend && p.minute_of_day == 90);
    p = tcsi_calendar_place_of(&utc, at("1969-12-31T23:59:59.5Z")); /* before the epoch */
    assert_true(p.year == 1969 && p.weekday == 2 && p.second_of_day == 86399 && p.day_of_year == 365);
    p = tcsi_calendar_place_of(&utc, INT64_MIN);
    assert_true(p.year == 1677 && p.month == 9 && p.day == 21);
    p = tcsi_calendar_place_of(&utc, INT64_MAX);
    assert_true(p.year == 2262 && p.month == 4 && p.day == 11);
    p = tcsi_calendar_place_of(&utc, at("2016-12-31"));
    assert_int_equal(p.day_of_year, 366);
}

static void test_summer_time(void **state)
{
    (void)state;
    static const struct { bool europe; int32_t offset_s; const char *text; int32_t expected_s; } cases[] = {
        { true, 3600, "2014-03-30T00:59:59.999Z", 3600 }, { true, 3600, "2014-03-30T01:00:00Z", 7200 },
        { true, 3600, "2014-10-26T00:59:59Z", 7200 }, { true, 3600, "2014-10-26T01:00:00Z", 3600 },
        { true, 0, "2024-03-31T01:00:00Z", 3600 }, { true, 7200, "2024-10-27T00:59:59Z", 10800 },
        { true, 3600, "2014-12-31T23:59:59Z", 3600 }, { true, 3600, "2014-07-01", 7200 },
        { false, -18000, "2014-03-09T06:59:59Z", -18000 }, { false, -18000, "2014-03-09T07:00:00Z", -14400 }, /* New York */
        { false, -18000, "2014-11-02T05:59:59Z", -14400 }, { false, -18000, "2014-11-02T06:00:00Z", -18000 },
        { false, -28800, "2024-03-10T10:00:00Z", -25200 }, { false, -28800, "2024-11-03T09:00:00Z", -28800 }, /* Los Angeles */
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_calendar c = cases[i].europe ? tcsi_calendar_europe(cases[i].offset_s) : tcsi_calendar_united_states(cases[i].offset_s);
        if (tcsi_calendar_offset_s(&c, at(cases[i].text)) != cases[i].expected_s) fail_msg("%s", cases[i].text);
    }
    /* Sydney: summer from the first Sunday of October to the first of April, 02:00 winter time on both days. */
    tcsi_calendar sydney = { .utc_offset_s = 36000, .summer_s = 3600, .summer_begin = { 10, 1, 6, 7200 },
                             .summer_end = { 4, 1, 6, 10800 } };
    assert_int_equal(tcsi_calendar_offset_s(&sydney, at("2014-01-15")), 39600);
    assert_int_equal(tcsi_calendar_offset_s(&sydney, at("2014-04-05T15:59:59Z")), 39600);
    assert_int_equal(tcsi_calendar_offset_s(&sydney, at("2014-04-05T16:00:00Z")), 36000);
    assert_int_equal(tcsi_calendar_offset_s(&sydney, at("2014-10-04T16:00:00Z")), 39600);
    assert_int_equal(tcsi_calendar_offset_s(&sydney, at("2014-10-04T15:59:59Z")), 36000);
}

static void test_features_on_circles(void **state)
{
    (void)state;
    tcsi_calendar utc = tcsi_calendar_fixed(0);
    double f[TCSI_CALENDAR_FEATURE_COUNT], g[TCSI_CALENDAR_FEATURE_COUNT];
    tcsi_calendar_features(&utc, at("2014-02-14T06:00:00Z"), f);
    assert_near(1, f[0], 1e-15);
    assert_near(0, f[1], 1e-15);
    assert_near(0, f[6], 0);
    tcsi_rng rng = tcsi_rng_make(3, 1);
    for (int i = 0; i < 1000; i++) {
        int64_t t = (int64_t)tcsi_rng_u64(&rng) / 4;
        tcsi_calendar_features(&utc, t, f);
        tcsi_calendar_features(&utc, t + TCSI_NS_PER_S, g);
        for (int k = 0; k < 6; k += 2) assert_near(1, f[k] * f[k] + f[k + 1] * f[k + 1], 1e-14);
        for (int k = 0; k < 6; k++) assert_near(f[k], g[k], 1e-4); /* no seam */
        tcsi_calendar_features(&utc, t + 7 * TCSI_NS_PER_DAY, g);
        for (int k = 0; k < 4; k++) assert_near(f[k], g[k], 1e-12);
        assert_true(f[6] == g[6]);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_scale_at_any_offset), cmocka_unit_test(test_scale_of_degenerate_data), cmocka_unit_test(test_places),
              cmocka_unit_test(test_summer_time), cmocka_unit_test(test_features_on_circles))
