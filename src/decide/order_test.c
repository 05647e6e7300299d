/* Orders: a row that must alarm does, with or without a score; an excused one neither alarms nor teaches; how far an excuse reaches; all
 * of it alike whether rows are decided one by one or together. */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/policy.h"

enum { ROWS = 6000 };

static void make_scores(tcs_score *scores)
{
    tcsi_rng rng = tcsi_rng_make(4, 0);
    for (size_t t = 0; t < ROWS; t++) scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = fabs(tcsi_rng_normal(&rng)) };
}

static tcsi_policy_result decide(tcs_mode mode, tcs_score *scores, const tcsi_order *orders, double own_threshold, size_t merge_count)
{
    const tcsi_policy_options options = { .mode = mode, .budget = { .count = own_threshold > 0 ? 0 : 1 }, .orders = orders,
                                          .own_threshold = own_threshold > 0 ? own_threshold : NAN, .merge_count = merge_count };
    tcsi_policy_result decision;
    tcs_error err = { 0 };
    assert_ok(tcsi_policy_decide(scores, ROWS, &options, &decision, &err));
    return decision;
}

/* High scores while excused change no threshold: as if there had been no score. */
static void test_excused_rows_teach_nothing(void **state)
{
    (void)state;
    static tcs_score excused[ROWS], missing[ROWS];
    static tcsi_order orders[ROWS];
    for (int mode = TCS_MODE_ONLINE; mode <= TCS_MODE_OFFLINE; mode++) {
        make_scores(excused);
        make_scores(missing);
        memset(orders, 0, sizeof orders);
        for (size_t t = 2000; t < 2400; t++) {
            orders[t] = (tcsi_order){ TCSI_ORDER_EXCUSE, 3 };
            excused[t].value += t % 3 ? 5 : 1; /* some are no alarm even so */
            missing[t] = (tcs_score){ .state = TCS_SCORE_MISSING };
        }
        tcsi_policy_result a = decide((tcs_mode)mode, excused, orders, 0, 0), b = decide((tcs_mode)mode, missing, NULL, 0, 0);
        assert_memory_equal(a.thresholds, b.thresholds, ROWS * sizeof *a.thresholds);
        for (size_t t = 2000; t < 2400; t++) assert_int_equal(a.anomaly[t], 0);
        assert_int_equal(a.expected_count > 0, 1);
        for (size_t i = 0; i < a.expected_count; i++) {
            assert_true(a.expected[i].row_begin >= 2000 && a.expected[i].row_end <= 2400);
            assert_int_equal(a.expected[i].order.which, 3);
            assert_true(a.expected[i].p_value > 0 && a.expected[i].severity >= 50);
        }
        assert_int_equal(a.episode_count, b.episode_count);
        tcsi_policy_result_deinit(&a);
        tcsi_policy_result_deinit(&b);
    }
}

/* Rows 100 to 199 are above the threshold; rows 140 to 149 are excused. */
static void test_how_far_an_excuse_reaches(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    static tcsi_order orders[ROWS];
    static const struct { size_t merge_count, after; } cases[] = { { 0, 0 }, { 5, 5 }, { 1000, TCSI_EXCUSE_REACH } };
    for (size_t i = 0; i < TCS_COUNT(cases); i++)
        for (int mode = TCS_MODE_ONLINE; mode <= TCS_MODE_OFFLINE; mode++) {
            for (size_t t = 0; t < ROWS; t++)
                scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = t >= 100 && t < 300 ? 2 : 0.01 * (double)(t % 50) };
            memset(orders, 0, sizeof orders);
            for (size_t t = 140; t < 150; t++) orders[t] = (tcsi_order){ TCSI_ORDER_EXCUSE, 0 };
            tcsi_policy_result d = decide((tcs_mode)mode, scores, orders, 1, cases[i].merge_count);
            const size_t before = mode == TCS_MODE_OFFLINE ? (cases[i].after < 40 ? cases[i].after : 40) : 0;
            for (size_t t = 100; t < 300; t++) {
                const bool excused = t + before >= 140 && t < 150 + cases[i].after;
                assert_int_equal(d.anomaly[t], !excused);
            }
            assert_int_equal(d.expected_count, 1);
            assert_int_equal(d.expected[0].row_begin, 140 - before);
            assert_int_equal(d.expected[0].row_end, 150 + cases[i].after);
            tcsi_policy_result_deinit(&d);
        }
}

/* Without a score, with a low one, and beside a high one; an excuse on both sides stops nothing. */
static void test_what_must_alarm_does(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    static tcsi_order orders[ROWS];
    for (int mode = TCS_MODE_ONLINE; mode <= TCS_MODE_OFFLINE; mode++) {
        make_scores(scores);
        memset(orders, 0, sizeof orders);
        for (size_t t = 0; t < ROWS; t++) orders[t] = (tcsi_order){ TCSI_ORDER_EXCUSE, 0 };
        for (size_t t = 10; t < 13; t++) scores[t] = (tcs_score){ .state = TCS_SCORE_WARMUP };
        for (size_t t = 10; t < 13; t++) orders[t] = (tcsi_order){ TCSI_ORDER_ALARM, 7 };
        for (size_t t = 3000; t < 3003; t++) scores[t].value = 0;
        for (size_t t = 3000; t < 3003; t++) orders[t] = (tcsi_order){ TCSI_ORDER_ALARM, 8 };
        tcsi_policy_result d = decide((tcs_mode)mode, scores, orders, 0, 0);
        size_t count = 0;
        for (size_t t = 0; t < ROWS; t++) count += d.anomaly[t];
        assert_int_equal(count, 6);
        assert_int_equal(d.episode_count, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(d.episodes[i].row_begin, i ? 3000 : 10);
            assert_int_equal(d.episodes[i].row_end, i ? 3003 : 13);
            assert_int_equal(d.episodes[i].order.which, i ? 8 : 7);
            assert_near(100, d.episodes[i].severity, 0);
            assert_true(d.episodes[i].score_peak == 0 && d.episodes[i].p_value > 0 && d.episodes[i].p_value <= 1);
        }
        tcsi_policy_result_deinit(&d);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_excused_rows_teach_nothing), cmocka_unit_test(test_how_far_an_excuse_reaches),
              cmocka_unit_test(test_what_must_alarm_does))
