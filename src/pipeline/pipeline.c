/* pipeline/pipeline.c -- fit a pipeline, and judge rows with it; its file is pipeline/bundle.c.  SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "pipeline/known.h"
#include "tocsin_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PROGRESS_ROWS = 4096, CALIBRATION_SHARE = 5 };

#define TCSI_FLEET_ADVICE "fit it to one first (tocsin fit SERIES --from FLEET)"

/* ---- fit ---- */

static uint64_t seal_of(uint64_t seal, const tcsi_frame *frame)
{
    for (size_t c = 0; c < frame->channel_count; c++)
        seal = tcsi_seal(seal, tcsi_frame_column(frame, c), frame->row_count * sizeof(double));
    return frame->times_ns ? tcsi_seal(seal, frame->times_ns, frame->row_count * sizeof *frame->times_ns) : seal;
}

static tcs_status copy_names(tcsi_pipeline *pipeline, const tcsi_frame *frame, tcs_error *err)
{
    pipeline->channel_names = TCSI_NEW_ZEROS(char *, frame->channel_count);
    if (!pipeline->channel_names) return tcsi_fail_memory(err, "channel names");
    pipeline->channel_count = frame->channel_count;
    for (size_t c = 0; c < frame->channel_count; c++) {
        if (strlen(frame->channels[c].name) > TCSI_PIPELINE_NAME_MAX)
            return tcsi_fail(err, TCS_E_LIMIT, "the name of channel %zu has more than %d bytes", c + 1, TCSI_PIPELINE_NAME_MAX);
        pipeline->channel_names[c] = tcsi_strdup(frame->channels[c].name);
        if (!pipeline->channel_names[c]) return tcsi_fail_memory(err, "channel names");
    }
    return TCS_OK;
}

static tcs_status push_frame(tcsi_detect_stream *stream, const tcsi_frame *frame, size_t t, double *values, tcs_error *err)
{
    tcsi_row row = { .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .values = values };
    tcsi_frame_row(frame, t, values);
    return tcsi_detect_stream_push(stream, &row, frame->labels ? frame->labels[t] : 0, err);
}

/* Fills in p_values of rows behind the training rows, by their number. */
static tcs_status drain(tcsi_detect_stream *stream, double *p_values, tcs_error *err)
{
    tcsi_outcome outcome;
    bool any = true;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && any) {
        status = tcsi_detect_stream_next(stream, &outcome, &any, err);
        if (status != TCS_OK || !any) continue;
        const bool is_calibrated = tcsi_detect_stream_tail(stream)->count > 0 && outcome.score.state == TCS_SCORE_READY;
        if (is_calibrated && outcome.row.sequence >= tcsi_detect_stream_train_row_count(stream))
            p_values[outcome.row.sequence] = outcome.score.p_value;
    }
    return status;
}

static tcs_status fit_online(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_detect_options *options, tcs_error *err)
{
    tcsi_detect_stream *stream = NULL;
    tcsi_detect_options named = *options;
    named.channel_names = (const char *const *)pipeline->channel_names;
    named.has_times = pipeline->has_times;
    double *values = TCSI_NEW_ARRAY(double, frame->channel_count), *p_values = TCSI_NEW_ARRAY(double, frame->row_count);
    tcs_status status = values && p_values ? tcsi_detect_stream_create(frame->channel_count, &named, &stream, err)
                                           : tcsi_fail_memory(err, "a row");
    for (size_t t = 0; t < frame->row_count && p_values; t++) p_values[t] = NAN;
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        status = push_frame(stream, frame, t, values, err);
        if (status == TCS_OK) status = drain(stream, p_values, err);
    }
    if (status == TCS_OK && frame->labels)
        status = tcsi_probability_learn(p_values, frame->labels, frame->row_count, options->anomaly_share, &pipeline->calibrator, err);
    if (status == TCS_OK) pipeline->training = *tcsi_detect_stream_training(stream);
    if (status == TCS_OK) status = tcsi_detect_stream_save(stream, &pipeline->state, err);
    tcsi_detect_stream_destroy(stream);
    tcsi_free(values);
    tcsi_free(p_values);
    return status;
}

