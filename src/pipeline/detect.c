/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/detect.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "detect/registry.h"
#include "pipeline/crossing.h"
#include "pipeline/known.h"
#include "pipeline/labels.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

size_t tcsi_train_rows_default(tcs_mode mode, size_t row_count)
{
    if (mode == TCS_MODE_OFFLINE) return row_count / 5;
    size_t share = row_count * 15 / 100, count = share < 750 ? share : 750;
    if (count < 100) count = row_count < 200 ? (row_count + 1) / 2 : 100;
    return count;
}

const char *tcsi_auto_name(tcs_mode mode, bool is_tabular)
{
    if (is_tabular) return "auto_tabular";
    return mode == TCS_MODE_OFFLINE ? "auto_offline" : "auto_online";
}

/* Judged online, rows come one after the other, whether they have times or not. */
static bool is_tabular(const tcsi_detect_options *options)
{
    return options->is_tabular && options->mode == TCS_MODE_OFFLINE;
}

tcs_status tcsi_detect_choose(const tcsi_detect_options *options, const tcsi_detector_info **ret_info, tcs_error *err)
{
    const char *name = options->detector;
    if (options->fleet) {
        const char *known = options->fleet->info->name;
        if (name && strcmp(name, known) != 0)
            return tcsi_fail(err, TCS_E_INVALID, "the fleet is known to %s, not to %s", known, name);
        if (options->parameter_count > 0)
            return tcsi_fail(err, TCS_E_INVALID, "parameter '%s': those of the fleet hold, from when it was learned",
                             options->parameters[0].name);
        name = known;
    }
    if (!name || strcmp(name, "auto") == 0) name = tcsi_auto_name(options->mode, is_tabular(options));
    tcs_status status = tcsi_registry_get(name, ret_info, err);
    if (status != TCS_OK) return status;
    if (options->mode == TCS_MODE_ONLINE && !((*ret_info)->traits & TCSI_TRAIT_STREAMING))
        return tcsi_fail(err, TCS_E_INVALID, "%s looks at the whole frame: it cannot run online; use --mode offline", (*ret_info)->name);
    return TCS_OK;
}

tcs_status tcsi_detect_prepare(const tcsi_detect_options *options, const tcsi_detector_info *info, const tcsi_detector_setup *setup,
                               tcsi_detector **ret_detector, tcs_error *err)
{
    const tcsi_pipeline *fleet = options->fleet;
    tcsi_detector_setup whole = *setup;
    whole.seed = options->seed;
    whole.progress = &options->progress;
    whole.parameters = options->parameters;
    whole.parameter_count = options->parameter_count;
    if (!fleet) return tcsi_detector_create(info, &whole, ret_detector, err);
    if (setup->channel_count != fleet->channel_count)
        return tcsi_fail(err, TCS_E_INVALID, "%zu channels, but the fleet has %zu", setup->channel_count, fleet->channel_count);
    tcs_status status = tcsi_detector_load(fleet->state.data, fleet->state.size, setup->pool, ret_detector, err);
    if (status != TCS_OK) return status;
    (*ret_detector)->progress = &options->progress;
    (*ret_detector)->training = setup->training;
    if (options->facts) status = tcsi_detector_describe(*ret_detector, options->facts, options->fact_count, err);
    if (status != TCS_OK) {
        tcsi_detector_destroy(*ret_detector);
        *ret_detector = NULL;
    }
    return status;
}

tcs_status tcsi_detect_blame_rows(tcs_status status, tcs_error *err)
{
    if (status != TCS_E_INVALID) return status;
    if (err) err->status = TCS_E_FORMAT;
    return TCS_E_FORMAT;
}

static tcs_status run_detector(tcsi_detector *detector, const tcsi_detection *detection, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (detection->train_row_count > 0) {
        tcsi_frame train = tcsi_frame_view(detection->frame, 0, detection->train_row_count);
        if (!detection->is_told) train.labels = NULL;
        status = tcsi_detector_fit(detector, &train, err);
    }
    if (status == TCS_OK) status = tcsi_detector_score(detector, detection->frame, detection->scores, err);
    return tcsi_detect_blame_rows(status, err);
}

