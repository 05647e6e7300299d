/* kernels/random_lanes.h -- the loops of kernels/random.h; included once per tier by cells_TIER.c.
 * LANES blocks of Philox4x32-10 (base/rng.h) run side by side, one word of a block a register. */
#include "kernels/cells_lanes.h"

enum { BLOCK_WORDS = 4, DRAW = BLOCK_WORDS * LANES }; /* numbers drawn at once */

typedef struct words {
    ints word[BLOCK_WORDS];
} words;

/* Blocks block .. block + LANES - 1. */
INLINE words random_words(const tcsi_random_span *span, uint64_t block)
{
    uint32_t low[LANES], high[LANES], k0 = (uint32_t)span->seed, k1 = (uint32_t)(span->seed >> 32);
    for (size_t l = 0; l < LANES; l++) {
        low[l] = (uint32_t)(block + l);
        high[l] = (uint32_t)((block + l) >> 32);
    }
    ints c0 = ints_load(low), c1 = ints_load(high);
    ints c2 = ints_set((int32_t)(uint32_t)span->stream), c3 = ints_set((int32_t)(uint32_t)(span->stream >> 32));
    for (int round = 0; round < 10; round++) {
        ints a, b, a_low = ints_mul_wide(c0, 0xD2511F53u, &a), b_low = ints_mul_wide(c2, 0xCD9E8D57u, &b);
        c0 = ints_xor(ints_xor(b, c1), ints_set((int32_t)k0));
        c2 = ints_xor(ints_xor(a, c3), ints_set((int32_t)k1));
        c1 = b_low;
        c3 = a_low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (words){ { c0, c1, c2, c3 } };
}

/* [0, 1) in steps of 2^-24. */
INLINE floats uniform_of(ints word)
{
    return floats_mul(ints_to_floats(ints_shift_right_zeros(word, 8)), floats_set(0x1p-24f));
}

/* Two normal numbers of two words: sqrt(-2 log u) times cosine and sine of 2 pi v. */
INLINE void normal_pair(ints *first, ints *second)
{
    float u[LANES], v[LANES];
    floats_store(u, floats_add(floats_mul(ints_to_floats(ints_shift_right_zeros(*first, 1)), floats_set(0x1p-31f)), floats_set(0x1p-32f)));
    floats_store(v, uniform_of(*second));
    for (size_t l = 0; l < LANES; l++) {
        double radius = sqrt(-2 * log((double)u[l])), angle = 6.283185307179586 * (double)v[l];
        u[l] = (float)(radius * cos(angle));
        v[l] = (float)(radius * sin(angle));
    }
    *first = floats_as_ints(floats_load(u));
    *second = floats_as_ints(floats_load(v));
}

/* Words, already numbers, into the order of blocks. */
INLINE void words_store(words w, size_t count, float *out)
{
    uint32_t block[DRAW], word[BLOCK_WORDS][LANES];
    for (size_t k = 0; k < BLOCK_WORDS; k++) ints_store(word[k], w.word[k]);
    for (size_t l = 0; l < LANES; l++)
        for (size_t k = 0; k < BLOCK_WORDS; k++) block[l * BLOCK_WORDS + k] = word[k][l];
    memcpy(out, block, count * sizeof *out);
}

static void random_uniform(const tcsi_random_span *span, float *ret_values)
{
    for (size_t i = 0; i < span->count; i += DRAW) {
        words w = random_words(span, (span->first + i) / BLOCK_WORDS);
        for (size_t k = 0; k < BLOCK_WORDS; k++) w.word[k] = floats_as_ints(uniform_of(w.word[k]));
        words_store(w, span->count - i < DRAW ? span->count - i : DRAW, ret_values + i);
    }
}

static void random_normal(const tcsi_random_span *span, float *ret_values)
{
    for (size_t i = 0; i < span->count; i += DRAW) {
        words w = random_words(span, (span->first + i) / BLOCK_WORDS);
        for (size_t k = 0; k < BLOCK_WORDS; k += 2) normal_pair(&w.word[k], &w.word[k + 1]);
        words_store(w, span->count - i < DRAW ? span->count - i : DRAW, ret_values + i);
    }
}

static void random_dropout(const tcsi_random_span *span, float rate, float *ret_mask)
{
    const floats limit = floats_set(rate), kept = floats_set(1 / (1 - rate)), dropped = floats_set(0);
    for (size_t i = 0; i < span->count; i += DRAW) {
        words w = random_words(span, (span->first + i) / BLOCK_WORDS);
        for (size_t k = 0; k < BLOCK_WORDS; k++)
            w.word[k] = floats_as_ints(floats_select(floats_less(uniform_of(w.word[k]), limit), dropped, kept));
        words_store(w, span->count - i < DRAW ? span->count - i : DRAW, ret_mask + i);
    }
}
