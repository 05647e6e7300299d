/* series/time.c -- reading time stamps as people and programs write them.
 *
 * Problem: a column of stamps comes in one of a hundred forms, sometimes in several, and nobody says which.  strptime needs the
 * form, depends on the locale and is slow; a wrong guess (3 February for 2 March) silently ruins everything after it.
 *
 * Idea: four small readers, each of which accepts a family of forms or refuses.
 *   iso      2014-02-14[T ]14:30[:00[.25]][Z|+01|+0100|+01:00], basic 20140214T143000Z, date only, 2014-045, 2014-W07-5
 *   number   an epoch, integer or decimal or with an exponent, in a known unit
 *   compact  20140214, 201402141430, 20140214143000: bare digits that are a date rather than a count of seconds
 *   words    everything else: 2014/02/14 14:30, 14.02.2014 14:30:00, 02/14/2014 2:30 PM, 14-Feb-2014, Feb 14, 2014,
 *            Fri, 14 Feb 2014 14:30:00 +0100 (RFC 2822), Fri Feb 14 14:30:00 2014 (asctime)
 * A guess counts which reader takes most samples; parse tries the guessed one first and the others after it, so that a column
 * of mixed forms still reads.
 *
 * Rules, all of them conventions that a user can override:
 *   - A number is an epoch by its magnitude, each unit between 1973-03-03 and 2262: [1e8, 9.22e9] seconds, [1e11, 9.22e12]
 *     milliseconds, [1e14, 9.22e15] microseconds, [1e17, 9.22e18] nanoseconds.  These ranges do not overlap.  Smaller numbers
 *     (row numbers, and epochs before 1973) are not taken for times unless the unit is given.
 *   - Bare digits are compact dates when every sample of 8, 12 or 14 digits is a valid date of the years 1900..2100.
 *   - Day or month first, over all samples: a field above 12 decides, one way or the other, by majority; otherwise the reading
 *     under which the samples run backwards less often, then the one with the smaller total distance between neighbours (a
 *     series advances by days more often than by months); otherwise dots and dashes mean day first, slashes month first.  In the last two
 *     cases the format says that it is ambiguous.
 *   - Two-digit years: 69..99 are 19xx, 00..68 are 20xx (POSIX).
 *   - No zone means UTC, unless the format carries an offset.  Second 60 (a leap second) is the first moment of the next
 *     minute, as in POSIX time; 24:00 is the next midnight, as in ISO 8601:2004.
 *
 * Sources: ISO 8601:2004; RFC 3339; RFC 2822, section 3.3 and 4.3 (zone names); the day count is H. Hinnant,
 * "chrono-compatible low-level date algorithms" (days_from_civil, civil_from_days), exact over the whole range used.
 * Cost: O(length); an ISO stamp of the usual 19 to 24 characters takes one straight path.
 * SPDX-License-Identifier: Apache-2.0 */
#include "series/time.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

enum { TEXT_LENGTH_MAX = 64 };

static const uint64_t powers_of_ten[20] = {
    UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000), UINT64_C(1000000),
    UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
    UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000), UINT64_C(10000000000000000000),
};

