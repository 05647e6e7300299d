/* apps/detect_stream.c -- `tocsin detect --stream`: rows are judged as they arrive, episodes are told when they open and close.
 *
 * Interrupting (SIGINT, SIGTERM) ends the input, not the command: the handler puts an empty input in the place of standard input,
 * so that a read that waits returns, and what was judged so far is written and summed up as at the input's own end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect_stream.h"

#include "known.h"

#include "base/clock.h"
#include "base/json.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- interruption ---- */

static volatile sig_atomic_t is_interrupted;
static int empty_input = -1;

static void interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
    if (empty_input >= 0) (void)dup2(empty_input, STDIN_FILENO);
}

static void watch_for_interruption(void)
{
    struct sigaction action = { .sa_handler = interrupt };
    sigemptyset(&action.sa_mask);
    empty_input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* Somebody may be waiting for each row: the input is a pipe, socket or terminal. */
static bool is_live(const char *input)
{
    struct stat info;
    int failed = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &info) : stat(input, &info);
    return failed == 0 && !S_ISREG(info.st_mode);
}

/* ---- telling ---- */

/* What the labels, never used to detect, say of the episodes. */
typedef struct comparison {
    uint64_t event_count, found_count, right_count;
    bool in_event, event_found, episode_right, gap_labelled;
} comparison;

typedef struct teller {
    FILE *out;
    bool json, explain;
    tcs_stream *stream;
    bool has_real_times;
    comparison labels;
} teller;

static void compare_row(comparison *c, const tcs_outcome *outcome)
{
    bool labelled = outcome->label != 0, opened = outcome->event == TCS_EPISODE_OPENED;
    if (labelled && !c->in_event) {
        c->event_count++;
        c->event_found = false;
    }
    c->in_event = labelled;
    if (labelled && outcome->anomaly && !c->event_found) {
        c->event_found = true;
        c->found_count++;
    }
    if (opened) c->episode_right = c->gap_labelled = false;
    c->gap_labelled |= labelled;
    if (!outcome->anomaly) return;
    if (c->gap_labelled && !c->episode_right) { /* rows of a gap count once it is bridged */
        c->episode_right = true;
        c->right_count++;
    }
    c->gap_labelled = false;
}

static void format_place(const teller *t, uint64_t row, int64_t time_ns, char *ret_text, size_t size)
{
    if (t->has_real_times) tcs_time_format(time_ns, ret_text, size);
    else snprintf(ret_text, size, "row %llu", (unsigned long long)row);
}

/* why: NULL: not told. */
static void tell_words(const teller *t, const char *what, const tcs_episode *episode, const tcs_explanation *why)
{
    char onset[64], end[64];
    format_place(t, episode->row_begin, episode->time_begin_ns, onset, sizeof onset);
    format_place(t, episode->row_end - 1, episode->time_end_ns, end, sizeof end);
    fprintf(t->out, "  %-9s  severity %3.0f  %s", what, episode->severity, onset);
    if (episode->row_end - episode->row_begin > 1)
        fprintf(t->out, " to %s, %zu rows", end, episode->row_end - episode->row_begin);
    for (size_t i = 0; i < episode->share_count && i < 3; i++) {
        if (i > 0 && episode->shares[i].share < 0.05) break;
        fprintf(t->out, "%s%s %.0f%%", i ? ", " : "  ", tcs_stream_channel_name(t->stream, episode->shares[i].channel),
                100 * episode->shares[i].share);
    }
    char known[256];
    cli_known_format(episode, known, sizeof known);
    if (episode->event) fprintf(t->out, "  event: %s", episode->event);
    fprintf(t->out, "%s\n", known);
    if (why) fprintf(t->out, "             %s\n", tcs_explanation_sentence(why));
}

