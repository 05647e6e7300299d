/* api/stream.c -- rows from an input or from the caller, one outcome each, and the scores file beside.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/explain.h"

#include "base/alloc.h"
#include "io/rows.h"
#include "io/write.h"
#include "pipeline/stream.h"

#include <math.h>
#include <stdio.h>

struct tcs_stream {
    tcsi_detect_stream *inner;
    tcsi_row_reader *reader;       /* NULL: rows are pushed */
    tcsi_api_read read;            /* what the reader was opened with */
    tcsi_scores_writer *writer;    /* NULL: no scores file */
    tcsi_buffer notes;
    char **names;                  /* (C) */
    size_t channel_count;
    tcsi_calibrator calibrator;    /* p-value -> probability */
    size_t fitted_row_count;       /* of the pipeline that it goes on from; 0: none */
    bool has_times, has_labels, has_uncertainty, is_live, is_over;
    uint64_t expected_count;
    char limit[TCSI_API_LIMIT_SIZE]; /* of the episode told last */
};

/* ---- life ---- */

static tcs_status create_inner(tcs_stream *stream, const tcs_detect_options *options, tcs_error *err)
{
    static const tcs_detect_options defaults = { .mode = TCS_MODE_ONLINE };
    tcsi_api_detect *translated = TCSI_NEW(tcsi_api_detect);
    tcs_status status = translated ? tcsi_api_detect_options(options ? options : &defaults, false, translated, err)
                                   : tcsi_fail_memory(err, "a stream");
    if (status == TCS_OK) {
        translated->options.channel_names = (const char *const *)stream->names;
        translated->options.has_times = stream->has_times;
        status = tcsi_detect_stream_create(stream->channel_count, &translated->options, &stream->inner, err);
    }
    if (status == TCS_OK) status = tcsi_probability_check(translated->options.anomaly_share, err);
    if (status == TCS_OK) stream->calibrator = tcsi_probability_assume(translated->options.anomaly_share);
    if (status == TCS_OK) stream->has_uncertainty = (tcsi_detect_stream_info(stream->inner)->traits & TCSI_TRAIT_UNCERTAINTY) != 0;
    tcsi_free(translated);
    return status;
}

static tcs_status new_stream(tcs_stream **ret_stream, tcs_error *err)
{
    tcs_stream *stream = TCSI_NEW(tcs_stream);
    if (!stream) return tcsi_fail_memory(err, "a stream");
    tcsi_buffer_init(&stream->notes, 1 << 20);
    *ret_stream = stream;
    return TCS_OK;
}

/* Names are filled in by the caller. */
static tcs_status allocate_names(tcs_stream *stream, size_t channel_count, tcs_error *err)
{
    stream->names = TCSI_NEW_ZEROS(char *, channel_count);
    if (!stream->names) return tcsi_fail_memory(err, "channel names");
    stream->channel_count = channel_count;
    return TCS_OK;
}

static tcs_status name_given(tcs_stream *stream, const char *const *names, tcs_error *err)
{
    for (size_t c = 0; c < stream->channel_count; c++) {
        char own[32];
        snprintf(own, sizeof own, "c%zu", c);
        stream->names[c] = tcsi_strdup(names ? names[c] : own);
        if (!stream->names[c]) return tcsi_fail_memory(err, "channel names");
    }
    return TCS_OK;
}

static tcs_status name_found(tcs_stream *stream, const tcsi_read_report *report, tcs_error *err)
{
    for (size_t i = 0; i < report->column_count; i++) {
        const tcsi_read_column *column = &report->columns[i];
        if (column->role != TCSI_COLUMN_VALUE) continue;
        stream->names[column->channel] = tcsi_strdup(column->name);
        if (!stream->names[column->channel]) return tcsi_fail_memory(err, "channel names");
    }
    return TCS_OK;
}

tcs_status tcs_stream_create(size_t channel_count, const char *const *names, bool has_times, const tcs_detect_options *options,
                             tcs_stream **ret_stream, tcs_error *err)
{
    tcs_stream *stream = NULL;
    if (!ret_stream || channel_count == 0 || channel_count > TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_stream_create needs 1 to %zu channels and a place for the stream",
                         TCSI_FRAME_CHANNEL_COUNT_MAX);
    tcs_status status = new_stream(&stream, err);
    if (status == TCS_OK) status = allocate_names(stream, channel_count, err);
    if (status == TCS_OK) status = name_given(stream, names, err);
    if (status == TCS_OK) {
        stream->has_times = has_times;
        status = create_inner(stream, options, err);
    }
    if (status == TCS_OK) *ret_stream = stream;
    else tcs_stream_destroy(stream);
    return status;
}

