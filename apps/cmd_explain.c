/* apps/cmd_explain.c -- `tocsin explain`: what each step of the pipeline made of a row, and why its episode alarmed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "cli.h"
#include "explain_live.h"
#include "labels.h"
#include "outcome.h"
#include "progress.h"

#include "base/alloc.h"
#include "base/url.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct explain_options {
    cli_detecting detecting;
    cli_reading reading;
    const char *model, *at, *labels, *service, *token;
    cli_texts ranges;
    bool json;
} explain_options;

#define AT(field) offsetof(explain_options, field)
static const cli_option options[] = {
    { "--at", "TIME-OR-ROW", CLI_TEXT, AT(at),
      "the row to explain: a time such as 2026-05-03T14:02:00Z (the row nearest to it), or a number, counted from 0; default the peak of "
      "the most severe episode" },
    { "--model", "FILE.tocsin", CLI_TEXT, AT(model), "judge with a pipeline that `tocsin fit` kept, as `tocsin score` does", 'm' },
    { "--range", "CHANNEL=LOW:HIGH", CLI_TEXTS, AT(ranges),
      "values that are possible: what would have kept it quiet is looked for among them; either side may be left out; may be given several "
      "times" },
    CLI_LABELS_OPTION(AT(labels)),
    { "--mode", "offline|online", CLI_TEXT, AT(detecting.mode),
      "offline looks back over everything (default); online uses only the past of each row" },
    CLI_DETECTING_OPTIONS(AT(detecting), "auto (default) or one of `tocsin detect --list-detectors`",
                          "the first N rows are mostly normal; chosen when not given"),
    CLI_COLUMN_OPTIONS(AT(reading)),
    CLI_READING_OPTIONS(AT(reading), "label column, left out of what is looked at; found when not given; '' for none"),
    { "--service", "URL", CLI_TEXT, AT(service),
      "INPUT is the id of an episode of the service there, such as http://127.0.0.1:9740, which explains it" },
    { "--token", "FILE", CLI_TEXT, AT(token), "with --service: a file with a token of a viewer" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document instead of words" },
};

enum { NAME_SIZE = 256, BAR_CELLS = 10 };

/* What is explained, and everything that is known of it. */
typedef struct report {
    const char *input;
    const tcs_frame *frame;
    const tcs_result *result;
    size_t row, rank;               /* rank: of its episode; the number of episodes: it is in none */
    tcs_explained_value *values;    /* (channels) */
    tcs_explanation *explanation;   /* NULL: it is in no episode */
} report;

static bool in_episode(const report *r) { return r->rank < tcs_result_episode_count(r->result); }

/* ---- which row ---- */

static tcs_status row_of_time(const tcs_frame *frame, const char *text, size_t *ret_row, tcs_error *err)
{
    const int64_t *times = tcs_frame_times_ns(frame);
    const size_t count = tcs_frame_row_count(frame);
    int64_t time_ns;
    char first[64], last[64];
    if (!tcs_frame_has_real_times(frame))
        return tcsi_fail(err, TCS_E_INVALID, "--at %.80s: the rows have no times; expected a row, 0 to %zu", text, count - 1);
    tcs_status status = tcs_time_parse(text, &time_ns, err);
    if (status != TCS_OK) return status;
    if (time_ns < times[0] || time_ns > times[count - 1]) {
        tcs_time_format(times[0], first, sizeof first);
        tcs_time_format(times[count - 1], last, sizeof last);
        return tcsi_fail(err, TCS_E_INVALID, "--at %.80s: not among the rows, which are from %s to %s", text, first, last);
    }
    size_t low = 0, high = count; /* the last row that is not later */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (times[middle] <= time_ns) low = middle;
        else high = middle;
    }
    *ret_row = low + 1 < count && times[low + 1] - time_ns < time_ns - times[low] ? low + 1 : low;
    return TCS_OK;
}

