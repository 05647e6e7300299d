/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fingerprint.h"

#include <string.h>

static const uint64_t factor_low = UINT64_C(0x87c37b91114253d5), factor_high = UINT64_C(0x4cf5ad432745937f);

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline uint64_t load(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The last size < 8 bytes, lowest first. */
static uint64_t load_few(const unsigned char *bytes, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static inline uint64_t mix_low(uint64_t word)
{
    return rotate(word * factor_low, 31) * factor_high;
}

static inline uint64_t mix_high(uint64_t word)
{
    return rotate(word * factor_high, 33) * factor_low;
}

static uint64_t finish(uint64_t word)
{
    word = (word ^ word >> 33) * UINT64_C(0xff51afd7ed558ccd);
    word = (word ^ word >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return word ^ word >> 33;
}

tcsi_fingerprint tcsi_fingerprint_of(const void *bytes, size_t size, uint32_t seed)
{
    const unsigned char *at = bytes;
    uint64_t low = seed, high = seed;
    size_t left = size;
    for (; left >= 16; left -= 16, at += 16) {
        low = (rotate(low ^ mix_low(load(at)), 27) + high) * 5 + 0x52dce729;
        high = (rotate(high ^ mix_high(load(at + 8)), 31) + low) * 5 + 0x38495ab5;
    }
    if (left > 8) high ^= mix_high(load_few(at + 8, left - 8));
    if (left >= 8) low ^= mix_low(load(at));
    else if (left > 0) low ^= mix_low(load_few(at, left));
    low ^= size;
    high ^= size;
    low += high;
    high += low;
    low = finish(low);
    high = finish(high);
    low += high;
    return (tcsi_fingerprint){ low, high + low };
}
