/* base/hash_test.c -- values of an independent MurmurHash3_x64_128 (mmh3 5 of PyPI), and that each bit of a text matters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/fingerprint.h"
#include "base/rng.h"

/* bytes (i * 37 + 11) mod 256, seed 7 * size: python3 -c 'import mmh3; print(mmh3.hash_bytes(text, seed=seed))' */
static void test_the_values_of_mmh3(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        tcsi_fingerprint hash;
    } golden[] = {
        { 0, { 0, 0 } },
        { 1, { 0x3d36b57f52e4756a, 0x6d6eac80885522fb } },   { 7, { 0x16c53613fa227606, 0x8804016ea674a45 } },
        { 8, { 0xa03da9de3bdaeb3, 0xee35f2d54577952a } },    { 9, { 0x947852412e8eb784, 0x23711df2abf2cc7d } },
        { 15, { 0xe18be18d4131b5d, 0x4f7047b1f7578dd1 } },   { 16, { 0x5408b03d57f8a64f, 0x33412bdc3de1bcba } },
        { 17, { 0x46ae957809b8b025, 0x64a61f934200ee9d } },  { 31, { 0x63c425d53682c4ab, 0xa7a93282c05a238c } },
        { 32, { 0x3e08da55a2a6422f, 0x265205868b02b1fa } },  { 33, { 0xb739bb4b6b9bd12f, 0x202b130355a03578 } },
        { 63, { 0xc953004ed648c4b9, 0xc3cf1e8236d8090f } },
    };
    unsigned char text[64];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)(i * 37 + 11);
    for (size_t i = 0; i < TCS_COUNT(golden); i++) {
        tcsi_fingerprint hash = tcsi_fingerprint_of(text, golden[i].size, (uint32_t)golden[i].size * 7);
        assert_true(tcsi_fingerprint_equal(hash, golden[i].hash));
    }
}

/* One changed bit of the text changes each bit of the hash about half of the time. */
static void test_each_bit_changes_half_of_the_hash(void **state)
{
    (void)state;
    enum { ROUNDS = 400, SIZE_MAX_TRIED = 80 };
    tcsi_rng rng = tcsi_rng_make(7, 0);
    for (size_t size = 1; size <= SIZE_MAX_TRIED; size += 7) {
        int flips[128] = { 0 };
        for (int round = 0; round < ROUNDS; round++) {
            unsigned char text[SIZE_MAX_TRIED];
            for (size_t i = 0; i < size; i++) text[i] = (unsigned char)tcsi_rng_u32(&rng);
            tcsi_fingerprint before = tcsi_fingerprint_of(text, size, 0);
            size_t bit = tcsi_rng_below(&rng, size * 8);
            text[bit / 8] ^= (unsigned char)(1 << bit % 8);
            tcsi_fingerprint after = tcsi_fingerprint_of(text, size, 0);
            for (int b = 0; b < 64; b++) {
                flips[b] += (int)((before.low ^ after.low) >> b & 1);
                flips[64 + b] += (int)((before.high ^ after.high) >> b & 1);
            }
        }
        for (int b = 0; b < 128; b++) assert_in_range(flips[b], ROUNDS / 2 - 60, ROUNDS / 2 + 60); /* six deviations */
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_values_of_mmh3), cmocka_unit_test(test_each_bit_changes_half_of_the_hash))
