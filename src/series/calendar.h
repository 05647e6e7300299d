/* series/calendar.h -- where a moment stands in the day, week, month and year of the place it happened in.
 * The proleptic Gregorian calendar, no time zone database: a place is an offset and, if wanted, a rule for summer time.
 * Threads: reentrant. */
#ifndef TCS_SERIES_CALENDAR_H
#define TCS_SERIES_CALENDAR_H

#include "base/status.h"

/* The moment clocks change: the week-th weekday of a month at a time of day. */
typedef struct tcsi_calendar_change {
    uint8_t month;      /* 1..12 */
    uint8_t week;       /* 1..4, 5 = the last */
    uint8_t weekday;    /* 0 = Monday .. 6 = Sunday */
    int32_t second;     /* of the day */
} tcsi_calendar_change;

typedef struct tcsi_calendar {
    int32_t utc_offset_s;               /* of winter time, east positive, within a day */
    int32_t summer_s;                   /* added in summer; 0 = no summer time */
    bool changes_in_utc;                /* seconds of the changes are UTC (Europe); otherwise local time before the change (Americas) */
    tcsi_calendar_change summer_begin, summer_end; /* begin after end in the year: the southern hemisphere */
} tcsi_calendar;

/* Fixed offset.  The European rule: last Sundays of March and October, 01:00 UTC.  The United States' rule since 2007:
 * second Sunday of March and first of November, 02:00 local time. */
tcsi_calendar tcsi_calendar_fixed(int32_t utc_offset_s);
tcsi_calendar tcsi_calendar_europe(int32_t utc_offset_s);
tcsi_calendar tcsi_calendar_united_states(int32_t utc_offset_s);

/* Offset from UTC in force at a moment. */
int32_t tcsi_calendar_offset_s(const tcsi_calendar *calendar, int64_t time_ns);

typedef struct tcsi_calendar_place {
    int64_t year;
    uint8_t month;         /* 1..12 */
    uint8_t day;           /* of the month, 1..31 */
    uint8_t weekday;       /* 0 = Monday .. 6 = Sunday */
    uint8_t hour;          /* 0..23 */
    uint16_t minute_of_day; /* 0..1439 */
    uint16_t day_of_year;  /* 1..366 */
    uint32_t second_of_day; /* 0..86399 */
    bool weekend;          /* Saturday or Sunday */
} tcsi_calendar_place;

tcsi_calendar_place tcsi_calendar_place_of(const tcsi_calendar *calendar, int64_t time_ns);

/* Position on the circles of day, week and year as sine and cosine, so that 23:59 is next to 00:00; plus a weekend flag.
 * Order in ret: day sin, day cos, week sin, week cos, year sin, year cos, weekend (0 or 1). */
enum { TCSI_CALENDAR_FEATURE_COUNT = 7 };
void tcsi_calendar_features(const tcsi_calendar *calendar, int64_t time_ns, double ret_features[TCSI_CALENDAR_FEATURE_COUNT]);

#endif
