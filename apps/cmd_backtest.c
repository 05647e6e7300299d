/* apps/cmd_backtest.c -- `tocsin backtest`: what a live service took in, judged once more from its journal.
 *
 * Exit status 1 when --verify finds a difference, which is the word of the command and stands on standard output like the report.
 * SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"
#include "progress.h"

#include "base/json.h"
#include "serve/backtest.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 10, DAYS_SHOWN_MAX = 31, REPORT_SIZE_MAX = 1 << 28 };
static const int64_t NS_PER_DAY = INT64_C(86400000000000);

typedef struct backtest_options {
    const char *data, *store, *from, *until, *budget, *scores, *episodes, *compare;
    size_t threads, series_max;
    bool verify, json;
} backtest_options;

#define AT(field) offsetof(backtest_options, field)
static const cli_option options[] = {
    { "--data", "FOLDER", CLI_TEXT, AT(data), "the service's, or a copy; the service may be running.  Default ./tocsin-data" },
    { "--alarm-budget", "N[/day]", CLI_TEXT, AT(budget), "what another one would have alarmed: 2/week, 1/day; default the service's own" },
    { "--from", "WHEN", CLI_TEXT, AT(from), "report from this time of receipt on, or from this number of a record; what came before is "
                                            "read all the same, since what is judged rests on it" },
    { "--until", "WHEN", CLI_TEXT, AT(until), "end with this time of receipt, or this record" },
    { "--scores", "FILE", CLI_TEXT, AT(scores), "write every row's score, one JSON object a line" },
    { "--episodes", "FILE", CLI_TEXT, AT(episodes), "write every step of every episode, as the service tells it" },
    { "--verify", NULL, CLI_FLAG, AT(verify), "compare with the episodes in the service's store; a difference is named, and the exit "
                                              "status is 1" },
    { "--compare", "FILE", CLI_TEXT, AT(compare), "and with the scores of an earlier run, byte by byte; needs --scores" },
    { "--json", NULL, CLI_FLAG, AT(json), "the report as one JSON document" },
    { "--threads", "N", CLI_COUNT, AT(threads), "that judge rows; default one per processor.  What is judged does not depend on it" },
    { "--series-max", "N", CLI_COUNT, AT(series_max), "as the service was given it; default 1000000" },
    { "--store", "URL", CLI_TEXT, AT(store), "the service's; default tocsin.db in the folder" },
};

/* Digits alone are a record, anything else is a time. */
static tcs_status parse_place(const char *option, const char *text, uint64_t *ret_record, int64_t *ret_time_ns, tcs_error *err)
{
    if (!text) return TCS_OK;
    if (*text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 20) {
        *ret_record = strtoull(text, NULL, 10);
        return TCS_OK;
    }
    const tcs_status status = tcs_time_parse(text, ret_time_ns, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "%s '%s'", option, text);
    return status;
}

static double days_of(const tcsi_backtest_report *report)
{
    return (double)(report->end_ns - report->begin_ns) / (double)NS_PER_DAY;
}

static double promised(const tcsi_backtest_report *report)
{
    return report->alarms_per_s * 86400 * days_of(report);
}

/* ---- for people ---- */

static void print_days(const tcsi_backtest_report *report)
{
    const size_t begin = report->day_count > DAYS_SHOWN_MAX ? report->day_count - DAYS_SHOWN_MAX : 0;
    if (report->day_count == 0) return;
    printf("\n  day          alarms  confirmed  absence  stuck  limit\n");
    if (begin) printf("  ... %zu days before\n", begin);
    for (size_t i = begin; i < report->day_count; i++) {
        const tcsi_backtest_day *day = &report->days[i];
        char text[64];
        (void)tcs_time_format(day->day * NS_PER_DAY, text, sizeof text);
        printf("  %.10s  %7llu  %9llu  %7llu  %5llu  %5llu\n", text, (unsigned long long)day->counts[TCSI_LIVE_ANOMALY],
               (unsigned long long)day->confirmed, (unsigned long long)day->counts[TCSI_LIVE_ABSENCE],
               (unsigned long long)day->counts[TCSI_LIVE_STUCK], (unsigned long long)day->counts[TCSI_LIVE_LIMIT]);
    }
}