static tcs_status choose_row(const report *r, const char *at, size_t *ret_row, tcs_error *err)
{
    const size_t count = tcs_frame_row_count(r->frame);
    char *end;
    if (!at) {
        if (tcs_result_episode_count(r->result) == 0)
            return tcsi_fail(err, TCS_E_FORMAT, "%s: there is no episode to explain; --at names a row", r->input);
        *ret_row = tcs_result_episode(r->result, 0).row_peak;
        return TCS_OK;
    }
    const unsigned long long row = strtoull(at, &end, 10);
    if (*at < '0' || *at > '9' || *end != 0) return row_of_time(r->frame, at, ret_row, err);
    if (row >= count) return tcsi_fail(err, TCS_E_INVALID, "--at %.80s: there are %zu rows, counted from 0", at, count);
    *ret_row = (size_t)row;
    return TCS_OK;
}

static size_t rank_of_row(const tcs_result *result, size_t row)
{
    size_t rank = 0;
    for (; rank < tcs_result_episode_count(result); rank++) {
        const tcs_episode episode = tcs_result_episode(result, rank);
        if (row >= episode.row_begin && row < episode.row_end) break;
    }
    return rank;
}

/* ---- ranges ---- */

static tcs_status take_limit(const char *text, const char *whole, double *ret_limit, tcs_error *err)
{
    char *end;
    const double value = strtod(text, &end);
    if (*text && (*end || !isfinite(value)))
        return tcsi_fail(err, TCS_E_INVALID, "--range %.80s: expected CHANNEL=LOW:HIGH, such as level=0:4.5 or flow=0:", whole);
    *ret_limit = *text ? value : NAN;
    return TCS_OK;
}

static tcs_status take_range(const tcs_frame *frame, const char *text, double *lows, double *highs, tcs_error *err)
{
    char copy[NAME_SIZE];
    size_t c = 0;
    snprintf(copy, sizeof copy, "%s", text);
    char *equals = strrchr(copy, '='), *colon = equals ? strchr(equals, ':') : NULL;
    if (!colon) return tcsi_fail(err, TCS_E_INVALID, "--range %.80s: expected CHANNEL=LOW:HIGH, such as level=0:4.5 or flow=0:", text);
    *equals = *colon = 0;
    while (c < tcs_frame_channel_count(frame) && strcmp(tcs_frame_channel_name(frame, c), copy) != 0) c++;
    if (c == tcs_frame_channel_count(frame)) return tcsi_fail(err, TCS_E_INVALID, "--range %.80s: there is no channel '%s'", text, copy);
    tcs_status status = take_limit(equals + 1, text, &lows[c], err);
    if (status == TCS_OK) status = take_limit(colon + 1, text, &highs[c], err);
    if (status == TCS_OK && lows[c] > highs[c]) status = tcsi_fail(err, TCS_E_INVALID, "--range %.80s: LOW is above HIGH", text);
    return status;
}

/* (2,channels): lows, then highs. */
static tcs_status take_ranges(const tcs_frame *frame, const cli_texts *texts, double **ret_ranges, tcs_error *err)
{
    const size_t channels = tcs_frame_channel_count(frame);
    double *ranges = TCSI_NEW_ARRAY(double, 2 * channels);
    tcs_status status = ranges ? TCS_OK : tcsi_fail_memory(err, "ranges");
    for (size_t c = 0; c < 2 * channels && status == TCS_OK; c++) ranges[c] = NAN;
    for (size_t i = 0; i < texts->count && status == TCS_OK; i++)
        status = take_range(frame, texts->items[i], ranges, ranges + channels, err);
    *ret_ranges = ranges;
    return status;
}

/* ---- words ---- */

static const char *state_name(tcs_score_state state)
{
    return state == TCS_SCORE_READY ? "ready" : state == TCS_SCORE_WARMUP ? "still warming up" : "missing";
}

static void print_value(const report *r, size_t channel)
{
    const tcs_explained_value *v = &r->values[channel];
    printf("    %-24s", tcs_frame_channel_name(r->frame, channel));
    if (isfinite(v->value)) printf(" %10.4g", v->value);
    else printf(" %10s", "missing");
    if (isfinite(v->expected)) printf("   expected %.4g, band %.4g to %.4g", v->expected, v->low, v->high);
    if (isfinite(v->share)) printf("   %3.0f %% of the score", 100 * v->share);
    if (isfinite(v->value) && (v->value < v->low || v->value > v->high)) printf("   %s", v->value < v->low ? "below" : "above");
    printf("\n");
}