int64_t tcsi_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void tcsi_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned tcsi_month_length(int64_t year, unsigned month)
{
    static const uint8_t lengths[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap(year) ? 29 : lengths[month];
}

/* Fields of one stamp on its way to nanoseconds. */
typedef struct moment {
    int64_t days;
    unsigned hour, minute, second, fraction_ns;
    bool has_zone;
    int32_t zone_s; /* ahead of UTC */
} moment;

static bool date_ok(int64_t year, unsigned month, unsigned day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= tcsi_month_length(year, month);
}

static bool seconds_to_ns(int64_t seconds, int64_t fraction_ns, int64_t *ret_ns)
{
    const int64_t limit = INT64_MAX / TCSI_NS_PER_S; /* 9223372036 */
    if (seconds < -limit - 1 || seconds > limit) return false;
    if (seconds == limit && fraction_ns > INT64_MAX % TCSI_NS_PER_S) return false;
    if (seconds == -limit - 1) { /* INT64_MIN is -9223372037 s + 145224192 ns */
        if (fraction_ns < 145224192) return false;
        *ret_ns = (seconds + 1) * TCSI_NS_PER_S - (TCSI_NS_PER_S - fraction_ns);
        return true;
    }
    *ret_ns = seconds * TCSI_NS_PER_S + fraction_ns;
    return true;
}

static bool moment_to_ns(const moment *m, int32_t utc_offset_s, int64_t *ret_ns)
{
    bool midnight = m->hour == 24 && m->minute == 0 && m->second == 0 && m->fraction_ns == 0;
    if ((m->hour > 23 && !midnight) || m->minute > 59 || m->second > 60) return false;
    int64_t seconds = m->days * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
    seconds -= m->has_zone ? m->zone_s : utc_offset_s;
    return seconds_to_ns(seconds, m->fraction_ns, ret_ns);
}

/* ---- bytes ---- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Two digits, or a number above 99 that fails every range check. */
static unsigned two_digits(const char *p)
{
    unsigned tens = (unsigned)(unsigned char)p[0] - '0', ones = (unsigned)(unsigned char)p[1] - '0';
    return tens < 10 && ones < 10 ? tens * 10 + ones : 1000000;
}

/* Exactly count digits at *p; advances. */
static bool read_digits(const char **p, const char *end, int count, unsigned *ret_value)
{
    const char *q = *p;
    unsigned value = 0;
    if (end - q < count) return false;
    for (int i = 0; i < count; i++) {
        if (!is_digit(q[i])) return false;
        value = value * 10 + (unsigned)(q[i] - '0');
    }
    *p = q + count;
    *ret_value = value;
    return true;
}

/* Digits after a point, at least one; those beyond nine are dropped. */
static bool read_fraction(const char **p, const char *end, unsigned *ret_ns)
{
    const char *q = *p;
    unsigned value = 0;
    int count = 0;
    for (; q < end && is_digit(*q); q++, count++)
        if (count < 9) value = value * 10 + (unsigned)(*q - '0');
    if (count == 0) return false;
    for (int i = count; i < 9; i++) value *= 10;
    *p = q;
    *ret_ns = value;
    return true;
}

/* Z, +hh, +hhmm or +hh:mm at *p. */
static bool read_zone(const char **p, const char *end, moment *m)
{
    const char *q = *p;
    if (q == end) return false;
    char sign = *q++;
    unsigned hours, minutes = 0;
    if (sign == 'Z' || sign == 'z') {
        m->zone_s = 0;
    } else {
        if (sign != '+' && sign != '-') return false;
        if (!read_digits(&q, end, 2, &hours)) return false;
        if (q < end && *q == ':') {
            q++;
            if (!read_digits(&q, end, 2, &minutes)) return false;
        } else if (q < end && is_digit(*q)) {
            if (!read_digits(&q, end, 2, &minutes)) return false;
        }
        if (hours > 23 || minutes > 59) return false;
        m->zone_s = (int32_t)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    }
    m->has_zone = true;
    *p = q;
    return true;
}

/* ---- ISO 8601 ---- */

static int64_t days_of_week_date(int64_t year, unsigned week, unsigned weekday)
{
    int64_t january_4 = tcsi_days_from_civil(year, 1, 4); /* always in week 1 */
    int64_t weekday_of_it = ((january_4 + 3) % 7 + 7) % 7; /* Monday = 0; day 0 was a Thursday */
    return january_4 - weekday_of_it + (int64_t)(week - 1) * 7 + (weekday - 1);
}

/* YYYY-MM-DD, YYYYMMDD, YYYY-DDD, YYYY-Www[-D], YYYYWww[D].  ret_basic: written without dashes. */
static bool read_iso_date(const char **p, const char *end, int64_t *ret_days, bool *ret_basic)
{
    const char *q = *p;
    unsigned year, month, day, week, weekday = 1;
    if (!read_digits(&q, end, 4, &year) || q == end) return false;
    bool basic = *q != '-';
    if (!basic) q++;
    if (q < end && *q == 'W') {
        q++;
        if (!read_digits(&q, end, 2, &week)) return false;
        bool has_weekday = basic ? q < end && is_digit(*q) : q < end && *q == '-';
        if (has_weekday && !basic) q++;
        if (has_weekday && !read_digits(&q, end, 1, &weekday)) return false;
        if (week < 1 || week > 53 || weekday < 1 || weekday > 7) return false;
        if (week == 53 && days_of_week_date(year, 53, 1) >= days_of_week_date((int64_t)year + 1, 1, 1)) return false;
        *ret_days = days_of_week_date(year, week, weekday);
    } else if (!basic && end - q >= 3 && is_digit(q[2]) && (end - q == 3 || !is_digit(q[3]))) {
        if (!read_digits(&q, end, 3, &day) || day < 1 || day > (is_leap(year) ? 366u : 365u)) return false;
        *ret_days = tcsi_days_from_civil(year, 1, 1) + (int64_t)day - 1;
    } else {
        if (!read_digits(&q, end, 2, &month)) return false;
        if (!basic && (q == end || *q++ != '-')) return false;
        if (!read_digits(&q, end, 2, &day) || !date_ok(year, month, day)) return false;
        *ret_days = tcsi_days_from_civil(year, month, day);
    }
    *p = q;
    *ret_basic = basic;
    return true;
}

/* hh[:mm[:ss[.f]]] or hh[mm[ss[.f]]]. */
static bool read_iso_clock(const char **p, const char *end, moment *m)
{
    const char *q = *p;
    if (!read_digits(&q, end, 2, &m->hour)) return false;
    bool extended = q < end && *q == ':', more = extended || (q < end && is_digit(*q));
    if (more) {
        q += extended;
        if (!read_digits(&q, end, 2, &m->minute)) return false;
        more = q < end && (extended ? *q == ':' : is_digit(*q));
    }
    if (more) {
        q += extended;
        if (!read_digits(&q, end, 2, &m->second)) return false;
        if (q < end && (*q == '.' || *q == ',')) {
            q++;
            if (!read_fraction(&q, end, &m->fraction_ns)) return false;
        }
    }
    *p = q;
    return true;
}

static bool parse_iso_any(const char *p, const char *end, int32_t utc_offset_s, int64_t *ret_ns)
{
    moment m = { 0 };
    bool basic;
    if (!read_iso_date(&p, end, &m.days, &basic)) return false;
    if (p < end) {
        if (*p != 'T' && *p != 't' && *p != ' ' && *p != '_') return false;
        p++;
        if (!read_iso_clock(&p, end, &m)) return false;
        while (p < end && *p == ' ') p++;
        if (p < end && end - p == 3 && (memcmp(p, "UTC", 3) == 0 || memcmp(p, "GMT", 3) == 0)) {
            m.has_zone = true;
            p += 3;
        }
        if (p < end && !read_zone(&p, end, &m)) return false;
    }
    return p == end && moment_to_ns(&m, utc_offset_s, ret_ns);
}

/* The usual shape, YYYY-MM-DD?hh:mm:ss and what follows, without a loop over its digits. */
static bool parse_iso(const char *p, const char *end, int32_t utc_offset_s, int64_t *ret_ns)
{
    if (end - p < 19 || p[4] != '-' || p[7] != '-' || p[13] != ':' || p[16] != ':' || (p[10] != 'T' && p[10] != ' '))
        return parse_iso_any(p, end, utc_offset_s, ret_ns);
    unsigned century = two_digits(p), year = century * 100 + two_digits(p + 2), month = two_digits(p + 5), day = two_digits(p + 8);
    moment m = { .hour = two_digits(p + 11), .minute = two_digits(p + 14), .second = two_digits(p + 17) };
    if (year > 9999 || !date_ok(year, month, day)) return false;
    m.days = tcsi_days_from_civil(year, month, day);
    p += 19;
    if (p < end && (*p == '.' || *p == ',')) {
        p++;
        if (!read_fraction(&p, end, &m.fraction_ns)) return false;
    }
    while (p < end && *p == ' ') p++;
    if (end - p == 3 && (memcmp(p, "UTC", 3) == 0 || memcmp(p, "GMT", 3) == 0)) {
        m.has_zone = true;
        p += 3;
    }
    if (p < end && !read_zone(&p, end, &m)) return false;
    return p == end && moment_to_ns(&m, utc_offset_s, ret_ns);
}

/* ---- numbers ---- */

/* mantissa * 10^exponent, exact up to 19 digits; further digits are dropped (the exponent still counts them). */
typedef struct decimal {
    uint64_t mantissa;
    int exponent;
    bool negative, digits_only;
    int digit_count; /* written before any point or exponent */
} decimal;

static bool read_decimal(const char *p, const char *end, decimal *ret)
{
    decimal d = { .digits_only = true };
    int significant = 0, seen = 0;
    if (p < end && (*p == '-' || *p == '+')) {
        d.negative = *p++ == '-';
        d.digits_only = false;
    }
    bool after_point = false;
    for (; p < end && (is_digit(*p) || ((*p == '.' || *p == ',') && !after_point)); p++) {
        if (!is_digit(*p)) {
            after_point = true;
            d.digits_only = false;
            continue;
        }
        seen++;
        if (!after_point) d.digit_count++;
        bool keep = significant < 19;
        if (keep) d.mantissa = d.mantissa * 10 + (uint64_t)(*p - '0');
        if (keep && d.mantissa > 0) significant++;
        d.exponent += (keep ? 0 : 1) - (after_point ? 1 : 0);
    }
    if (seen == 0) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool negative = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        int value = 0;
        if (p == end) return false;
        for (; p < end && is_digit(*p); p++)
            if (value < 1000) value = value * 10 + (*p - '0');
        d.exponent += negative ? -value : value;
        d.digits_only = false;
    }
    *ret = d;
    return p == end;
}