void tcsi_rank_parts(const double *parts, size_t channel_count, tcsi_episode_shares *ret_shares)
{
    double sum = 0;
    size_t count = 0;
    for (size_t c = 0; c < channel_count; c++) sum += parts[c] > 0 && isfinite(parts[c]) ? parts[c] : 0;
    for (size_t c = 0; c < channel_count && sum > 0; c++) {
        double share = parts[c] > 0 && isfinite(parts[c]) ? parts[c] / sum : 0;
        size_t at = count;
        if (count < TCSI_SHARE_COUNT_MAX) count++;
        else if (ret_shares->shares[count - 1].share >= share) continue;
        else at = count - 1;
        for (; at > 0 && ret_shares->shares[at - 1].share < share; at--) ret_shares->shares[at] = ret_shares->shares[at - 1];
        ret_shares->shares[at] = (tcsi_share){ .channel = c, .share = share };
    }
    ret_shares->count = count;
}

static tcs_status attribute_episodes(const tcsi_detector *detector, tcsi_detection *detection, tcs_error *err)
{
    size_t channel_count = detection->frame->channel_count;
    detection->shares = TCSI_NEW_ZEROS(tcsi_episode_shares, detection->decision.episode_count);
    double *parts = TCSI_NEW_ARRAY(double, channel_count);
    if (!detection->shares || !parts) {
        tcsi_free(parts);
        return tcsi_fail_memory(err, "episode contributions");
    }
    for (size_t i = 0; i < detection->decision.episode_count; i++) {
        const tcsi_episode *episode = &detection->decision.episodes[i];
        if (channel_count == 1) {
            detection->shares[i] = (tcsi_episode_shares){ .shares = { { .channel = 0, .share = 1 } }, .count = 1 };
        } else if (tcsi_detector_contribute_span(detector, episode->row_begin, episode->row_end, parts)) {
            tcsi_rank_parts(parts, channel_count, &detection->shares[i]);
        }
    }
    tcsi_free(parts);
    return TCS_OK;
}

tcs_status tcsi_detection_ask_forecasts(tcsi_detection *detection, const tcsi_detector *detector, tcs_error *err)
{
    tcsi_forecast ignored;
    size_t each = 0, count;
    while (tcsi_detector_forecast(detector, 0, each, &ignored)) each++;
    if (each == 0) return TCS_OK;
    detection->forecasts = tcsi_multiply(each, detector->channel_count, &count) ? TCSI_NEW_ARRAY(tcsi_channel_forecast, count) : NULL;
    if (!detection->forecasts) return tcsi_fail_memory(err, "forecasts");
    for (size_t c = 0; c < detector->channel_count; c++)
        for (size_t i = 0; i < each; i++) {
            tcsi_channel_forecast *to = &detection->forecasts[detection->forecast_count];
            to->channel = c;
            detection->forecast_count += tcsi_detector_forecast(detector, c, i, &to->forecast);
        }
    return tcsi_detection_find_crossings(detection, err);
}

double tcsi_detect_cadence(const tcsi_frame *frame)
{
    if (!frame->times_ns || frame->row_count < 2) return 0;
    int64_t span = frame->times_ns[frame->row_count - 1] - frame->times_ns[0];
    return span > 0 ? (double)span / (double)(frame->row_count - 1) : 0;
}

tcs_status tcsi_detection_listen(tcsi_detection *detection, size_t row_count, size_t member_count, tcs_error *err)
{
    size_t count;
    if (member_count == 0) return TCS_OK;
    detection->said = tcsi_multiply(row_count, member_count, &count) ? TCSI_NEW_ARRAY(float, count) : NULL;
    if (!detection->said) return tcsi_fail_memory(err, "what members say");
    detection->member_count = member_count;
    return TCS_OK;
}

