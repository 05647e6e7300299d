/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "adapt/tally.h"

static bool is_near(double a, double b) { return fabs(a - b) < 5e-5; }

static void add(tcsi_tally *tally, tcsi_answer_verdict verdict, double real, double detect_s)
{
    const tcsi_tally_event event = { .is_alarm = true, .is_answered = true, .verdict = (uint8_t)verdict, .real = real,
                                       .detect_s = detect_s };
    assert_ok(tcsi_tally_add(tally, &event, test_err));
}

/* Ten answered alarms, eight of them real, two missed events, five alarms that nobody answered: by hand. */
static void test_against_a_pencil(void **state)
{
    (void)state;
    tcsi_tally tally = { 0 };
    const tcsi_tally_event unanswered = { .is_alarm = true, .real = NAN, .detect_s = 1 };
    const tcsi_tally_event missed = { .is_missed = true, .is_answered = true };
    for (int i = 0; i < 8; i++) add(&tally, TCSI_ANSWER_TRUE, 1, i < 5 ? 10.0 * (5 - i) : (double)NAN); /* 50, 40, 30, 20, 10 s */
    for (int i = 0; i < 2; i++) add(&tally, TCSI_ANSWER_EXPECTED, 0, 1000);
    add(&tally, TCSI_ANSWER_NOT_MINE, NAN, 5);
    for (int i = 0; i < 5; i++) assert_ok(tcsi_tally_add(&tally, &unanswered, test_err));
    for (int i = 0; i < 2; i++) assert_ok(tcsi_tally_add(&tally, &missed, test_err));
    assert_true(tally.alarm_count == 16 && tally.answered_count == 11 && tally.missed_count == 2);
    assert_true(tally.verdict_counts[TCSI_ANSWER_TRUE] == 8 && tally.verdict_counts[TCSI_ANSWER_EXPECTED] == 2);
    assert_int_equal(tally.verdict_counts[TCSI_ANSWER_NOT_MINE], 1);
    const tcsi_tally_share precision = tcsi_tally_precision(&tally), recall = tcsi_tally_recall(&tally);
    assert_true(is_near(precision.share, 0.8) && is_near(precision.low, 0.49016) && is_near(precision.high, 0.94331)); /* Wilson, 8 of 10 */
    assert_true(is_near(recall.share, 0.8) && is_near(recall.low, 0.49016) && is_near(recall.high, 0.94331));
    assert_true(tcsi_tally_detect(&tally) == 30);
    add(&tally, TCSI_ANSWER_TRUE, 0.9, 15); /* 10 15 20 30 40 50 */
    assert_true(tcsi_tally_detect(&tally) == 25 && tally.detect_count == 6);
    const tcsi_tally_prices prices = { .false_alarm = 10, .missed = 1000, .true_alarm = 200 };
    const tcsi_tally_cost cost = tcsi_tally_price(&tally, &prices);
    assert_true(is_near(cost.false_alarms, 21) && cost.missed == 2000 && is_near(cost.saved, 1780) && is_near(cost.net, -241));
    tcsi_tally_deinit(&tally);
}

/* What is not known is no number, and what is not set has no price. */
static void test_what_is_not_known(void **state)
{
    (void)state;
    tcsi_tally tally = { 0 };
    const tcsi_tally_prices none = { NAN, NAN, NAN }, one = { .false_alarm = 3, .missed = NAN, .true_alarm = NAN };
    assert_true(isnan(tcsi_tally_precision(&tally).share) && isnan(tcsi_tally_recall(&tally).low));
    assert_true(isnan(tcsi_tally_detect(&tally)));
    assert_true(isnan(tcsi_tally_price(&tally, &none).net) && tcsi_tally_price(&tally, &one).net == 0);
    const tcsi_tally_event missed = { .is_missed = true };
    assert_ok(tcsi_tally_add(&tally, &missed, test_err));
    const tcsi_tally_share recall = tcsi_tally_recall(&tally); /* 0 of 1 */
    assert_true(recall.share == 0 && recall.low == 0 && is_near(recall.high, 0.79345) && isnan(tcsi_tally_precision(&tally).share));
    add(&tally, TCSI_ANSWER_EXPECTED, 0, 7);
    const tcsi_tally_cost cost = tcsi_tally_price(&tally, &one);
    assert_true(cost.false_alarms == 3 && isnan(cost.missed) && isnan(cost.saved) && cost.net == -3);
    assert_true(isnan(tcsi_tally_detect(&tally))); /* what was not real was not detected */
    tcsi_tally_deinit(&tally);
}

TCS_TEST_MAIN(cmocka_unit_test(test_against_a_pencil), cmocka_unit_test(test_what_is_not_known))
