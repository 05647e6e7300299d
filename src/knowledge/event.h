/* knowledge/event.h -- when something known and harmless happens: once, every day or week, by a cron line, or on whole days.
 *
 * All four forms are one question: which is the latest beginning at or before a moment, and is it less than `for` ago?  Recurring events
 * begin at a minute of the clock on the wall of their zone; how long they last is real time, so that a window of 2 h that begins at
 * 01:30 in the night in which clocks change is 2 h long.  A whole day is from one local midnight to the next, 23, 24 or 25 hours.
 * Cost: a few comparisons a row within the same minute (the answer is remembered), otherwise one step for each day that `for` spans. */
#ifndef TCS_KNOWLEDGE_EVENT_H
#define TCS_KNOWLEDGE_EVENT_H

#include "knowledge/zone.h"

enum { TCSI_EVENT_DAYS_MAX = 31 }; /* the longest `for` */

typedef struct tcsi_cron {
    uint64_t minutes;       /* bit m: begins at minute m; likewise the others */
    uint32_t hours, days;   /* days of the month from bit 1 */
    uint16_t months;        /* from bit 1 */
    uint8_t weekdays;       /* bit 0: Monday */
    bool either_day;        /* day of month and weekday were both stated: either will do, as in cron */
} tcsi_cron;

/* "minute hour day month weekday" as in cron(8): numbers, *, lists, ranges, steps, jan, mon; weekday 0 and 7 are Sunday.  False: it is not;
 * *ret_field then says which of the five is at fault, 5: their number. */
bool tcsi_cron_parse(const char *text, tcsi_cron *ret_cron, size_t *ret_field);
/* "HH:MM" */
bool tcsi_clock_parse(const char *text, unsigned *ret_hour, unsigned *ret_minute);
/* "sun" or "Sunday": 6.  -1: none. */
int tcsi_weekday_parse(const char *text);

/* A date; year 0: every year. */
typedef struct tcsi_date {
    int16_t year;
    uint8_t month, day;
} tcsi_date;
/* "2026-12-24" or "12-24"; false when there is no such day. */
bool tcsi_date_parse(const char *text, tcsi_date *ret_date);

typedef enum tcsi_known_event_kind { TCSI_EVENT_ONCE, TCSI_EVENT_RECURRING, TCSI_EVENT_DAYS } tcsi_known_event_kind;

typedef struct tcsi_known_event {
    const char *name;
    size_t line;
    tcsi_known_event_kind kind;
    const char *const *channels;   /* (channel_count) patterns; 0: all */
    size_t channel_count;
    const tcsi_zone *zone;
    int64_t begin_ns, end_ns;      /* ONCE: [begin, end) */
    tcsi_cron crons[7];            /* RECURRING: any of them */
    size_t cron_count;
    int64_t duration_ns;           /* RECURRING */
    const tcsi_date *dates;        /* DAYS */
    size_t date_count;
} tcsi_known_event;

bool tcsi_known_event_covers(const tcsi_known_event *event, int64_t time_ns);

#endif
