/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/report.h"

#include "serve/deep/challenger.h"
#include "series/time.h"

#include <stdio.h>

const char *const tcsi_deep_state_names[TCSI_DEEP_STATE_COUNT] = { "off", "training", "on", "open" };

static uint64_t unconfirmed_count(const tcsi_second_look_counts *counts)
{
    return counts->expired + counts->overflowed + counts->held_back;
}

tcsi_deep_state tcsi_deep_report_state(const tcsi_deep_report *report)
{
    if (!report->deep) return TCSI_DEEP_OFF;
    if (tcsi_live_stat(report->live).second_look.open_cells) return TCSI_DEEP_OPEN;
    const tcsi_deep_stats stats = tcsi_deep_stat(report->deep);
    return stats.model[0] ? TCSI_DEEP_ON : TCSI_DEEP_TRAINING;
}

void tcsi_deep_report_write(const tcsi_deep_report *report, tcsi_json_writer *writer)
{
    const tcsi_second_look_counts counts = tcsi_live_stat(report->live).second_look;
    const tcsi_deep_stats none = { .model = "" }, stats = report->deep ? tcsi_deep_stat(report->deep) : none;
    tcsi_json_key(writer, "deep");
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "state", tcsi_deep_state_names[tcsi_deep_report_state(report)]);
    tcsi_json_put_string(writer, "model", stats.model);
    tcsi_json_put_integer(writer, "escalated", (int64_t)counts.asked[TCSI_QUESTION_ESCALATED]);
    tcsi_json_put_integer(writer, "sampled", (int64_t)counts.asked[TCSI_QUESTION_SAMPLED]);
    tcsi_json_put_integer(writer, "answered", (int64_t)counts.answered);
    tcsi_json_put_integer(writer, "unconfirmed", (int64_t)unconfirmed_count(&counts));
    tcsi_json_put_integer(writer, "opened", (int64_t)counts.opened);
    tcsi_json_put_integer(writer, "waiting", (int64_t)stats.waiting_count);
    tcsi_json_put_number(writer, "verdict_p50_seconds", tcsi_deep_latency(&stats, 0.5));
    tcsi_json_put_number(writer, "verdict_p99_seconds", tcsi_deep_latency(&stats, 0.99));
    tcsi_json_put_number(writer, "deadline_seconds", report->deadline_s);
    tcsi_json_end_object(writer);
}

/* Whether networks that the service trained wait for the challenger: until when at most, and which one is next. */
static void write_hold(const tcsi_teacher_stats *teacher, tcsi_json_writer *writer)
{
    char until[TCSI_TIME_TEXT_SIZE];
    tcsi_json_put_bool(writer, "is_held", teacher->hold.is_on);
    if (teacher->hold.is_on && tcsi_time_format_iso(teacher->hold.end_ns, until, sizeof until) > 0)
        tcsi_json_put_string(writer, "held_until", until);
    tcsi_json_put_string(writer, "waiting", teacher->waiting);
}

void tcsi_deep_report_write_challenger(const tcsi_deep_report *report, tcsi_json_writer *writer)
{
    const tcsi_deep_stats none = { .model = "" }, stats = report->deep ? tcsi_deep_stat(report->deep) : none;
    const tcsi_deep_shadow *shadow = &stats.shadow;
    tcsi_json_key(writer, "challenger");
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "model", shadow->model);
    tcsi_json_put_string(writer, "champion", stats.model);
    tcsi_json_put_integer(writer, "made", (int64_t)stats.teacher.challenger_count);
    tcsi_json_put_integer(writer, "labels_true", (int64_t)stats.teacher.labels[1]);
    tcsi_json_put_integer(writer, "labels_other", (int64_t)stats.teacher.labels[0]);
    tcsi_json_put_integer(writer, "compared", (int64_t)shadow->compared);
    tcsi_json_put_integer(writer, "skipped", (int64_t)shadow->skipped);
    tcsi_json_put_integer(writer, "confirmed_both", (int64_t)shadow->both);
    tcsi_json_put_integer(writer, "confirmed_challenger", (int64_t)shadow->challenger_only);
    tcsi_json_put_integer(writer, "confirmed_champion", (int64_t)shadow->champion_only);
    tcsi_json_put_integer(writer, "answered", (int64_t)shadow->answered);
    tcsi_json_put_integer(writer, "wanted", TCSI_CHALLENGER_ROWS_MIN);
    write_hold(&stats.teacher, writer);
    tcsi_json_end_object(writer);
}