/* Of many channels, those with a share or outside their band. */
static void print_reading(const report *r)
{
    enum { FEW = 16 };
    const size_t channels = tcs_frame_channel_count(r->frame);
    size_t hidden = 0;
    printf("  reading\n");
    for (size_t c = 0; c < channels; c++) {
        const tcs_explained_value *v = &r->values[c];
        const bool stands_out = v->share >= 0.05 || v->value < v->low || v->value > v->high || !isfinite(v->value);
        if (channels <= FEW || stands_out) print_value(r, c);
        else hidden++;
    }
    if (hidden > 0) printf("    ... and %zu more, as expected\n", hidden);
}

/* Score, or under the policy of evidence what rows have added up to: which of the two alarms the row. */
static bool is_above(const report *r)
{
    const tcs_score *score = &tcs_result_scores(r->result)[r->row];
    const double level = score->evidence != 0 && tcs_result_own_threshold(r->result) ? score->evidence : score->value;
    return score->state == TCS_SCORE_READY && level > tcs_result_thresholds(r->result)[r->row];
}

static bool is_added_up(const report *r)
{
    const tcs_added_up added = tcs_result_added_up(r->result, r->row);
    return added.sum > added.threshold; /* false of NaN */
}

static void print_added_up(const report *r)
{
    const tcs_added_up added = tcs_result_added_up(r->result, r->row);
    if (isnan(added.sum)) return;
    printf("  evidence   sum %.4g, threshold %.4g: what rows have added up to is %sabove it\n", added.sum, added.threshold,
           is_added_up(r) ? "" : "not ");
    if (!tcs_result_anomalies(r->result)[r->row]) return;
    printf("  alarm      %s\n", !is_above(r) && !is_added_up(r) ? "by neither: the row continues what one of the two began"
                               : !is_added_up(r)               ? "by its score"
                               : !is_above(r)                  ? "by evidence that added up, not by its score"
                                                               : "by its score and by evidence that added up");
}

static void print_steps(const report *r)
{
    const tcs_score *score = &tcs_result_scores(r->result)[r->row];
    const double threshold = tcs_result_thresholds(r->result)[r->row];
    const tcs_tail tail = tcs_result_tail(r->result);
    const double level = score->evidence != 0 && tcs_result_own_threshold(r->result) ? score->evidence : score->value;
    printf("  detector   %s, %s: ", tcs_result_detector(r->result),
           tcs_result_mode(r->result) == TCS_MODE_ONLINE ? "online" : "offline");
    if (score->state != TCS_SCORE_READY) {
        printf("no score, %s\n", state_name(score->state));
    } else {
        printf("score %.4g", score->value);
        if (score->uncertainty > 0) printf(" ± %.2g", (double)score->uncertainty);
        if (level != score->value) printf(", evidence %.4g", level);
        printf("\n  p-value    %.3g: the chance of a score this high in a normal row\n", score->p_value);
    }
    const tcs_agreement agreement = tcs_result_agreement(r->result, r->row);
    if (agreement.member_count > 0)
        printf("  members    %zu of %zu find it rarer than 1 row in 100; together p = %.2g, %.1f decades apart\n", agreement.agreeing_count,
               agreement.member_count, agreement.p_value, agreement.disagreement);
    if (isfinite(threshold))
        printf("  threshold  %.4g: the row is %sabove it\n", threshold, is_above(r) ? "" : "not ");
    else printf("  threshold  none yet: too little is known of normal rows\n");
    if (threshold == tail.threshold && !isnan(tail.threshold_low))
        printf("             %g %% sure: from %.4g to %.4g, by the %zu highest peaks alone\n", 100 * tail.probability, tail.threshold_low,
               tail.threshold_high, tail.peak_count);
    print_added_up(r);
    printf("  policy     %s\n", tcs_result_assumed(r->result));
}

