/* Buckets under a clock of ours. */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/http/limiter.h"

static const int64_t second = 1000000000;

static void test_bucket(void **state)
{
    (void)state;
    tcsi_bucket bucket = { 0 };
    for (int i = 0; i < 5; i++) assert_int_equal(tcsi_bucket_take(&bucket, 2, 5, 1, second), 0);
    int64_t wait = tcsi_bucket_take(&bucket, 2, 5, 1, second);
    assert_true(wait > second / 2 - 10 && wait < second / 2 + 10);
    assert_true(tcsi_bucket_take(&bucket, 2, 5, 1, second + wait - 100) > 0);
    assert_int_equal(tcsi_bucket_take(&bucket, 2, 5, 1, second + wait), 0);
    assert_true(tcsi_bucket_take(&bucket, 2, 5, 1, 0) > 0); /* a clock that goes back gives nothing */
    assert_int_equal(tcsi_bucket_take(&bucket, 2, 5, 5, 100 * second), 0);
    assert_true(tcsi_bucket_take(&bucket, 2, 5, 0, 100 * second) > 0); /* asks only */
    assert_int_equal(tcsi_bucket_take(&bucket, 2, 5, 0, 101 * second), 0);
    assert_int_equal(tcsi_bucket_take(&bucket, 2, 5, 2, 101 * second), 0);
    assert_int_equal(tcsi_bucket_take(&(tcsi_bucket){ 1, 9 * second }, 2, 5, 1, second), 0); /* and takes nothing */
    assert_int_equal(tcsi_bucket_take(&(tcsi_bucket){ 1, 0 }, 0, 1, 1, INT64_MAX), 3600 * second); /* never, said as an hour */
}

/* Whatever the times: at most burst + rate * time are given, and who comes steadily at less than the rate is never refused. */
static void test_bucket_keeps_its_rate(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 2);
    tcsi_bucket bucket = { 0 }, steady = { 0 };
    int64_t now = 0, steady_at = 0;
    size_t given = 0;
    for (int i = 0; i < 100000; i++) {
        now += (int64_t)(tcsi_rng_exponential(&rng) * 0.01 * 1e9);
        given += tcsi_bucket_take(&bucket, 10, 20, 1, now) == 0;
        steady_at += second / 9;
        assert_int_equal(tcsi_bucket_take(&steady, 10, 1, 1, steady_at), 0);
    }
    double most = 20 + 10 * (double)now * 1e-9;
    assert_true((double)given <= most && (double)given > 0.99 * most);
}

static void test_table(void **state)
{
    (void)state;
    tcsi_limiter *limiter;
    assert_ok(tcsi_limiter_create(&limiter, test_err));
    uint64_t key = tcsi_limiter_key("someone", 1);
    assert_true(key != tcsi_limiter_key("someone", 2) && key != tcsi_limiter_key("someonf", 1));
    assert_int_equal(tcsi_limiter_take(limiter, key, 0.001, 1, 1, second), 0);
    assert_true(tcsi_limiter_take(limiter, key, 0.001, 1, 1, second) > 0);
    for (uint64_t k = 1; k < 3; k++) assert_int_equal(tcsi_limiter_take(limiter, key + k * TCSI_LIMITER_SLOTS, 0.001, 1, 1, 2 * second), 0);
    assert_true(tcsi_limiter_take(limiter, key, 0.001, 1, 1, second) > 0); /* others of its set did not push it out */
    for (uint64_t k = 1; k < 20; k++) assert_int_equal(tcsi_limiter_take(limiter, key + k * TCSI_LIMITER_SLOTS, 1000, 9, 1,
        (int64_t)(k + 3) * second), 0);
    assert_int_equal(tcsi_limiter_take(limiter, key, 0.001, 1, 1, 30 * second), 0); /* twenty did: bounded memory forgets */
    tcsi_limiter_destroy(limiter);
    tcsi_limiter_destroy(NULL);
}

TCS_TEST_MAIN(cmocka_unit_test(test_bucket), cmocka_unit_test(test_bucket_keeps_its_rate), cmocka_unit_test(test_table))