static tcs_status hear_members(const tcsi_detector *detector, tcsi_detection *detection, tcs_error *err)
{
    float said[TCSI_MEMBER_COUNT_MAX];
    tcs_status status = tcsi_detection_listen(detection, detection->frame->row_count, tcsi_detector_members(detector, 0, said), err);
    for (size_t t = 0; t < detection->frame->row_count && status == TCS_OK && detection->said; t++)
        (void)tcsi_detector_members(detector, t, detection->said + t * detection->member_count);
    return status;
}

tcsi_agreement tcsi_detection_agreement(const tcsi_detection *detection, size_t row)
{
    return tcsi_agreement_of(detection->said ? detection->said + row * detection->member_count : NULL, detection->member_count);
}

tcs_status tcsi_detection_decide(tcsi_detection *detection, const tcsi_detector *detector, const tcsi_policy_options *policy,
                                 tcs_error *err)
{
    tcs_status status = tcsi_policy_decide(detection->scores, detection->frame->row_count, policy, &detection->decision, err);
    if (status == TCS_OK) status = attribute_episodes(detector, detection, err);
    if (status == TCS_OK) status = hear_members(detector, detection, err);
    return status == TCS_OK && detection->known ? tcsi_known_conclude(detection->known, detection, err) : status;
}

const tcsi_order *tcsi_detection_orders(const tcsi_detection *detection)
{
    return detection->known ? detection->known->applied.orders : NULL;
}

static tcs_status decide(const tcsi_detector *detector, const tcsi_detect_options *options, tcsi_detection *detection, tcs_error *err)
{
    tcsi_policy_options policy = { .mode = options->mode, .budget = options->budget,
                                   .own_threshold = tcsi_detector_threshold(detector),
                                   .own_by_evidence = detection->info->traits & TCSI_TRAIT_EVIDENCE,
                                   .train_row_count = detection->train_row_count,
                                   /* Rows with labelled events among them are no reference of what is normal. */
                                   .use_train = options->mode == TCS_MODE_ONLINE || (options->train_row_count > 0 && !detection->is_told),
                                   .merge_count = is_tabular(options) ? 0 : tcsi_detector_horizon(detector),
                                   .is_tabular = is_tabular(options),
                                   .cadence_ns = tcsi_detect_cadence(detection->frame),
                                   .times_ns = detection->frame->times_ns, .orders = tcsi_detection_orders(detection) };
    return tcsi_detection_decide(detection, detector, &policy, err);
}

/* Online, a detector that learns nothing beforehand has no training part: its first scores are as honest as its last. */
static size_t choose_train_rows(const tcsi_detect_options *options, const tcsi_detector_info *info, size_t row_count)
{
    if (options->train_row_count > 0) return options->train_row_count;
    if (is_tabular(options) || (options->mode == TCS_MODE_ONLINE && !info->ops->fit)) return 0;
    return tcsi_train_rows_default(options->mode, row_count);
}

/* Labels are learned from where the user named the rows: those of a part that we chose are for comparing. */
static bool are_labels_for_learning(const tcsi_frame *frame, const tcsi_detect_options *options, const tcsi_detector_info *info)
{
    return (info->traits & TCSI_TRAIT_LABELS) && frame->labels && options->train_row_count > 0;
}

tcs_status tcsi_detect_check(const tcsi_detect_options *options, const tcsi_detector_info *info, size_t train_row_count, bool is_told,
                             tcs_error *err)
{
    const bool needs_labels = (info->traits & TCSI_TRAIT_TRAINED) && (info->traits & TCSI_TRAIT_LABELS);
    if (needs_labels && !is_told)
        return tcsi_fail(err, TCS_E_INVALID, "%s learns from labelled rows: it needs a label column, and --train-rows N to name the rows "
                         "whose labels count", info->name);
    if (options->checkpoint && !(info->traits & TCSI_TRAIT_CHECKPOINT))
        return tcsi_fail(err, TCS_E_INVALID, "%s keeps no checkpoint: its training is short, or there is none", info->name);
    if (!(info->traits & TCSI_TRAIT_TRAINED) || train_row_count > 0 || !is_tabular(options)) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s learns from training rows, and a table has none unless --train-rows names them; --series "
                     "says that rows without times are in order of time", info->name);
}