static void print_series(const tcsi_backtest_report *report)
{
    if (report->listed_count == 0) return;
    printf("\n  alarms  confirmed  absence  stuck  limit  series\n");
    for (size_t i = 0; i < report->listed_count && i < LISTED_MAX; i++) {
        const tcsi_backtest_series *series = &report->series[i];
        printf("  %6llu  %9llu  %7llu  %5llu  %5llu  %s\n", (unsigned long long)series->counts[TCSI_LIVE_ANOMALY],
               (unsigned long long)series->confirmed, (unsigned long long)series->counts[TCSI_LIVE_ABSENCE],
               (unsigned long long)series->counts[TCSI_LIVE_STUCK], (unsigned long long)series->counts[TCSI_LIVE_LIMIT], series->name);
    }
    if (report->listed_count > LISTED_MAX) printf("  ... %zu series more\n", report->listed_count - LISTED_MAX);
}

static void print_verdict(const backtest_options *o, const tcsi_backtest_report *report, uint64_t line)
{
    if (o->verify && report->differing_count)
        printf("\n  DIFFERENT: at least %llu of %llu episodes; first %s\n", (unsigned long long)report->differing_count,
               (unsigned long long)report->compared_count, report->difference);
    else if (o->verify) printf("\n  the same: all %llu episodes of the service's store\n", (unsigned long long)report->compared_count);
    if (o->compare && line) printf("  DIFFERENT: %s from %s, first in line %llu\n", o->scores, o->compare, (unsigned long long)line);
    else if (o->compare) printf("  the same: every score of %s\n", o->compare);
}

static void print_report(const backtest_options *o, const tcsi_backtest_report *report, uint64_t line)
{
    char begin[64] = "", end[64] = "";
    (void)tcs_time_format(report->begin_ns, begin, sizeof begin);
    (void)tcs_time_format(report->end_ns, end, sizeof end);
    printf("%s  records %llu to %llu, from %s\n", o->data ? o->data : "tocsin-data", (unsigned long long)report->start + 1,
           (unsigned long long)(report->start + report->record_count), report->start ? "a snapshot" : "the first");
    printf("  %llu rows of %zu series, %llu scored; stamps from %s to %s\n", (unsigned long long)report->row_count, report->series_count,
           (unsigned long long)report->scored_count, begin, end);
    printf("  alarms: %llu raised, %llu of them confirmed; chance was allowed %.3g in %.3g days (%.3g a day)\n",
           (unsigned long long)report->counts[TCSI_LIVE_ANOMALY], (unsigned long long)report->confirmed, promised(report), days_of(report),
           86400 * report->alarms_per_s);
    print_days(report);
    print_series(report);
    print_verdict(o, report, line);
}

/* ---- for programs ---- */

static void put_counts(tcsi_json_writer *writer, const uint64_t *counts, uint64_t confirmed)
{
    tcsi_json_put_integer(writer, "alarms", (int64_t)counts[TCSI_LIVE_ANOMALY]);
    tcsi_json_put_integer(writer, "confirmed", (int64_t)confirmed);
    tcsi_json_put_integer(writer, "absence", (int64_t)counts[TCSI_LIVE_ABSENCE]);
    tcsi_json_put_integer(writer, "stuck", (int64_t)counts[TCSI_LIVE_STUCK]);
    tcsi_json_put_integer(writer, "limit", (int64_t)counts[TCSI_LIVE_LIMIT]);
}

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[64];
    (void)tcs_time_format(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

static void put_lists(tcsi_json_writer *writer, const tcsi_backtest_report *report)
{
    tcsi_json_key(writer, "days");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < report->day_count; i++) {
        char text[64];
        (void)tcs_time_format(report->days[i].day * NS_PER_DAY, text, sizeof text);
        text[10] = 0;
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "day", text);
        put_counts(writer, report->days[i].counts, report->days[i].confirmed);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
    tcsi_json_key(writer, "series");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < report->listed_count; i++) {
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "series", report->series[i].name);
        put_counts(writer, report->series[i].counts, report->series[i].confirmed);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
}