/* Does it learn anything?  One whose scores are in units of the frame finds its scale in each anew. */
static bool is_learning(const tcsi_detector_info *info)
{
    return info->ops->fit && (!(info->traits & TCSI_TRAIT_RELATIVE) || (info->traits & TCSI_TRAIT_TRAINED));
}

/* A table may be sorted, by its labels even: one row in CALIBRATION_SHARE, evenly, is not learned from, instead of the last ones. */
static bool is_held(const tcsi_pipeline *pipeline, size_t t)
{
    return pipeline->is_spread ? t % CALIBRATION_SHARE == CALIBRATION_SHARE - 1 : t >= pipeline->train_row_count;
}

/* The rows of a table that are learned from. */
static tcs_status spread_rows(const tcsi_pipeline *pipeline, const tcsi_frame *frame, tcsi_frame **ret_train, tcs_error *err)
{
    double *values = TCSI_NEW_ARRAY(double, frame->channel_count);
    tcs_status status = values ? tcsi_frame_create(frame->channel_count, pipeline->train_row_count, false, frame->labels, ret_train, err)
                               : tcsi_fail_memory(err, "training rows");
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        if (is_held(pipeline, t)) continue;
        tcsi_frame_row(frame, t, values);
        status = tcsi_frame_append(*ret_train, values, 0, frame->labels ? frame->labels[t] : 0, err);
    }
    tcsi_free(values);
    return status;
}

/* Scores of rows that were not learned from and nobody called anomalous; of all rows, where the rest is too small to say anything. */
static tcs_status keep_reference(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_order *orders, const tcs_score *scores,
                                 tcs_error *err)
{
    const bool is_enough = frame->row_count - pipeline->train_row_count >= TCSI_HISTORY_MIN;
    if (pipeline->info->traits & TCSI_TRAIT_RELATIVE) return TCS_OK;
    double *reference = TCSI_NEW_ARRAY(double, frame->row_count);
    size_t count = 0;
    if (!reference) return tcsi_fail_memory(err, "scores");
    for (size_t t = 0; t < frame->row_count; t++) {
        const bool is_told_anomalous = (pipeline->is_told && frame->labels[t]) || (orders && orders[t].kind != TCSI_ORDER_NONE);
        if (is_enough && !is_held(pipeline, t)) continue;
        if (scores[t].state == TCS_SCORE_READY && !is_told_anomalous) reference[count++] = scores[t].value;
    }
    pipeline->reference = reference;
    pipeline->reference_count = count < TCSI_HISTORY_MAX ? count : TCSI_HISTORY_MAX; /* the last ones */
    memmove(reference, reference + (count - pipeline->reference_count), pipeline->reference_count * sizeof *reference);
    if (pipeline->reference_count < 2)
        return tcsi_fail(err, TCS_E_FORMAT, "of %zu rows %s gave fewer than two scores: too few to say what is usual", frame->row_count,
                         pipeline->info->name);
    return TCS_OK;
}

static tcsi_policy_options policy_of(const tcsi_pipeline *pipeline, const tcsi_detector *detector, const tcsi_frame *frame)
{
    return (tcsi_policy_options){ .mode = TCS_MODE_OFFLINE, .budget = pipeline->budget, .own_threshold = tcsi_detector_threshold(detector),
                                  .own_by_evidence = pipeline->info->traits & TCSI_TRAIT_EVIDENCE, .is_tabular = pipeline->is_tabular,
                                  .merge_count = pipeline->is_tabular ? 0 : tcsi_detector_horizon(detector),
                                  .cadence_ns = tcsi_detect_cadence(frame),
                                  .reference = pipeline->reference, .reference_count = pipeline->reference_count };
}

static bool is_held_row(const void *pipeline, size_t row)
{
    return is_held(pipeline, row);
}