/* stream->read says how. */
static tcs_status open_reader(tcs_stream *stream, const char *input, tcs_error *err)
{
    tcs_status status = tcsi_row_reader_open(input, &stream->read.options, &stream->reader, err);
    if (status != TCS_OK) return status;
    const tcsi_read_report *report = tcsi_row_reader_report(stream->reader);
    stream->has_times = report->time_column != SIZE_MAX;
    stream->has_labels = report->label_column != SIZE_MAX;
    status = allocate_names(stream, report->value_count, err);
    return status == TCS_OK ? name_found(stream, report, err) : status;
}

tcs_status tcs_stream_open(const char *input, const tcs_read_options *read, const tcs_detect_options *options, tcs_stream **ret_stream,
                           tcs_error *err)
{
    static const tcs_read_options defaults = { 0 };
    tcs_stream *stream = NULL;
    if (!input || !ret_stream) return tcsi_fail(err, TCS_E_INVALID, "tcs_stream_open needs an input and a place for the stream");
    tcs_status status = new_stream(&stream, err);
    if (status == TCS_OK) status = tcsi_api_read_options(read ? read : &defaults, &stream->read, err);
    if (status == TCS_OK) status = open_reader(stream, input, err);
    if (status == TCS_OK) status = create_inner(stream, options, err);
    if (status == TCS_OK) *ret_stream = stream;
    else tcs_stream_destroy(stream);
    return status;
}

tcs_status tcs_pipeline_stream_open(const tcs_pipeline *pipeline, const char *input, const tcs_read_options *options, size_t thread_count,
                                    tcs_stream **ret_stream, tcs_error *err)
{
    tcs_stream *stream = NULL;
    if (!pipeline || !input || !ret_stream)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_stream_open needs a pipeline, an input and a place for the stream");
    tcs_status status = new_stream(&stream, err);
    if (status == TCS_OK) status = tcsi_api_pipeline_read_options(pipeline, options, &stream->read, err);
    if (status == TCS_OK) status = tcsi_pipeline_stream(pipeline->inner, thread_count, &stream->inner, err);
    if (status == TCS_OK) status = tcsi_calibrator_copy(&pipeline->inner->calibrator, &stream->calibrator, err);
    if (status == TCS_OK) status = open_reader(stream, input, err);
    if (status == TCS_OK && pipeline->inner->has_times && !stream->has_times) status = tcsi_api_fail_times(err);
    if (status == TCS_OK) {
        stream->has_uncertainty = (pipeline->inner->info->traits & TCSI_TRAIT_UNCERTAINTY) != 0;
        stream->fitted_row_count = pipeline->inner->train_row_count;
        *ret_stream = stream;
    } else {
        tcs_stream_destroy(stream);
    }
    return status;
}

tcs_status tcs_pipeline_advance(tcs_pipeline *pipeline, tcs_stream *stream, tcs_error *err)
{
    return tcsi_pipeline_advance(pipeline->inner, stream->inner, err);
}

void tcs_stream_destroy(tcs_stream *stream)
{
    if (!stream) return;
    tcsi_scores_abort(stream->writer);
    tcsi_detect_stream_destroy(stream->inner);
    tcsi_row_reader_close(stream->reader);
    tcsi_api_read_deinit(&stream->read);
    tcsi_buffer_deinit(&stream->notes);
    tcsi_calibrator_deinit(&stream->calibrator);
    for (size_t c = 0; c < stream->channel_count; c++) tcsi_free(stream->names[c]);
    tcsi_free(stream->names);
    tcsi_free(stream);
}

/* ---- rows ---- */

tcs_status tcs_stream_push(tcs_stream *stream, const double *values, int64_t time_ns, int label, tcs_error *err)
{
    if (stream->reader) return tcsi_fail(err, TCS_E_INVALID, "the rows of this stream come from its input, not from push");
    tcsi_row row = { .time_ns = stream->has_times ? time_ns : 0, .values = values };
    return tcsi_detect_stream_push(stream->inner, &row, label != 0, err);
}

tcs_status tcs_stream_end(tcs_stream *stream, tcs_error *err)
{
    if (stream->is_over) return TCS_OK;
    stream->is_over = true;
    return tcsi_detect_stream_end(stream->inner, err);
}

