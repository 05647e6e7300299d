/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "series/time.h"

static const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };

/* 2014-02-14 14:30:00 UTC. */
#define T0 (INT64_C(1392388200) * TCSI_NS_PER_S)

static int64_t parse(const tcsi_time_format *format, const char *text)
{
    int64_t ns = -1;
    if (!tcsi_time_parse(format, text, strlen(text), &ns)) {
        print_error("'%s' is not read\n", text);
        fail();
    }
    return ns;
}

static bool refused(const char *text)
{
    int64_t ns = 12345;
    bool read = tcsi_time_parse(&iso, text, strlen(text), &ns);
    if (read) print_error("'%s' is read as %lld\n", text, (long long)ns);
    else assert_int_equal(ns, 12345); /* written on success only */
    return !read;
}

static void test_iso_forms(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t offset_ns; } cases[] = {
        { "2014-02-14T14:30:00Z", 0 }, { "2014-02-14T14:30:00", 0 }, { "2014-02-14 14:30:00", 0 }, { "2014-02-14t14:30:00z", 0 },
        { "2014-02-14T15:30:00+01:00", 0 }, { "2014-02-14T15:30:00+0100", 0 }, { "2014-02-14T15:30:00+01", 0 },
        { "2014-02-14 20:00:00 +05:30", 0 }, { "2014-02-14T09:00:00.000-05:30", 0 }, { "2014-02-14 14:30:00 UTC", 0 },
        { "2014-02-14T14:30Z", 0 }, { "2014-02-14 14:30", 0 }, { "20140214T143000Z", 0 }, { "20140214T1430", 0 },
        { "  2014-02-14T14:30:00Z\r\n", 0 }, { "2014-045T14:30:00", 0 }, { "2014-W07-5T14:30:00", 0 }, { "2014W075T1430", 0 },
        { "2014-02-14T14:30:00.5Z", 500000000 }, { "2014-02-14T14:30:00,25", 250000000 },
        { "2014-02-14T14:30:00.123456789012Z", 123456789 }, { "2014-02-14T14:29:60Z", 0 },
        { "2014-02-14T14", -INT64_C(30) * TCSI_NS_PER_MINUTE }, { "2014-02-14", -INT64_C(870) * TCSI_NS_PER_MINUTE },
        { "2014-02-13T24:00:00", -INT64_C(870) * TCSI_NS_PER_MINUTE },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++)
        if (parse(&iso, cases[i].text) != T0 + cases[i].offset_ns) fail_msg("%s", cases[i].text);
}

static void test_iso_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", " ", "T", "2014", "2014-13-01", "2014-00-10", "2014-02-29", "1900-02-29T00:00:00", "2014-02-30 00:00:00", "2014-04-31",
        "2014-02-14T25:00:00", "2014-02-14T24:00:01", "2014-02-14T14:60:00", "2014-02-14T14:30:61", "2014-02-14T14:30:00X",
        "2014-02-14T14:30:00+24:00", "2014-02-14T14:30:00+01:60", "2014-02-14T14:30:00+1", "2014-02-14T14:30:00.", "2014-02-14T",
        "2014-02-14T14:30:00ZZ", "2014-02-14T14:30:00Z+01", "2014-366", "2014-000", "2014-W54-1", "2014-W53-1", "2014-W07-8", "2014-W00",
        "1677-09-21T00:12:43.145224191Z", "2262-04-11T23:47:16.854775808Z", "0001-01-01", "9999-12-31T23:59:59Z", "hello", "1", "12:30",
        "-", "+", "nan", "inf", "0x10", "1e400", "99999999999999999999999999", "2014/02", "14.02", "32.01.2014", "13/13/2014",
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_true(refused(cases[i]));
    assert_int_equal(parse(&iso, "2012-366"), parse(&iso, "2012-12-31"));   /* a leap year has it */
    assert_int_equal(parse(&iso, "2015-W53-7"), parse(&iso, "2016-01-03")); /* a long year has it */
    int64_t ns;
    assert_false(tcsi_time_parse(&iso, "2014\00002-14", 10, &ns)); /* a NUL byte is no digit */
    char *long_text = test_malloc(1000000);
    memset(long_text, '1', 1000000);
    assert_false(tcsi_time_parse(&iso, long_text, 1000000, &ns));
    memset(long_text, ' ', 1000000);
    assert_false(tcsi_time_parse(&iso, long_text, 1000000, &ns));
    test_free(long_text);
}

