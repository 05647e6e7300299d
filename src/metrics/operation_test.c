/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "metrics/operation.h"

static tcsi_delay delay_of(const tcsi_span *events, size_t event_count, const tcsi_span *alarms, size_t alarm_count,
                           const tcsi_time_axis *axis)
{
    tcsi_delay delay;
    assert_ok(tcsi_delay_compute(&(tcsi_decision){ 100, events, event_count, alarms, alarm_count }, axis, &delay, test_err));
    return delay;
}

static void test_delays(void **state)
{
    (void)state;
    tcsi_time_axis by_cadence = { NULL, 2.0 }, unknown = { NULL, 0.0 };
    tcsi_span events[] = { { 10, 20 }, { 30, 40 }, { 50, 60 }, { 70, 80 }, { 90, 95 } };
    tcsi_span alarms[] = { { 12, 13 }, { 25, 51 }, { 73, 100 } }; /* delays 2, 0, 0, 3, 0 */
    tcsi_delay delay = delay_of(events, 5, alarms, 3, &by_cadence);
    assert_near(1.0, delay.rows_mean, 1e-15);
    assert_near(0.0, delay.rows_median, 0.0);
    assert_near(2.0, delay.seconds_mean, 1e-15);
    delay = delay_of(events, 1, alarms, 3, &unknown);
    assert_near(2.0, delay.rows_mean, 0.0);
    assert_true(isnan(delay.seconds_mean));
    tcsi_span two[] = { { 12, 13 }, { 35, 36 } };
    delay = delay_of(events, 2, two, 2, &by_cadence);
    assert_near(3.5, delay.rows_median, 0.0); /* of an even count: the mean of the middle two */
    tcsi_span touching[] = { { 5, 10 }, { 20, 30 }, { 40, 50 } }; /* ends where events begin: not inside */
    assert_true(isnan(delay_of(events, 3, touching, 3, &by_cadence).rows_mean));
    assert_true(isnan(delay_of(events, 5, NULL, 0, &by_cadence).rows_median));
    assert_true(isnan(delay_of(NULL, 0, alarms, 3, &by_cadence).rows_mean));
}

static void test_days(void **state)
{
    (void)state;
    int64_t hourly[48];
    for (size_t i = 0; i < 48; i++) hourly[i] = (int64_t)(47 - i) * 3600 * 1000000000; /* backward */
    assert_near(2.0, tcsi_time_axis_days(&(tcsi_time_axis){ hourly, 0.0 }, 48), 1e-12);
    assert_near(2.0, tcsi_time_axis_days(&(tcsi_time_axis){ NULL, 3600.0 }, 48), 1e-12);
    assert_true(isnan(tcsi_time_axis_days(&(tcsi_time_axis){ NULL, 0.0 }, 48)));
    assert_true(isnan(tcsi_time_axis_days(&(tcsi_time_axis){ hourly, 0.0 }, 1)));
}

static void test_located_takes_the_first_highest(void **state)
{
    (void)state;
    tcsi_span event = { 4, 6 };
    double scores[] = { 0, 7, 0, 0, 7, 0, 0, 0, 0, 0 };
    assert_near(0.0, tcsi_located(scores, 10, &event, 1, 2), 0.0);
    assert_near(1.0, tcsi_located(scores, 10, &event, 1, 3), 0.0);
    scores[1] = NAN; /* says nothing */
    assert_near(1.0, tcsi_located(scores, 10, &event, 1, 0), 0.0);
    double missing[] = { NAN, NAN };
    tcsi_span first = { 0, 1 };
    assert_near(0.0, tcsi_located(missing, 2, &first, 1, 100), 0.0);
    assert_true(isnan(tcsi_located(scores, 10, NULL, 0, 100)));
    double highest[] = { 0, INFINITY, 1 };
    assert_near(0.0, tcsi_located(highest, 3, &first, 1, 0), 0.0);
    assert_near(1.0, tcsi_located(highest, 3, &first, 1, SIZE_MAX), 0.0);
}

TCS_TEST_MAIN(cmocka_unit_test(test_delays), cmocka_unit_test(test_days), cmocka_unit_test(test_located_takes_the_first_highest))
