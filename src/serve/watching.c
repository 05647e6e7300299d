/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/watching.h"

#include "base/alloc.h"
#include "base/log.h"
#include "serve/deliver/outbox_store.h"
#include "serve/watch_hours.h"
#include "series/time.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t ANSWERS_NS = INT64_C(30) * 86400 * 1000000000, ANSWERS_EACH_NS = INT64_C(600) * 1000000000;

enum { VALUE, BOUND, BREACHED, METRIC_COUNT };

/* A metric that is asked when somebody reads. */
typedef struct asked {
    tcsi_watching *watching;
    tcsi_watch_figure figure;
    int what;
} asked;

struct tcsi_watching {
    tcsi_watching_options options;
    tcsi_watch *watch;
    tcsi_outbox outbox;
    uint64_t answered_true, answered_false; /* as of answers_ns: labels are read now and then */
    int64_t answers_ns;
    asked asked[TCSI_WATCH_COUNT * METRIC_COUNT];
};

/* ---- telling ---- */

static void put_alert(tcsi_watching *w, const tcsi_watched *watched, const char *sentence, int64_t now_ns)
{
    const tcsi_watch_row *row = &tcsi_watch_rows[watched->figure];
    const bool is_open = watched->state == TCSI_WATCH_BREACHED;
    const tcsi_alert_tag tags[] = { { "__name__", "tocsin_watch" }, { "figure", row->name } };
    char id[64];
    tcs_error failure;
    snprintf(id, sizeof id, "watch-%s", row->name);
    const tcsi_alert alert = { .tags = tags, .tag_count = TCS_COUNT(tags), .episode_id = id, .incident_id = "",
                               .state = is_open ? TCSI_ALERT_CONFIRMED : TCSI_ALERT_RESOLVED, .revision = 1 + !is_open,
                               .starts_ns = watched->since_ns, .ends_ns = is_open ? 0 : now_ns, .updated_ns = now_ns, .severity = 60,
                               .value = watched->value, .expected_lower = row->is_floor ? watched->bound : 0,
                               .expected_upper = row->is_floor ? 1 : watched->bound, .summary = sentence, .description = row->help,
                               .url = "", .trace = "" };
    for (size_t i = 0; i < w->options.settings->receiver_count; i++) {
        const tcsi_receiver *receiver = &w->options.settings->receivers[i];
        if (!tcsi_receiver_wants(receiver, &alert, false)) continue;
        if (tcsi_deliver_put(&w->outbox, receiver, &alert, 0, now_ns, &failure) != TCS_OK)
            tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
    }
    if (w->options.deliver) tcsi_deliver_wake(w->options.deliver);
}

static void write_figure(const tcsi_watched *watched, tcsi_json_writer *writer)
{
    const tcsi_watch_row *row = &tcsi_watch_rows[watched->figure];
    char text[TCSI_TIME_TEXT_SIZE];
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "figure", row->name);
    tcsi_json_put_string(writer, "state", tcsi_watch_state_names[watched->state]);
    tcsi_json_put_number(writer, "value", watched->value);
    tcsi_json_put_number(writer, "low", watched->low);
    tcsi_json_put_number(writer, "high", watched->high);
    tcsi_json_put_number(writer, "bound", watched->bound);
    tcsi_json_put_bool(writer, "is_floor", row->is_floor);
    tcsi_json_put_string(writer, "unit", row->unit);
    tcsi_json_put_string(writer, "help", row->help);
    tcsi_json_put_string(writer, "runbook", row->runbook);
    if (watched->since_ns && tcsi_time_format_iso(watched->since_ns, text, sizeof text) > 0) tcsi_json_put_string(writer, "since", text);
    tcsi_json_end_object(writer);
}

static void publish(tcsi_watching *w, const tcsi_watched *watched)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcs_error failure;
    tcsi_buffer_init(&text, 1 << 14);
    tcsi_json_writer_init(&writer, &text, false);
    write_figure(watched, &writer);
    if (tcsi_json_finish(&writer, &failure) != TCS_OK || tcsi_events_publish(w->options.events, "watch", text.data, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "%s", failure.text);
    tcsi_buffer_deinit(&text);
}

static void on_tell(void *self, const tcsi_watched *watched, const char *sentence, int64_t now_ns)
{
    tcsi_watching *w = self;
    const bool is_open = watched->state == TCSI_WATCH_BREACHED;
    tcsi_log(is_open ? TCSI_LOG_WARNING : TCSI_LOG_INFO, is_open ? "SERVE-WATCH-BREACHED" : "SERVE-WATCH-FINE", "%s", sentence);
    if (w->options.events) publish(w, watched);
    if (w->options.settings) put_alert(w, watched, sentence, now_ns);
}

/* ---- counting ---- */

typedef struct answers {
    int64_t since_ns;
    uint64_t good, bad;
} answers;

static bool count_answer(void *context, const tcsi_store_label *label)
{
    answers *a = context;
    if (label->is_undone || !*label->verdict || label->time_ns < a->since_ns) return true;
    if (strcmp(label->verdict, "true") == 0) a->good++;
    else a->bad++;
    return true;
}