static void test_messy_forms(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t offset_ns; } cases[] = {
        { "2014/02/14 14:30", 0 }, { "14.02.2014 14:30:00", 0 }, { "02/14/2014 2:30 PM", 0 }, { "14-Feb-2014 14:30:00", 0 },
        { "Feb 14 2014 2:30pm", 0 }, { "Feb 14, 2014, 14:30", 0 }, { "14 February 2014 14:30:00.000", 0 }, { "Feb. 14th, 2014 14:30", 0 },
        { "Fri, 14 Feb 2014 14:30:00 +0000", 0 }, { "Fri, 14 Feb 2014 09:30:00 EST", 0 }, { "Fri Feb 14 14:30:00 2014", 0 },
        { "Fri Feb 14 15:30:00 +0100 2014", 0 }, { "14-Feb-14 14:30", 0 }, { "2014-Feb-14 14:30", 0 }, { "14/02/14 14:30", 0 },
        { "2/14/2014 14:30:00.250", 250000000 }, { "Friday, 14. Feb 2014 14:30 UTC", 0 }, { "14:30:00 14.02.2014", 0 },
        { "Feb-14-2014 14:30", 0 }, { "2014.02.14 14:30:00", 0 }, { "2014/2/14T14:30", 0 }, { "14.2.2014 14:30", 0 },
        { "1392388200", 0 }, { "1392388200.5", 500000000 }, { "1392388200000", 0 }, { "1392388200000000", 0 },
        { "1392388200000000001", 1 }, { "1.3923882e9", 0 }, { "1392388200,000000001", 1 }, { "1392388200123.456", 123456000 },
        { "20140214143000", 0 }, { "2/14/2014 12:30 AM", -INT64_C(840) * TCSI_NS_PER_MINUTE },
        { "2/14/2014 12:30 PM", -INT64_C(120) * TCSI_NS_PER_MINUTE },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++)
        if (parse(&iso, cases[i].text) != T0 + cases[i].offset_ns) fail_msg("%s", cases[i].text);
}

/* Guesses the format of samples[0, n), a NULL-ended list; false when there is none. */
static bool guess(const char *const *samples, tcsi_time_format *ret_format)
{
    size_t lengths[64], count = 0;
    for (; samples[count]; count++) lengths[count] = strlen(samples[count]);
    return tcsi_time_guess(samples, lengths, count, ret_format);
}

#define GUESS(format, ...) guess((const char *const[]){ __VA_ARGS__, NULL }, (format))