bool tcsi_deep_report_check(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    const tcsi_deep_report *report = context;
    const tcsi_second_look_counts counts = tcsi_live_stat(report->live).second_look;
    if (counts.open_cells == 0) return true;
    snprintf(ret_reason, TCSI_HEALTH_REASON_SIZE, "answers came late in %llu of %d cells: what the fast layer says stands, unconfirmed",
             (unsigned long long)counts.open_cells, TCSI_CELL_COUNT);
    return false;
}

/* ---- figures ---- */

enum { QUESTIONS, OUTCOMES, LATE, OPENED, MISSED, QUEUE, BREAKERS, TRAININGS, TRAIN_SECONDS, STATE, LABELS, CHALLENGERS, SHADOW,
       SKIPPED, CANARY, ROW_COUNT };

static const tcsi_metric_row rows[ROW_COUNT] = {
    [QUESTIONS] = { .name = "tocsin_deep_questions_total", .kind = TCSI_METRIC_COUNTER, .help = "Rows that the deep layer was asked about.",
                    .labels = { "sort" } },
    [OUTCOMES] = { .name = "tocsin_deep_answers_total", .kind = TCSI_METRIC_COUNTER,
                   .help = "What became of rows that deserved a second look.", .labels = { "outcome" } },
    [LATE] = { .name = "tocsin_deep_discarded_total", .kind = TCSI_METRIC_COUNTER,
               .help = "Questions that deep workers did not answer: overdue, failed, or beyond their queue.", .labels = { "reason" } },
    [OPENED] = { .name = "tocsin_deep_episodes_total", .kind = TCSI_METRIC_COUNTER, .help = "Episodes that the deep layer opened." },
    [MISSED] = { .name = "tocsin_deep_missed_rows", .kind = TCSI_METRIC_GAUGE,
                 .help = "Rows that the fast layer passed and the deep layer would have raised: estimated from the sample." },
    [QUEUE] = { .name = "tocsin_deep_queue", .kind = TCSI_METRIC_GAUGE, .help = "Questions that wait for a deep worker." },
    [BREAKERS] = { .name = "tocsin_deep_breakers_open", .kind = TCSI_METRIC_GAUGE,
                   .help = "Cells that ask the deep layer nothing, or little." },
    [TRAININGS] = { .name = "tocsin_deep_trainings_total", .kind = TCSI_METRIC_COUNTER, .help = "Trainings of the network." },
    [TRAIN_SECONDS] = { .name = "tocsin_deep_train_seconds_total", .kind = TCSI_METRIC_COUNTER, .unit = "seconds",
                        .help = "Processor time that training took." },
    [STATE] = { .name = "tocsin_deep_state", .kind = TCSI_METRIC_GAUGE, .help = "1 for the state that the deep layer is in.",
                .labels = { "state" } },
    [LABELS] = { .name = "tocsin_deep_labels", .kind = TCSI_METRIC_GAUGE,
                 .help = "Windows that people have answered, and a challenger learns from.", .labels = { "answer" } },
    [CHALLENGERS] = { .name = "tocsin_deep_challengers_total", .kind = TCSI_METRIC_COUNTER,
                      .help = "Challengers that were made out of answers." },
    [SHADOW] = { .name = "tocsin_deep_shadow_rows", .kind = TCSI_METRIC_GAUGE,
                 .help = "Rows out of the ordinary that challenger and champion have both scored, by who would confirm them.",
                 .labels = { "confirmed_by" } },
    [SKIPPED] = { .name = "tocsin_deep_shadow_skipped_rows", .kind = TCSI_METRIC_GAUGE,
                  .help = "Rows that the challenger had no time for." },
    [CANARY] = { .name = "tocsin_deep_canary_share", .kind = TCSI_METRIC_GAUGE,
                 .help = "Share of the series that a challenger answers for." },
};

static tcsi_second_look_counts counts_of(void *context)
{
    return tcsi_live_stat(((tcsi_deep_report *)context)->live).second_look;
}

static tcsi_deep_stats stats_of(void *context)
{
    const tcsi_deep_report *report = context;
    const tcsi_deep_stats none = { .model = "" };
    return report->deep ? tcsi_deep_stat(report->deep) : none;
}