static tcs_status json_why(tcsi_json_writer *w, const teller *t, tcs_explanation *why, tcs_error *err)
{
    const bool has_kind = tcs_explanation_channel_count(why) > 0;
    const char *text = NULL;
    tcsi_json_key(w, "kind");
    tcsi_json_string(w, has_kind ? tcs_explanation_channel(why, 0).kind : NULL);
    tcsi_json_key(w, "sentence");
    tcsi_json_string(w, tcs_explanation_sentence(why));
    tcs_status status = t->explain ? tcs_explanation_json(why, false, &text, err) : TCS_OK;
    if (!text) return status;
    tcsi_json_key(w, "explanation");
    tcsi_json_raw(w, text);
    return TCS_OK;
}

static void json_place(tcsi_json_writer *w, const teller *t, const char *name, size_t row, int64_t time_ns)
{
    char key[32], text[64];
    snprintf(key, sizeof key, "row_%s", name);
    tcsi_json_key(w, key);
    tcsi_json_integer(w, (int64_t)row);
    if (!t->has_real_times) return;
    snprintf(key, sizeof key, "time_%s", name);
    tcs_time_format(time_ns, text, sizeof text);
    tcsi_json_key(w, key);
    tcsi_json_string(w, text);
}

static void json_episode(tcsi_json_writer *w, const teller *t, const tcs_episode *e)
{
    json_place(w, t, "onset", e->row_begin, e->time_begin_ns);
    json_place(w, t, "peak", e->row_peak, e->time_peak_ns);
    json_place(w, t, "end", e->row_end, e->time_end_ns);
    tcsi_json_put_number(w, "severity", e->severity);
    tcsi_json_put_number(w, "score", e->score);
    tcsi_json_put_number(w, "p_value", e->p_value);
    tcsi_json_key(w, "members");
    tcsi_json_integer(w, (int64_t)e->member_count);
    tcsi_json_key(w, "members_agreeing");
    tcsi_json_integer(w, (int64_t)e->agreeing_count);
    tcsi_json_put_number(w, "expected_count", e->expected_count);
    tcsi_json_key(w, "state");
    tcsi_json_string(w, tcs_episode_state_name(e->state));
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < e->share_count; i++) {
        tcsi_json_begin_object(w);
        tcsi_json_key(w, "name");
        tcsi_json_string(w, tcs_stream_channel_name(t->stream, e->shares[i].channel));
        tcsi_json_put_number(w, "share", e->shares[i].share);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
    cli_known_json_episode(w, e);
}

static tcs_status end_line(teller *t, tcsi_json_writer *w, tcsi_buffer *line, tcs_error *err)
{
    tcsi_json_end_object(w);
    tcs_status status = tcsi_json_finish(w, err);
    if (status == TCS_OK) fprintf(t->out, "%s\n", line->data);
    return status;
}

static tcs_status tell_json(teller *t, const char *what, const tcs_episode *episode, tcs_explanation *why, tcs_error *err)
{
    tcsi_buffer line;
    tcsi_json_writer w;
    tcsi_buffer_init(&line, 1 << 30);
    tcsi_json_writer_init(&w, &line, false);
    tcsi_json_begin_object(&w);
    tcsi_json_key(&w, "event");
    tcsi_json_string(&w, what);
    json_episode(&w, t, episode);
    tcs_status status = why ? json_why(&w, t, why, err) : TCS_OK;
    if (status == TCS_OK) status = end_line(t, &w, &line, err);
    tcsi_buffer_deinit(&line);
    return status;
}

/* One line for an episode that opened, closed or, at the end of the input, still is open; with its reasons, where they are told. */
static tcs_status tell(teller *t, const char *what, const tcs_episode *episode, bool with_reasons, tcs_error *err)
{
    tcs_explanation *why = NULL;
    tcs_status status = with_reasons ? tcs_stream_explain(t->stream, &why, err) : TCS_OK;
    if (status == TCS_E_UNSUPPORTED || status == TCS_E_INVALID) status = TCS_OK; /* too many channels to remember; or the rows are gone */
    if (status == TCS_OK && t->json) status = tell_json(t, what, episode, why, err);
    else if (status == TCS_OK) tell_words(t, what, episode, why);
    tcs_explanation_destroy(why);
    if (status == TCS_OK && fflush(t->out) != 0) {
        *err = (tcs_error){ .status = TCS_E_IO, .text = "standard output cannot be written" };
        return TCS_E_IO;
    }
    return status;
}