static bool is_training_row(const void *train_row_count, size_t row)
{
    return row < *(const size_t *)train_row_count;
}

/* Training rows have p-values of their own offline only; and where their labels were learned from, their scores know the answer. */
static tcs_status calibrate(const tcsi_detect_options *options, tcsi_detection *detection, tcs_error *err)
{
    const tcsi_frame *frame = detection->frame;
    if (!frame->labels || options->train_row_count == 0 || options->mode == TCS_MODE_ONLINE || detection->is_told) return TCS_OK;
    tcsi_calibrator_deinit(&detection->calibrator);
    return tcsi_probability_learn_scores(detection->scores, frame->labels, frame->row_count, is_training_row, &options->train_row_count,
                                         options->anomaly_share, &detection->calibrator, err);
}

static tcs_status check_frame(const tcsi_frame *frame, const tcsi_detect_options *options, tcs_error *err)
{
    if (frame->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to look at");
    if (frame->channel_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no numeric column to look at");
    if (options->train_row_count > frame->row_count)
        return tcsi_fail(err, TCS_E_INVALID, "%zu training rows asked for, but there are only %zu rows", options->train_row_count,
                         frame->row_count);
    return tcsi_probability_check(options->anomaly_share, err);
}

/* What the detector runs with: its defaults where the user said nothing. */
tcs_status tcsi_detect_values(const tcsi_detect_options *options, const tcsi_detector_info *info, double **ret_values, tcs_error *err)
{
    double *values = TCSI_NEW_ZEROS(double, info->parameter_count);
    if (!values) return tcsi_fail_memory(err, "a detection");
    for (size_t i = 0; i < info->parameter_count; i++) {
        values[i] = options->fleet ? options->fleet->parameter_values[i] : info->parameters[i].value_default;
        for (size_t k = 0; k < options->parameter_count; k++)
            if (strcmp(options->parameters[k].name, info->parameters[i].name) == 0) values[i] = options->parameters[k].value;
    }
    *ret_values = values;
    return TCS_OK;
}

tcs_status tcsi_detection_create(const tcsi_frame *frame, const tcsi_detector_info *info, const double *values,
                                 tcsi_detection **ret_detection, tcs_error *err)
{
    tcsi_detection *detection = TCSI_NEW(tcsi_detection);
    if (!detection) return tcsi_fail_memory(err, "a detection");
    *detection = (tcsi_detection){ .frame = frame, .info = info, .has_times = frame->times_ns != NULL };
    tcsi_buffer_init(&detection->origin, SIZE_MAX);
    detection->scores = TCSI_NEW_ZEROS(tcs_score, frame->row_count);
    detection->parameter_values = TCSI_NEW_ZEROS(double, info->parameter_count);
    if (!detection->scores || !detection->parameter_values) {
        tcsi_detection_destroy(detection);
        return tcsi_fail_memory(err, "scores");
    }
    memcpy(detection->parameter_values, values, info->parameter_count * sizeof *values);
    *ret_detection = detection;
    return TCS_OK;
}

/* An empty detection of frame, or, with knowledge, of the frame that the detector is to see. */
static tcs_status begin_detection(const tcsi_frame *frame, const tcsi_detect_options *options, const tcsi_detector_info *info,
                                  tcsi_detection **ret_detection, tcs_error *err)
{
    tcsi_known *known = NULL;
    double *values = NULL;
    tcs_status status = tcsi_detect_values(options, info, &values, err);
    if (status == TCS_OK && options->knowledge) status = tcsi_known_create(options->knowledge, frame, options->has_times, &known, err);
    if (status == TCS_OK) status = tcsi_detection_create(known ? known->applied.frame : frame, info, values, ret_detection, err);
    if (status == TCS_OK) (*ret_detection)->known = known;
    else tcsi_known_destroy(known);
    tcsi_free(values);
    return status;
}

tcs_status tcsi_detect(const tcsi_frame *frame, const tcsi_detect_options *options, tcsi_detection **ret_detection, tcs_error *err)
{
    const tcsi_detector_info *info;
    tcsi_pool *pool = NULL;
    tcsi_detector *detector = NULL;
    tcsi_detection *detection = NULL;
    tcs_status status = check_frame(frame, options, err);
    if (status == TCS_OK) status = tcsi_detect_choose(options, &info, err);
    if (status != TCS_OK) return status;
    size_t train_row_count = choose_train_rows(options, info, frame->row_count);
    const bool is_told = are_labels_for_learning(frame, options, info);
    status = tcsi_detect_check(options, info, train_row_count, is_told, err);
    if (status != TCS_OK) return status;

    status = begin_detection(frame, options, info, &detection, err);
    if (status != TCS_OK) return status;
    detection->mode = options->mode;
    detection->is_tabular = is_tabular(options);
    detection->train_row_count = train_row_count;
    detection->is_told = is_told;
    detection->calibrator = tcsi_probability_assume(options->anomaly_share);
    detection->seed = options->fleet ? options->fleet->seed : options->seed;
    detection->training.checkpoint = options->checkpoint;
    if (status == TCS_OK && options->thread_count != 1) status = tcsi_pool_create(options->thread_count, &pool, err);
    const tcsi_detector_setup setup = { .channel_count = detection->frame->channel_count, .pool = pool, .training = &detection->training,
                                        .constraints = detection->known ? detection->known->constraints : NULL };
    if (status == TCS_OK) status = tcsi_detect_prepare(options, info, &setup, &detector, err);
    int64_t begin_ns = tcsi_clock_monotonic_ns();
    if (status == TCS_OK) status = run_detector(detector, detection, err);
    int64_t middle_ns = tcsi_clock_monotonic_ns();
    if (status == TCS_OK) status = decide(detector, options, detection, err);
    if (status == TCS_OK) status = calibrate(options, detection, err);
    if (status == TCS_OK) status = tcsi_detection_ask_forecasts(detection, detector, err);
    detection->seconds_detect = (double)(middle_ns - begin_ns) * 1e-9;
    detection->seconds_decide = (double)(tcsi_clock_monotonic_ns() - middle_ns) * 1e-9;
    tcsi_detection_part(detection, detector, pool, options->keep && status == TCS_OK);
    if (status != TCS_OK) {
        tcsi_detection_destroy(detection);
        return status;
    }
    *ret_detection = detection;
    return TCS_OK;
}

void tcsi_detection_part(tcsi_detection *detection, tcsi_detector *detector, tcsi_pool *pool, bool keep)
{
    if (!keep || !detector) {
        tcsi_detector_destroy(detector);
        tcsi_pool_destroy(pool);
        return;
    }
    detector->progress = NULL; /* borrowed for the run */
    detector->training = NULL;
    detection->detector = detector;
    detection->pool = pool;
}

void tcsi_detection_destroy(tcsi_detection *detection)
{
    if (!detection) return;
    tcsi_detection_labels_destroy(detection);
    tcsi_detector_destroy(detection->detector);
    tcsi_pool_destroy(detection->pool);
    tcsi_buffer_deinit(&detection->origin);
    tcsi_free(detection->scores);
    tcsi_free(detection->said);
    tcsi_free(detection->shares);
    tcsi_free(detection->forecasts);
    tcsi_free(detection->crossings);
    tcsi_free(detection->parameter_values);
    tcsi_policy_result_deinit(&detection->decision);
    tcsi_known_destroy(detection->known);
    tcsi_calibrator_deinit(&detection->calibrator);
    tcsi_free(detection);
}
