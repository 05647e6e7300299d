/* Clocks and calendars: zones against the C library's own conversions, days in which clocks change in two zones, cron lines. */
#include "knowledge/event.h"
#include "test.h"

#include "series/time.h"

#include <time.h>

static tcsi_zone zone_named(const char *name, tcsi_arena *arena)
{
    tcs_error err;
    tcsi_zone zone;
    tcsi_buffer bytes;
    if (tcsi_zone_fixed(name, &zone)) return zone;
    tcsi_buffer_init(&bytes, TCSI_ZONE_SIZE_MAX);
    assert_ok(tcsi_zone_file(name, &bytes, &err));
    assert_ok(tcsi_zone_parse(name, bytes.data, bytes.size, arena, &zone, &err));
    tcsi_buffer_deinit(&bytes);
    return zone;
}

static int64_t utc(const char *text)
{
    const tcsi_time_format format = { .kind = TCSI_TIME_ISO };
    int64_t time_ns = 0;
    assert_true(tcsi_time_parse(&format, text, strlen(text), &time_ns));
    return time_ns;
}

/* The C library knows one zone at a time: good for a test. */
static void test_zones_agree_with_the_library(void **state)
{
    (void)state;
    static const char *const names[] = { "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Kolkata",
                                         "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Chatham", "Etc/UTC" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        tcsi_arena arena;
        tcsi_arena_init(&arena, 0);
        const tcsi_zone zone = zone_named(names[i], &arena);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t utc_s = -1000000000; utc_s < 4000000000; utc_s += 86399 * 3 + 17) {
            const time_t moment = (time_t)utc_s;
            struct tm local;
            assert_non_null(localtime_r(&moment, &local));
            const int64_t clock_s = tcsi_days_from_civil(local.tm_year + 1900, (unsigned)local.tm_mon + 1, (unsigned)local.tm_mday) * 86400
                                    + local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec;
            if (clock_s - utc_s != tcsi_zone_offset_s(&zone, utc_s)) print_error("%s at %lld\n", names[i], (long long)utc_s);
            assert_int_equal(clock_s - utc_s, tcsi_zone_offset_s(&zone, utc_s));
        }
        tcsi_arena_deinit(&arena);
    }
    unsetenv("TZ");
    tzset();
}

static tcsi_known_event recurring(const char *cron, const tcsi_zone *zone, int64_t minutes)
{
    size_t field;
    tcsi_known_event event = { .kind = TCSI_EVENT_RECURRING, .zone = zone, .cron_count = 1, .duration_ns = minutes * TCSI_NS_PER_MINUTE };
    assert_true(tcsi_cron_parse(cron, &event.crons[0], &field));
    return event;
}

static bool covers(const tcsi_known_event *event, const char *time) { return tcsi_known_event_covers(event, utc(time)); }

