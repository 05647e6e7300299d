/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 600 };
static const int64_t minute = 60000000000;

static void push_at(tcsi_detector *detector, size_t t, int64_t time_ns, const double *values, tcs_score *ret_score)
{
    tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .time_ns = time_ns, .values = values }, ret_score);
}

/* Irregular times, repeats, gaps; scores of a plain Python form. */
static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/absence.csv", &golden);
    const double *time_s = golden_column(&golden, "time_s"), *a = golden_column(&golden, "a"), *b = golden_column(&golden, "b");
    tcsi_detector *detector = detect_create("absence", 2, NULL, 0);
    for (size_t t = 0; t < golden.row_count; t++)
        push_at(detector, t, (int64_t)time_s[t] * 1000000000, (double[]){ a[t], b[t] }, &scores[t]);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-9);
    tcsi_detector_destroy(detector);
}

/* A pause of an hour in data of every minute, by hand: (60 - 1) / 0.25 log10(e). */
static void test_pause_by_hand(void **state)
{
    (void)state;
    tcs_score score;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    tcsi_detector *detector = detect_create("absence", 1, NULL, 0);
    for (size_t t = 0; t < 300; t++) {
        double value = tcsi_rng_normal(&rng);
        push_at(detector, t, (int64_t)(t + 1 + (t >= 200 ? 59 : 0)) * minute, &value, &score);
        if (t == 200) assert_near(59 / 0.25 * 0.4342944819032518, score.value, 1e-6);
        else assert_true(score.value < 1);
    }
    tcsi_detector_destroy(detector);
}

/* A sensor that never repeated itself and then stands still scores higher row by row; one that always stood still, or
 * switches now and then, does not. */
static void test_standstill(void **state)
{
    (void)state;
    static double x[3][ROWS];
    static tcs_score scores[3][ROWS];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t t = 0; t < ROWS; t++) {
        x[0][t] = t > 400 && t < 450 ? x[0][400] : tcsi_rng_normal(&rng);
        x[1][t] = 5;
        x[2][t] = (double)(t / 50 % 2);
    }
    for (size_t i = 0; i < 3; i++) {
        const double *column = x[i];
        tcsi_detector *detector = detect_create("absence", 1, NULL, 0);
        detect_push(detector, &column, 0, ROWS, scores[i]);
        tcsi_detector_destroy(detector);
    }
    for (size_t t = 402; t < 449; t++) assert_true(scores[0][t + 1].value > scores[0][t].value);
    assert_true(scores[0][449].value > 30);
    for (size_t t = 31; t < ROWS; t++) {
        assert_true(scores[1][t].value < 1 && scores[2][t].value < 5);
        if (t <= 400) assert_true(scores[0][t].value == 0);
    }
}

/* A channel that stays away while the other one is there is noticed at once and named. */
static void test_channel_away(void **state)
{
    (void)state;
    tcs_score score;
    double parts[2];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    tcsi_detector *detector = detect_create("absence", 2, NULL, 0);
    for (size_t t = 0; t < 220; t++) {
        double values[] = { tcsi_rng_normal(&rng), t < 200 ? tcsi_rng_normal(&rng) : NAN };
        push_at(detector, t, (int64_t)(t + 1) * minute, values, &score);
        if (t > 30 && t < 200) assert_true(score.value < 1e-9);
    }
    assert_int_equal(TCS_SCORE_READY, score.state);
    assert_near(19 / 0.25 * 0.4342944819032518, score.value, 1e-6); /* 20 minutes since the last value, 1 expected */
    assert_true(tcsi_detector_contribute(detector, parts));
    assert_true(parts[0] < 1e-9 && parts[1] == score.value);
    tcsi_detector_destroy(detector);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_pause_by_hand), cmocka_unit_test(test_standstill),
              cmocka_unit_test(test_channel_away))