static tcs_status read_row(tcs_stream *stream, tcs_error *err)
{
    tcsi_row row;
    uint8_t label;
    bool end = false;
    tcs_status status = tcsi_row_reader_next(stream->reader, &row, &label, &end, err);
    if (status != TCS_OK) return status;
    return end ? tcs_stream_end(stream, err) : tcsi_detect_stream_push(stream->inner, &row, label, err);
}

static tcs_episode episode_of(const tcsi_stream_episode *from)
{
    const tcsi_episode *e = &from->episode;
    return (tcs_episode){
        .row_begin = e->row_begin, .row_end = e->row_end, .row_peak = e->row_peak, .severity = e->severity, .score = e->score_peak,
        .p_value = e->p_value, .expected_count = e->expected_count, .member_count = from->agreement.member_count,
        .agreeing_count = from->agreement.agreeing_count,
        .state = (tcs_episode_state)e->state, .row_confirmed = e->row_confirmed, .share_count = from->shares.count,
        .time_begin_ns = from->time_begin_ns, .time_end_ns = from->time_end_ns, .time_peak_ns = from->time_peak_ns, .probability = NAN,
    };
}

static void fill_expected(const tcs_stream *stream, tcs_episode *ret_episode)
{
    tcsi_stream_episode from;
    if (!tcsi_detect_stream_expected(stream->inner, &from)) return;
    *ret_episode = episode_of(&from);
    ret_episode->event = tcsi_detect_stream_bound(stream->inner)->knowledge->events[from.episode.order.which].name;
}

static void fill_episode(const tcs_stream *stream, tcs_episode *ret_episode)
{
    tcsi_stream_episode from;
    *ret_episode = (tcs_episode){ 0 };
    if (!tcsi_detect_stream_episode(stream->inner, &from)) return;
    *ret_episode = episode_of(&from);
    if (from.episode.order.kind == TCSI_ORDER_ALARM) {
        char *text = (char *)stream->limit; /* room for words, part of no state */
        tcsi_bound_limit_format(tcsi_detect_stream_bound(stream->inner), from.episode.order.which, text, TCSI_API_LIMIT_SIZE);
        ret_episode->limit = text;
    }
    for (size_t i = 0; i < from.shares.count; i++) {
        ret_episode->shares[i].channel = from.shares.shares[i].channel;
        ret_episode->shares[i].share = from.shares.shares[i].share;
    }
}

static tcs_status write_outcome(tcs_stream *stream, const tcs_outcome *outcome, tcs_error *err)
{
    const bool by_evidence = tcsi_detect_stream_own_threshold(stream->inner) && (tcsi_detect_stream_info(stream->inner)->traits &
                                                                                 TCSI_TRAIT_EVIDENCE);
    tcsi_scores_row row = { .row = outcome->row, .time_ns = outcome->time_ns, .score = outcome->score, .anomaly = outcome->anomaly,
                            .sure = by_evidence || tcs_score_is_sure(&outcome->score, outcome->threshold), .label = (uint8_t)outcome->label,
                            .probability = tcsi_probability_of(&stream->calibrator, &outcome->score) };
    tcs_status status = tcsi_scores_put(stream->writer, &row, err);
    return status == TCS_OK && stream->is_live ? tcsi_scores_flush(stream->writer, err) : status;
}

tcs_status tcs_stream_next(tcs_stream *stream, tcs_outcome *ret_outcome, bool *ret_any, tcs_error *err)
{
    tcsi_outcome from;
    tcs_status status = tcsi_detect_stream_next(stream->inner, &from, ret_any, err);
    while (status == TCS_OK && !*ret_any && stream->reader && !stream->is_over) {
        status = read_row(stream, err);
        if (status == TCS_OK) status = tcsi_detect_stream_next(stream->inner, &from, ret_any, err);
    }
    if (status != TCS_OK || !*ret_any) return status;
    *ret_outcome = (tcs_outcome){ .row = from.row.sequence, .time_ns = from.row.time_ns, .label = from.label, .score = from.score,
                                  .threshold = from.verdict.threshold,
                                  .added_up = { from.verdict.sum, from.verdict.sum_threshold }, .anomaly = from.verdict.anomaly,
                                  .event = (tcs_episode_event)from.verdict.event };
    if (from.verdict.event != TCSI_EPISODE_NONE) fill_episode(stream, &ret_outcome->episode);
    ret_outcome->expected_event = (tcs_episode_event)from.verdict.expected_event;
    if (from.verdict.expected_event != TCSI_EPISODE_NONE) fill_expected(stream, &ret_outcome->expected);
    stream->expected_count += from.verdict.expected_event == TCSI_EPISODE_OPENED;
    return stream->writer ? write_outcome(stream, ret_outcome, err) : TCS_OK;
}