/* In Berlin on 29 March 2026 02:00 becomes 03:00, and on 25 October 03:00 becomes 02:00; in New York on 8 March and 1 November. */
static void test_days_on_which_clocks_change(void **state)
{
    (void)state;
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    const tcsi_zone berlin = zone_named("Europe/Berlin", &arena), new_york = zone_named("America/New_York", &arena);

    const tcsi_known_event nightly = recurring("30 2 * * *", &berlin, 60);
    assert_true(covers(&nightly, "2026-03-28T01:30:00Z"));  /* winter: 02:30 is 01:30 UTC */
    assert_false(covers(&nightly, "2026-03-28T02:30:00Z"));
    assert_true(covers(&nightly, "2026-03-29T01:30:00Z"));  /* there is no 02:30: what would have been it, 03:30 */
    assert_true(covers(&nightly, "2026-03-29T02:29:59Z"));
    assert_false(covers(&nightly, "2026-03-29T00:30:00Z"));
    assert_false(covers(&nightly, "2026-03-29T02:30:00Z"));
    assert_true(covers(&nightly, "2026-03-30T00:30:00Z"));  /* summer */
    assert_false(covers(&nightly, "2026-03-30T01:30:00Z"));
    assert_true(covers(&nightly, "2026-10-25T00:30:00Z"));  /* 02:30 comes twice: the first counts */
    assert_false(covers(&nightly, "2026-10-25T01:30:00Z"));
    assert_true(covers(&nightly, "2026-10-26T01:30:00Z"));

    /* What lasts 2 h lasts 2 h, whatever the clocks do meanwhile. */
    const tcsi_known_event early = recurring("30 1 * * *", &new_york, 120);
    assert_true(covers(&early, "2026-03-08T06:30:00Z"));
    assert_true(covers(&early, "2026-03-08T08:29:00Z"));    /* 04:29 on the clock */
    assert_false(covers(&early, "2026-03-08T08:30:00Z"));
    assert_true(covers(&early, "2026-11-01T05:30:00Z"));
    assert_true(covers(&early, "2026-11-01T07:29:00Z"));
    assert_false(covers(&early, "2026-11-01T07:30:00Z"));

    /* A day has 23, 24 or 25 hours. */
    const tcsi_date dates[] = { { 2026, 3, 29 }, { 2026, 10, 25 }, { 0, 12, 24 } };
    const tcsi_known_event days = { .kind = TCSI_EVENT_DAYS, .zone = &berlin, .dates = dates, .date_count = 3 };
    assert_false(covers(&days, "2026-03-28T22:59:59Z"));
    assert_true(covers(&days, "2026-03-28T23:00:00Z"));
    assert_true(covers(&days, "2026-03-29T21:59:59Z"));
    assert_false(covers(&days, "2026-03-29T22:00:00Z"));
    assert_true(covers(&days, "2026-10-24T22:00:00Z"));
    assert_true(covers(&days, "2026-10-25T22:59:59Z"));
    assert_false(covers(&days, "2026-10-25T23:00:00Z"));
    assert_true(covers(&days, "1999-12-24T12:00:00Z") && covers(&days, "2031-12-24T12:00:00Z"));
    tcsi_arena_deinit(&arena);
}

static void test_windows_over_midnight(void **state)
{
    (void)state;
    tcsi_zone zone;
    assert_true(tcsi_zone_fixed("+05:30", &zone));
    const tcsi_known_event event = recurring("30 23 * * sun", &zone, 90); /* from Sunday 18:00 UTC to 19:30 UTC */
    assert_true(covers(&event, "2026-11-22T18:00:00Z"));
    assert_true(covers(&event, "2026-11-22T19:29:59Z"));
    assert_false(covers(&event, "2026-11-22T19:30:00Z"));
    assert_false(covers(&event, "2026-11-22T17:59:59Z"));
    assert_false(covers(&event, "2026-11-23T18:30:00Z"));
    const tcsi_known_event week = recurring("0 0 1 * *", &zone, 7 * 24 * 60);
    assert_true(covers(&week, "2026-11-07T18:29:59Z"));
    assert_false(covers(&week, "2026-11-07T18:30:00Z"));
}

static void test_cron_lines(void **state)
{
    (void)state;
    tcsi_cron cron;
    size_t field;
    assert_true(tcsi_cron_parse("*/15 8-17 * jan,mar mon-fri", &cron, &field));
    assert_true(cron.minutes == (UINT64_C(1) | UINT64_C(1) << 15 | UINT64_C(1) << 30 | UINT64_C(1) << 45));
    assert_int_equal(cron.hours, 0x3ff00);
    assert_int_equal(cron.months, 1 << 1 | 1 << 3);
    assert_int_equal(cron.weekdays, 0x1f);
    assert_false(cron.either_day);
    assert_true(tcsi_cron_parse("0 0 1,15 * sun", &cron, &field));
    assert_true(cron.either_day);
    assert_int_equal(cron.weekdays, 0x40);
    assert_true(tcsi_cron_parse("0 0 * * 0", &cron, &field));
    assert_int_equal(cron.weekdays, 0x40);
    static const struct { const char *text; size_t field; } refused[] = {
        { "60 * * * *", 0 }, { "* 24 * * *", 1 }, { "* * 0 * *", 2 }, { "* * * 13 *", 3 }, { "* * * * 8", 4 }, { "* * * *", 5 }, { "", 5 },
        { "*/0 * * * *", 0 }, { "5-3 * * * *", 0 }, { "a * * * *", 0 }, { "* * * * * *", 5 }, { "1,,2 * * * *", 0 }, { "999 * * * *", 0 },
    };
    for (size_t i = 0; i < TCS_COUNT(refused); i++) {
        if (tcsi_cron_parse(refused[i].text, &cron, &field)) print_error("%s is taken\n", refused[i].text);
        assert_false(tcsi_cron_parse(refused[i].text, &cron, &field));
        assert_int_equal(field, refused[i].field);
    }
}

