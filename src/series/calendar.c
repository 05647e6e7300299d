/* series/calendar.c -- calendar features from a fixed offset and a rule for summer time.
 *
 * A time zone database would be exact for every place and year, but is a dependency that changes several times a year and would
 * change results with it.  An offset and a rule say the same for the places that have one, for ever; the reader states them.
 * Summer time: the changes of the moment's own year (in winter time) are computed and compared with the moment.
 * The day count is tcsi_days_from_civil of time.h.  Cost: O(1); 0.1 us with all sines and cosines.  SPDX-License-Identifier: Apache-2.0 */
#include "series/calendar.h"

#include "series/time.h"

#include <math.h>

enum { DAY_S = 86400 };

tcsi_calendar tcsi_calendar_fixed(int32_t utc_offset_s)
{
    return (tcsi_calendar){ .utc_offset_s = utc_offset_s };
}

tcsi_calendar tcsi_calendar_europe(int32_t utc_offset_s)
{
    return (tcsi_calendar){ .utc_offset_s = utc_offset_s, .summer_s = 3600, .changes_in_utc = true,
                            .summer_begin = { 3, 5, 6, 3600 }, .summer_end = { 10, 5, 6, 3600 } };
}

tcsi_calendar tcsi_calendar_united_states(int32_t utc_offset_s)
{
    return (tcsi_calendar){ .utc_offset_s = utc_offset_s, .summer_s = 3600, .changes_in_utc = false,
                            .summer_begin = { 3, 2, 6, 7200 }, .summer_end = { 11, 1, 6, 7200 } };
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static unsigned weekday_of(int64_t days)
{
    return (unsigned)(((days + 3) % 7 + 7) % 7); /* day 0 was a Thursday */
}

/* UTC seconds at which a change happens; offset_before_s is in force until then. */
static int64_t change_in_year(const tcsi_calendar *calendar, const tcsi_calendar_change *change, int64_t year, int32_t offset_before_s)
{
    int64_t days;
    if (change->week >= 5) {
        days = tcsi_days_from_civil(year, change->month, tcsi_month_length(year, change->month));
        days -= (weekday_of(days) + 7 - change->weekday) % 7;
    } else {
        days = tcsi_days_from_civil(year, change->month, 1);
        days += (change->weekday + 7 - weekday_of(days)) % 7 + 7 * (change->week - 1);
    }
    return days * DAY_S + change->second - (calendar->changes_in_utc ? 0 : offset_before_s);
}

int32_t tcsi_calendar_offset_s(const tcsi_calendar *calendar, int64_t time_ns)
{
    int32_t winter_s = calendar->utc_offset_s, summer_s = winter_s + calendar->summer_s;
    if (calendar->summer_s == 0) return winter_s;
    int64_t seconds = floor_divide(time_ns, TCSI_NS_PER_S), year;
    unsigned month, day;
    tcsi_civil_from_days(floor_divide(seconds + winter_s, DAY_S), &year, &month, &day);
    int64_t begin = change_in_year(calendar, &calendar->summer_begin, year, winter_s);
    int64_t end = change_in_year(calendar, &calendar->summer_end, year, summer_s);
    bool summer = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
    return summer ? summer_s : winter_s;
}

tcsi_calendar_place tcsi_calendar_place_of(const tcsi_calendar *calendar, int64_t time_ns)
{
    int64_t seconds = floor_divide(time_ns, TCSI_NS_PER_S) + tcsi_calendar_offset_s(calendar, time_ns), year;
    int64_t days = floor_divide(seconds, DAY_S), second_of_day = seconds - days * DAY_S;
    unsigned month, day, weekday = weekday_of(days);
    tcsi_civil_from_days(days, &year, &month, &day);
    return (tcsi_calendar_place){
        .year = year, .month = (uint8_t)month, .day = (uint8_t)day, .weekday = (uint8_t)weekday,
        .hour = (uint8_t)(second_of_day / 3600), .minute_of_day = (uint16_t)(second_of_day / 60),
        .day_of_year = (uint16_t)(days - tcsi_days_from_civil(year, 1, 1) + 1),
        .second_of_day = (uint32_t)second_of_day, .weekend = weekday >= 5,
    };
}

static void circle(double share, double *ret_pair)
{
    double angle = 2 * 3.14159265358979323846 * share;
    ret_pair[0] = sin(angle);
    ret_pair[1] = cos(angle);
}

void tcsi_calendar_features(const tcsi_calendar *calendar, int64_t time_ns, double ret_features[TCSI_CALENDAR_FEATURE_COUNT])
{
    tcsi_calendar_place place = tcsi_calendar_place_of(calendar, time_ns);
    double day = (double)place.second_of_day / DAY_S;
    double year_length = tcsi_month_length(place.year, 2) == 29 ? 366.0 : 365.0;
    circle(day, ret_features);
    circle(((double)place.weekday + day) / 7, ret_features + 2);
    circle(((double)place.day_of_year - 1 + day) / year_length, ret_features + 4);
    ret_features[6] = place.weekend;
}