/* ---- why ---- */

tcs_status tcs_stream_remember(tcs_stream *stream, tcs_error *err)
{
    return tcsi_detect_stream_remember(stream->inner, (const char *const *)stream->names, stream->has_times, err);
}

tcs_status tcs_stream_explain(tcs_stream *stream, tcs_explanation **ret_explanation, tcs_error *err)
{
    tcs_explanation *explanation = TCSI_NEW(tcs_explanation);
    if (!explanation) return tcsi_fail_memory(err, "an explanation");
    tcs_status status = tcsi_detect_stream_explain(stream->inner, &explanation->subject, &explanation->inner, err);
    if (status != TCS_OK) {
        tcsi_free(explanation);
        return status;
    }
    tcsi_buffer_init(&explanation->json, TCSI_API_EXPLANATION_SIZE_MAX);
    *ret_explanation = explanation;
    return TCS_OK;
}

/* ---- scores file ---- */

tcs_status tcs_stream_scores_begin(tcs_stream *stream, const char *path, bool is_live, tcs_error *err)
{
    if (stream->writer) return tcsi_fail(err, TCS_E_INVALID, "the stream has a scores file already");
    tcsi_scores_options options = { .ndjson = tcsi_scores_is_ndjson(path), .has_times = stream->has_times,
                                    .has_uncertainty = stream->has_uncertainty, .has_labels = stream->has_labels };
    stream->is_live = is_live;
    return tcsi_scores_open(path, &options, &stream->writer, err);
}

tcs_status tcs_stream_scores_commit(tcs_stream *stream, tcs_error *err)
{
    tcsi_scores_writer *writer = stream->writer;
    stream->writer = NULL;
    return writer ? tcsi_scores_commit(writer, err) : TCS_OK;
}

/* ---- what is known so far ---- */

tcs_stream_summary tcs_stream_summarize(const tcs_stream *stream)
{
    const tcsi_detect_stream *inner = stream->inner;
    tcs_stream_summary summary = {
        .detector = tcsi_detect_stream_info(inner)->name, .row_count = tcsi_detect_stream_row_count(inner),
        .episode_count = tcsi_detect_stream_episode_count(inner), .train_row_count = tcsi_detect_stream_train_row_count(inner),
        .channel_count = stream->channel_count, .memory_max = tcsi_detect_stream_size_max(inner),
        .budget = tcsi_detect_stream_budget(inner), .has_real_times = stream->has_times, .has_labels = stream->has_labels,
        .own_threshold = tcsi_detect_stream_own_threshold(inner), .is_open = tcsi_detect_stream_episode_is_open(inner),
    };
    tcsi_api_assume(&(tcsi_api_premises){ tcsi_detect_stream_info(inner), summary.channel_count, summary.train_row_count,
                                          stream->fitted_row_count, summary.row_count, summary.budget, summary.own_threshold,
                                          false, tcsi_detect_stream_stated(inner) }, summary.assumed);
    fill_episode(stream, &summary.episode);
    const tcsi_bound *bound = tcsi_detect_stream_bound(inner);
    summary.expected_count = stream->expected_count;
    if (bound) summary.rule_count = bound->knowledge->rule_count;
    for (size_t c = 0; bound && c < bound->out_count; c++) summary.fault_count += bound->fault_counts[c];
    return summary;
}

tcs_rule tcs_stream_rule(tcs_stream *stream, size_t index)
{
    return tcsi_api_rule(tcsi_detect_stream_bound(stream->inner)->knowledge, tcsi_detect_stream_votes(stream->inner), index);
}

const char *tcs_stream_channel_name(const tcs_stream *stream, size_t channel)
{
    const tcsi_bound *bound = tcsi_detect_stream_bound(stream->inner);
    TCS_ASSERT(channel < (bound ? bound->out_count : stream->channel_count));
    return bound ? bound->names[channel] : stream->names[channel];
}

tcs_status tcs_stream_notes(tcs_stream *stream, const char **ret_lines, tcs_error *err)
{
    tcsi_buffer_clear(&stream->notes);
    tcs_status status = tcsi_buffer_puts(&stream->notes, "", err);
    if (status == TCS_OK && stream->reader) status = tcsi_read_report_print(tcsi_row_reader_report(stream->reader), &stream->notes, err);
    if (status == TCS_OK) *ret_lines = stream->notes.data ? stream->notes.data : "";
    return status;
}