static double read_neither(void *context)
{
    const tcsi_deep_shadow shadow = stats_of(context).shadow;
    return (double)(shadow.compared - shadow.both - shadow.challenger_only - shadow.champion_only);
}

#define FIGURE(name, expression) static double name(void *context) { return (double)(expression); }
FIGURE(read_escalated, counts_of(context).asked[TCSI_QUESTION_ESCALATED])
FIGURE(read_sampled, counts_of(context).asked[TCSI_QUESTION_SAMPLED])
FIGURE(read_answered, counts_of(context).answered)
FIGURE(read_untrained, counts_of(context).untrained)
FIGURE(read_expired, counts_of(context).expired)
FIGURE(read_overflowed, counts_of(context).overflowed)
FIGURE(read_held_back, counts_of(context).held_back)
FIGURE(read_opened, counts_of(context).opened)
FIGURE(read_missed, counts_of(context).missed)
FIGURE(read_open_cells, counts_of(context).open_cells)
FIGURE(read_late, stats_of(context).late_count)
FIGURE(read_failed, stats_of(context).failed_count)
FIGURE(read_lost, stats_of(context).lost_count)
FIGURE(read_queue, stats_of(context).waiting_count)
FIGURE(read_trainings, stats_of(context).teacher.trained_count)
FIGURE(read_train_s, stats_of(context).teacher.processor_s)
FIGURE(read_labels_true, stats_of(context).teacher.labels[1])
FIGURE(read_labels_other, stats_of(context).teacher.labels[0])
FIGURE(read_challengers, stats_of(context).teacher.challenger_count)
FIGURE(read_both, stats_of(context).shadow.both)
FIGURE(read_challenger_only, stats_of(context).shadow.challenger_only)
FIGURE(read_champion_only, stats_of(context).shadow.champion_only)
FIGURE(read_skipped, stats_of(context).shadow.skipped)
FIGURE(read_canary, stats_of(context).canary.share)
FIGURE(read_off, tcsi_deep_report_state(context) == TCSI_DEEP_OFF)
FIGURE(read_training, tcsi_deep_report_state(context) == TCSI_DEEP_TRAINING)
FIGURE(read_on, tcsi_deep_report_state(context) == TCSI_DEEP_ON)
FIGURE(read_open, tcsi_deep_report_state(context) == TCSI_DEEP_OPEN)
#undef FIGURE

static const struct {
    int row;
    const char *label;
    double (*read)(void *context);
} figures[] = {
    { QUESTIONS, "escalated", read_escalated }, { QUESTIONS, "sampled", read_sampled },
    { OUTCOMES, "answered", read_answered },    { OUTCOMES, "untrained", read_untrained },
    { OUTCOMES, "expired", read_expired },      { OUTCOMES, "overflowed", read_overflowed },
    { OUTCOMES, "held_back", read_held_back },  { LATE, "late", read_late },
    { LATE, "failed", read_failed },            { LATE, "lost", read_lost },
    { OPENED, NULL, read_opened },              { MISSED, NULL, read_missed },
    { QUEUE, NULL, read_queue },                { BREAKERS, NULL, read_open_cells },
    { TRAININGS, NULL, read_trainings },        { TRAIN_SECONDS, NULL, read_train_s },
    { LABELS, "true", read_labels_true },       { LABELS, "other", read_labels_other },
    { CHALLENGERS, NULL, read_challengers },    { SHADOW, "both", read_both },
    { SHADOW, "challenger", read_challenger_only }, { SHADOW, "champion", read_champion_only },
    { SHADOW, "neither", read_neither },        { SKIPPED, NULL, read_skipped },
    { CANARY, NULL, read_canary },              { STATE, "off", read_off },
    { STATE, "training", read_training },
    { STATE, "on", read_on },                   { STATE, "open", read_open },
};

tcs_status tcsi_deep_report_bind(tcsi_deep_report *report, tcsi_metrics *metrics, tcs_error *err)
{
    size_t begin;
    const tcs_status status = tcsi_metrics_add(metrics, rows, ROW_COUNT, &begin, err);
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(figures); i++) {
        const char *const labels[] = { figures[i].label };
        const tcsi_metric metric = tcsi_metrics_get(metrics, begin + (size_t)figures[i].row, figures[i].label ? labels : NULL);
        tcsi_metric_bind(metric, figures[i].read, report);
    }
    return status;
}