/* With labels: what p-values of rows that were not learned from have to do with them. */
static tcs_status calibrate(tcsi_pipeline *pipeline, const tcsi_detector *detector, const tcsi_frame *frame, tcs_score *scores,
                            double anomaly_share, tcs_error *err)
{
    if (!frame->labels) return TCS_OK;
    const tcsi_policy_options policy = policy_of(pipeline, detector, frame);
    tcsi_policy_result decision;
    tcs_status status = tcsi_policy_decide(scores, frame->row_count, &policy, &decision, err);
    if (status != TCS_OK) return status;
    tcsi_policy_result_deinit(&decision);
    return tcsi_probability_learn_scores(scores, frame->labels, frame->row_count, is_held_row, pipeline, anomaly_share,
                                         &pipeline->calibrator, err);
}

/* The rows as the detector is to see them; known, unless NULL, has them from the input's. */
static tcs_status fit_seen(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_known *known, const tcsi_detect_options *options,
                           tcs_error *err)
{
    tcsi_pool *pool = NULL;
    tcsi_detector *detector = NULL;
    tcsi_frame train = tcsi_frame_view(frame, 0, pipeline->train_row_count), *spread = NULL;
    tcs_score *scores = TCSI_NEW_ZEROS(tcs_score, frame->row_count);
    tcs_status status = scores ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK && options->thread_count != 1) status = tcsi_pool_create(options->thread_count, &pool, err);
    pipeline->training.checkpoint = options->checkpoint;
    const tcsi_detector_setup setup = { .channel_count = frame->channel_count, .pool = pool, .training = &pipeline->training,
                                        .constraints = known ? known->constraints : NULL };
    if (status == TCS_OK) status = tcsi_detect_prepare(options, pipeline->info, &setup, &detector, err);
    if (status == TCS_OK) {
        if (pipeline->is_spread) status = spread_rows(pipeline, frame, &spread, err);
        if (status == TCS_OK && spread) train = tcsi_frame_view(spread, 0, spread->row_count);
        if (!pipeline->is_told) train.labels = NULL;
        if (status == TCS_OK && is_learning(pipeline->info)) status = tcsi_detector_fit(detector, &train, err);
        if (status == TCS_OK) status = tcsi_detector_score(detector, frame, scores, err);
        status = tcsi_detect_blame_rows(status, err);
    }
    if (status == TCS_OK) status = keep_reference(pipeline, frame, known ? known->applied.orders : NULL, scores, err);
    if (status == TCS_OK) status = calibrate(pipeline, detector, frame, scores, options->anomaly_share, err);
    if (status == TCS_OK) status = tcsi_detector_save(detector, &pipeline->state, err);
    tcsi_detector_destroy(detector);
    tcsi_pool_destroy(pool);
    tcsi_frame_destroy(spread);
    tcsi_free(scores);
    return status;
}

static tcs_status fit_offline(tcsi_pipeline *pipeline, const tcsi_frame *given, const tcsi_detect_options *options, tcs_error *err)
{
    tcsi_known *known = NULL;
    tcs_status status = pipeline->knowledge ? tcsi_known_create(pipeline->knowledge, given, pipeline->has_times, &known, err) : TCS_OK;
    if (status == TCS_OK)
        status = fit_seen(pipeline, known ? known->applied.frame : given, known, options, err);
    tcsi_known_destroy(known);
    return status;
}

