/* SPDX-License-Identifier: Apache-2.0 */
#include "io/words.h"

#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void tcsi_words_count(size_t count, char *ret_text, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%zu", count);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0) ret_text[used++] = ',';
        ret_text[used++] = digits[i];
    }
    ret_text[used] = 0;
}

void tcsi_words_number(double value, char *ret_text, size_t size)
{
    if (isnan(value)) snprintf(ret_text, size, "none");
    else snprintf(ret_text, size, "%.4g", value);
}

void tcsi_words_chance(double expected_count, char *ret_text, size_t size)
{
    char inverse[TCSI_WORDS_SIZE];
    if (!(expected_count >= 0)) {
        snprintf(ret_text, size, "unknown");
    } else if (expected_count >= 0.01) {
        snprintf(ret_text, size, "%.2g", expected_count);
    } else if (expected_count < 1e-9) {
        snprintf(ret_text, size, "under 1 in a billion");
    } else {
        double decade = pow(10, floor(log10(1 / expected_count)) - 1); /* two digits are all that such a figure deserves */
        tcsi_words_count((size_t)(round(1 / expected_count / decade) * decade), inverse, sizeof inverse);
        snprintf(ret_text, size, "1 in %s", inverse);
    }
}

void tcsi_words_time(int64_t time_ns, char *ret_text, size_t size)
{
    size_t length = tcsi_time_format_iso(time_ns, ret_text, size);
    char *middle = strchr(ret_text, 'T');
    if (middle) *middle = ' ';
    if (length > 0 && ret_text[length - 1] == 'Z') ret_text[length - 1] = 0;
}

void tcsi_words_duration(int64_t ns, char *ret_text, size_t size)
{
    static const struct { int64_t ns; const char *name; } units[] = {
        { TCSI_NS_PER_DAY, "d" }, { 60 * TCSI_NS_PER_MINUTE, "h" }, { TCSI_NS_PER_MINUTE, "min" }, { TCSI_NS_PER_S, "s" },
    };
    if (ns < TCSI_NS_PER_S) {
        double seconds = (double)ns * 1e-9;
        if (ns >= 1000000) snprintf(ret_text, size, "%.3g ms", seconds * 1e3);
        else if (ns >= 1000) snprintf(ret_text, size, "%.3g µs", seconds * 1e6);
        else snprintf(ret_text, size, "%lld ns", (long long)ns);
        return;
    }
    if (ns < TCSI_NS_PER_MINUTE) {
        snprintf(ret_text, size, "%.3g s", (double)ns * 1e-9);
        return;
    }
    size_t i = 0;
    while (ns < units[i].ns) i++;
    int64_t whole = ns / units[i].ns, rest = i + 1 < TCS_COUNT(units) ? ns % units[i].ns / units[i + 1].ns : 0;
    if (rest > 0 && whole < 100)
        snprintf(ret_text, size, "%lld %s %lld %s", (long long)whole, units[i].name, (long long)rest, units[i + 1].name);
    else snprintf(ret_text, size, "%lld %s", (long long)whole, units[i].name);
}

size_t tcsi_words_utf8_size(const unsigned char *text)
{
    static const struct { unsigned char low, high, second_low, second_high, size; } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    if (text[0] < 0x80) return 1;
    for (size_t i = 0; i < TCS_COUNT(forms); i++) {
        if (text[0] < forms[i].low || text[0] > forms[i].high) continue;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high) return 0;
        for (size_t k = 2; k < forms[i].size; k++)
            if (text[k] < 0x80 || text[k] > 0xbf) return 0;
        return forms[i].size;
    }
    return 0;
}

void tcsi_words_clean(const char *text, char *ret_text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at) {
        size_t length = tcsi_words_utf8_size(at);
        bool good = length > 0 && *at >= 0x20 && *at != 0x7f;
        if (used + (good ? length : 3) >= size) break;
        memcpy(ret_text + used, good ? (const char *)at : "\xef\xbf\xbd", good ? length : 3);
        used += good ? length : 3;
        at += length ? length : 1;
    }
    ret_text[used] = 0;
}