static void test_guess(void **state)
{
    (void)state;
    tcsi_time_format f;
    assert_true(GUESS(&f, "2014-02-14 14:30:00", "2014-02-14 14:35:00", ""));
    assert_string_equal(tcsi_time_format_name(&f), "ISO 8601");
    assert_true(GUESS(&f, "1392388200", "1392388500"));
    assert_string_equal(tcsi_time_format_name(&f), "epoch seconds");
    assert_true(GUESS(&f, "1392388200000", "1392388500000"));
    assert_int_equal(f.kind, TCSI_TIME_EPOCH_MS);
    assert_true(GUESS(&f, "1392388200000000"));
    assert_int_equal(f.kind, TCSI_TIME_EPOCH_US);
    assert_true(GUESS(&f, "1392388200000000000", "NaN"));
    assert_int_equal(f.kind, TCSI_TIME_EPOCH_NS);
    assert_int_equal(parse(&f, "5"), 5); /* a unit once known holds for every magnitude */
    assert_true(GUESS(&f, "20140214", "20140215"));
    assert_int_equal(f.kind, TCSI_TIME_COMPACT);
    assert_true(GUESS(&f, "201402141430", "201402141435"));
    assert_int_equal(f.kind, TCSI_TIME_COMPACT);
    assert_int_equal(parse(&f, "201402141430"), T0);
    assert_true(GUESS(&f, "Fri, 14 Feb 2014 14:30:00 +0000"));
    assert_int_equal(f.kind, TCSI_TIME_NAMED_MONTH);
    assert_true(GUESS(&f, "2014/02/14 14:30"));
    assert_int_equal(f.kind, TCSI_TIME_YEAR_FIRST);
    assert_false(GUESS(&f, "1", "2", "3"));
    assert_false(GUESS(&f, "0.5", "-3", "1e9x"));
    assert_false(GUESS(&f, "", "NA", "null"));
    assert_false(tcsi_time_guess(NULL, NULL, 0, &f));
    assert_false(GUESS(&f, "pump", "valve", "2014-02-14"));
    assert_false(GUESS(&f, "2014-02-14", "pump"));
    assert_true(GUESS(&f, "2014-02-14", "2014-02-15", "2014-02-16", "broken"));
}

static void test_guess_day_or_month_first(void **state)
{
    (void)state;
    tcsi_time_format f;
    assert_true(GUESS(&f, "01/02/2014", "02/02/2014", "13/02/2014"));
    assert_string_equal(tcsi_time_format_name(&f), "day/month/year");
    assert_int_equal(parse(&f, "03/04/2014"), parse(&iso, "2014-04-03"));
    assert_true(GUESS(&f, "02/01/2014", "02/02/2014", "02/13/2014"));
    assert_string_equal(tcsi_time_format_name(&f), "month/day/year");
    assert_int_equal(parse(&f, "03/04/2014"), parse(&iso, "2014-03-04"));
    assert_int_equal(parse(&f, "13/04/2014"), parse(&iso, "2014-04-13")); /* cannot be a month: read the other way */
    /* Nothing above 12: neighbours are days apart, not months. */
    assert_true(GUESS(&f, "01/02/2014", "02/02/2014", "03/02/2014"));
    assert_false(f.month_first);
    assert_true(f.ambiguous);
    assert_true(GUESS(&f, "02/01/2014", "02/02/2014", "02/03/2014"));
    assert_true(f.month_first);
    /* Runs forwards only when the day is first. */
    assert_true(GUESS(&f, "11/01/2014", "12/01/2014", "01/02/2014", "02/02/2014"));
    assert_false(f.month_first);
    assert_false(f.ambiguous);
    /* Nothing to go by: the conventions. */
    assert_true(GUESS(&f, "02/03/2014 2:00 PM"));
    assert_true(f.month_first && f.ambiguous);
    assert_true(GUESS(&f, "02.03.2014 14:00"));
    assert_true(!f.month_first && f.ambiguous);
}

static void test_mixed_forms_in_one_column(void **state)
{
    (void)state;
    tcsi_time_format f;
    assert_true(GUESS(&f, "14.02.2014 14:30", "2014-02-14T14:30:00Z", "1392388200", "14.02.2014 14:40"));
    assert_int_equal(f.kind, TCSI_TIME_DAY_FIRST);
    assert_int_equal(parse(&f, "14.02.2014 14:30"), T0);
    assert_int_equal(parse(&f, "2014-02-14T15:30:00+01:00"), T0);
    assert_int_equal(parse(&f, "1392388200"), T0);
    assert_true(GUESS(&f, "1392388200", "1392388300", "2014-02-14 14:30"));
    assert_int_equal(parse(&f, "2014-02-14 14:30"), T0);
}

