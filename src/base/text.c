/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <string.h>

enum { NEAREST_LENGTH_MAX = 64 };

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NEAREST_LENGTH_MAX + 1], length = strlen(b);
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = replaced < best ? replaced : best;
        }
    }
    return row[length];
}

const char *tcsi_text_nearest(const char *word, const char *const *names, size_t name_count)
{
    size_t length = strlen(word), best = length / 3 + 1;
    const char *nearest = NULL;
    if (length == 0 || length > NEAREST_LENGTH_MAX) return NULL;
    for (size_t i = 0; i < name_count; i++) {
        if (strlen(names[i]) > NEAREST_LENGTH_MAX) continue;
        size_t distance = strncmp(names[i], word, length) == 0 ? 0 : edit_distance(word, names[i]);
        if (distance <= best && (!nearest || distance < best)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool tcsi_text_equal_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool tcsi_text_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

bool tcsi_int64_parse(const char *text, size_t size, int64_t *ret_value)
{
    size_t at = size > 0 && *text == '-';
    int64_t value = 0; /* built below zero, where there is room for one more */
    if (at == size) return false;
    for (; at < size; at++) {
        if (text[at] < '0' || text[at] > '9') return false;
        int digit = text[at] - '0';
        if (value < (INT64_MIN + digit) / 10) return false;
        value = value * 10 - digit;
    }
    if (*text != '-' && value == INT64_MIN) return false;
    *ret_value = *text == '-' ? value : -value;
    return true;
}

size_t tcsi_utf8_length(const unsigned char *text, size_t size)
{
    if (size == 0) return 0;
    unsigned char lead = text[0];
    if (lead < 0x80) return 1;
    size_t length = lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
    if (length == 0 || length > size) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    if (lead == 0xE0 && text[1] < 0xA0) return 0;
    if (lead == 0xED && text[1] > 0x9F) return 0;
    if (lead == 0xF0 && text[1] < 0x90) return 0;
    if (lead == 0xF4 && text[1] > 0x8F) return 0;
    return length;
}

/* Eight characters of ASCII, none of them 0: no byte has its highest bit, nor gains it when 1 is taken off (a borrow only follows a 0). */
static bool is_plain(uint64_t eight)
{
    const uint64_t highest = UINT64_C(0x8080808080808080), ones = UINT64_C(0x0101010101010101);
    return ((eight | (eight - ones)) & highest) == 0;
}

bool tcsi_utf8_is_text(const void *text, size_t size)
{
    const unsigned char *at = text, *end = at + size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), is_plain(eight))) {
            at += 8;
            continue;
        }
        size_t length = tcsi_utf8_length(at, (size_t)(end - at));
        if (length == 0 || *at == 0) return false;
        at += length;
    }
    return true;
}