static tcs_status print_json(const backtest_options *o, const tcsi_backtest_report *report, uint64_t line, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcsi_buffer_init(&text, REPORT_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, true);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_integer(&writer, "behind", (int64_t)report->start);
    tcsi_json_put_integer(&writer, "records", (int64_t)report->record_count);
    tcsi_json_put_integer(&writer, "rows", (int64_t)report->row_count);
    tcsi_json_put_integer(&writer, "scored", (int64_t)report->scored_count);
    tcsi_json_put_integer(&writer, "series_count", (int64_t)report->series_count);
    put_time(&writer, "begin", report->begin_ns);
    put_time(&writer, "end", report->end_ns);
    tcsi_json_put_number(&writer, "alarms_per_day", 86400 * report->alarms_per_s);
    tcsi_json_put_number(&writer, "promised", promised(report));
    put_counts(&writer, report->counts, report->confirmed);
    put_lists(&writer, report);
    if (o->verify) {
        tcsi_json_put_integer(&writer, "compared", (int64_t)report->compared_count);
        tcsi_json_put_integer(&writer, "differing", (int64_t)report->differing_count);
        tcsi_json_put_string(&writer, "difference", report->difference);
    }
    if (o->compare) tcsi_json_put_integer(&writer, "scores_differ_in_line", (int64_t)line);
    tcsi_json_end_object(&writer);
    const tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) printf("%s\n", text.data);
    tcsi_buffer_deinit(&text);
    return status;
}

/* ---- the command ---- */

static void show(void *context, double share)
{
    (void)cli_progress_show(context, share);
}

static int backtest(const backtest_options *o, const tcsi_backtest_options *asked, tcs_error *err)
{
    tcsi_backtest_report report = { 0 };
    uint64_t line = 0;
    tcs_status status = tcsi_backtest_run(asked, &report, err);
    if (asked->context) cli_progress_hide(asked->context);
    if (status == TCS_OK && o->compare) status = tcsi_backtest_compare(o->scores, o->compare, &line, err);
    if (status == TCS_OK && o->json) status = print_json(o, &report, line, err);
    else if (status == TCS_OK) print_report(o, &report, line);
    const bool is_different = report.differing_count || line;
    tcsi_backtest_report_deinit(&report);
    if (status != TCS_OK) return cli_fail("backtest", err);
    return is_different ? EXIT_FAILED : EXIT_DONE;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const backtest_options *o = raw;
    cli_progress progress = cli_progress_begin();
    tcs_error err = { 0 };
    tcsi_backtest_options asked = { .folder = o->data ? o->data : "tocsin-data", .store = o->store, .thread_count = o->threads,
                                    .series_count_max = o->series_max, .scores = o->scores, .episodes = o->episodes,
                                    .verifies = o->verify, .progress = show, .context = &progress };
    (void)inputs;
    (void)input_count;
    tcs_status status = o->budget ? cli_budget_parse(o->budget, &asked.alarms_per_s, &err) : TCS_OK;
    if (status == TCS_OK) status = parse_place("--from", o->from, &asked.from, &asked.from_ns, &err);
    if (status == TCS_OK) status = parse_place("--until", o->until, &asked.until, &asked.until_ns, &err);
    if (status == TCS_OK && o->compare && (!o->scores || strcmp(o->scores, o->compare) == 0))
        status = tcsi_fail(&err, TCS_E_INVALID, "--compare FILE: needs --scores with another file");
    return status == TCS_OK ? backtest(o, &asked, &err) : cli_fail("backtest", &err);
}

const cli_command cli_backtest = {
    .name = "backtest",
    .positional = "",
    .summary = "judge once more what a live service took in",
    .description = "Reads the journal of `tocsin serve`, which may be running, and judges every row again by the same code: scores, "
                   "episodes, and how many alarms were raised against how many chance was allowed. With the service's own budget "
                   "everything comes out bit for bit as it did, which --verify checks; with another one it says what would have been "
                   "alarmed.\n\n"
                   "The journal goes back to its first record with `tocsin serve --keep-journal`; otherwise to the oldest snapshot, and "
                   "reading begins there.",
    .examples = "  tocsin backtest --data /var/lib/tocsin --verify\n"
                "  tocsin backtest --alarm-budget 2/week --until 2026-11-20\n"
                "  tocsin backtest --scores scores.ndjson --episodes episodes.ndjson --json\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_size = sizeof(backtest_options),
    .run = run,
};