static void print_channel(const report *r, size_t index)
{
    const tcs_explained_channel c = tcs_explanation_channel(r->explanation, index);
    char from[64];
    printf("    %-24s ", tcs_frame_channel_name(r->frame, c.channel));
    for (size_t i = 0; i < BAR_CELLS; i++) printf("%s", c.share * BAR_CELLS >= (double)i + 0.5 ? "█" : "░");
    cli_place_format(r->frame, c.row_out, from, sizeof from);
    printf(" %3.0f %%  ", 100 * c.share);
    if (strcmp(c.kind, "unclear") == 0) printf("unclear of what kind, ");
    else if (strcmp(c.kind, "unknown") != 0)
        printf("%s%s (%.0f %% sure), ", c.kind, c.persistent ? " that stays" : "", 100 * c.kind_probability);
    if (c.left_band) printf("outside its band from %s\n", from);
    else printf("within its band\n");
}

static void print_why(const report *r)
{
    const tcs_episode episode = tcs_result_episode(r->result, r->rank);
    const char *advice = tcs_explanation_advice(r->explanation), *source = tcs_explanation_source(r->explanation);
    printf("  episode    number %zu of %zu by severity, %zu rows\n\n", r->rank + 1, tcs_result_episode_count(r->result),
           episode.row_end - episode.row_begin);
    cli_episode_print(r->frame, &episode, r->rank);
    printf("\n  %s\n", tcs_explanation_sentence(r->explanation));
    if (*advice) printf("  %s\n", advice);
    printf("\n  what carries it (by %s)\n", strcmp(source, "parts") == 0       ? "what the detector says of its score"
                                            : strcmp(source, "gradients") == 0 ? "integrated gradients of the network"
                                            : strcmp(source, "shapley") == 0   ? "sampled Shapley values"
                                                                               : "distance from what was expected");
    for (size_t i = 0; i < tcs_explanation_channel_count(r->explanation); i++) print_channel(r, i);
}

static void print_report(const report *r)
{
    char place[64];
    cli_place_format(r->frame, r->row, place, sizeof place);
    cli_frame_print(r->input, r->frame);
    printf("\n  row %zu", r->row);
    if (tcs_frame_has_real_times(r->frame)) printf(", %s", place);
    printf("\n\n");
    print_reading(r);
    print_steps(r);
    if (in_episode(r)) print_why(r);
    else printf("  episode    none\n");
}

/* ---- JSON ---- */

