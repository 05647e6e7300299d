/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_episode.h"

#include "base/json.h"
#include "serve/why/grounds_json.h"
#include "serve/words.h"
#include "series/time.h"

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

bool tcsi_keep_episode_is_suppressed(const tcsi_live_event *event)
{
    return (event->suppressed_by.low | event->suppressed_by.high) != 0;
}

/* By whose answer it is quiet, and what an answer to it would speak of. */
static void write_answered(const tcsi_live_event *event, tcsi_json_writer *writer)
{
    char id[TCSI_ANSWER_ID_SIZE] = "";
    if (tcsi_keep_episode_is_suppressed(event)) tcsi_answer_id_write(event->suppressed_by, id);
    tcsi_json_put_string(writer, "suppressed_by", id);
    tcsi_json_key(writer, "pattern");
    tcsi_pattern_write(&event->pattern, writer);
}

tcs_status tcsi_keep_episode_write(const tcsi_live_event *event, const tcsi_keep_episode_words *words, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_live_episode *episode = &event->episode;
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", words->id);
    tcsi_json_put_string(&writer, "kind", tcsi_live_kind_names[event->kind]);
    tcsi_json_put_string(&writer, "state", tcsi_live_state_names[event->state]);
    tcsi_json_put_string(&writer, "series", words->series);
    tcsi_json_put_integer(&writer, "number", event->number);
    put_time(&writer, "begin", episode->begin_ns);
    put_time(&writer, "updated", event->time_ns);
    if (tcsi_words_is_over(event)) put_time(&writer, "end", event->time_ns);
    tcsi_json_put_number(&writer, "severity", event->severity);
    tcsi_json_put_string(&writer, "incident", words->incident);
    if (event->kind == TCSI_LIVE_ANOMALY) {
        put_time(&writer, "peak", episode->peak_ns);
        tcsi_json_put_number(&writer, "p_value", event->p_value);
        tcsi_json_put_number(&writer, "value", episode->peak_value);
        tcsi_json_put_number(&writer, "expected", episode->expected);
        tcsi_json_put_number(&writer, "deviation", episode->deviation);
        tcsi_json_put_string(&writer, "verdict", tcsi_verdict_names[episode->verdict]);
        tcsi_json_put_number(&writer, "deep_p_value", (double)episode->deep_p_value);
    }
    if (event->kind == TCSI_LIVE_LATE || event->kind == TCSI_LIVE_CADENCE) {
        const bool is_late = event->kind == TCSI_LIVE_LATE;
        tcsi_json_put_number(&writer, is_late ? "lag_seconds" : "step_seconds", episode->peak_value);
        tcsi_json_put_number(&writer, is_late ? "usual_lag_seconds" : "usual_step_seconds", episode->expected);
    }
    if (event->kind == TCSI_LIVE_LIMIT) {
        tcsi_json_put_number(&writer, "value", episode->peak_value);
        tcsi_json_put_number(&writer, "limit", episode->expected);
    }
    write_answered(event, &writer);
    tcsi_json_put_integer(&writer, "sequence", (int64_t)event->sequence);
    tcsi_json_put_string(&writer, "summary", words->summary);
    if (event->grounds.sequence) {
        tcsi_json_key(&writer, "grounds");
        tcsi_grounds_write(&event->grounds, &writer);
    }
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}
