/* io/words.h -- numbers, times and durations as people read them, for reports and plots.
 * Every function writes a 0-terminated text that fits size >= TCSI_WORDS_SIZE.  Threads: reentrant. */
#ifndef TCS_IO_WORDS_H
#define TCS_IO_WORDS_H

#include "base/status.h"

enum { TCSI_WORDS_SIZE = 48 };

void tcsi_words_count(size_t count, char *ret_text, size_t size);          /* 1,234,567 */
void tcsi_words_number(double value, char *ret_text, size_t size);         /* 4 digits; "none" for NaN */
void tcsi_words_chance(double expected_count, char *ret_text, size_t size); /* "0.02", "1 in 4,000", "under 1 in a billion" */
void tcsi_words_time(int64_t time_ns, char *ret_text, size_t size);        /* 2026-01-05 14:03:00.25, UTC */
void tcsi_words_duration(int64_t ns, char *ret_text, size_t size);         /* 2 h 14 min; ns >= 0 */

/* Bytes of the UTF-8 character at text (0-terminated), or 0 when it is none: overlong, a surrogate, beyond U+10FFFF, cut off. */
size_t tcsi_words_utf8_size(const unsigned char *text);
/* text as UTF-8 on one line, cut to size: what is not UTF-8 and control characters become U+FFFD.  Any size > 0. */
void tcsi_words_clean(const char *text, char *ret_text, size_t size);

#endif