static void test_overrides(void **state)
{
    (void)state;
    tcsi_time_format f;
    assert_true(tcsi_time_format_by_name("excel", &f));
    assert_int_equal(parse(&f, "41684.6041666667"), T0);
    assert_int_equal(parse(&f, "1"), parse(&iso, "1899-12-31"));
    assert_int_equal(parse(&f, "-0.5"), parse(&iso, "1899-12-29T12:00:00"));
    assert_true(tcsi_time_format_by_name("Epoch Seconds", &f));
    assert_int_equal(parse(&f, "0"), 0);
    assert_int_equal(parse(&f, "-1.5"), -1500000000);
    assert_int_equal(parse(&f, "1e-9"), 1);
    assert_false(tcsi_time_format_by_name("julian", &f));
    f = (tcsi_time_format){ .kind = TCSI_TIME_ISO, .utc_offset_s = 3600 };
    assert_int_equal(parse(&f, "2014-02-14T15:30:00"), T0);
    assert_int_equal(parse(&f, "2014-02-14T14:30:00Z"), T0);
    assert_string_equal(tcsi_time_format_name(&(tcsi_time_format){ .kind = (tcsi_time_kind)77 }), "unknown");
}

static void test_limits_of_int64(void **state)
{
    (void)state;
    char text[TCSI_TIME_TEXT_SIZE];
    assert_int_equal(parse(&iso, "1677-09-21T00:12:43.145224192Z"), INT64_MIN);
    assert_int_equal(parse(&iso, "2262-04-11T23:47:16.854775807Z"), INT64_MAX);
    assert_int_equal(tcsi_time_format_iso(INT64_MIN, text, sizeof text), 30);
    assert_string_equal(text, "1677-09-21T00:12:43.145224192Z");
    tcsi_time_format_iso(INT64_MAX, text, sizeof text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
    assert_int_equal(tcsi_time_format_iso(T0 + 250000000, text, sizeof text), 23);
    assert_string_equal(text, "2014-02-14T14:30:00.25Z");
    assert_int_equal(tcsi_time_format_iso(-1, text, sizeof text), 30);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    assert_int_equal(tcsi_time_format_iso(T0, text, 20), 0);
    assert_string_equal(text, "");
    assert_int_equal(tcsi_time_format_iso(T0, text, 21), 20);
    assert_int_equal(tcsi_time_format_iso(T0, NULL, 0), 0);
}

static void test_every_day_there_and_back(void **state)
{
    (void)state;
    int64_t year = 1600, previous = tcsi_days_from_civil(1600, 1, 1) - 1;
    for (; year <= 2400; year++)
        for (unsigned month = 1; month <= 12; month++)
            for (unsigned day = 1; day <= tcsi_month_length(year, month); day++) {
                int64_t days = tcsi_days_from_civil(year, month, day), y;
                unsigned m, d;
                assert_int_equal(days, ++previous);
                tcsi_civil_from_days(days, &y, &m, &d);
                assert_true(y == year && m == month && d == day);
            }
    assert_int_equal(tcsi_days_from_civil(1970, 1, 1), 0);
}

static void test_random_stamps_there_and_back(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 1);
    char text[TCSI_TIME_TEXT_SIZE];
    for (int i = 0; i < 200000; i++) {
        int64_t ns = (int64_t)tcsi_rng_u64(&rng);
        if (i % 2) ns -= ns % TCSI_NS_PER_S;
        tcsi_time_format_iso(ns, text, sizeof text);
        assert_int_equal(parse(&iso, text), ns);
    }
}

