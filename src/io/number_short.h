/* io/number_short.h -- inside the number readers: short plain numbers without a loop; number.c and csv_plain.c share it.
 *
 * Numbers in a file have random signs and lengths, so that every loop over digits costs a mispredicted branch, more than all
 * its arithmetic.  So the bytes are looked at first, many at a time: one mask says which are no digits, another which are the
 * decimal mark.  Where a number's parts end is then two bit scans, and its digits are read eight at a time, shifted to the end
 * of a word and converted whatever their number (D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and
 * Experience 51(8), 2021, section 3).  The branches left go one way for a whole file.
 *
 * Two forms, SSE2, which every x86-64 has, and words of 64 bits; csv_plain_test.c compares them.  What AVX2 and AVX-512 would
 * give stands in docs/internals/io.md.  Static functions, so that a loop over cells calls nothing.
 * Threads: reentrant. */
#ifndef TCS_IO_NUMBER_SHORT_H
#define TCS_IO_NUMBER_SHORT_H

#include "io/number.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* All exact doubles: an integer up to 2^53 times or divided by one of them is rounded once. */
static const double powers_of_ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static const uint64_t whole_powers_of_ten[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };

static inline uint64_t load_eight(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* ---- looking at bytes: bit i of a mask speaks of byte i ---- */

/* Of eight bytes, one bit each out of their highest bits. */
static inline uint64_t gather_bits(uint64_t high_bits)
{
    return (high_bits & UINT64_C(0x8080808080808080)) * UINT64_C(0x0002040810204081) >> 56;
}

static inline uint64_t others_in_word(uint64_t word)
{
    word ^= UINT64_C(0x3030303030303030); /* a digit becomes 0..9, and nothing else does */
    return gather_bits(((word & UINT64_C(0x7F7F7F7F7F7F7F7F)) + UINT64_C(0x7676767676767676)) | word);
}

static inline uint64_t equals_in_word(uint64_t word, char c)
{
    word ^= UINT64_C(0x0101010101010101) * (unsigned char)c;
    return gather_bits(~(((word & UINT64_C(0x7F7F7F7F7F7F7F7F)) + UINT64_C(0x7F7F7F7F7F7F7F7F)) | word));
}

#if defined(__SSE2__)
static inline __m128i load_sixteen(const char *text)
{
    return _mm_loadu_si128((const __m128i *)(const void *)text);
}

static inline uint64_t others_in_sixteen(__m128i bytes)
{
    __m128i values = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)) ^ 0xFFFF;
}

static inline uint64_t equals_in_sixteen(__m128i bytes, char c)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}
#endif

/* The bytes of text[0, size) that are no digits.  size <= 64, a multiple of 16 and constant where this is called. */
static inline uint64_t look_for_others(const char *text, unsigned size)
{
    uint64_t mask = 0;
#if defined(__SSE2__)
    for (unsigned i = 0; i < size; i += 16) mask |= others_in_sixteen(load_sixteen(text + i)) << i;
#else
    for (unsigned i = 0; i < size; i += 8) mask |= others_in_word(load_eight(text + i)) << i;
#endif
    return mask;
}

/* The bytes of text[0, size) that are c; size as above. */
static inline uint64_t look_for(char c, const char *text, unsigned size)
{
    uint64_t mask = 0;
#if defined(__SSE2__)
    for (unsigned i = 0; i < size; i += 16) mask |= equals_in_sixteen(load_sixteen(text + i), c) << i;
#else
    for (unsigned i = 0; i < size; i += 8) mask |= equals_in_word(load_eight(text + i), c) << i;
#endif
    return mask;
}

/* ---- digits ---- */

/* Of bytes 0..9, the first the most significant. */
static inline uint64_t join_eight(uint64_t word)
{
    word = word * 10 + (word >> 8);
    return ((word & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
            ((word >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >> 32;
}

/* The number that the 1..8 digits at text make, whatever follows them. */
static inline uint64_t some_digits(const char *text, unsigned count)
{
    return join_eight((load_eight(text) ^ UINT64_C(0x3030303030303030)) << (64 - 8 * count));
}

/* The same of 0..8. */
static inline uint64_t few_digits(const char *text, unsigned count)
{
    unsigned half = 4 * (8 - count); /* in two steps: a shift by 64 is undefined */
    return join_eight((load_eight(text) ^ UINT64_C(0x3030303030303030)) << half << half);
}

static inline double with_sign(double value, uint64_t negative)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits |= negative << 63;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number of `whole` digits at text, a mark and `fraction` digits more; false when they are too many or none: 8, 16 and 19
 * in all are allowed, without a mark (fraction 0) 16. */
static inline bool short_decimal(const char *text, unsigned whole, unsigned fraction, double *ret_value)
{
    const char *behind = text + whole + 1;
    uint64_t w;
    if (whole + fraction - 1 >= 19 || fraction > 16) return false;
    if (whole > 8) {
        if (fraction > 0 || whole > 16) return false;
        w = few_digits(text, 8) * whole_powers_of_ten[whole - 8] + few_digits(text + 8, whole - 8);
    } else if (fraction <= 8) {
        w = few_digits(text, whole) * whole_powers_of_ten[fraction] + few_digits(behind, fraction);
    } else {
        w = (few_digits(text, whole) * whole_powers_of_ten[8] + few_digits(behind, 8)) * whole_powers_of_ten[fraction - 8] +
            few_digits(behind + 8, fraction - 8);
    }
    *ret_value = w <= UINT64_C(1) << 53 ? (double)(int64_t)w / powers_of_ten[fraction] : tcsi_number_scale(w, -(int64_t)fraction);
    return true;
}

/* The integer that the digits among the size <= 16 bytes before end make.  One of these bytes is none: the mark, with
 * `fraction` digits behind it.  16 bytes before end must be readable. */
static inline uint64_t digits_before_portable(const char *end, unsigned size, unsigned fraction)
{
    unsigned whole = size - fraction - 1, first = whole < 8 ? whole : 8, third = fraction < 8 ? fraction : 8;
    const char *text = end - size, *behind = end - fraction;
    uint64_t w = few_digits(text, first) * whole_powers_of_ten[whole - first] + few_digits(text + first, whole - first);
    w = w * whole_powers_of_ten[third] + few_digits(behind, third);
    return w * whole_powers_of_ten[fraction - third] + few_digits(behind + third, fraction - third);
}

#if defined(__SSE2__)
/* The same on all 16 bytes at once: what is before the mark moves up over it, then neighbours are joined three times. */
static inline uint64_t digits_before(const char *end, unsigned size, unsigned fraction)
{
    static const char slide[32] = { [16] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    __m128i inside = load_sixteen(slide + size), behind = load_sixteen(slide + fraction);
    __m128i digits = _mm_and_si128(_mm_sub_epi8(load_sixteen(end - 16), _mm_set1_epi8('0')), inside);
    digits = _mm_or_si128(_mm_and_si128(digits, behind), _mm_andnot_si128(behind, _mm_slli_si128(digits, 1)));
    __m128i high = _mm_and_si128(digits, _mm_set1_epi16(0xFF)), low = _mm_srli_epi16(digits, 8);
    __m128i pairs = _mm_add_epi16(_mm_mullo_epi16(high, _mm_set1_epi16(10)), low);
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (both & UINT32_MAX) * 100000000 + (both >> 32);
}
#else
static inline uint64_t digits_before(const char *end, unsigned size, unsigned fraction)
{
    return digits_before_portable(end, size, fraction);
}
#endif

#endif