static void test_words(void **state)
{
    (void)state;
    tcsi_date date;
    tcsi_zone zone;
    unsigned hour, minute;
    assert_true(tcsi_date_parse("2024-02-29", &date) && date.year == 2024 && date.month == 2 && date.day == 29);
    assert_true(tcsi_date_parse("02-29", &date) && date.year == 0);
    static const char *const no_dates[] = { "2023-02-29", "13-01", "1-1", "2026-1-01", "0000-01-01", "20x6-01-01", "", "2026-01-01x" };
    for (size_t i = 0; i < TCS_COUNT(no_dates); i++) assert_false(tcsi_date_parse(no_dates[i], &date));
    assert_true(tcsi_clock_parse("07:05", &hour, &minute) && hour == 7 && minute == 5);
    static const char *const no_clocks[] = { "24:00", "7", "07:60", "07:05:00", "", ":05" };
    for (size_t i = 0; i < TCS_COUNT(no_clocks); i++) assert_false(tcsi_clock_parse(no_clocks[i], &hour, &minute));
    assert_int_equal(tcsi_weekday_parse("Sunday"), 6);
    assert_int_equal(tcsi_weekday_parse("mon"), 0);
    assert_int_equal(tcsi_weekday_parse("someday"), -1);
    assert_true(tcsi_zone_fixed("-03:30", &zone) && zone.offset_first_s == -12600);
    static const char *const no_offsets[] = { "+25:00", "+2", "Europe/Berlin", "+02:00x", "" };
    for (size_t i = 0; i < TCS_COUNT(no_offsets); i++) assert_false(tcsi_zone_fixed(no_offsets[i], &zone));
}

/* No name leaves the folder of zones, and no damaged file is read as one. */
static void test_zones_are_refused(void **state)
{
    (void)state;
    tcs_error err;
    tcsi_zone zone;
    tcsi_arena arena;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, TCSI_ZONE_SIZE_MAX);
    static const char *const names[] = { "../../etc/passwd", "/etc/passwd", "Europe/../../../etc/passwd", "Nowhere/Nothing", "",
                                         "tzdata.zi" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) assert_int_equal(tcsi_zone_file(names[i], &bytes, &err), TCS_E_FORMAT);
    assert_ok(tcsi_zone_file("Europe/Berlin", &bytes, &err));
    for (size_t size = 0; size < bytes.size; size++) { /* no prefix but the whole; the last byte ends the rule */
        tcsi_arena_init(&arena, 0);
        assert_int_equal(tcsi_zone_parse("x", bytes.data, size, &arena, &zone, &err), TCS_E_FORMAT);
        tcsi_arena_deinit(&arena);
    }
    tcsi_buffer_deinit(&bytes);
}

TCS_TEST_MAIN(cmocka_unit_test(test_zones_agree_with_the_library), cmocka_unit_test(test_days_on_which_clocks_change),
              cmocka_unit_test(test_windows_over_midnight), cmocka_unit_test(test_cron_lines), cmocka_unit_test(test_words),
              cmocka_unit_test(test_zones_are_refused))
