/* kernels/random_lanes.h -- the loops of kernels/random.h; included once per tier by cells_TIER.c.
 *
 * LANES blocks of Philox4x32-10 (base/rng.h) run side by side, one register for each of the four words of a block.  Numbers come out block
 * by block, so the registers have to be turned; the blocks are dealt to the lanes so that turning within groups of four does it.
 * Normal numbers are Box and Muller's (1958).  Their logarithm, sine and cosine round every operation, fused or not, so that all tiers give
 * the same bits. */
#include "kernels/cells_lanes.h"

enum { BLOCK_WORDS = 4, DRAW = BLOCK_WORDS * LANES }; /* numbers drawn at once */

/* Words of the blocks block .. block + LANES - 1; lane 4 g + j has block j LANES / 4 + g. */
INLINE void draw_words(const tcsi_random_span *span, uint64_t block, ints *ret_words)
{
    uint32_t low[LANES], high[LANES], k0 = (uint32_t)span->seed, k1 = (uint32_t)(span->seed >> 32);
    for (size_t l = 0; l < LANES; l++) {
        const uint64_t counter = block + l % 4 * (LANES / 4) + l / 4;
        low[l] = (uint32_t)counter;
        high[l] = (uint32_t)(counter >> 32);
    }
    ints c0 = ints_load(low), c1 = ints_load(high);
    ints c2 = ints_set((int32_t)(uint32_t)span->stream), c3 = ints_set((int32_t)(uint32_t)(span->stream >> 32));
    UNROLL for (int round = 0; round < 10; round++) {
        ints a, b, a_low = ints_mul_wide(c0, 0xD2511F53u, &a), b_low = ints_mul_wide(c2, 0xCD9E8D57u, &b);
        c0 = ints_xor(ints_xor(b, c1), ints_set((int32_t)k0));
        c2 = ints_xor(ints_xor(a, c3), ints_set((int32_t)k1));
        c1 = b_low;
        c3 = a_low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    ret_words[0] = c0;
    ret_words[1] = c1;
    ret_words[2] = c2;
    ret_words[3] = c3;
}

/* The first count of DRAW numbers, one register per word of a block. */
INLINE void store_numbers(floats number[BLOCK_WORDS], size_t count, float *out)
{
    floats_turn(number);
    for (size_t k = 0; k < BLOCK_WORDS && k * LANES < count; k++)
        store(out + k * LANES, number[k], count - k * LANES < LANES ? count - k * LANES : LANES);
}

#define EACH_DRAW(i, number, statement)                                          \
    for (size_t i = 0; i < span->count; i += DRAW) {                             \
        ints word[BLOCK_WORDS];                                                  \
        floats number[BLOCK_WORDS];                                              \
        draw_words(span, (span->first + i) / BLOCK_WORDS, word);                 \
        statement                                                                \
        store_numbers(number, span->count - i, ret_values + i);                  \
    }

/* [0, 1) in steps of 2^-24. */
INLINE floats uniform_of(ints word)
{
    return floats_mul(ints_to_floats(ints_shift_right_zeros(word, 8)), floats_set(0x1p-24f));
}

static void random_uniform(const tcsi_random_span *span, float *ret_values)
{
    EACH_DRAW(i, number, { UNROLL for (size_t k = 0; k < BLOCK_WORDS; k++) number[k] = uniform_of(word[k]); })
}

static void random_dropout(const tcsi_random_span *span, float rate, float *ret_values)
{
    const floats limit = floats_set(rate), kept = floats_set(1 / (1 - rate)), dropped = floats_set(0);
    EACH_DRAW(i, number, {
        UNROLL for (size_t k = 0; k < BLOCK_WORDS; k++)
            number[k] = floats_select(floats_less(uniform_of(word[k]), limit), dropped, kept);
    })
}

/* ---- normal numbers ---- */

INLINE floats multiply_add(floats a, floats b, floats c) /* rounds twice in every tier */
{
    return floats_add(floats_mul(a, b), c);
}

/* log u, 2^-32 <= u <= 1.  u = 2^n m with m around 1, s = (m - 1) / (m + 1), log m = 2 artanh s. */
INLINE floats log_of_uniform(floats u)
{
    ints bits = floats_as_ints(u), exponents = ints_shift_right(ints_sub(bits, ints_set(0x3f3504f3)), 23);
    floats m = ints_as_floats(ints_sub(bits, ints_shift_left(exponents, 23))), one = floats_set(1);
    floats s = floats_div(floats_sub(m, one), floats_add(m, one)), z = floats_mul(s, s), q = floats_set(0x1.3334f8p-2f);
    q = multiply_add(q, z, floats_set(0x1.99529ep-2f));
    q = multiply_add(q, z, floats_set(0x1.555586p-1f));
    q = multiply_add(q, z, floats_set(2));
    return multiply_add(ints_to_floats(exponents), floats_set(0x1.62e430p-1f), floats_mul(s, q));
}

/* Cosine and sine of 2 pi v, 0 <= v < 1.  v = quarter / 4 + w, |w| <= 1/8; every quarter turn takes (cos, sin) to (-sin, cos). */
INLINE void circle_of(floats v, floats *ret_cos, floats *ret_sin)
{
    ints quarter = floats_to_ints(multiply_add(v, floats_set(4), floats_set(0.5f)));
    floats w = floats_sub(v, floats_mul(ints_to_floats(quarter), floats_set(0.25f))), z = floats_mul(w, w);
    floats s = floats_set(-0x1.2b04a2p+6f), c = floats_set(0x1.de9e46p+5f);
    s = multiply_add(s, z, floats_set(0x1.4654c4p+6f));
    c = multiply_add(c, z, floats_set(-0x1.55d0acp+6f));
    s = multiply_add(s, z, floats_set(-0x1.4abbbcp+5f));
    c = multiply_add(c, z, floats_set(0x1.03c1dcp+6f));
    s = multiply_add(s, z, floats_set(0x1.921fb6p+2f));
    c = multiply_add(c, z, floats_set(-0x1.3bd3ccp+4f));
    s = floats_mul(s, w);
    c = multiply_add(c, z, floats_set(1));
    /* odd quarters exchange the two; bit 1 of quarter + 1 is the sign of the cosine, of quarter that of the sine */
    ints one = ints_set(1), two = ints_set(2), cos_sign = ints_shift_left(ints_and(ints_add(quarter, one), two), 30);
    ints sin_sign = ints_shift_left(ints_and(quarter, two), 30);
    mask odd = floats_less(floats_set(0), ints_to_floats(ints_and(quarter, one)));
    *ret_cos = ints_as_floats(ints_xor(floats_as_ints(floats_select(odd, s, c)), cos_sign));
    *ret_sin = ints_as_floats(ints_xor(floats_as_ints(floats_select(odd, c, s)), sin_sign));
}

/* Two normal numbers of two words: sqrt(-2 log u) times cosine and sine of 2 pi v.  u has 31 bits, so that they reach 6.6 deviations. */
INLINE void normal_pair(ints first, ints second, floats *ret_first, floats *ret_second)
{
    floats u = multiply_add(ints_to_floats(ints_shift_right_zeros(first, 1)), floats_set(0x1p-31f), floats_set(0x1p-32f));
    floats radius = floats_sqrt(floats_mul(log_of_uniform(u), floats_set(-2))), cosine, sine;
    circle_of(uniform_of(second), &cosine, &sine);
    *ret_first = floats_mul(radius, cosine);
    *ret_second = floats_mul(radius, sine);
}

static void random_normal(const tcsi_random_span *span, float *ret_values)
{
    EACH_DRAW(i, number, {
        normal_pair(word[0], word[1], &number[0], &number[1]);
        normal_pair(word[2], word[3], &number[2], &number[3]);
    })
}
