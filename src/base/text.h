/* base/text.h -- small questions about text. */
#ifndef TCS_BASE_TEXT_H
#define TCS_BASE_TEXT_H

#include "base/status.h"

/* The name within a small edit distance (Levenshtein, at most a third of the length, or a prefix), or NULL. */
const char *tcsi_text_nearest(const char *word, const char *const *names, size_t name_count);

/* Case-insensitive in ASCII only, whatever the locale. */
bool tcsi_text_equal_nocase(const char *a, const char *b);
bool tcsi_text_ends_with(const char *text, const char *suffix);

/* [-]digits as a whole; false when it is anything else or does not fit. */
bool tcsi_int64_parse(const char *text, size_t size, int64_t *ret_value);

/* Length of the valid UTF-8 sequence at text, 0 when there is none (RFC 3629: no surrogates, nothing overlong). */
size_t tcsi_utf8_length(const unsigned char *text, size_t size);
/* UTF-8 throughout, without the byte 0. */
bool tcsi_utf8_is_text(const void *text, size_t size);

#endif
