/* series/time.h -- from the text of a time stamp to int64 nanoseconds since 1970-01-01 UTC, and back.
 * Everything here is arithmetic on bytes: no locale, no time zone database, no libc time function, no allocation.
 * Threads: reentrant; a tcsi_time_format is plain data that may be copied, stored and shared. */
#ifndef TCS_SERIES_TIME_H
#define TCS_SERIES_TIME_H

#include "base/status.h"

#define TCSI_NS_PER_S INT64_C(1000000000)
#define TCSI_NS_PER_MINUTE (60 * TCSI_NS_PER_S)
#define TCSI_NS_PER_DAY (86400 * TCSI_NS_PER_S)

/* Long enough for every stamp that tcsi_time_format_iso writes, with its final 0. */
enum { TCSI_TIME_TEXT_SIZE = 32 };

/* One row per form: kind, name.  The name is also what an override on the command line says. */
#define TCSI_TIME_KIND_LIST(X)                    \
    X(ISO, "ISO 8601")                            \
    X(EPOCH_S, "epoch seconds")                   \
    X(EPOCH_MS, "epoch milliseconds")             \
    X(EPOCH_US, "epoch microseconds")             \
    X(EPOCH_NS, "epoch nanoseconds")              \
    X(COMPACT, "compact YYYYMMDDhhmmss")          \
    X(YEAR_FIRST, "year/month/day")               \
    X(DAY_FIRST, "day/month/year")                \
    X(MONTH_FIRST, "month/day/year")              \
    X(NAMED_MONTH, "day and named month")         \
    X(EXCEL, "Excel serial day")

typedef enum tcsi_time_kind {
#define X(kind, name) TCSI_TIME_##kind,
    TCSI_TIME_KIND_LIST(X)
#undef X
    TCSI_TIME_KIND_COUNT
} tcsi_time_kind;

typedef struct tcsi_time_format {
    tcsi_time_kind kind;
    bool month_first;     /* how 02/03/2014 is read, whatever the kind: true = 3 February */
    bool ambiguous;       /* no field above 12 and no backward step told day from month: worth a warning */
    int32_t utc_offset_s; /* added nowhere by guessing (0 = UTC); stamps without a zone are this far ahead of UTC */
} tcsi_time_format;

/* Guesses the form that most samples have.  Empty samples and words for "missing" (NA, NaN, null, none, -) are passed over.
 * True when at least three quarters of the others, and at least one, are a time in some form.  Plain numbers count as times
 * only by magnitude: see time.c.  A column of numbers that merely look like epochs is the caller's to doubt. */
bool tcsi_time_guess(const char *const *samples, const size_t *lengths, size_t sample_count, tcsi_time_format *ret_format);

/* The format named as in TCSI_TIME_KIND_LIST, or by a short word: iso, s, ms, us, ns, compact, ymd, dmy, mdy, excel. */
bool tcsi_time_format_by_name(const char *name, tcsi_time_format *ret_format);
const char *tcsi_time_format_name(const tcsi_time_format *format); /* never NULL */

/* Reads text[0, length), surrounding blanks allowed, in the given form, then in every other form except Excel's.
 * False when it is no time in any of them or lies outside 1677-09-21 .. 2262-04-11, the reach of int64 nanoseconds.
 * Digits beyond nanoseconds are dropped. */
bool tcsi_time_parse(const tcsi_time_format *format, const char *text, size_t length, int64_t *ret_ns);

/* RFC 3339 in UTC, "2014-02-14T14:30:00.25Z", with as many digits of fraction as needed.  Returns the length without the
 * final 0, or 0 (and an empty text when size > 0) when size is too small; TCSI_TIME_TEXT_SIZE always suffices. */
size_t tcsi_time_format_iso(int64_t time_ns, char *ret_text, size_t size);

/* The proleptic Gregorian calendar; day 0 is 1970-01-01.  month 1..12, day 1..31 (not checked against the month). */
int64_t tcsi_days_from_civil(int64_t year, unsigned month, unsigned day);
void tcsi_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
unsigned tcsi_month_length(int64_t year, unsigned month);

#endif
