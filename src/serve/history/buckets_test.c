/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/history/buckets.h"

static const int64_t SECOND_NS = INT64_C(1000000000);

static tcsi_chronicle_row row_at(int64_t time_ns, double value, double score)
{
    return (tcsi_chronicle_row){ .time_ns = time_ns, .value = value, .low = value - 1, .high = value + 2, .expected = 10 * value,
                                 .deviation = 0.5, .score = score, .count = 1 };
}

/* Never more than asked for, of one step, aligned, and they hold both ends. */
static void test_steps(void **state)
{
    (void)state;
    static const int64_t spans_s[] = { 0, 1, 59, 3600, 86400, 30 * 86400, 3650 * INT64_C(86400),
                                      2000000 * INT64_C(3600), INT64_C(7000000000) };
    static const size_t points[] = { 1, 2, 7, 1000, 10000 };
    for (size_t s = 0; s < TCS_COUNT(spans_s); s++)
        for (size_t p = 0; p < TCS_COUNT(points); p++)
            for (int64_t from_s = -5000; from_s < 1700000000; from_s += 1234567891) {
                tcsi_buckets buckets;
                const int64_t from = from_s * SECOND_NS + 7, to = from + spans_s[s] * SECOND_NS;
                assert_ok(tcsi_buckets_init(&buckets, from, to, points[p], 0, test_err));
                assert_true(buckets.count >= 1 && buckets.count <= points[p]);
                assert_true(buckets.begin_ns % buckets.step_ns == 0 || spans_s[s] / (int64_t)points[p] >= 7 * 86400 - 1 || points[p] == 1);
                assert_true(buckets.begin_ns <= from);
                assert_true((uint64_t)to - (uint64_t)buckets.begin_ns < buckets.count * (uint64_t)buckets.step_ns);
                tcsi_buckets_deinit(&buckets);
            }
    tcsi_buckets buckets;
    assert_ok(tcsi_buckets_init(&buckets, 0, 3599 * SECOND_NS, 1000, 14 * SECOND_NS, test_err));
    assert_int_equal(buckets.step_ns, 15 * SECOND_NS); /* no finer than the rows */
    tcsi_buckets_deinit(&buckets);
}

static void test_what_is_shown(void **state)
{
    (void)state;
    tcsi_buckets buckets;
    assert_ok(tcsi_buckets_init(&buckets, 0, 29 * SECOND_NS, 3, 0, test_err));
    assert_true(buckets.count == 3 && buckets.step_ns == 10 * SECOND_NS);
    tcsi_chronicle_row rows[] = { row_at(1, 1, 3), row_at(2 * SECOND_NS, 4, 2), row_at(25 * SECOND_NS, 7, NAN), row_at(-1, 99, 99),
                                  row_at(30 * SECOND_NS, 99, 99) };
    rows[1].count = 2; /* two rows merged weigh two */
    for (size_t i = 0; i < TCS_COUNT(rows); i++) tcsi_buckets_push(&buckets, &rows[i]);
    const tcsi_bucket_shown first = tcsi_bucket_show(&buckets.items[0]), second = tcsi_bucket_show(&buckets.items[1]),
                            third = tcsi_bucket_show(&buckets.items[2]);
    assert_true(first.value == 3 && first.low == 0 && first.high == 6 && first.score == 3);
    assert_true(first.expected == 30 && first.lower == 28.5 && first.upper == 31.5);
    assert_true(isnan(second.value) && isnan(second.score) && isnan(second.lower));
    assert_true(third.value == 7 && isnan(third.score) && isnan(third.expected)); /* not scored yet */
    tcsi_buckets_deinit(&buckets);
}

TCS_TEST_MAIN(cmocka_unit_test(test_steps), cmocka_unit_test(test_what_is_shown))
