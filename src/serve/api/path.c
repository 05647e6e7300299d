/* serve/api/path.c -- the path of an episode's row through the service, from the request that brought it to those who were told.
 *
 * Each step is an object: "step", "says" (in words), and the figures of its own.  All of it is what was kept at the time: the document's
 * grounds, the incident, the outbox; what is not known any more has no step.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/explained.h"

#include "serve/why/first_look.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SAYS_SIZE = 400 };

static void begin_step(tcsi_json_writer *writer, const char *step, const char *format, ...) TCS_PRINTF(3, 4);

static void begin_step(tcsi_json_writer *writer, const char *step, const char *format, ...)
{
    char text[SAYS_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "step", step);
    tcsi_json_put_string(writer, "says", text);
}

static void write_receipt(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_grounds *g = &e->grounds;
    char trace[TCSI_TRACEPARENT_SIZE + 1] = "";
    if (e->api->traces) tcsi_traces_find(e->api->traces, g->sequence, trace);
    begin_step(writer, "received", "by a request %s", *trace ? "that carried a trace" : "without a trace, or long ago");
    if (g->onset.is_known) tcsi_api_put_time(writer, "time", g->onset.received_ns);
    tcsi_api_put_time(writer, "stamped", g->onset.time_ns);
    tcsi_json_put_string(writer, "trace", trace);
    tcsi_json_end_object(writer);
}

static void write_journal(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_journal_stats journal = tcsi_journal_stat(tcsi_intake_journal(e->api->intake));
    const bool is_kept = e->grounds.sequence >= journal.sequence_first;
    begin_step(writer, "journal", "durable as record %llu before its sender was told; %s", (unsigned long long)e->grounds.sequence,
               is_kept ? "the record is still kept" : "the record is not kept any more");
    tcsi_json_put_integer(writer, "sequence", (int64_t)e->grounds.sequence);
    tcsi_json_put_bool(writer, "kept", is_kept);
    tcsi_json_end_object(writer);
}

static void write_first_look(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_grounds_row *row = &e->grounds.onset;
    if (!row->is_known) return;
    const tcsi_first_look look = tcsi_first_look_of(row);
    begin_step(writer, "outcome", "accepted: newer than all rows before it");
    tcsi_json_end_object(writer);
    begin_step(writer, "first look", "%.6g came where %.6g \xc2\xb1 %.3g was expected: a score of %.3g deviations, by a %s", row->value,
               look.parts.forecast, look.parts.rest_spread, look.score, look.is_shift ? "shift from the level" : "jump from the forecast");
    tcsi_json_put_number(writer, "score", look.score);
    tcsi_json_end_object(writer);
    begin_step(writer, "cohort", "%.3g times what is usual for the series is a height of %.3g; the threshold among all series was %.3g",
               look.score / look.usual, look.height, look.threshold);
    tcsi_json_put_number(writer, "height", look.height);
    tcsi_json_put_number(writer, "threshold", look.threshold);
    tcsi_json_put_number(writer, "allowed", e->grounds.allowed);
    tcsi_json_end_object(writer);
}

static void write_answer(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_grounds_answer *answer = &e->grounds.answer;
    const char *verdict = tcsi_explained_text(e, "verdict");
    char model[TCSI_HASH_TEXT_SIZE];
    if (!answer->time_ns) {
        if (strcmp(verdict, "none") == 0 || !*verdict) return;
        begin_step(writer, "second look", "the deep layer was asked and has not answered%s",
                   strcmp(verdict, "unconfirmed") == 0 ? " in time: the first look's word stands" : " so far");
        tcsi_json_put_string(writer, "verdict", verdict);
        tcsi_json_end_object(writer);
        return;
    }
    const double counted = tcsi_second_look_counted(answer->p_value, (double)answer->mean);
    tcsi_hash_text(answer->model, model);
    begin_step(writer, "second look", "the deep layer gave it a chance of %.3g, which counts as %.3g on this series; up to %.3g it decides",
               (double)answer->p_value, counted, (double)answer->limit);
    tcsi_api_put_time(writer, "of", answer->time_ns);
    tcsi_json_put_string(writer, "verdict", verdict);
    tcsi_json_put_string(writer, "model", model);
    tcsi_json_put_number(writer, "p_value", counted);
    tcsi_json_put_number(writer, "limit", (double)answer->limit);
    tcsi_json_end_object(writer);
}

static void write_decision(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_grounds *g = &e->grounds;
    const char *suppressed_by = tcsi_explained_text(e, "suppressed_by");
    begin_step(writer, "opened", "suspected, by %s", tcsi_grounds_by_names[g->opened_by]);
    tcsi_api_put_time(writer, "time", e->begin_ns);
    tcsi_json_put_string(writer, "by", tcsi_grounds_by_names[g->opened_by]);
    tcsi_json_end_object(writer);
    write_answer(e, writer);
    if (*suppressed_by) {
        begin_step(writer, "answers", "kept quiet by an answer to one like it");
        tcsi_json_put_string(writer, "answer", suppressed_by);
        tcsi_json_end_object(writer);
    }
    if (!g->confirmed_by) return;
    begin_step(writer, "confirmed", "by %s, after %u rows out of the ordinary; a height of %.3g would have been enough by itself",
               tcsi_grounds_by_names[g->confirmed_by], (unsigned)g->lasted, g->sure);
    tcsi_api_put_time(writer, "time", g->confirmed_ns);
    tcsi_json_put_string(writer, "by", tcsi_grounds_by_names[g->confirmed_by]);
    tcsi_json_end_object(writer);
}

static void write_incident(const tcsi_explained *e, tcsi_json_writer *writer)
{
    const tcsi_json_value *incident, *ids;
    tcs_error ignored;
    if (tcsi_explained_incident(e, &incident, &ids, &ignored) != TCS_OK || !incident) return;
    begin_step(writer, "incident", "told together with the episodes of %.0f series", tcsi_json_number_of(incident, "series_count", 1));
    tcsi_json_put_string(writer, "incident", tcsi_json_text_of(incident, "id"));
    tcsi_json_end_object(writer);
}

void tcsi_explained_write_path(const tcsi_explained *e, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, "path");
    tcsi_json_begin_array(writer);
    if (e->grounds.sequence) {
        write_receipt(e, writer);
        write_journal(e, writer);
        write_first_look(e, writer);
        write_decision(e, writer);
    }
    write_incident(e, writer);
    begin_step(writer, "state", "%s as of %s", tcsi_explained_text(e, "state"), tcsi_explained_text(e, "updated"));
    tcsi_json_put_string(writer, "state", tcsi_explained_text(e, "state"));
    tcsi_json_end_object(writer);
    tcsi_json_end_array(writer);
}
