/* io/number.h -- decimal text to double, correctly rounded, at memory speed and whatever the locale.
 * Accepted: [+-] digits [decimal digits] [e|E [+-] digits] with at least one digit in the mantissa; hexadecimal, words,
 * spaces and digit grouping are not.  The result is the double nearest to the decimal, ties to even, as strtod's in the
 * C locale; too large becomes infinity, too small becomes a denormal or zero.
 * Threads: reentrant. */
#ifndef TCS_IO_NUMBER_H
#define TCS_IO_NUMBER_H

#include "base/status.h"

/* Bytes that must be readable (any content) behind the end of the text given to tcsi_number_scan. */
enum { TCSI_NUMBER_PADDING = 40 };

/* Reads the longest number at text and returns the byte behind it, or NULL when no number begins there.  text must be
 * followed, sooner or later, by a byte that cannot belong to a number, and TCSI_NUMBER_PADDING readable bytes more. */
const char *tcsi_number_scan(const char *text, char decimal, double *ret_value);

/* The same; quicker where the number is known to be long or to have an exponent. */
const char *tcsi_number_scan_long(const char *text, char decimal, double *ret_value);

/* w * 10^q, rounded once. */
double tcsi_number_scale(uint64_t w, int64_t q);

/* The whole of text[0, size) as a number; false when it is not one.  Needs no padding. */
bool tcsi_number_parse(const char *text, size_t size, char decimal, double *ret_value);

#endif