static void json_reading(const report *r, tcsi_json_writer *w)
{
    tcsi_json_key(w, "reading");
    tcsi_json_begin_array(w);
    for (size_t c = 0; c < tcs_frame_channel_count(r->frame); c++) {
        const tcs_explained_value *v = &r->values[c];
        tcsi_json_begin_object(w);
        tcsi_json_key(w, "name");
        tcsi_json_string(w, tcs_frame_channel_name(r->frame, c));
        tcsi_json_put_number(w, "value", v->value);
        tcsi_json_put_number(w, "expected", v->expected);
        tcsi_json_put_number(w, "low", v->low);
        tcsi_json_put_number(w, "high", v->high);
        tcsi_json_put_number(w, "share", v->share);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

/* Which alarms the row; an episode may also hold rows that nothing alarms, or that a limit does. */
static void json_alarm(const report *r, tcsi_json_writer *w)
{
    tcsi_json_key(w, "alarmed_by");
    tcsi_json_begin_array(w);
    if (is_above(r)) tcsi_json_string(w, "score");
    if (is_added_up(r)) tcsi_json_string(w, "evidence");
    tcsi_json_end_array(w);
}

static tcs_status json_report(const report *r, tcsi_json_writer *w, tcs_error *err)
{
    const tcs_score *score = &tcs_result_scores(r->result)[r->row];
    char time[64];
    const char *text = "null";
    tcs_status status = r->explanation ? tcs_explanation_json(r->explanation, false, &text, err) : TCS_OK;
    tcs_time_format(tcs_frame_has_real_times(r->frame) ? tcs_frame_times_ns(r->frame)[r->row] : 0, time, sizeof time);
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "input");
    tcsi_json_string(w, r->input);
    tcsi_json_key(w, "row");
    tcsi_json_integer(w, (int64_t)r->row);
    tcsi_json_key(w, "time");
    tcsi_json_string(w, tcs_frame_has_real_times(r->frame) ? time : NULL);
    json_reading(r, w);
    tcsi_json_key(w, "detector");
    tcsi_json_string(w, tcs_result_detector(r->result));
    tcsi_json_key(w, "mode");
    tcsi_json_string(w, tcs_result_mode(r->result) == TCS_MODE_ONLINE ? "online" : "offline");
    tcsi_json_key(w, "state");
    tcsi_json_string(w, state_name(score->state));
    tcsi_json_put_number(w, "score", score->value);
    tcsi_json_put_number(w, "evidence", score->evidence);
    tcsi_json_put_number(w, "uncertainty", (double)score->uncertainty);
    tcsi_json_put_number(w, "p_value", score->p_value);
    tcsi_json_put_number(w, "threshold", tcs_result_thresholds(r->result)[r->row]);
    const tcs_added_up added = tcs_result_added_up(r->result, r->row);
    tcsi_json_put_number(w, "sum", added.sum);
    tcsi_json_put_number(w, "sum_threshold", added.threshold);
    json_alarm(r, w);
    tcsi_json_key(w, "own_threshold");
    tcsi_json_bool(w, tcs_result_own_threshold(r->result));
    cli_tail_json(w, r->result);
    const tcs_agreement agreement = tcs_result_agreement(r->result, r->row);
    tcsi_json_key(w, "members");
    tcsi_json_integer(w, (int64_t)agreement.member_count);
    tcsi_json_key(w, "members_agreeing");
    tcsi_json_integer(w, (int64_t)agreement.agreeing_count);
    tcsi_json_put_number(w, "members_p_value", agreement.p_value);
    tcsi_json_put_number(w, "members_disagreement", agreement.disagreement);
    tcsi_json_key(w, "anomaly");
    tcsi_json_bool(w, tcs_result_anomalies(r->result)[r->row]);
    tcsi_json_key(w, "assumed");
    tcsi_json_string(w, tcs_result_assumed(r->result));
    tcsi_json_key(w, "episode_rank");
    if (in_episode(r)) tcsi_json_integer(w, (int64_t)r->rank + 1);
    else tcsi_json_null(w);
    tcsi_json_key(w, "explanation");
    tcsi_json_raw(w, text);
    tcsi_json_end_object(w);
    return status;
}

static tcs_status print_json(const report *r, tcs_error *err)
{
    tcsi_buffer document;
    tcsi_json_writer json;
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&json, &document, true);
    tcs_status status = json_report(r, &json, err);
    if (status == TCS_OK) status = tcsi_json_finish(&json, err);
    if (status == TCS_OK) printf("%s\n", document.data);
    tcsi_buffer_deinit(&document);
    return status;
}

/* ---- running ---- */

static tcs_status explain_row(report *r, const explain_options *o, tcs_error *err)
{
    double *ranges = NULL;
    tcs_status status = choose_row(r, o->at, &r->row, err);
    if (status == TCS_OK) status = take_ranges(r->frame, &o->ranges, &ranges, err);
    if (status == TCS_OK) {
        const tcs_explain_options asked = { .counterfactual = true, .lows = ranges, .highs = ranges + tcs_frame_channel_count(r->frame),
                                            .seed = o->detecting.seed };
        r->rank = rank_of_row(r->result, r->row);
        r->values = TCSI_NEW_ARRAY(tcs_explained_value, tcs_frame_channel_count(r->frame));
        status = r->values ? tcs_result_explain_row(r->result, r->row, r->values, err) : tcsi_fail_memory(err, "a row");
        if (status == TCS_OK && in_episode(r)) status = tcs_result_explain(r->result, &r->rank, 1, &asked, &r->explanation, err);
    }
    if (status == TCS_OK && o->json) status = print_json(r, err);
    else if (status == TCS_OK) print_report(r);
    tcs_explanation_destroy(r->explanation);
    tcsi_free(r->values);
    tcsi_free(ranges);
    return status;
}

