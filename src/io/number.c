/* io/number.c -- the double parser under every text reader.
 *
 * Problem: strtod costs 60-100 ns, follows the locale, and needs a terminated copy; a CSV of sensor readings holds a
 * number every eight bytes, so that 500 MB/s leaves 16 ns for each, splitting included.
 *
 * Idea, in the order tried:
 *   0. What fits 32 bytes and has no exponent is read without a loop (io/number_short.h).
 *   1. Otherwise collect up to 19 digits in a 64-bit integer w, eight at a time when eight stand together, and a power q
 *      of ten.
 *   2. W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990: when w < 2^53 and |q| <= 22 both
 *      w and 10^|q| are doubles, so that one multiplication or division rounds once, which is correct.
 *   3. D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51(8), 2021, section 5
 *      (after M. Eisel): w times a 128-bit 5^q has enough bits to round from; N. Mushtak and D. Lemire, "Fast number
 *      parsing without fallback", 2023, prove that for w < 2^64 no further bits are ever needed.
 *   4. More than 19 digits: both w and w + 1 go through step 3; when they agree the digits left out cannot matter.
 *      When they do not, the decimal is compared exactly, in big integers, with the point halfway between the two
 *      doubles (the idea of M. Gay's strtod, 1990, without its error loop).
 *
 * Invariants: no allocation, no locale, no floating point state but round-to-nearest.
 * Cost: see bench/csv_bench.c.  SPDX-License-Identifier: Apache-2.0 */
#include "io/number.h"

#include "io/number_short.h"

#include <math.h>
#include <string.h>

enum { POWER_MIN = -342, POWER_MAX = 308, DIGIT_COUNT_FAST = 19 };

static const uint64_t powers_of_five[POWER_MAX - POWER_MIN + 1][2] = {
#include "io/number_powers.inc"
};

__extension__ typedef unsigned __int128 u128;

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- step 3: w * 10^q rounded once ---- */

