/* base/number.c -- the shortest decimal of 15 to 17 digits that reads back to a double: what "%.*g" and strtod would find, without them.
 *
 * A double is m * 2^e with m below 2^53.  With k between 0 and 27, m * 5^k has at most 116 bits, so that value * 10^k, which is
 * m * 5^k * 2^(e + k), stands exactly in 128 bits, with a binary point: its first 17 digits are the whole part, for the k that puts them
 * there.  They are rounded to fewer as printf does, to the nearest and of two to the even one; and they read back to the double when they
 * are nearer to it than half of its last place, which scaled alike is 5^k / 2.  So nothing here is approximate.
 * What does not fit (below 1e-10, from 1e15 on, powers of two, whose neighbours are not equally far) is left to printf.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MIN = 15, DIGITS = 17, POWER_MAX = 27, MANTISSA_BITS = 52, BIAS = 1075 };
static const double EXACT_MIN = 1e-10, EXACT_MAX = 1e15;

__extension__ typedef unsigned __int128 wide;

static size_t format_by_library(double value, char *ret_text)
{
    int length = 0;
    for (int digits = DIGITS_MIN; digits <= DIGITS; digits++) {
        length = snprintf(ret_text, TCSI_NUMBER_TEXT_SIZE, "%.*g", digits, value);
        if (strtod(ret_text, NULL) == value) break;
    }
    return (size_t)length;
}

static char *put_digits(char *at, uint64_t number, int count)
{
    for (int i = count - 1; i >= 0; i--, number /= 10) at[i] = (char)('0' + number % 10);
    return at + count;
}

static size_t format_whole(double value, char *ret_text)
{
    char *at = ret_text;
    const uint64_t number = (uint64_t)fabs(value);
    int count = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10) count++;
    if (signbit(value)) *at++ = '-';
    at = put_digits(at, number, count);
    *at = 0;
    return (size_t)(at - ret_text);
}

/* value * 10^power, exactly: scaled / 2^shift. */
typedef struct scaled {
    wide value, half_place; /* of the double: half of what its last bit is worth, doubled: 5^power */
    int shift;
    bool is_even;
} scaled;

static wide power_of(unsigned base, int power)
{
    wide result = 1;
    while (power-- > 0) result *= base;
    return result;
}

static bool scale(uint64_t mantissa, int exponent, int power, scaled *ret_scaled)
{
    if (power < 0 || power > POWER_MAX || exponent + power > 0 || exponent + power < -66) return false;
    const wide five = power_of(5, power);
    *ret_scaled = (scaled){ .value = mantissa * five, .half_place = five, .shift = -(exponent + power), .is_even = !(mantissa & 1) };
    return true;
}

/* Its first digits, of which the last `dropped` are 0: the nearest such number. */
static uint64_t round_off(const scaled *s, uint64_t whole, int dropped)
{
    const uint64_t unit = (uint64_t)power_of(10, dropped), rest = whole % unit, down = whole - rest;
    const wide fraction = s->value - ((wide)whole << s->shift), half = ((wide)unit << s->shift) / 2;
    const wide over = ((wide)rest << s->shift) + fraction;
    if (dropped == 0 && s->shift == 0) return whole;
    if (over != half) return over > half ? down + unit : down;
    return down / unit % 2 ? down + unit : down;
}

static bool reads_back(const scaled *s, uint64_t digits)
{
    const wide decimal = (wide)digits << s->shift, apart = decimal > s->value ? decimal - s->value : s->value - decimal;
    return 2 * apart < s->half_place || (2 * apart == s->half_place && s->is_even);
}

/* digits: DIGITS of them, the first one worth 10^place. */
static size_t write_number(bool is_negative, uint64_t digits, int place, char *ret_text)
{
    char text[DIGITS + 1], *at = ret_text;
    int count = DIGITS;
    put_digits(text, digits, DIGITS);
    while (count > 1 && text[count - 1] == '0') count--;
    if (is_negative) *at++ = '-';
    if (place < -4) {
        *at++ = text[0];
        if (count > 1) *at++ = '.';
        for (int i = 1; i < count; i++) *at++ = text[i];
        *at++ = 'e';
        *at++ = '-';
        at = put_digits(at, (uint64_t)-place, 2);
        *at = 0;
        return (size_t)(at - ret_text);
    }
    for (int i = place; i < 0; i++) {
        *at++ = '0';
        if (i == place) *at++ = '.';
    }
    for (int i = 0; i < count || i <= place; i++) {
        if (place >= 0 && i == place + 1) *at++ = '.';
        *at++ = i < count ? text[i] : '0';
    }
    *at = 0;
    return (size_t)(at - ret_text);
}

size_t tcsi_number_format(double value, char *ret_text)
{
    const double size = fabs(value);
    if (value == floor(value) && size < EXACT_MAX) return format_whole(value, ret_text);
    if (!(size >= EXACT_MIN && size < EXACT_MAX)) return format_by_library(value, ret_text);
    uint64_t bits, one;
    memcpy(&bits, &size, sizeof bits);
    const uint64_t mantissa = (bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | UINT64_C(1) << MANTISSA_BITS;
    const int exponent = (int)(bits >> MANTISSA_BITS) - BIAS;
    int place = (int)floor(log10(size)); /* which may be one off, near a power of ten */
    scaled s;
    if (mantissa == UINT64_C(1) << MANTISSA_BITS) return format_by_library(value, ret_text);
    for (int tries = 0; tries < 3; tries++) {
        if (!scale(mantissa, exponent, DIGITS - 1 - place, &s)) break;
        one = (uint64_t)(s.value >> s.shift);
        if (one >= UINT64_C(100000000000000000)) place++;
        else if (one < UINT64_C(10000000000000000)) place--;
        else {
            uint64_t digits = 0;
            for (int dropped = DIGITS - DIGITS_MIN; dropped >= 0; dropped--)
                if (reads_back(&s, digits = round_off(&s, one, dropped))) break;
            if (digits >= UINT64_C(100000000000000000)) break; /* all nines, rounded up */
            return write_number(signbit(value), digits, place, ret_text);
        }
    }
    return format_by_library(value, ret_text);
}