static void read_answers(tcsi_watching *w, int64_t now_ns)
{
    answers a = { .since_ns = now_ns - ANSWERS_NS };
    tcs_error failure;
    if (w->answers_ns && now_ns - w->answers_ns < ANSWERS_EACH_NS) return;
    if (tcsi_store_label_list(w->options.store, NULL, 0, 0, count_answer, &a, &failure) != TCS_OK) return; /* the keeper says so */
    w->answers_ns = now_ns;
    w->answered_true = a.good;
    w->answered_false = a.bad;
}

void tcsi_watching_take(tcsi_watching *w, int64_t now_ns)
{
    const tcsi_intake_stats intake = tcsi_intake_stat(w->options.intake);
    read_answers(w, now_ns);
    tcsi_watch_sample sample = { .time_ns = now_ns, .live = tcsi_live_stat(w->options.live),
                                 .alarms = tcsi_keeper_count(w->options.keeper, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED),
                                 .alarms_per_s = tcsi_live_budget(w->options.live), .answered_true = w->answered_true,
                                 .answered_false = w->answered_false };
    const tcsi_second_look_counts *look = &sample.live.second_look;
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++) sample.not_received += intake.outcomes[i];
    sample.deep_unconfirmed = look->expired + look->overflowed + look->held_back;
    sample.deep_asked = look->answered + sample.deep_unconfirmed;
    tcsi_watch_take(w->watch, &sample);
}

void tcsi_watching_keep(tcsi_watching *w, int64_t now_ns)
{
    tcsi_watched watched[TCSI_WATCH_COUNT];
    tcs_error failure;
    for (int i = 0; i < TCSI_WATCH_COUNT; i++) watched[i] = tcsi_watch_read(w->watch, (tcsi_watch_figure)i);
    if (tcsi_watch_hours_keep(w->options.hours, watched, now_ns, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-WATCH-LOST", "what was watched is not kept: %s", failure.text);
}

void tcsi_watching_write(tcsi_watching *w, tcsi_json_writer *writer)
{
    tcsi_json_begin_array(writer);
    for (int i = 0; i < TCSI_WATCH_COUNT; i++) {
        const tcsi_watched watched = tcsi_watch_read(w->watch, (tcsi_watch_figure)i);
        write_figure(&watched, writer);
    }
    tcsi_json_end_array(writer);
}

/* ---- figures about it ---- */

static const tcsi_metric_row metric_rows[METRIC_COUNT] = {
    [VALUE] = { .name = "tocsin_watch_value", .kind = TCSI_METRIC_GAUGE, .help = "What the service watches about itself; NaN: unknown.",
                .labels = { "figure" } },
    [BOUND] = { .name = "tocsin_watch_bound", .kind = TCSI_METRIC_GAUGE, .help = "Beyond which it complains.", .labels = { "figure" } },
    [BREACHED] = { .name = "tocsin_watch_breached", .kind = TCSI_METRIC_GAUGE, .help = "1: it complains.", .labels = { "figure" } },
};

static double answer(void *context)
{
    const asked *a = context;
    const tcsi_watched watched = tcsi_watch_read(a->watching->watch, a->figure);
    return a->what == VALUE ? watched.value : a->what == BOUND ? watched.bound : watched.state == TCSI_WATCH_BREACHED;
}

static tcs_status bind_metrics(tcsi_watching *w, tcs_error *err)
{
    size_t begin;
    const tcs_status status = tcsi_metrics_add(w->options.metrics, metric_rows, METRIC_COUNT, &begin, err);
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(w->asked); i++) {
        asked *a = &w->asked[i];
        *a = (asked){ w, (tcsi_watch_figure)(i / METRIC_COUNT), (int)(i % METRIC_COUNT) };
        const char *const labels[] = { tcsi_watch_rows[a->figure].name };
        tcsi_metric_bind(tcsi_metrics_get(w->options.metrics, begin + (size_t)a->what, labels), answer, a);
    }
    return status;
}

tcs_status tcsi_watching_create(const tcsi_watching_options *options, tcsi_watching **ret_watching, tcs_error *err)
{
    tcsi_watching *w = TCSI_NEW(tcsi_watching);
    if (!w) return tcsi_fail_memory(err, "a watch");
    w->options = *options;
    w->outbox = tcsi_outbox_of_store(options->store);
    const tcsi_watch_options watch = { .latency_s = options->latency_s, .tell = on_tell, .self = w };
    tcs_status status = tcsi_watch_create(&watch, &w->watch, err);
    if (status == TCS_OK) status = bind_metrics(w, err);
    if (status == TCS_OK) *ret_watching = w;
    else tcsi_watching_destroy(w);
    return status;
}

void tcsi_watching_destroy(tcsi_watching *w)
{
    if (!w) return;
    tcsi_watch_destroy(w->watch);
    tcsi_free(w);
}