/* Random bytes from the alphabet of stamps: never a crash, and whatever is read can be written and read again. */
static void test_random_text(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789012345-:/., TZ+eWAPMfb\0n";
    tcsi_rng rng = tcsi_rng_make(2, 1);
    size_t read_count = 0;
    for (int i = 0; i < 400000; i++) {
        char buffer[32], back[TCSI_TIME_TEXT_SIZE];
        size_t count = tcsi_rng_below(&rng, sizeof buffer);
        for (size_t k = 0; k < count; k++) buffer[k] = alphabet[tcsi_rng_below(&rng, sizeof alphabet - 1)];
        char *exact = test_malloc(count + (count == 0)); /* exact size: a sanitizer sees any read beyond */
        memcpy(exact, buffer, count);
        tcsi_time_format f = { .kind = (tcsi_time_kind)tcsi_rng_below(&rng, TCSI_TIME_KIND_COUNT), .month_first = i & 1 };
        int64_t ns;
        if (tcsi_time_parse(&f, exact, count, &ns)) {
            read_count++;
            tcsi_time_format_iso(ns, back, sizeof back);
            assert_int_equal(parse(&iso, back), ns);
        }
        const char *samples[1] = { exact };
        (void)tcsi_time_guess(samples, &count, 1, &f);
        test_free(exact);
    }
    assert_true(read_count > 100);
}

/* Twenty forms as Python's strftime writes them: the form is guessed from its stamps, then every one is read. */
static void test_golden_stamps(void **state)
{
    (void)state;
    enum { COUNT_MAX = 16 };
    char texts[COUNT_MAX][80];
    const char *samples[COUNT_MAX];
    size_t lengths[COUNT_MAX], count = 0, form_count = 0;
    long long seconds[COUNT_MAX], next_seconds = 0;
    int form = 0, next_form = 0;
    char next_text[80] = "";
    FILE *stream = fopen(test_source("tests/golden/series/times.txt"), "r");
    assert_non_null(stream);
    for (bool more = true; more;) {
        more = fscanf(stream, "%d\t%lld\t%79[^\n]", &next_form, &next_seconds, next_text) == 3;
        if (count > 0 && (!more || next_form != form)) {
            tcsi_time_format f;
            assert_true(tcsi_time_guess(samples, lengths, count, &f));
            for (size_t i = 0; i < count; i++)
                if (parse(&f, texts[i]) != seconds[i] * TCSI_NS_PER_S) fail_msg("'%s' read as %s", texts[i], tcsi_time_format_name(&f));
            form_count++;
            count = 0;
        }
        if (!more) break;
        assert_true(count < COUNT_MAX);
        form = next_form;
        seconds[count] = next_seconds;
        memcpy(texts[count], next_text, sizeof next_text);
        samples[count] = texts[count];
        lengths[count] = strlen(texts[count]);
        count++;
    }
    fclose(stream);
    assert_int_equal(form_count, 20);
}

static void test_speed(void **state)
{
    (void)state;
    enum { N = 2000000 };
    char text[64][TCSI_TIME_TEXT_SIZE];
    size_t lengths[64];
    for (int i = 0; i < 64; i++) lengths[i] = tcsi_time_format_iso(T0 + i * INT64_C(977654321), text[i], sizeof text[i]);
    int64_t begin = tcsi_clock_monotonic_ns(), sum = 0, ns = 0;
    for (int i = 0; i < N; i++) {
        if (!tcsi_time_parse(&iso, text[i & 63], lengths[i & 63], &ns)) fail();
        sum ^= ns;
    }
    double seconds = (double)(tcsi_clock_monotonic_ns() - begin) * 1e-9;
    print_message("# ISO stamps with fraction: %.1f M/s\n", N / seconds * 1e-6);
    assert_int_equal(sum, 0); /* every stamp was read an even number of times */
    assert_true(seconds < 10); /* a loose bound: the machine may be busy, or the build a debug one */
}

TCS_TEST_MAIN(cmocka_unit_test(test_iso_forms), cmocka_unit_test(test_iso_refusals), cmocka_unit_test(test_messy_forms),
              cmocka_unit_test(test_guess), cmocka_unit_test(test_guess_day_or_month_first),
              cmocka_unit_test(test_mixed_forms_in_one_column), cmocka_unit_test(test_overrides), cmocka_unit_test(test_limits_of_int64),
              cmocka_unit_test(test_every_day_there_and_back), cmocka_unit_test(test_random_stamps_there_and_back),
              cmocka_unit_test(test_random_text), cmocka_unit_test(test_golden_stamps), cmocka_unit_test(test_speed))