double tcsi_number_scale(uint64_t w, int64_t q)
{
    if (w == 0 || q < POWER_MIN) return 0;
    if (q > POWER_MAX) return HUGE_VAL;
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    const uint64_t *five = powers_of_five[q - POWER_MIN];
    u128 product = (u128)w * five[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF) { /* the bits below the rounding point could still carry: use the rest of 5^q */
        uint64_t more = (uint64_t)((u128)w * five[1] >> 64);
        low += more;
        high += low < more;
    }
    int upper = (int)(high >> 63);
    uint64_t mantissa = high >> (upper + 9); /* 53 bits and the rounding bit */
    int64_t power = ((217706 * q) >> 16) + 63 + upper - zeros + 1023; /* 217706 / 65536 = log2(10) closely enough */
    if (power <= 0) {                        /* denormal */
        if (power <= -63) return 0;
        mantissa >>= 1 - power;
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        return from_bits(mantissa); /* a carry into bit 52 is the smallest normal number, as it should be */
    }
    /* Exactly halfway is possible only for these q; then the even neighbour is right. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high) mantissa &= ~UINT64_C(1);
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        power++;
    }
    if (power >= 0x7FF) return HUGE_VAL;
    return from_bits((mantissa & ((UINT64_C(1) << 52) - 1)) | (uint64_t)power << 52);
}

/* ---- step 4: exact comparison in big integers ---- */

/* 770 digits are 2558 bits; times 5^342 or 2^1075: below 4096. */
enum { BIG_WORD_COUNT = 72, BIG_DIGIT_COUNT_MAX = 770 };

typedef struct big {
    size_t count;                  /* words in use; the highest is not zero */
    uint64_t words[BIG_WORD_COUNT]; /* lowest first */
} big;

static void big_multiply_add(big *number, uint64_t factor, uint64_t addend)
{
    u128 carry = addend;
    for (size_t i = 0; i < number->count; i++) {
        carry += (u128)number->words[i] * factor;
        number->words[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry) {
        TCS_ASSERT(number->count < BIG_WORD_COUNT);
        number->words[number->count++] = (uint64_t)carry;
    }
}

static void big_multiply_power(big *number, uint64_t base, uint64_t exponent)
{
    for (; exponent >= 16; exponent -= 16) {
        uint64_t power = 1; /* 5^16 < 2^38 */
        for (int i = 0; i < 16; i++) power *= base;
        big_multiply_add(number, power, 0);
    }
    for (; exponent > 0; exponent--) big_multiply_add(number, base, 0);
}

static int big_compare(const big *a, const big *b)
{
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (size_t i = a->count; i-- > 0;)
        if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* digits: the mantissa's text, with or without one decimal mark, its value digits * 10^q; low: the double just below
 * or at it.  Returns low or its upper neighbour, whichever is nearer, the even one when both are. */
static double round_exactly(const char *digits, const char *end, int64_t q, double low)
{
    big decimal = { 0 };
    size_t used = 0;
    int64_t power = q;
    bool rest = false;
    for (; digits < end; digits++) {
        unsigned digit = (unsigned)(*digits - '0');
        if (digit > 9) continue; /* the decimal mark */
        if (used >= BIG_DIGIT_COUNT_MAX) {
            rest = rest || digit > 0;
            power++;
            continue;
        }
        big_multiply_add(&decimal, 10, digit);
        used += used > 0 || digit > 0;
    }
    /* No halfway point has more than 767 digits, so that any non-zero rest decides exactly like one more 1. */
    if (rest) {
        big_multiply_add(&decimal, 10, 1);
        power--;
    }
    uint64_t bits = to_bits(low), mantissa = bits & ((UINT64_C(1) << 52) - 1);
    int64_t exponent = (int64_t)(bits >> 52);
    if (exponent > 0) mantissa |= UINT64_C(1) << 52;
    int64_t two = (exponent > 0 ? exponent : 1) - 1075 - 1; /* halfway = (2 mantissa + 1) * 2^two */
    big half = { 0 };
    big_multiply_add(&half, 1, 2 * mantissa + 1);
    if (power > 0) big_multiply_power(&decimal, 5, (uint64_t)power);
    if (power < 0) big_multiply_power(&half, 5, (uint64_t)-power);
    two -= power; /* 10^power = 5^power * 2^power */
    if (two > 0) big_multiply_power(&half, 2, (uint64_t)two);
    if (two < 0) big_multiply_power(&decimal, 2, (uint64_t)-two);
    int order = big_compare(&decimal, &half);
    return order > 0 || (order == 0 && (mantissa & 1)) ? from_bits(bits + 1) : low;
}

/* More digits than w holds.  digits: as above, leading zeros allowed; q: the power of its last digit. */
static double convert_long(const char *digits, const char *end, int64_t q)
{
    uint64_t w = 0;
    size_t used = 0;
    int64_t left_out = 0;
    for (const char *at = digits; at < end; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit > 9) continue;
        if (used >= DIGIT_COUNT_FAST) {
            left_out++;
            continue;
        }
        w = w * 10 + digit;
        used += used > 0 || digit > 0;
    }
    double low = tcsi_number_scale(w, q + left_out);
    if (left_out == 0) return low;
    double high = tcsi_number_scale(w + 1, q + left_out);
    if (low == high) return low;
    /* Far below the least denormal or above the greatest double the neighbours agreed; here big integers stay small. */
    return round_exactly(digits, end, q, low);
}

/* ---- scanning ---- */

/* Lemire 2021, section 3: eight ASCII digits at once. */
static bool is_eight_digits(uint64_t word)
{
    return ((word & UINT64_C(0xF0F0F0F0F0F0F0F0)) |
            (((word + UINT64_C(0x0606060606060606)) & UINT64_C(0xF0F0F0F0F0F0F0F0)) >> 4)) == UINT64_C(0x3333333333333333);
}

static uint64_t eight_digits(uint64_t word)
{
    return join_eight(word - UINT64_C(0x3030303030303030));
}

/* Step 0: NULL when it does not fit. */
static const char *scan_short(const char *text, char decimal, double *ret_value)
{
    uint64_t negative = *text == '-', others = (look_for_others(text, 32) & ~negative) | UINT64_C(1) << 32;
    uint64_t first = others & (0u - others) & look_for(decimal, text, 32); /* the mark, when it is the first byte that is no digit */
    unsigned point = (unsigned)__builtin_ctzll(others), end = (unsigned)__builtin_ctzll(others ^ first), has_point = first != 0;
    if (end == 32 || (text[end] | 0x20) == 'e') return NULL;
    if (!short_decimal(text + negative, point - (unsigned)negative, end - point - has_point, ret_value)) return NULL;
    *ret_value = with_sign(*ret_value, negative);
    return text + end;
}

/* Reads [e|E [+-] digits] at text; leaves text and *exponent alone when there is none. */
static const char *scan_exponent(const char *text, int64_t *exponent)
{
    if (*text != 'e' && *text != 'E') return text;
    const char *at = text + 1;
    bool negative = *at == '-';
    at += negative || *at == '+';
    if ((unsigned)(*at - '0') > 9) return text;
    int64_t value = 0;
    for (; (unsigned)(*at - '0') <= 9; at++)
        if (value < INT64_C(1) << 40) value = value * 10 + (*at - '0'); /* beyond: zero or infinity, whatever the mantissa */
    *exponent += negative ? -value : value;
    return at;
}

const char *tcsi_number_scan_long(const char *text, char decimal, double *ret_value)
{
    bool negative = *text == '-';
    const char *at = text + (negative || *text == '+'), *begin = at;
    uint64_t w = 0;
    unsigned digit;
    while ((digit = (unsigned)(*at - '0')) <= 9) { /* wraps beyond 19 digits, which is looked at below */
        w = w * 10 + digit;
        at++;
    }
    size_t digit_count = (size_t)(at - begin);
    int64_t q = 0;
    if (*at == decimal) {
        const char *fraction = ++at;
        uint64_t word;
        while (is_eight_digits(word = load_eight(at))) {
            w = w * 100000000 + eight_digits(word);
            at += 8;
        }
        while ((digit = (unsigned)(*at - '0')) <= 9) {
            w = w * 10 + digit;
            at++;
        }
        q = fraction - at;
        digit_count += (size_t)(at - fraction);
    }
    if (digit_count == 0) return NULL;
    const char *end = at;
    at = scan_exponent(at, &q);
    double value;
    if (digit_count > DIGIT_COUNT_FAST) {
        value = convert_long(begin, end, q);
    } else if (w <= UINT64_C(1) << 53 && q >= -22 && q <= 22) {
        value = q < 0 ? (double)w / powers_of_ten[-q] : (double)w * powers_of_ten[q];
    } else {
        value = tcsi_number_scale(w, q);
    }
    *ret_value = negative ? -value : value;
    return at;
}

const char *tcsi_number_scan(const char *text, char decimal, double *ret_value)
{
    const char *end = scan_short(text, decimal, ret_value);
    return end ? end : tcsi_number_scan_long(text, decimal, ret_value);
}

/* A number longer than the local copy: the same, byte by byte within bounds. */
static bool parse_long(const char *text, size_t size, char decimal, double *ret_value)
{
    const char *at = text, *stop = text + size;
    bool negative = at < stop && *at == '-', seen_decimal = false;
    at += negative || (at < stop && *at == '+');
    const char *begin = at;
    size_t digit_count = 0;
    int64_t q = 0;
    for (; at < stop; at++) {
        if ((unsigned)(*at - '0') <= 9) {
            digit_count++;
            q -= seen_decimal;
        } else if (*at == decimal && !seen_decimal) {
            seen_decimal = true;
        } else {
            break;
        }
    }
    if (digit_count == 0) return false;
    const char *end = at;
    if (at < stop) {
        char tail[32] = { 0 }; /* an exponent with more digits than this is leading zeros or nonsense: refused */
        size_t left = (size_t)(stop - at);
        if (left >= sizeof tail) return false;
        memcpy(tail, at, left);
        if (scan_exponent(tail, &q) != tail + left) return false;
    }
    double value = convert_long(begin, end, q);
    *ret_value = negative ? -value : value;
    return true;
}

bool tcsi_number_parse(const char *text, size_t size, char decimal, double *ret_value)
{
    char copy[64 + TCSI_NUMBER_PADDING];
    double value;
    if (size == 0) return false;
    if (size >= 64) return parse_long(text, size, decimal, ret_value);
    memset(copy + size, 0, TCSI_NUMBER_PADDING);
    memcpy(copy, text, size);
    if (tcsi_number_scan(copy, decimal, &value) != copy + size) return false;
    *ret_value = value;
    return true;
}
