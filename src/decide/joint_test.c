/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/joint.h"

static tcsi_joint make(tcsi_fdr_method method, double level)
{
    tcsi_joint joint;
    assert_ok(tcsi_joint_init(&joint, method, level, test_err));
    return joint;
}

static void add(tcsi_joint *joint, const double *expected, size_t count)
{
    static const size_t begins[] = { 10, 40, 70 };
    const tcsi_joint_series series = { .row_count = 100, .row_begins = begins, .expected_counts = expected, .episode_count = count };
    assert_ok(tcsi_joint_add(joint, &series, test_err));
}

/* Four series: two discoveries by Benjamini and Hochberg at 0.1, whose level for episodes is then 0.1 * 2 / 4. */
static void test_batch_by_hand(void **state)
{
    (void)state;
    static const double clear[] = { 0.9, 0.001, 0.04 }, faint[] = { 0.045 }, chance[] = { 0.7, 0.4 };
    tcsi_joint joint = make(TCSI_FDR_BH, 0.1);
    add(&joint, clear, 3);
    add(&joint, faint, 1);
    add(&joint, chance, 2);
    add(&joint, NULL, 0); /* a series without an episode is a test, too */
    assert_ok(tcsi_joint_run(&joint, test_err));
    assert_true(joint.test_count == 4 && joint.episode_count == 6 && joint.series_count == 4);
    static const bool stays[] = { false, true, true, true, false, false };
    for (size_t i = 0; i < 6; i++) assert_true(joint.episodes[i].stays == stays[i]);
    assert_near(1 - exp(-0.001), joint.episodes[1].p_value, 1e-15);
    assert_near(0.05, joint.tests[0].level, 1e-15);
    assert_true(joint.tests[3].p_value == 1 && joint.tests[2].level == 0);
    for (size_t i = 0; i < 4; i++) add(&joint, NULL, 0); /* among eight series the faint one is no longer a discovery */
    assert_ok(tcsi_joint_run(&joint, test_err));
    assert_true(joint.episodes[1].stays && !joint.episodes[3].stays && !joint.episodes[2].stays);
    tcsi_joint_deinit(&joint);
}

/* By days; the second series' first day comes before the first's second. */
static void test_online_in_order_of_time(void **state)
{
    (void)state;
    int64_t days[100];
    static const size_t begins[] = { 10, 60 };
    static const double first[] = { 1e-4, 1e-4 }, second[] = { 0.9, 1e-9 };
    for (size_t t = 0; t < 100; t++) days[t] = t < 50 ? 1 : 2;
    tcsi_joint joint = make(TCSI_FDR_LORD, 0.1);
    tcsi_joint_series series = { .row_count = 100, .places = days, .row_begins = begins, .expected_counts = first, .episode_count = 2 };
    assert_ok(tcsi_joint_add(&joint, &series, test_err));
    series.expected_counts = second;
    assert_ok(tcsi_joint_add(&joint, &series, test_err));
    assert_ok(tcsi_joint_run(&joint, test_err));
    assert_int_equal(joint.test_count, 4);
    tcsi_fdr fdr;
    assert_ok(tcsi_fdr_init(&fdr, TCSI_FDR_LORD, 0.1, test_err));
    static const size_t order[] = { 0, 2, 1, 3 }; /* as added: series 0 day 1, series 0 day 2, series 1 day 1, series 1 day 2 */
    for (size_t i = 0; i < 4; i++) {
        assert_near(tcsi_fdr_level(&fdr), joint.tests[order[i]].level, 1e-15);
        (void)tcsi_fdr_test(&fdr, joint.tests[order[i]].p_value);
    }
    assert_near(-expm1(-0.5e-4), joint.episodes[0].p_value, 1e-15); /* half of the rows, half of the chance */
    assert_true(joint.episodes[0].stays && joint.episodes[1].stays && !joint.episodes[2].stays && joint.episodes[3].stays);
    tcsi_joint_deinit(&joint);
}

/* Fleets of 60 series, a tenth of them with an event; the others' highest episodes are what chance makes them. */
static void test_the_rate_is_kept_over_series(void **state)
{
    (void)state;
    enum { FLEETS = 400, SERIES = 60 };
    static const tcsi_fdr_method methods[] = { TCSI_FDR_BH, TCSI_FDR_BY, TCSI_FDR_E_BH, TCSI_FDR_LORD, TCSI_FDR_ADDIS };
    for (size_t m = 0; m < TCS_COUNT(methods); m++) {
        double rate = 0;
        for (uint64_t f = 0; f < FLEETS; f++) {
            tcsi_rng rng = tcsi_rng_make(f, 1);
            tcsi_joint joint = make(methods[m], 0.1);
            for (size_t s = 0; s < SERIES; s++) {
                double expected[2] = { tcsi_rng_exponential(&rng), s % 10 == 0 ? 1e-4 : 9 };
                add(&joint, expected, 2); /* the smallest of clusters' expected counts is exponential */
            }
            assert_ok(tcsi_joint_run(&joint, test_err));
            double wrong = 0, all = 0;
            for (size_t i = 0; i < joint.episode_count; i++) {
                all += joint.episodes[i].stays;
                wrong += joint.episodes[i].stays && !(joint.episodes[i].series % 10 == 0 && joint.episodes[i].index == 1);
            }
            rate += all > 0 ? wrong / all : 0;
            tcsi_joint_deinit(&joint);
        }
        assert_true(rate / FLEETS < 0.1);
    }
}

static void test_ranges_and_memory(void **state)
{
    (void)state;
    tcsi_joint joint;
    tcs_error err = { 0 };
    static const double expected[] = { 1e-5 };
    static const size_t begins[] = { 0 };
    tcsi_joint_series series = { .row_count = 0 };
    assert_int_equal(tcsi_joint_init(&joint, TCSI_FDR_BH, 1, &err), TCS_E_INVALID);
    joint = make(TCSI_FDR_BH, 0.1);
    assert_int_equal(tcsi_joint_add(&joint, &series, &err), TCS_E_INVALID);
    assert_ok(tcsi_joint_run(&joint, test_err)); /* nothing to joint */
    tcsi_joint_deinit(&joint);
    series = (tcsi_joint_series){ .row_count = 5, .row_begins = begins, .expected_counts = expected, .episode_count = 1 };
    for (int method = 0; method < TCSI_FDR_METHOD_COUNT; method++) {
        tcs_status status = TCS_E_MEMORY;
        for (size_t at = 1; status != TCS_OK; at++) {
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            joint = make((tcsi_fdr_method)method, 0.1);
            status = tcsi_joint_add(&joint, &series, &err);
            assert_true(status == TCS_OK || (joint.test_count == 0 && joint.episode_count == 0));
            if (status == TCS_OK) status = tcsi_joint_run(&joint, &err);
            tcsi_joint_deinit(&joint);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
        }
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_batch_by_hand), cmocka_unit_test(test_online_in_order_of_time),
              cmocka_unit_test(test_the_rate_is_kept_over_series), cmocka_unit_test(test_ranges_and_memory))