static void sum_up_words(const teller *t, const char *input, const char *notes, const tcs_stream_summary *s, double seconds)
{
    fprintf(t->out, "%s  %llu rows × %zu channel%s\n", input, (unsigned long long)s->row_count, s->channel_count,
            s->channel_count == 1 ? "" : "s");
    for (const char *at = notes; *at;) {
        size_t length = strcspn(at, "\n");
        fprintf(t->out, "  %.*s\n", (int)length, at);
        at += length + (at[length] != 0);
    }
    fprintf(t->out, "  online, row by row, detector %s, %.2f s\n  assumed: %s\n", s->detector, seconds, s->assumed);
    fprintf(t->out, "  %llu episode%s%s\n", (unsigned long long)s->episode_count, s->episode_count == 1 ? "" : "s",
            is_interrupted ? "; stopped on request" : "");
    if (s->expected_count > 0)
        fprintf(t->out, "  %llu expected, no alarm%s\n", (unsigned long long)s->expected_count, s->expected_count == 1 ? "" : "s");
    if (s->fault_count > 0)
        fprintf(t->out, "  %llu reading%s outside the physical range: taken as missing\n", (unsigned long long)s->fault_count,
                s->fault_count == 1 ? "" : "s");
    const comparison *c = &t->labels;
    if (s->has_labels)
        fprintf(t->out, "  compared with the labels (not used to detect): %llu of %llu events found, %llu of %llu episodes right\n",
                (unsigned long long)c->found_count, (unsigned long long)c->event_count, (unsigned long long)c->right_count,
                (unsigned long long)s->episode_count);
}

static tcs_status sum_up_json(teller *t, tcs_stream *stream, const char *input, const tcs_stream_summary *s, double seconds, tcs_error *err)
{
    tcsi_buffer line;
    tcsi_json_writer w;
    tcsi_buffer_init(&line, 1 << 20);
    tcsi_json_writer_init(&w, &line, false);
    const struct { const char *key, *text; } texts[] = { { "event", "end" }, { "input", input }, { "mode", "online" },
                                                         { "detector", s->detector }, { "assumed", s->assumed } };
    const struct { const char *key; double value; } numbers[] = {
        { "rows", (double)s->row_count }, { "channels", (double)s->channel_count }, { "train_rows", (double)s->train_row_count },
        { "alarm_budget", s->budget }, { "episodes", (double)s->episode_count }, { "seconds", seconds },
    };
    tcsi_json_begin_object(&w);
    for (size_t i = 0; i < TCS_COUNT(texts); i++) {
        tcsi_json_key(&w, texts[i].key);
        tcsi_json_string(&w, texts[i].text);
    }
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_json_put_number(&w, numbers[i].key, numbers[i].value);
    tcsi_json_key(&w, "own_threshold");
    tcsi_json_bool(&w, s->own_threshold);
    tcsi_json_key(&w, "interrupted");
    tcsi_json_bool(&w, is_interrupted);
    if (s->expected_count > 0) tcsi_json_put_number(&w, "expected", (double)s->expected_count);
    if (s->fault_count > 0) tcsi_json_put_number(&w, "impossible_readings", (double)s->fault_count);
    if (s->rule_count > 0) {
        tcsi_json_key(&w, "rules");
        tcsi_json_begin_array(&w);
        for (size_t i = 0; i < s->rule_count; i++) {
            const tcs_rule rule = tcs_stream_rule(stream, i);
            cli_known_json_rule(&w, &rule);
        }
        tcsi_json_end_array(&w);
    }
    tcs_status status = end_line(t, &w, &line, err);
    tcsi_buffer_deinit(&line);
    return status;
}