/* The frame, judged by a new detector or by a pipeline. */
static tcs_status judge(const explain_options *o, const char *input, tcs_frame **ret_frame, tcs_result **ret_result, tcs_error *err)
{
    const tcs_read_options read = cli_read_options(&o->reading);
    cli_progress bar = cli_progress_begin();
    tcs_pipeline *pipeline = NULL;
    tcs_status status = o->model ? tcs_pipeline_read(o->model, &pipeline, err) : TCS_OK;
    if (status == TCS_OK && o->model) {
        const tcs_score_options score = { .thread_count = o->detecting.threads, .progress = cli_progress_show, .progress_context = &bar,
                                          .explain = true };
        status = tcs_pipeline_frame_read(pipeline, input, &read, ret_frame, err);
        if (status == TCS_OK) status = tcs_pipeline_score(pipeline, *ret_frame, &score, ret_result, err);
    } else if (status == TCS_OK) {
        tcs_detect_options detect;
        cli_given given;
        status = cli_detect_options(&o->detecting, TCS_MODE_OFFLINE, 1, &given, &detect, err);
        detect.progress = cli_progress_show;
        detect.progress_context = &bar;
        detect.explain = true;
        if (status == TCS_OK) status = tcs_frame_read(input, &read, ret_frame, err);
        if (status == TCS_OK) status = tcs_detect(*ret_frame, &detect, ret_result, err);
        cli_given_deinit(&given);
    }
    cli_progress_hide(&bar);
    tcs_pipeline_destroy(pipeline);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const explain_options *o = raw;
    tcs_error err = { 0 };
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    char shown[1024];
    (void)input_count;
    if (o->service) {
        const tcs_status asked = cli_explain_live(o->service, o->token, inputs[0], o->json, &err);
        return asked == TCS_OK ? EXIT_DONE : cli_fail("explain", &err);
    }
    if (o->model && (o->detecting.detector || o->detecting.mode)) {
        (void)tcsi_fail(&err, TCS_E_INVALID, "--model says which detector judges, and how: not with --detector or --mode");
        return cli_fail("explain", &err);
    }
    tcs_status status = judge(o, inputs[0], &frame, &result, &err);
    if (status == TCS_OK) status = cli_labels_apply(o->labels, result, &err);
    report r = { .input = tcsi_url_redact(inputs[0], shown, sizeof shown), .result = result };
    if (status == TCS_OK) r.frame = tcs_result_frame(result); /* with knowledge, as the detector saw it */
    if (status == TCS_OK) status = explain_row(&r, o, &err);
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    return status == TCS_OK ? EXIT_DONE : cli_fail("explain", &err);
}

const cli_command cli_explain = {
    .name = "explain",
    .positional = "INPUT",
    .positional_min = 1,
    .positional_max = 1,
    .summary = "say why a row alarmed, or why it did not",
    .description = "Judges INPUT as `tocsin detect` does, or with a pipeline as `tocsin score` does, and prints what each step made of one "
                   "row: the reading beside what was expected, the score and the channels that carry it, the p-value, the threshold and "
                   "what it assumes. When the row lies in an episode: what happened in a sentence, which channels carry it and since "
                   "when, the most similar rows before it, and the smallest change that would have kept it quiet, which was "
                   "tried by scoring it again. With --service it is an episode of a live service that is explained, by what was in force "
                   "when it was decided.",
    .examples = "  tocsin explain plant.csv\n"
                "  tocsin explain plant.csv --at 2026-01-16T07:05:00Z\n"
                "  tocsin explain plant.csv --mode online --at 15000 --range tank_level=0:4.5\n"
                "  tocsin explain -m plant.tocsin tuesday.csv --at 120 --json\n"
                "  tocsin explain --service http://127.0.0.1:9740 anomaly-00c4a3f5d2b1e697-17d0f2b9c3a41e00\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(explain_options),
    .run = run,
};