/* mantissa * 10^(exponent + shift) as int64, cut towards zero. */
static bool decimal_scale(const decimal *d, int shift, int64_t *ret)
{
    int exponent = d->exponent + shift;
    uint64_t value = d->mantissa;
    if (value != 0 && exponent > 0) {
        if (exponent > 19 || value > (uint64_t)INT64_MAX / powers_of_ten[exponent > 18 ? 18 : exponent]) return false;
        if (exponent > 18) return false;
        value *= powers_of_ten[exponent];
    } else if (exponent < 0) {
        value = exponent < -19 ? 0 : value / powers_of_ten[-exponent];
    }
    if (value > (uint64_t)INT64_MAX) return false;
    *ret = d->negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static int unit_shift(tcsi_time_kind kind)
{
    switch (kind) {
    case TCSI_TIME_EPOCH_S: return 9;
    case TCSI_TIME_EPOCH_MS: return 6;
    case TCSI_TIME_EPOCH_US: return 3;
    default: return 0;
    }
}

/* The unit whose range holds the number; TCSI_TIME_KIND_COUNT when none does. */
static tcsi_time_kind unit_by_magnitude(const decimal *d)
{
    static const struct { int64_t low, high; tcsi_time_kind kind; } ranges[] = {
        { INT64_C(100000000), INT64_C(9223372036), TCSI_TIME_EPOCH_S },
        { INT64_C(100000000000), INT64_C(9223372036854), TCSI_TIME_EPOCH_MS },
        { INT64_C(100000000000000), INT64_C(9223372036854775), TCSI_TIME_EPOCH_US },
        { INT64_C(100000000000000000), INT64_MAX, TCSI_TIME_EPOCH_NS },
    };
    int64_t whole;
    if (d->negative || !decimal_scale(d, 0, &whole)) return TCSI_TIME_KIND_COUNT;
    for (size_t i = 0; i < TCS_COUNT(ranges); i++)
        if (whole >= ranges[i].low && whole <= ranges[i].high) return ranges[i].kind;
    return TCSI_TIME_KIND_COUNT;
}

/* Days since 1899-12-30 (so that 1 March 1900 and later agree with Excel), rounded to milliseconds: more digits than that are
 * only what is left of a division by 86,400 in the spreadsheet. */
static bool parse_excel(const decimal *d, int32_t utc_offset_s, int64_t *ret_ns)
{
    if (d->exponent < -19 || d->exponent > 6) return false;
    double days = (double)d->mantissa;
    days = d->exponent < 0 ? days / (double)powers_of_ten[-d->exponent] : days * (double)powers_of_ten[d->exponent];
    if (!(days < 140000.0)) return false; /* year 2283; the exact limit is checked below */
    int64_t ms = (int64_t)floor(days * 86400e3 + 0.5) * (d->negative ? -1 : 1);
    int64_t seconds = ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
    int64_t fraction_ns = (ms - seconds * 1000) * 1000000;
    return seconds_to_ns(seconds + tcsi_days_from_civil(1899, 12, 30) * 86400 - utc_offset_s, fraction_ns, ret_ns);
}

/* 8, 12 or 14 bare digits that are a date of 1900..2100. */
static bool parse_compact(const char *p, const char *end, int32_t utc_offset_s, int64_t *ret_ns)
{
    size_t length = (size_t)(end - p);
    if (length != 8 && length != 12 && length != 14) return false;
    unsigned year, month, day;
    moment m = { 0 };
    bool ok = read_digits(&p, end, 4, &year) && read_digits(&p, end, 2, &month) && read_digits(&p, end, 2, &day);
    if (ok && p < end) ok = read_digits(&p, end, 2, &m.hour) && read_digits(&p, end, 2, &m.minute);
    if (ok && p < end) ok = read_digits(&p, end, 2, &m.second);
    if (!ok || year < 1900 || year > 2100 || !date_ok(year, month, day)) return false;
    m.days = tcsi_days_from_civil(year, month, day);
    return moment_to_ns(&m, utc_offset_s, ret_ns);
}

/* ---- words ---- */

/* How a stamp of words was written, for the guess. */
typedef struct word_style {
    tcsi_time_kind kind;           /* YEAR_FIRST, NAMED_MONTH, or DAY_FIRST for two numbers of which either may be the day */
    bool day_first_only, month_first_only; /* one of the two numbers is above 12 */
    char separator;
} word_style;

typedef struct words {
    moment moment;
    int64_t year;
    unsigned month, day;
    bool has_year, has_clock, month_first;
    word_style style;
} words;

/* 1-based place of a word of at least three letters that begins one of the names, 0 for none. */
static unsigned name_index(const char *word, size_t length, const char *const *names, size_t name_count)
{
    for (size_t i = 0; i < name_count; i++) {
        size_t name_length = strlen(names[i]), same = 0;
        if (length < 3 || length > name_length) continue;
        while (same < length && (word[same] | 0x20) == names[i][same]) same++;
        if (same == length) return (unsigned)i + 1;
    }
    return 0;
}

static unsigned month_by_name(const char *word, size_t length)
{
    static const char *const names[12] = { "january", "february", "march", "april", "may", "june", "july", "august", "september",
                                           "october", "november", "december" };
    return name_index(word, length, names, 12);
}

static bool is_weekday_name(const char *word, size_t length)
{
    static const char *const names[7] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" };
    return name_index(word, length, names, 7) > 0;
}

/* The zone names of RFC 2822, section 4.3. */
static bool zone_by_name(const char *word, size_t length, moment *m)
{
    static const struct { const char *name; int hours; } zones[] = {
        { "z", 0 }, { "ut", 0 }, { "utc", 0 }, { "gmt", 0 }, { "est", -5 }, { "edt", -4 }, { "cst", -6 }, { "cdt", -5 },
        { "mst", -7 }, { "mdt", -6 }, { "pst", -8 }, { "pdt", -7 },
    };
    for (size_t i = 0; i < TCS_COUNT(zones); i++) {
        if (strlen(zones[i].name) != length) continue;
        size_t same = 0;
        while (same < length && (word[same] | 0x20) == zones[i].name[same]) same++;
        if (same < length) continue;
        m->has_zone = true;
        m->zone_s = zones[i].hours * 3600;
        return true;
    }
    return false;
}

static bool set_year(words *w, unsigned value, int digit_count)
{
    if (w->has_year || (digit_count != 4 && digit_count != 2)) return false;
    w->year = digit_count == 4 ? value : value >= 69 ? 1900 + value : 2000 + value;
    w->has_year = true;
    return true;
}

static bool read_number(const char **p, const char *end, unsigned *ret_value, int *ret_digit_count)
{
    const char *q = *p;
    unsigned value = 0;
    for (; q < end && is_digit(*q) && q - *p < 5; q++) value = value * 10 + (unsigned)(*q - '0');
    *ret_digit_count = (int)(q - *p);
    *ret_value = value;
    bool ok = q > *p && q - *p <= 4;
    *p = q;
    return ok;
}

/* :mm[:ss[.f]] after an hour that was read. */
static bool read_clock_rest(const char **p, const char *end, unsigned hour, words *w)
{
    moment *m = &w->moment;
    if (w->has_clock) return false;
    w->has_clock = true;
    m->hour = hour;
    (*p)++;
    if (!read_digits(p, end, 2, &m->minute)) return false;
    if (*p < end && **p == ':') {
        (*p)++;
        if (!read_digits(p, end, 2, &m->second)) return false;
        if (*p < end && (**p == '.' || **p == ',') && *p + 1 < end && is_digit((*p)[1])) {
            (*p)++;
            if (!read_fraction(p, end, &m->fraction_ns)) return false;
        }
    }
    return true;
}

/* Two numbers of which either may be the day, in the order of the format unless one of them cannot be a month. */
static bool set_day_and_month(words *w, unsigned first, unsigned second)
{
    w->style.kind = TCSI_TIME_DAY_FIRST;
    w->style.day_first_only = first > 12;
    w->style.month_first_only = second > 12;
    bool month_first = first > 12 ? false : second > 12 ? true : w->month_first;
    w->month = month_first ? first : second;
    w->day = month_first ? second : first;
    return true;
}

/* separator b separator c after a first number: 2014/02/14, 14.02.2014, 14-Feb-2014, 2014-Feb-14. */
static bool read_date_rest(const char **p, const char *end, unsigned first, int first_digits, words *w)
{
    char separator = **p;
    unsigned second = 0, third, named = 0;
    int second_digits = 0, third_digits;
    if (w->day || w->month) return false;
    (*p)++;
    if (*p < end && is_letter(**p)) {
        const char *word = *p;
        while (*p < end && is_letter(**p)) (*p)++;
        named = month_by_name(word, (size_t)(*p - word));
        if (!named) return false;
    } else if (!read_number(p, end, &second, &second_digits) || second_digits > 2) {
        return false;
    }
    if (*p == end || **p != separator) return false;
    (*p)++;
    if (!read_number(p, end, &third, &third_digits)) return false;
    w->style.separator = separator;
    if (first_digits == 4) {
        w->style.kind = named ? TCSI_TIME_NAMED_MONTH : TCSI_TIME_YEAR_FIRST;
        w->month = named ? named : second;
        w->day = third;
        return third_digits <= 2 && set_year(w, first, 4);
    }
    if (first_digits > 2 || !set_year(w, third, third_digits)) return false;
    if (!named) return set_day_and_month(w, first, second);
    w->style.kind = TCSI_TIME_NAMED_MONTH;
    w->month = named;
    w->day = first;
    return true;
}

static bool read_number_item(const char **p, const char *end, words *w)
{
    unsigned value;
    int digit_count;
    if (!read_number(p, end, &value, &digit_count)) return false;
    char next = *p < end ? **p : ' ';
    if (next == ':') return digit_count <= 2 && read_clock_rest(p, end, value, w);
    bool joined = !w->month && *p + 1 < end && (is_digit((*p)[1]) || is_letter((*p)[1]));
    if ((next == '/' || next == '.' || next == '-') && joined) return read_date_rest(p, end, value, digit_count, w);
    if (next == '.') (*p)++; /* "14. Feb 2014" */
    if (is_letter(next) && end - *p >= 2) { /* 14th; a meridian or month right after the number is read as its own item */
        static const char *const ordinals[] = { "st", "nd", "rd", "th" };
        for (size_t i = 0; i < TCS_COUNT(ordinals); i++)
            if (((*p)[0] | 0x20) == ordinals[i][0] && ((*p)[1] | 0x20) == ordinals[i][1] && (end - *p == 2 || !is_letter((*p)[2]))) {
                *p += 2;
                break;
            }
    }
    if (digit_count == 4) return set_year(w, value, 4);
    if (digit_count > 2) return false;
    if (w->day == 0) {
        w->day = value;
        return value > 0;
    }
    return set_year(w, value, digit_count);
}

static bool read_word_item(const char **p, const char *end, words *w)
{
    const char *word = *p;
    while (*p < end && is_letter(**p)) (*p)++;
    size_t length = (size_t)(*p - word);
    unsigned month = month_by_name(word, length);
    if (month) {
        if (w->month) return false;
        w->month = month;
        w->style.kind = TCSI_TIME_NAMED_MONTH;
        if (*p < end && **p == '.') (*p)++; /* "Feb." */
        return true;
    }
    char first = (char)(word[0] | 0x20), second = length > 1 ? (char)(word[1] | 0x20) : 0;
    if (length == 2 && (first == 'a' || first == 'p') && second == 'm') {
        unsigned hour = w->moment.hour;
        if (!w->has_clock || hour < 1 || hour > 12) return false;
        w->moment.hour = hour % 12 + (first == 'p' ? 12 : 0);
        return true;
    }
    if (length == 1 && first == 't') return w->has_year && !w->has_clock && *p < end && is_digit(**p);
    if (is_weekday_name(word, length)) return true;
    return w->has_clock && !w->moment.has_zone && zone_by_name(word, length, &w->moment);
}

static bool parse_words(const char *p, const char *end, bool month_first, int32_t utc_offset_s, int64_t *ret_ns, word_style *ret_style)
{
    words w = { .month_first = month_first, .style = { .kind = TCSI_TIME_KIND_COUNT } };
    while (p < end) {
        bool ok = true;
        if (*p == ' ' || *p == ',' || *p == '\t') p++;
        else if (is_digit(*p)) ok = read_number_item(&p, end, &w);
        else if (is_letter(*p)) ok = read_word_item(&p, end, &w);
        else if ((*p == '+' || *p == '-') && w.has_clock && !w.moment.has_zone) ok = read_zone(&p, end, &w.moment);
        else if ((*p == '-' || *p == '/') && w.month && w.day && !w.has_year) p++; /* "Feb-14-2014" */
        else if (*p == '-' && w.month && !w.day) p++;
        else ok = false;
        if (!ok) return false;
    }
    if (!w.has_year || w.style.kind == TCSI_TIME_KIND_COUNT || !date_ok(w.year, w.month, w.day)) return false;
    w.moment.days = tcsi_days_from_civil(w.year, w.month, w.day);
    if (!moment_to_ns(&w.moment, utc_offset_s, ret_ns)) return false;
    *ret_style = w.style;
    return true;
}

/* ---- the public three ---- */

static void trim(const char **p, const char **end)
{
    while (*p < *end && is_blank(**p)) (*p)++;
    while (*p < *end && is_blank((*end)[-1])) (*end)--;
}

static bool parse_number(const tcsi_time_format *format, const char *p, const char *end, int64_t *ret_ns)
{
    decimal d;
    int64_t ns;
    if (!read_decimal(p, end, &d)) return false;
    if (format->kind == TCSI_TIME_EXCEL) return parse_excel(&d, format->utc_offset_s, ret_ns);
    bool unit_known = format->kind >= TCSI_TIME_EPOCH_S && format->kind <= TCSI_TIME_EPOCH_NS;
    tcsi_time_kind unit = unit_known ? format->kind : unit_by_magnitude(&d);
    if (unit == TCSI_TIME_KIND_COUNT || !decimal_scale(&d, unit_shift(unit), &ns)) return false;
    *ret_ns = ns;
    return true;
}

bool tcsi_time_parse(const tcsi_time_format *format, const char *text, size_t length, int64_t *ret_ns)
{
    const char *p = text, *end = text + length;
    word_style style;
    int32_t offset = format->utc_offset_s;
    trim(&p, &end);
    if (p == end || end - p > TEXT_LENGTH_MAX) return false;
    switch (format->kind) {
    case TCSI_TIME_EPOCH_S:
    case TCSI_TIME_EPOCH_MS:
    case TCSI_TIME_EPOCH_US:
    case TCSI_TIME_EPOCH_NS:
    case TCSI_TIME_EXCEL:
        if (parse_number(format, p, end, ret_ns)) return true;
        break;
    case TCSI_TIME_COMPACT:
        if (parse_compact(p, end, offset, ret_ns)) return true;
        break;
    case TCSI_TIME_YEAR_FIRST:
    case TCSI_TIME_DAY_FIRST:
    case TCSI_TIME_MONTH_FIRST:
    case TCSI_TIME_NAMED_MONTH:
        if (parse_words(p, end, format->month_first, offset, ret_ns, &style)) return true;
        break;
    default:
        break;
    }
    return parse_iso(p, end, offset, ret_ns) || parse_words(p, end, format->month_first, offset, ret_ns, &style) ||
           parse_number(format, p, end, ret_ns) || parse_compact(p, end, offset, ret_ns);
}

static bool is_missing_word(const char *p, const char *end)
{
    static const char *const missing[] = { "na", "nan", "n/a", "null", "none", "nat", "-", "?" };
    char word[8];
    size_t length = (size_t)(end - p);
    if (length == 0) return true;
    if (length >= sizeof word) return false;
    memcpy(word, p, length);
    word[length] = 0;
    for (size_t i = 0; i < TCS_COUNT(missing); i++)
        if (tcsi_text_equal_nocase(word, missing[i])) return true;
    return false;
}

/* What the samples say. */
typedef struct votes {
    size_t counts[TCSI_TIME_KIND_COUNT];
    size_t usable_count, time_count, digits_count, compact_count;
    size_t day_first_count, month_first_count, slash_count, other_separator_count;
} votes;

/* Counts one sample; blanks are trimmed, missing ones skipped. */
static void vote(const char *p, const char *end, votes *v)
{
    int64_t ns;
    decimal d;
    word_style style;
    trim(&p, &end);
    if (is_missing_word(p, end)) return;
    v->usable_count++;
    if (end - p > TEXT_LENGTH_MAX) return;
    if (read_decimal(p, end, &d)) {
        tcsi_time_kind unit = unit_by_magnitude(&d);
        bool compact = d.digits_only && parse_compact(p, end, 0, &ns);
        v->digits_count++;
        v->compact_count += compact;
        if (unit != TCSI_TIME_KIND_COUNT) v->counts[unit]++;
        v->time_count += unit != TCSI_TIME_KIND_COUNT || compact;
    } else if (parse_iso(p, end, 0, &ns)) {
        v->counts[TCSI_TIME_ISO]++;
        v->time_count++;
    } else if (parse_words(p, end, false, 0, &ns, &style) || parse_words(p, end, true, 0, &ns, &style)) {
        v->counts[style.kind]++;
        v->time_count++;
        if (style.kind != TCSI_TIME_DAY_FIRST) return;
        v->day_first_count += style.day_first_only;
        v->month_first_count += style.month_first_only;
        if (style.separator == '/') v->slash_count++;
        else v->other_separator_count++;
    }
}

/* How far a reading of the samples jumps about: steps backwards, and the total distance in seconds. */
static void measure_order(const char *const *samples, const size_t *lengths, size_t sample_count, bool month_first,
                          size_t *ret_backward_count, double *ret_distance_s)
{
    const tcsi_time_format format = { .kind = TCSI_TIME_DAY_FIRST, .month_first = month_first };
    bool has_previous = false;
    int64_t previous = 0, ns;
    size_t forward = 0, backward = 0;
    double distance = 0;
    for (size_t i = 0; i < sample_count; i++) {
        if (!tcsi_time_parse(&format, samples[i], lengths[i], &ns)) continue;
        if (has_previous) {
            forward += ns > previous;
            backward += ns < previous;
            distance += fabs((double)ns - (double)previous) * 1e-9;
        }
        previous = ns;
        has_previous = true;
    }
    *ret_backward_count = backward < forward ? backward : forward; /* a file written newest first is in order too */
    *ret_distance_s = distance;
}

static void decide_order(const char *const *samples, const size_t *lengths, size_t sample_count, const votes *v, tcsi_time_format *format)
{
    if (v->day_first_count != v->month_first_count) {
        format->month_first = v->month_first_count > v->day_first_count;
        return;
    }
    size_t backward_day, backward_month;
    double distance_day, distance_month;
    measure_order(samples, lengths, sample_count, false, &backward_day, &distance_day);
    measure_order(samples, lengths, sample_count, true, &backward_month, &distance_month);
    if (backward_day != backward_month) format->month_first = backward_month < backward_day;
    else {
        bool by_distance = fabs(distance_day - distance_month) > 3600.0;
        format->month_first = by_distance ? distance_month < distance_day : v->slash_count > v->other_separator_count;
        format->ambiguous = true;
    }
}

bool tcsi_time_guess(const char *const *samples, const size_t *lengths, size_t sample_count, tcsi_time_format *ret_format)
{
    votes v = { 0 };
    tcsi_time_format format = { 0 };
    for (size_t i = 0; i < sample_count; i++) vote(samples[i], samples[i] + lengths[i], &v);
    if (v.time_count == 0 || v.time_count < v.usable_count - v.usable_count / 4) return false;
    size_t best = 0;
    for (size_t kind = 0; kind < TCSI_TIME_KIND_COUNT; kind++)
        if (v.counts[kind] > v.counts[best]) best = kind;
    format.kind = (tcsi_time_kind)best;
    if (v.compact_count > 0 && v.compact_count == v.digits_count && v.compact_count * 2 >= v.time_count) format.kind = TCSI_TIME_COMPACT;
    if (v.counts[TCSI_TIME_DAY_FIRST] > 0) decide_order(samples, lengths, sample_count, &v, &format);
    if (format.kind == TCSI_TIME_DAY_FIRST && format.month_first) format.kind = TCSI_TIME_MONTH_FIRST;
    *ret_format = format;
    return true;
}

static const char *const kind_names[] = {
#define X(kind, name) [TCSI_TIME_##kind] = name,
    TCSI_TIME_KIND_LIST(X)
#undef X
};

const char *tcsi_time_format_name(const tcsi_time_format *format)
{
    return (size_t)format->kind < TCSI_TIME_KIND_COUNT ? kind_names[format->kind] : "unknown";
}

bool tcsi_time_format_by_name(const char *name, tcsi_time_format *ret_format)
{
    static const char *const short_names[TCSI_TIME_KIND_COUNT] = { "iso", "s", "ms", "us", "ns", "compact", "ymd", "dmy", "mdy",
                                                                   "named", "excel" };
    for (size_t kind = 0; kind < TCSI_TIME_KIND_COUNT; kind++)
        if (tcsi_text_equal_nocase(name, kind_names[kind]) || tcsi_text_equal_nocase(name, short_names[kind])) {
            *ret_format = (tcsi_time_format){ .kind = (tcsi_time_kind)kind, .month_first = kind == TCSI_TIME_MONTH_FIRST };
            return true;
        }
    return false;
}

static char *put_digits(char *p, unsigned value, int count)
{
    for (int i = count; i-- > 0; value /= 10) p[i] = (char)('0' + value % 10);
    return p + count;
}

size_t tcsi_time_format_iso(int64_t time_ns, char *ret_text, size_t size)
{
    int64_t days = time_ns / TCSI_NS_PER_DAY, rest = time_ns % TCSI_NS_PER_DAY, year;
    unsigned month, day;
    if (rest < 0) {
        rest += TCSI_NS_PER_DAY;
        days--;
    }
    tcsi_civil_from_days(days, &year, &month, &day);
    unsigned second_of_day = (unsigned)(rest / TCSI_NS_PER_S), fraction = (unsigned)(rest % TCSI_NS_PER_S);
    char text[TCSI_TIME_TEXT_SIZE], *p = text;
    p = put_digits(p, (unsigned)year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, second_of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, second_of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, second_of_day % 60, 2);
    if (fraction) {
        *p++ = '.';
        p = put_digits(p, fraction, 9);
        while (p[-1] == '0') p--;
    }
    *p++ = 'Z';
    size_t length = (size_t)(p - text);
    if (size > 0) ret_text[0] = 0;
    if (length + 1 > size) return 0;
    memcpy(ret_text, text, length);
    ret_text[length] = 0;
    return length;
}