static tcs_status sum_up(teller *t, tcs_stream *stream, const char *input, double seconds, tcs_error *err)
{
    tcs_stream_summary summary = tcs_stream_summarize(stream);
    const char *notes = "";
    tcs_status status = tcs_stream_notes(stream, &notes, err);
    if (status == TCS_OK && summary.is_open) status = tell(t, "open", &summary.episode, true, err);
    if (status != TCS_OK) return status;
    if (t->json) return sum_up_json(t, stream, input, &summary, seconds, err);
    sum_up_words(t, input, notes, &summary, seconds);
    for (size_t i = 0; i < summary.rule_count; i++) {
        const tcs_rule rule = tcs_stream_rule(stream, i);
        cli_known_print_rule(t->out, &rule);
    }
    return TCS_OK;
}

/* ---- running ---- */

static tcs_status follow(teller *t, tcs_stream *stream, tcs_error *err)
{
    for (;;) {
        tcs_outcome outcome;
        bool any = false;
        tcs_status status = tcs_stream_next(stream, &outcome, &any, err);
        if (status != TCS_OK || !any) return status;
        compare_row(&t->labels, &outcome);
        const tcs_episode *episode = &outcome.episode;
        const bool confirms = episode->state == TCS_EPISODE_CONFIRMED && episode->row_confirmed == outcome.row;
        if (outcome.event == TCS_EPISODE_OPENED) status = tell(t, "suspected", episode, false, err);
        if (status == TCS_OK && outcome.event != TCS_EPISODE_NONE && confirms) status = tell(t, "confirmed", episode, true, err);
        if (status == TCS_OK && outcome.event == TCS_EPISODE_CLOSED)
            status = tell(t, tcs_episode_state_name(episode->state), episode, true, err);
        if (status == TCS_OK && outcome.expected_event == TCS_EPISODE_CLOSED) status = tell(t, "expected", &outcome.expected, false, err);
        if (status != TCS_OK || is_interrupted) return status;
    }
}

tcs_status cli_detect_stream(const cli_stream_request *request, bool *anomalous, tcs_error *err)
{
    int64_t begin_ns = tcsi_clock_monotonic_ns();
    bool live = is_live(request->input);
    tcs_stream *stream = NULL;
    watch_for_interruption();
    tcs_status status = request->pipeline ? tcs_pipeline_stream_open(request->pipeline, request->input, request->read, request->threads,
                                                                     &stream, err)
                                          : tcs_stream_open(request->input, request->read, request->detect, &stream, err);
    if (status == TCS_OK) status = tcs_stream_remember(stream, err);
    if (status == TCS_OK && request->scores) status = tcs_stream_scores_begin(stream, request->scores, live, err);
    teller t = { .out = request->scores && strcmp(request->scores, "-") == 0 ? stderr : stdout, .json = request->json,
                 .explain = request->explain, .stream = stream };
    if (status == TCS_OK) {
        t.has_real_times = tcs_stream_summarize(stream).has_real_times;
        status = follow(&t, stream, err);
    }
    if (is_interrupted && stream && (status == TCS_OK || status == TCS_E_IO || status == TCS_E_FORMAT)) {
        /* Cut off within a row: the rows before it count. */
        status = tcs_stream_end(stream, err);
        if (status == TCS_OK && tcs_stream_summarize(stream).row_count == 0) {
            is_interrupted = 0; /* nothing was judged yet: training ends here, and what was kept is */
            status = follow(&t, stream, err);
            is_interrupted = 1;
        }
    }
    double seconds = (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9;
    if (status == TCS_OK) status = tcs_stream_scores_commit(stream, err);
    if (status == TCS_OK && request->advance) status = tcs_pipeline_advance(request->pipeline, stream, err);
    if (status == TCS_OK) status = sum_up(&t, stream, request->input, seconds, err);
    if (status == TCS_OK) *anomalous |= tcs_stream_summarize(stream).episode_count > 0;
    tcs_stream_destroy(stream);
    return status;
}
