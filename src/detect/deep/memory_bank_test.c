/* detect/deep/memory_bank_test.c -- distances to a bank are those of a plain search in double precision, the patches that overlap are left
 * out, and the bank is even.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/deep/memory_bank.h"

enum { COUNT = 150, SIZE = 5, BANK_SIZE = 40, STRIDE = 3 };

static tcsi_descriptors make_descriptors(void)
{
    tcsi_descriptors made = { .count = COUNT, .size = SIZE, .stride = STRIDE };
    tcsi_rng rng = tcsi_rng_make(4, 0);
    assert_true(tcsi_floats_init(&made.values, COUNT * SIZE));
    for (size_t i = 0; i < COUNT * SIZE; i++) made.values.values[i] = (float)tcsi_rng_normal(&rng);
    return made;
}

/* Mean distance of patch n to its k nearest among every step-th patch, those that start nearer than reach left out. */
static double plain_distance(const tcsi_descriptors *d, size_t n, size_t step, size_t k, size_t reach)
{
    double found[COUNT], sum = 0;
    size_t count = 0;
    for (size_t b = 0; b < COUNT; b += step) {
        const size_t apart = (b > n ? b - n : n - b) * STRIDE;
        double square = 0;
        if (apart < reach) continue;
        for (size_t i = 0; i < SIZE; i++) {
            const double difference = (double)d->values.values[b * SIZE + i] - (double)d->values.values[n * SIZE + i];
            square += difference * difference;
        }
        size_t at = count++;
        for (; at > 0 && found[at - 1] > sqrt(square); at--) found[at] = found[at - 1];
        found[at] = sqrt(square);
    }
    for (size_t i = 0; i < k && i < count; i++) sum += found[i] / (double)(count < k ? count : k);
    return sum;
}

static void test_distances(void **state)
{
    (void)state;
    tcsi_descriptors descriptors = make_descriptors();
    tcsi_memory_bank bank;
    assert_ok(tcsi_memory_bank_init(&descriptors, BANK_SIZE, &bank, test_err));
    assert_int_equal(38, bank.count); /* every fourth of 150 */
    assert_int_equal(4 * STRIDE, bank.stride);
    const tcsi_memory_search searches[] = { { 1, 0 }, { 3, 0 }, { 3, 1 }, { 3, 20 }, { 5, 24 }, { 4, 10000 }, { 64, 30 } };
    for (size_t s = 0; s < TCS_COUNT(searches); s++) {
        double distances[COUNT];
        assert_ok(tcsi_memory_bank_distances(&bank, &descriptors, &searches[s], NULL, distances, test_err));
        for (size_t n = 0; n < COUNT; n++) {
            const double expected = plain_distance(&descriptors, n, 4, searches[s].neighbour_count, searches[s].reach);
            if (!(fabs(distances[n] - expected) <= 2e-3)) /* a patch's distance from itself is the root of a rounding error */
                fail_msg("search %zu, patch %zu: distance %g, expected %g", s, n, distances[n], expected);
        }
    }
    tcsi_memory_bank_deinit(&bank);
    tcsi_descriptors_deinit(&descriptors);
}

static void test_a_bank_is_even(void **state)
{
    (void)state;
    tcsi_descriptors descriptors = make_descriptors();
    const size_t limits[] = { 1, 2, 40, COUNT - 1, COUNT, 10 * COUNT };
    for (size_t i = 0; i < TCS_COUNT(limits); i++) {
        tcsi_memory_bank bank;
        assert_ok(tcsi_memory_bank_init(&descriptors, limits[i], &bank, test_err));
        assert_true(bank.count >= 1 && bank.count <= limits[i] && bank.stride % STRIDE == 0);
        for (size_t b = 0; b < bank.count; b++)
            assert_memory_equal(descriptors.values.values + b * bank.stride / STRIDE * SIZE, bank.values.values + b * SIZE,
                                SIZE * sizeof(float));
        assert_true(bank.count * bank.stride >= COUNT * STRIDE); /* reaches the end */
        tcsi_memory_bank_deinit(&bank);
    }
    tcsi_descriptors_deinit(&descriptors);
}

TCS_TEST_MAIN(cmocka_unit_test(test_distances), cmocka_unit_test(test_a_bank_is_even))
