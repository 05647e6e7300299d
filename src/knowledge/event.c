/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/event.h"

#include "base/text.h"
#include "series/time.h"

#include <ctype.h>
#include <string.h>

enum { DAY_S = 86400, CHANGE_MAX_S = 3 * 3600 };

static const char *const WEEKDAYS[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
static const char *const WEEKDAYS_FULL[] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" };
static const char *const MONTHS[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec" };

/* ---- words ---- */

int tcsi_weekday_parse(const char *text)
{
    for (int i = 0; i < 7; i++)
        if (tcsi_text_equal_nocase(text, WEEKDAYS[i]) || tcsi_text_equal_nocase(text, WEEKDAYS_FULL[i])) return i;
    return -1;
}

static bool take_number(const char **at, unsigned digits_max, unsigned *ret_value)
{
    unsigned value = 0, digits = 0;
    for (; isdigit((unsigned char)**at) && digits < digits_max; digits++) value = value * 10 + (unsigned)(*(*at)++ - '0');
    *ret_value = value;
    return digits > 0;
}

bool tcsi_clock_parse(const char *text, unsigned *ret_hour, unsigned *ret_minute)
{
    const char *at = text;
    return take_number(&at, 2, ret_hour) && *at++ == ':' && take_number(&at, 2, ret_minute) && *at == 0 && *ret_hour < 24 &&
        *ret_minute < 60;
}

bool tcsi_date_parse(const char *text, tcsi_date *ret_date)
{
    unsigned year = 0, month, day;
    const char *at = text;
    if (strlen(text) == 10 && (!take_number(&at, 4, &year) || year == 0 || *at++ != '-')) return false;
    if (strlen(at) != 5 || !take_number(&at, 2, &month) || *at++ != '-' || !take_number(&at, 2, &day) || *at) return false;
    *ret_date = (tcsi_date){ (int16_t)year, (uint8_t)month, (uint8_t)day };
    return month >= 1 && month <= 12 && day >= 1 && day <= tcsi_month_length(year ? year : 2000, month);
}

/* ---- cron ---- */

typedef struct field {
    unsigned low, high;
    const char *const *names; /* of low, low + 1, ...; NULL: none */
    size_t name_count;
} field;

static bool take_value(const char **at, const field *f, unsigned *ret_value)
{
    for (size_t i = 0; i < f->name_count; i++) {
        const char word[4] = { (*at)[0], (*at)[0] ? (*at)[1] : 0, (*at)[0] && (*at)[1] ? (*at)[2] : 0, 0 };
        if (!tcsi_text_equal_nocase(word, f->names[i])) continue;
        *at += 3;
        *ret_value = (unsigned)i + 1; /* Monday and January are 1 */
        return true;
    }
    return take_number(at, 2, ret_value) && *ret_value >= f->low && *ret_value <= f->high;
}

/* One of the five up to a blank or the end, as bits. */
static bool take_field(const char **at, const field *f, uint64_t *ret_bits)
{
    *ret_bits = 0;
    do {
        unsigned from = f->low, to = f->high, step = 1;
        if (**at == '*') ++*at;
        else if (!take_value(at, f, &from)) return false;
        else {
            to = from;
            if (**at == '-') {
                ++*at;
                if (!take_value(at, f, &to)) return false;
            } else if (**at == '/') to = f->high;
        }
        if (**at == '/') {
            ++*at;
            if (!take_number(at, 2, &step) || step == 0) return false;
        }
        if (from > to) return false;
        for (unsigned value = from; value <= to; value += step) *ret_bits |= UINT64_C(1) << value;
    } while (**at == ',' && *(*at)++);
    return **at == 0 || **at == ' ';
}

bool tcsi_cron_parse(const char *text, tcsi_cron *ret_cron, size_t *ret_field)
{
    static const field fields[5] = { { 0, 59, NULL, 0 }, { 0, 23, NULL, 0 }, { 1, 31, NULL, 0 }, { 1, 12, MONTHS, 12 },
                                     { 0, 7, WEEKDAYS, 7 } };
    uint64_t bits[5];
    bool is_star[5];
    const char *at = text;
    for (*ret_field = 0; *ret_field < 5; ++*ret_field) {
        while (*at == ' ') at++;
        is_star[*ret_field] = *at == '*';
        if (*at == 0) {
            *ret_field = 5;
            return false;
        }
        if (!take_field(&at, &fields[*ret_field], &bits[*ret_field])) return false;
    }
    while (*at == ' ') at++;
    /* Sunday is 0 or 7 there, 6 here. */
    const uint64_t weekdays = ((bits[4] >> 1) & 0x7f) | ((bits[4] & 1) << 6);
    *ret_cron = (tcsi_cron){ .minutes = bits[0], .hours = (uint32_t)bits[1], .days = (uint32_t)bits[2], .months = (uint16_t)bits[3],
                             .weekdays = (uint8_t)weekdays, .either_day = !is_star[2] && !is_star[4] };
    return *at == 0;
}

/* ---- asking ---- */

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static bool is_cron_day(const tcsi_cron *cron, int64_t days)
{
    int64_t year;
    unsigned month, day;
    tcsi_civil_from_days(days, &year, &month, &day);
    const bool is_weekday = cron->weekdays >> (unsigned)(((days + 3) % 7 + 7) % 7) & 1, is_day = cron->days >> day & 1;
    return (cron->months >> month & 1) && (cron->either_day ? is_weekday || is_day : is_weekday && is_day);
}

/* Did a beginning of this local day happen within (time - duration, time]?  Clocks are never put further than CHANGE_MAX_S; what is further
 * off by the clock is not looked up. */
static bool begins_on(const tcsi_known_event *event, const tcsi_cron *cron, int64_t days, int64_t time_s, int64_t local_s)
{
    const int64_t duration_s = event->duration_ns / TCSI_NS_PER_S;
    for (unsigned hour = 0; hour < 24; hour++) {
        if (!(cron->hours >> hour & 1)) continue;
        for (unsigned minute = 0; minute < 60; minute++) {
            if (!(cron->minutes >> minute & 1)) continue;
            const int64_t clock_s = days * DAY_S + hour * 3600 + minute * 60;
            if (clock_s > local_s + CHANGE_MAX_S || clock_s < local_s - duration_s - CHANGE_MAX_S) continue;
            const int64_t moment = tcsi_zone_moment(event->zone, clock_s);
            if (moment <= time_s && time_s - moment < duration_s) return true;
        }
    }
    return false;
}

static bool covers_recurring(const tcsi_known_event *event, int64_t time_s)
{
    const int64_t local_s = time_s + tcsi_zone_offset_s(event->zone, time_s);
    const int64_t today = floor_divide(local_s, DAY_S), back = event->duration_ns / TCSI_NS_PER_DAY + 1;
    for (size_t i = 0; i < event->cron_count; i++)
        for (int64_t days = today + 1; days >= today - back; days--) /* + 1: clocks that are put back over midnight */
            if (is_cron_day(&event->crons[i], days) && begins_on(event, &event->crons[i], days, time_s, local_s)) return true;
    return false;
}

static bool covers_days(const tcsi_known_event *event, int64_t time_s)
{
    const int64_t days = floor_divide(time_s + tcsi_zone_offset_s(event->zone, time_s), DAY_S);
    int64_t year;
    unsigned month, day;
    tcsi_civil_from_days(days, &year, &month, &day);
    for (size_t i = 0; i < event->date_count; i++) {
        const tcsi_date *date = &event->dates[i];
        if (date->month == month && date->day == day && (date->year == 0 || date->year == year)) return true;
    }
    return false;
}

bool tcsi_known_event_covers(const tcsi_known_event *event, int64_t time_ns)
{
    const int64_t time_s = floor_divide(time_ns, TCSI_NS_PER_S);
    switch (event->kind) {
    case TCSI_EVENT_ONCE: return time_ns >= event->begin_ns && time_ns < event->end_ns;
    case TCSI_EVENT_RECURRING: return covers_recurring(event, time_s);
    default: return covers_days(event, time_s);
    }
}