static tcs_status check_fit(const tcsi_frame *frame, const tcsi_detect_options *options, tcs_error *err)
{
    if (frame->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to learn from");
    if (frame->channel_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no numeric column to learn from");
    if (options->train_row_count > frame->row_count)
        return tcsi_fail(err, TCS_E_INVALID, "%zu training rows asked for, but there are only %zu rows", options->train_row_count,
                         frame->row_count);
    return tcsi_probability_check(options->anomaly_share, err);
}

/* All but what is learned. */
static tcs_status begin(const tcsi_frame *frame, const tcsi_detect_options *options, const tcsi_detector_info *info,
                        tcsi_pipeline **ret_pipeline, tcs_error *err)
{
    tcsi_pipeline *pipeline = TCSI_NEW(tcsi_pipeline);
    if (!pipeline) return tcsi_fail_memory(err, "a pipeline");
    *pipeline = (tcsi_pipeline){ .mode = options->mode, .is_tabular = options->is_tabular && options->mode == TCS_MODE_OFFLINE,
                                 .info = info, .seed = options->fleet ? options->fleet->seed : options->seed, .budget = options->budget,
                                 .train_row_count = options->train_row_count, .row_count = frame->row_count,
                                 .calibrator = tcsi_probability_assume(options->anomaly_share),
                                 .data_seal = seal_of(TCSI_SEAL_BEGIN, frame) };
    snprintf(pipeline->engine, sizeof pipeline->engine, "%s", TCSI_VERSION);
    pipeline->knowledge = tcsi_knowledge_ref(options->knowledge);
    pipeline->has_times = options->knowledge && options->has_times && frame->times_ns;
    tcsi_buffer_init(&pipeline->state, SIZE_MAX);
    tcs_status status = copy_names(pipeline, frame, err);
    if (status == TCS_OK) status = tcsi_detect_values(options, info, &pipeline->parameter_values, err);
    if (status == TCS_OK) *ret_pipeline = pipeline;
    else tcsi_pipeline_destroy(pipeline);
    return status;
}

static tcs_status finish(tcsi_pipeline *pipeline, tcs_status status, tcsi_pipeline **ret_pipeline)
{
    pipeline->training.checkpoint = NULL;
    if (status == TCS_OK) *ret_pipeline = pipeline;
    else tcsi_pipeline_destroy(pipeline);
    return status;
}

tcs_status tcsi_pipeline_fit(const tcsi_frame *frame, const tcsi_detect_options *options, tcsi_pipeline **ret_pipeline, tcs_error *err)
{
    const tcsi_detector_info *info;
    tcsi_pipeline *pipeline = NULL;
    tcs_status status = check_fit(frame, options, err);
    if (status == TCS_OK) status = tcsi_detect_choose(options, &info, err);
    if (status != TCS_OK) return status;
    tcsi_detect_options chosen = *options;
    if (chosen.train_row_count == 0) chosen.train_row_count = frame->row_count - frame->row_count / CALIBRATION_SHARE;
    const bool is_told = (info->traits & TCSI_TRAIT_LABELS) && frame->labels;
    status = tcsi_detect_check(&chosen, info, chosen.train_row_count, is_told, err);
    if (status == TCS_OK) status = begin(frame, &chosen, info, &pipeline, err);
    if (status != TCS_OK) return status;
    pipeline->is_told = is_told;
    pipeline->is_spread = pipeline->is_tabular && options->train_row_count == 0;
    status = (options->mode == TCS_MODE_ONLINE ? fit_online : fit_offline)(pipeline, frame, &chosen, err);
    return finish(pipeline, status, ret_pipeline);
}

/* ---- a fleet ---- */

static tcs_status check_names(const tcsi_fleet *fleet, tcs_error *err)
{
    if (fleet->series_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no series to learn from");
    for (size_t s = 0; s < fleet->series_count; s++) {
        const tcsi_frame *first = fleet->series[0], *frame = fleet->series[s];
        if (frame->channel_count != first->channel_count)
            return tcsi_fail(err, TCS_E_INVALID, "series %zu has %zu channels, but the first has %zu", s + 1, frame->channel_count,
                             first->channel_count);
        for (size_t c = 0; c < frame->channel_count; c++)
            if (strcmp(frame->channels[c].name, first->channels[c].name) != 0)
                return tcsi_fail(err, TCS_E_INVALID, "channel %zu of series %zu is '%.80s', but '%.80s' in the first", c + 1, s + 1,
                                 frame->channels[c].name, first->channels[c].name);
    }
    return TCS_OK;
}

tcs_status tcsi_pipeline_fit_fleet(const tcsi_fleet *fleet, const tcsi_detect_options *options, tcsi_pipeline **ret_pipeline,
                                   tcs_error *err)
{
    const tcsi_detector_info *info;
    tcsi_pool *pool = NULL;
    tcsi_detector *detector = NULL;
    tcsi_pipeline *pipeline = NULL;
    tcs_status status = options->fleet ? tcsi_fail(err, TCS_E_INVALID, "a fleet cannot begin with another") : check_names(fleet, err);
    if (status == TCS_OK && options->knowledge)
        status = tcsi_fail(err, TCS_E_INVALID, "knowledge is of one series: give it when the fleet's pipeline is fitted to one");
    if (status == TCS_OK) status = tcsi_detect_choose(options, &info, err);
    if (status == TCS_OK && !(info->traits & TCSI_TRAIT_FLEET))
        status = tcsi_fail(err, TCS_E_INVALID, "%s learns from one series, not from a fleet; autoencoders and forecasters can", info->name);
    if (status == TCS_OK) status = tcsi_detect_check(options, info, 1, false, err);
    if (status == TCS_OK) status = begin(fleet->series[0], options, info, &pipeline, err);
    if (status != TCS_OK) return status;
    pipeline->is_fleet = true;
    pipeline->row_count = 0;
    for (size_t s = 0; s < fleet->series_count; s++) {
        pipeline->row_count += fleet->series[s]->row_count;
        if (s > 0) pipeline->data_seal = seal_of(pipeline->data_seal, fleet->series[s]);
    }
    pipeline->train_row_count = pipeline->row_count;
    pipeline->training.checkpoint = options->checkpoint;
    if (options->thread_count != 1) status = tcsi_pool_create(options->thread_count, &pool, err);
    const tcsi_detector_setup setup = { .channel_count = pipeline->channel_count, .pool = pool, .training = &pipeline->training };
    if (status == TCS_OK) status = tcsi_detect_prepare(options, info, &setup, &detector, err);
    if (status == TCS_OK) status = tcsi_detector_fit_fleet(detector, fleet, err);
    if (status == TCS_OK) status = tcsi_detector_save(detector, &pipeline->state, err);
    tcsi_detector_destroy(detector);
    tcsi_pool_destroy(pool);
    return finish(pipeline, status, ret_pipeline);
}

void tcsi_pipeline_destroy(tcsi_pipeline *pipeline)
{
    if (!pipeline) return;
    for (size_t c = 0; c < pipeline->channel_count && pipeline->channel_names; c++) tcsi_free(pipeline->channel_names[c]);
    tcsi_free(pipeline->channel_names);
    tcsi_free(pipeline->parameter_values);
    tcsi_free(pipeline->reference);
    tcsi_knowledge_destroy(pipeline->knowledge);
    tcsi_calibrator_deinit(&pipeline->calibrator);
    tcsi_buffer_deinit(&pipeline->state);
    tcsi_free(pipeline);
}

/* ---- score ---- */

static tcs_status check_channels(const tcsi_pipeline *pipeline, const tcsi_frame *frame, tcs_error *err)
{
    if (pipeline->is_fleet) return tcsi_fail(err, TCS_E_INVALID, "the pipeline knows a fleet, and no series yet: %s", TCSI_FLEET_ADVICE);
    if (frame->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to look at");
    if (frame->channel_count != pipeline->channel_count)
        return tcsi_fail(err, TCS_E_INVALID, "%zu channels, but the pipeline was fitted on %zu", frame->channel_count,
                         pipeline->channel_count);
    for (size_t c = 0; c < frame->channel_count; c++)
        if (strcmp(frame->channels[c].name, pipeline->channel_names[c]) != 0)
            return tcsi_fail(err, TCS_E_INVALID, "channel %zu is '%.80s', but the pipeline was fitted on '%.80s' there", c + 1,
                             frame->channels[c].name, pipeline->channel_names[c]);
    return TCS_OK;
}

static tcs_status score_offline(tcsi_pipeline *pipeline, const tcsi_pipeline_run *run, tcsi_detection *detection, tcs_error *err)
{
    tcsi_pool *pool = NULL;
    tcsi_detector *detector = NULL;
    const tcsi_frame *frame = detection->frame;
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    tcs_status status = run->thread_count != 1 ? tcsi_pool_create(run->thread_count, &pool, err) : TCS_OK;
    if (status == TCS_OK) status = tcsi_detector_load(pipeline->state.data, pipeline->state.size, pool, &detector, err);
    if (status == TCS_OK) {
        detector->progress = &run->progress;
        status = tcsi_detect_blame_rows(tcsi_detector_score(detector, frame, detection->scores, err), err);
    }
    const int64_t middle_ns = tcsi_clock_monotonic_ns();
    if (status == TCS_OK) {
        tcsi_policy_options policy = policy_of(pipeline, detector, frame);
        policy.orders = tcsi_detection_orders(detection);
        status = tcsi_detection_decide(detection, detector, &policy, err);
    }
    if (status == TCS_OK) status = tcsi_detection_ask_forecasts(detection, detector, err);
    detection->seconds_detect = (double)(middle_ns - begin_ns) * 1e-9;
    detection->seconds_decide = (double)(tcsi_clock_monotonic_ns() - middle_ns) * 1e-9;
    detection->is_tabular = pipeline->is_tabular;
    tcsi_detection_part(detection, detector, pool, run->keep && status == TCS_OK);
    return status;
}

/* NULL: there is none. */
static tcs_status bind_knowledge(const tcsi_pipeline *pipeline, tcsi_bound **ret_bound, tcs_error *err)
{
    if (!pipeline->knowledge) return TCS_OK;
    return tcsi_known_bind(pipeline->knowledge, (const char *const *)pipeline->channel_names, pipeline->channel_count, pipeline->has_times,
                           ret_bound, err);
}

/* Where episodes and their shares are gathered. */
typedef struct found {
    size_t episode_room, share_room, expected_room;
} found;

static tcs_status keep_episode(tcsi_detection *detection, const tcsi_detect_stream *stream, found *f, tcs_error *err)
{
    tcsi_policy_result *decision = &detection->decision;
    tcsi_stream_episode last;
    if (!tcsi_detect_stream_episode(stream, &last)) return TCS_OK;
    if (decision->episode_count == f->share_room) {
        const size_t larger = f->share_room ? 2 * f->share_room : 16;
        tcsi_episode_shares *grown = tcsi_realloc_array(detection->shares, larger, sizeof *grown);
        if (!grown) return tcsi_fail_memory(err, "episodes");
        detection->shares = grown;
        f->share_room = larger;
    }
    detection->shares[decision->episode_count] = last.shares;
    return tcsi_episodes_add(&decision->episodes, &decision->episode_count, &f->episode_room, &last.episode, err);
}

static tcs_status keep_expected(tcsi_detection *detection, const tcsi_detect_stream *stream, found *f, tcs_error *err)
{
    tcsi_policy_result *decision = &detection->decision;
    tcsi_stream_episode last;
    if (!tcsi_detect_stream_expected(stream, &last)) return TCS_OK;
    return tcsi_episodes_add(&decision->expected, &decision->expected_count, &f->expected_room, &last.episode, err);
}

static tcs_status run_stream(tcsi_detection *detection, const tcsi_frame *frame, tcsi_detect_stream *stream, const tcsi_pipeline_run *run,
                             double *values, tcs_error *err)
{
    tcsi_policy_result *decision = &detection->decision;
    tcsi_known *known = detection->known;
    found f = { 0 };
    tcs_status status = TCS_OK;
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        tcsi_outcome outcome = { 0 };
        bool any;
        if (t % PROGRESS_ROWS == 0) status = tcsi_progress_report(&run->progress, (double)t / (double)frame->row_count, err);
        if (status == TCS_OK) status = push_frame(stream, frame, t, values, err);
        if (status == TCS_OK) status = tcsi_detect_stream_next(stream, &outcome, &any, err);
        detection->scores[t] = outcome.score;
        if (status == TCS_OK && t == 0) status = tcsi_detection_listen(detection, frame->row_count, outcome.member_count, err);
        for (size_t k = 0; k < detection->member_count && status == TCS_OK; k++)
            detection->said[t * detection->member_count + k] = outcome.said[k];
        if (status == TCS_OK) tcsi_policy_result_note(decision, t, &outcome.verdict);
        if (status == TCS_OK && outcome.verdict.event == TCSI_EPISODE_CLOSED) status = keep_episode(detection, stream, &f, err);
        if (status == TCS_OK && outcome.verdict.expected_event == TCSI_EPISODE_CLOSED) status = keep_expected(detection, stream, &f, err);
        if (status == TCS_OK && known) status = tcsi_applied_add(&known->applied, frame, outcome.row.values, &outcome.known, err);
    }
    if (status == TCS_OK && tcsi_detect_stream_expected_is_open(stream)) status = keep_expected(detection, stream, &f, err);
    if (status == TCS_OK && tcsi_detect_stream_episode_is_open(stream)) status = keep_episode(detection, stream, &f, err);
    return status;
}

static tcs_status copy_tail(const tcsi_tail *tail, tcsi_tail *ret_tail, tcs_error *err)
{
    double *sorted = TCSI_NEW_ARRAY(double, tail->count);
    if (!sorted) return tcsi_fail_memory(err, "decisions");
    if (tail->count > 0) memcpy(sorted, tail->sorted, tail->count * sizeof *sorted);
    *ret_tail = *tail;
    ret_tail->sorted = sorted;
    return TCS_OK;
}

/* What explanations begin with: the detector as it stands before the first row. */
static tcs_status keep_origin(const tcsi_detect_stream *stream, tcsi_detection *detection, const tcsi_pipeline_run *run, tcs_error *err)
{
    tcsi_pool *pool = NULL;
    tcsi_detector *detector = NULL;
    tcs_status status = tcsi_detect_stream_save_detector(stream, &detection->origin, err);
    if (status == TCS_OK && run->thread_count != 1) status = tcsi_pool_create(run->thread_count, &pool, err);
    if (status == TCS_OK) status = tcsi_detector_load(detection->origin.data, detection->origin.size, pool, &detector, err);
    tcsi_detection_part(detection, detector, pool, status == TCS_OK);
    return status;
}

/* Impossible readings of these rows alone: the stream counts from its first. */
static void count_faults(const tcsi_known *known, const tcsi_bound *stream_bound, double sign)
{
    for (size_t c = 0; c < known->bound->out_count; c++)
        known->bound->fault_counts[c] = sign < 0 ? stream_bound->fault_counts[c]
                                                 : stream_bound->fault_counts[c] - known->bound->fault_counts[c];
}

static tcs_status score_online(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_pipeline_run *run, tcsi_detection *detection,
                               tcs_error *err)
{
    tcsi_policy_result *decision = &detection->decision;
    const size_t row_count = frame->row_count;
    tcsi_detect_stream *stream = NULL;
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    double *values = TCSI_NEW_ARRAY(double, pipeline->channel_count);
    tcs_status status = values ? TCS_OK : tcsi_fail_memory(err, "decisions");
    if (status == TCS_OK) status = tcsi_pipeline_stream(pipeline, run->thread_count, &stream, err);
    if (status == TCS_OK)
        status = tcsi_policy_result_reserve(decision, row_count, tcsi_detect_stream_adds_up(stream), err);
    if (status == TCS_OK && run->keep) status = keep_origin(stream, detection, run, err);
    if (status == TCS_OK && detection->known) count_faults(detection->known, tcsi_detect_stream_bound(stream), -1);
    if (status == TCS_OK) status = run_stream(detection, frame, stream, run, values, err);
    if (status == TCS_OK && detection->known) count_faults(detection->known, tcsi_detect_stream_bound(stream), 1);
    if (status == TCS_OK) status = copy_tail(tcsi_detect_stream_tail(stream), &decision->tail, err);
    if (status == TCS_OK) {
        decision->stated = *tcsi_detect_stream_stated(stream);
        decision->threshold = tcsi_detect_stream_threshold(stream);
        decision->budget_count = tcsi_detect_stream_budget(stream);
        decision->own_threshold_used = tcsi_detect_stream_own_threshold(stream);
        decision->by_evidence = decision->own_threshold_used && (pipeline->info->traits & TCSI_TRAIT_EVIDENCE);
        status = tcsi_detection_ask_forecasts(detection, tcsi_detect_stream_detector(stream), err);
    }
    if (status == TCS_OK && detection->known) status = tcsi_known_conclude(detection->known, detection, err);
    if (status == TCS_OK && run->advance) status = tcsi_pipeline_advance(pipeline, stream, err);
    detection->seconds_detect = (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9; /* row by row: the decision is among it */
    tcsi_detect_stream_destroy(stream);
    tcsi_free(values);
    return status;
}

/* Knowledge of the frame: all of it offline; online the stream tells it row by row. */
static tcs_status know_frame(const tcsi_pipeline *pipeline, const tcsi_frame *frame, tcsi_known **ret_known, tcs_error *err)
{
    tcsi_bound *bound = NULL;
    if (!pipeline->knowledge) return TCS_OK;
    if (pipeline->has_times && !frame->times_ns)
        return tcsi_fail(err, TCS_E_INVALID, "rows without times, but the pipeline's knowledge needs them");
    if (pipeline->mode == TCS_MODE_OFFLINE) return tcsi_known_create(pipeline->knowledge, frame, pipeline->has_times, ret_known, err);
    tcs_status status = bind_knowledge(pipeline, &bound, err);
    return status == TCS_OK ? tcsi_known_follow(bound, frame, ret_known, err) : status;
}

tcs_status tcsi_pipeline_score(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_pipeline_run *run,
                               tcsi_detection **ret_detection, tcs_error *err)
{
    tcsi_detection *detection = NULL;
    tcsi_known *known = NULL;
    tcs_status status = check_channels(pipeline, frame, err);
    if (status == TCS_OK && run->advance && pipeline->mode == TCS_MODE_OFFLINE)
        status = tcsi_fail(err, TCS_E_INVALID, "an offline pipeline looks at each input by itself: it does not move on");
    if (status == TCS_OK) status = know_frame(pipeline, frame, &known, err);
    if (status == TCS_OK) status = tcsi_detection_create(frame, pipeline->info, pipeline->parameter_values, &detection, err);
    if (status != TCS_OK) {
        tcsi_known_destroy(known);
        return status;
    }
    detection->known = known;
    if (known) detection->frame = known->applied.frame; /* online it fills with the rows */
    detection->mode = pipeline->mode;
    detection->fitted_row_count = pipeline->train_row_count;
    detection->is_told = pipeline->is_told;
    detection->seed = pipeline->seed;
    status = tcsi_calibrator_copy(&pipeline->calibrator, &detection->calibrator, err);
    if (status == TCS_OK)
        status = pipeline->mode == TCS_MODE_ONLINE ? score_online(pipeline, frame, run, detection, err)
                                                   : score_offline(pipeline, run, detection, err);
    if (status == TCS_OK) *ret_detection = detection;
    else tcsi_detection_destroy(detection);
    return status;
}

/* ---- streams ---- */

tcs_status tcsi_pipeline_stream(const tcsi_pipeline *pipeline, size_t thread_count, tcsi_detect_stream **ret_stream, tcs_error *err)
{
    if (pipeline->is_fleet) return tcsi_fail(err, TCS_E_INVALID, "the pipeline knows a fleet, and no series yet: %s", TCSI_FLEET_ADVICE);
    if (pipeline->mode == TCS_MODE_OFFLINE)
        return tcsi_fail(err, TCS_E_INVALID, "the pipeline was fitted offline: it judges whole inputs, not rows as they come");
    tcsi_bound *bound = NULL;
    tcs_status status = bind_knowledge(pipeline, &bound, err);
    return status == TCS_OK ? tcsi_detect_stream_load(pipeline->state.data, pipeline->state.size, thread_count, bound, ret_stream, err)
                            : status;
}

tcs_status tcsi_pipeline_advance(tcsi_pipeline *pipeline, tcsi_detect_stream *stream, tcs_error *err)
{
    tcsi_buffer state;
    tcsi_buffer_init(&state, SIZE_MAX);
    tcs_status status = tcsi_detect_stream_save(stream, &state, err);
    if (status != TCS_OK) {
        tcsi_buffer_deinit(&state);
        return status;
    }
    tcsi_buffer_deinit(&pipeline->state);
    pipeline->state = state;
    pipeline->row_count += tcsi_detect_stream_row_count(stream);
    return TCS_OK;
}
