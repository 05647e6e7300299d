/* kernels/random_test.c -- spans of random numbers against base/rng.h's generator, and their distributions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/random.h"

enum { LONG = 300, MANY = 1 << 20 };

/* Element i is made of word i % 4 of block (first + i) / 4. */
static void make_words(const tcsi_random_span *span, uint32_t *ret_words)
{
    tcsi_rng rng = tcsi_rng_make(span->seed, span->stream);
    rng.counter = span->first / 4;
    for (size_t i = 0; i < span->count; i++) ret_words[i] = tcsi_rng_u32(&rng);
}

static const tcsi_random_span spans[] = {
    { 1, 0, 0, LONG }, { 0xfedcba9876543210u, 0x0123456789abcdefu, 4 * 1000, LONG },
    { 7, 3, 4 * (uint64_t)0xfffffff5u, LONG }, /* the counter's lower half overflows on the way */
    { 7, 3, 4 * (uint64_t)0x123fffffff3u, LONG },
};

static void test_uniform_is_the_generator(void **state)
{
    (void)state;
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(spans); s++)
            for (size_t count = 0; count <= LONG; count += count < 140 ? 1 : 37) {
                tcsi_random_span span = spans[s];
                span.count = count;
                uint32_t words[LONG];
                float *x = guarded(count), *mask = guarded(count), *expected = guarded(count), *expected_mask = guarded(count);
                make_words(&span, words);
                for (size_t i = 0; i < count; i++) {
                    expected[i] = (float)(words[i] >> 8) / 16777216.0f;
                    expected_mask[i] = expected[i] < 0.3f ? 0 : 1 / (1 - 0.3f);
                }
                tcsi_random_uniform(isa, &span, x);
                assert_same_bits("uniform", isa, count, expected, x);
                tcsi_random_dropout(isa, &span, 0.3f, mask);
                assert_same_bits("dropout", isa, count, expected_mask, mask);
                guarded_release();
            }
}

/* Box and Muller's formula in double, from the generator's words; the same bits in every tier, and cut anywhere. */
static void test_normal(void **state)
{
    (void)state;
    for (size_t s = 0; s < TCS_COUNT(spans); s++) {
        const tcsi_random_span *span = &spans[s];
        uint32_t words[LONG];
        float portable[LONG];
        double expected[LONG];
        make_words(span, words);
        for (size_t i = 0; i < LONG; i++) {
            double u = (double)((float)(words[i / 2 * 2] >> 1) * 0x1p-31f + 0x1p-32f), v = (double)(words[i / 2 * 2 + 1] >> 8) * 0x1p-24;
            expected[i] = sqrt(-2 * log(u)) * (i % 2 ? sin(6.28318530717958648 * v) : cos(6.28318530717958648 * v));
        }
        tcsi_random_normal(TCSI_ISA_PORTABLE, span, portable);
        assert_all_near("normal", TCSI_ISA_PORTABLE, LONG, expected, portable, 1e-6);
        EACH_ISA(isa)
            for (size_t cut = 0; cut <= LONG; cut += 4) {
                float *x = guarded(LONG);
                tcsi_random_span left = *span, right = *span;
                left.count = cut;
                right.first += cut;
                right.count = LONG - cut;
                tcsi_random_normal(isa, &left, x);
                tcsi_random_normal(isa, &right, x + cut);
                assert_same_bits("normal, cut", isa, LONG, portable, x);
                guarded_release();
            }
    }
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance of a million numbers; 1.95 / sqrt(n) is passed by one sample in a thousand of a right generator. */
static void check_distribution(float *x, double (*cdf)(double))
{
    double worst = 0;
    qsort(x, MANY, sizeof *x, ascending);
    for (size_t i = 0; i < MANY; i++) worst = fmax(worst, fabs(cdf((double)x[i]) - ((double)i + 0.5) / MANY));
    assert_true(worst < 1.95 / sqrt(MANY));
}

static double uniform_cdf(double x)
{
    return x;
}

static double normal_cdf(double x)
{
    return erfc(-x * 0.70710678118654752440) / 2;
}

static void test_distributions(void **state)
{
    (void)state;
    float *x = guarded(MANY);
    tcsi_random_span span = { 20261125, 5, 0, MANY };
    tcsi_random_uniform(tcsi_isa_current(), &span, x);
    for (size_t i = 0; i < MANY; i++) assert_true(x[i] >= 0 && x[i] < 1);
    check_distribution(x, uniform_cdf);
    tcsi_random_normal(tcsi_isa_current(), &span, x);
    double product = 0, square = 0;
    for (size_t i = 0; i + 1 < MANY; i += 2) {
        product += (double)x[i] * (double)x[i + 1];
        square += ((double)x[i] * (double)x[i] - 1) * ((double)x[i + 1] * (double)x[i + 1] - 1);
    }
    assert_true(fabs(product / sqrt(MANY / 2)) < 4 && fabs(square / sqrt(MANY / 2) / 2) < 4); /* pairs are independent */
    check_distribution(x, normal_cdf);
    guarded_release();
}

static void test_dropout_rates(void **state)
{
    (void)state;
    static float mask[MANY];
    const float rates[] = { 0, 0.1f, 0.5f, 0.9f, 1 };
    tcsi_random_span span = { 9, 1, 0, MANY };
    EACH_ISA(isa)
        for (size_t r = 0; r < TCS_COUNT(rates); r++) {
            size_t dropped = 0;
            tcsi_random_dropout(isa, &span, rates[r], mask);
            for (size_t i = 0; i < MANY; i++) {
                if (mask[i] == 0) dropped++;
                else assert_true(mask[i] == 1 / (1 - rates[r]));
            }
            double rate = (double)rates[r], deviation = sqrt(rate * (1 - rate) / MANY);
            assert_true(fabs((double)dropped / MANY - rate) <= 4 * deviation);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_uniform_is_the_generator), cmocka_unit_test(test_normal), cmocka_unit_test(test_distributions),
              cmocka_unit_test(test_dropout_rates))
