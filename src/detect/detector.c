/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include "base/alloc.h"
#include "base/text.h"
#include "detect/per_channel.h"
#include "detect/registry.h"

#include <math.h>
#include <string.h>

const double tcsi_forecast_levels[TCSI_FORECAST_LEVEL_COUNT] = { 0.5, 0.8, 0.9, 0.95 };

/* ---- options ---- */

static void *option_at(tcsi_detector *detector, const tcsi_parameter *parameter)
{
    return (char *)detector + detector->info->options_offset + parameter->offset;
}

static void option_set(tcsi_detector *detector, const tcsi_parameter *parameter, double value)
{
    void *at = option_at(detector, parameter);
    switch (parameter->type) {
    case TCSI_PARAMETER_REAL: *(double *)at = value; return;
    case TCSI_PARAMETER_COUNT: *(size_t *)at = (size_t)value; return;
    case TCSI_PARAMETER_BOOL: *(bool *)at = value != 0; return;
    }
}

static double option_get(tcsi_detector *detector, const tcsi_parameter *parameter)
{
    const void *at = option_at(detector, parameter);
    switch (parameter->type) {
    case TCSI_PARAMETER_REAL: return *(const double *)at;
    case TCSI_PARAMETER_COUNT: return (double)*(const size_t *)at;
    case TCSI_PARAMETER_BOOL: return *(const bool *)at ? 1 : 0;
    }
    return 0;
}

static tcs_status unknown_parameter(const tcsi_detector_info *info, const char *name, tcs_error *err)
{
    const char *names[64];
    size_t count = info->parameter_count < TCS_COUNT(names) ? info->parameter_count : TCS_COUNT(names);
    for (size_t i = 0; i < count; i++) names[i] = info->parameters[i].name;
    const char *nearest = tcsi_text_nearest(name, names, count);
    return tcsi_fail(err, TCS_E_INVALID, "%s has no parameter '%s'%s%s%s", info->name, name, nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
}

static tcs_status set_option(tcsi_detector *detector, const tcsi_parameter_value *given, tcs_error *err)
{
    const tcsi_detector_info *info = detector->info;
    for (size_t i = 0; i < info->parameter_count; i++) {
        const tcsi_parameter *parameter = &info->parameters[i];
        if (strcmp(parameter->name, given->name) != 0) continue;
        bool whole = parameter->type == TCSI_PARAMETER_REAL || given->value == floor(given->value);
        if (!(given->value >= parameter->value_min && given->value <= parameter->value_max) || !whole)
            return tcsi_fail(err, TCS_E_INVALID, "%s: %s = %g: expected a %snumber from %g to %g", info->name, given->name, given->value,
                             parameter->type == TCSI_PARAMETER_REAL ? "" : "whole ", parameter->value_min, parameter->value_max);
        option_set(detector, parameter, given->value);
        return TCS_OK;
    }
    return unknown_parameter(info, given->name, err);
}

/* ---- life ---- */

tcs_status tcsi_detector_create(const tcsi_detector_info *info, const tcsi_detector_setup *setup,
                                tcsi_detector **ret_detector, tcs_error *err)
{
    if (setup->channel_count == 0) return tcsi_fail(err, TCS_E_INVALID, "%s: no channel to look at", info->name);
    if (setup->channel_count > 1 && !(info->traits & TCSI_TRAIT_MULTIVARIATE) && info != &tcsi_detector_per_channel)
        return tcsi_per_channel_create(info, setup, ret_detector, err);
    tcsi_detector *detector = tcsi_alloc_zero(1, info->instance_size);
    if (!detector) return tcsi_fail_memory(err, info->name);
    *detector = (tcsi_detector){ .info = info, .channel_count = setup->channel_count, .seed = setup->seed,
                                 .pool = setup->pool, .progress = setup->progress, .training = setup->training,
                                 .constraints = setup->constraints };
    for (size_t i = 0; i < info->parameter_count; i++)
        option_set(detector, &info->parameters[i], info->parameters[i].value_default);
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < setup->parameter_count && status == TCS_OK; i++)
        status = set_option(detector, &setup->parameters[i], err);
    if (status != TCS_OK) {
        tcsi_free(detector);
        return status;
    }
    if (info->ops->init) status = info->ops->init(detector, err);
    if (status != TCS_OK) {
        tcsi_detector_destroy(detector);
        return status;
    }
    *ret_detector = detector;
    return TCS_OK;
}

void tcsi_detector_destroy(tcsi_detector *detector)
{
    if (!detector) return;
    if (detector->info->ops->deinit) detector->info->ops->deinit(detector);
    tcsi_free(detector);
}

/* ---- use ---- */

static tcs_status check_channels(const tcsi_detector *detector, const tcsi_frame *frame, tcs_error *err)
{
    if (frame->channel_count == detector->channel_count) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: made for %zu channels, given %zu", detector->info->name, detector->channel_count,
                     frame->channel_count);
}

tcs_status tcsi_detector_fit(tcsi_detector *detector, const tcsi_frame *train, tcs_error *err)
{
    tcs_status status = check_channels(detector, train, err);
    if (status != TCS_OK) return status;
    if (detector->info->ops->fit) status = detector->info->ops->fit(detector, train, err);
    if (status == TCS_OK) detector->is_fitted = true;
    return status;
}

/* The parameter of detectors with FLEET. */
static size_t fact_count(tcsi_detector *detector)
{
    for (size_t i = 0; i < detector->info->parameter_count; i++)
        if (strcmp(detector->info->parameters[i].name, "facts") == 0) return (size_t)option_get(detector, &detector->info->parameters[i]);
    return 0;
}

static tcs_status check_fleet(tcsi_detector *detector, const tcsi_fleet *fleet, tcs_error *err)
{
    const char *name = detector->info->name;
    if (!(detector->info->traits & TCSI_TRAIT_FLEET))
        return tcsi_fail(err, TCS_E_INVALID, "%s: learns from one series, not from a fleet; autoencoders and forecasters can", name);
    if (fleet->series_count == 0) return tcsi_fail(err, TCS_E_INVALID, "%s: a fleet of no series", name);
    if (detector->constraints) return tcsi_fail(err, TCS_E_INVALID, "%s: constraints are of one series, not of a fleet", name);
    for (size_t s = 0; s < fleet->series_count; s++)
        if (fleet->series[s]->channel_count != detector->channel_count)
            return tcsi_fail(err, TCS_E_INVALID, "%s: series %zu of %zu has %zu channels, expected %zu", name, s + 1, fleet->series_count,
                             fleet->series[s]->channel_count, detector->channel_count);
    if (fleet->fact_count != fact_count(detector) || (fleet->fact_count > 0 && !fleet->facts))
        return tcsi_fail(err, TCS_E_INVALID, "%s: a fleet with %zu facts of each series, expected %zu, the parameter 'facts'", name,
                         fleet->facts ? fleet->fact_count : 0, fact_count(detector));
    return TCS_OK;
}

tcs_status tcsi_detector_fit_fleet(tcsi_detector *detector, const tcsi_fleet *fleet, tcs_error *err)
{
    tcs_status status = check_fleet(detector, fleet, err);
    if (status != TCS_OK) return status;
    detector->is_fitted = false;
    return detector->info->ops->fit_fleet(detector, fleet, err);
}

tcs_status tcsi_detector_describe(tcsi_detector *detector, const double *facts, size_t count, tcs_error *err)
{
    if (!(detector->info->traits & TCSI_TRAIT_FLEET))
        return tcsi_fail(err, TCS_E_INVALID, "%s: knows no facts of a series; autoencoders and forecasters do", detector->info->name);
    if (count != fact_count(detector))
        return tcsi_fail(err, TCS_E_INVALID, "%s: %zu facts of a series, expected %zu, the parameter 'facts'", detector->info->name, count,
                         fact_count(detector));
    if (count > 0) detector->info->ops->describe(detector, facts);
    return TCS_OK;
}

void tcsi_detector_reset(tcsi_detector *detector)
{
    if (detector->info->ops->reset) detector->info->ops->reset(detector);
}

void tcsi_detector_push(tcsi_detector *detector, const tcsi_row *row, tcs_score *ret_score)
{
    TCS_ASSERT(detector->info->ops->push);
    TCS_ASSERT(detector->is_fitted || !(detector->info->traits & TCSI_TRAIT_TRAINED));
    bool present = tcsi_row_ok(row->values, detector->channel_count);
    *ret_score = (tcs_score){ .state = present ? TCS_SCORE_WARMUP : TCS_SCORE_MISSING };
    detector->info->ops->push(detector, row, ret_score);
}

tcs_status tcsi_detector_push_all(tcsi_detector *detector, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    double *values = TCSI_NEW_ARRAY(double, frame->channel_count);
    tcs_score unwanted;
    if (!values) return tcsi_fail_memory(err, "a row");
    tcsi_detector_reset(detector);
    for (size_t t = 0; t < frame->row_count; t++) {
        tcsi_row row = { .sequence = t, .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .values = values };
        tcsi_frame_row(frame, t, values);
        tcsi_detector_push(detector, &row, ret_scores ? &ret_scores[t] : &unwanted);
    }
    tcsi_free(values);
    return TCS_OK;
}

tcs_status tcsi_detector_score(tcsi_detector *detector, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    tcs_status status = check_channels(detector, frame, err);
    if (status != TCS_OK) return status;
    if ((detector->info->traits & TCSI_TRAIT_TRAINED) && !detector->is_fitted)
        return tcsi_fail(err, TCS_E_INVALID, "%s: must be fitted on training rows before it can score", detector->info->name);
    if (!detector->info->ops->score) return tcsi_detector_push_all(detector, frame, ret_scores, err);
    for (size_t t = 0; t < frame->row_count; t++) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_WARMUP };
    return detector->info->ops->score(detector, frame, ret_scores, err);
}

bool tcsi_detector_contribute(const tcsi_detector *detector, double *ret_parts)
{
    bool known = detector->info->ops->contribute || detector->channel_count == 1;
    if (detector->info->ops->contribute) detector->info->ops->contribute(detector, ret_parts);
    else if (known) ret_parts[0] = 1;
    return known;
}

bool tcsi_detector_contribute_span(const tcsi_detector *detector, size_t row_begin, size_t row_end, double *ret_parts)
{
    if (!detector->info->ops->contribute_span) return false;
    detector->info->ops->contribute_span(detector, row_begin, row_end, ret_parts);
    return true;
}

size_t tcsi_detector_members(const tcsi_detector *detector, size_t row, float *ret_p_values)
{
    return detector->info->ops->members ? detector->info->ops->members(detector, row, ret_p_values) : 0;
}

tcs_status tcsi_detector_regard(tcsi_detector *detector, const tcsi_frame *frame, const tcsi_regard_wish *wish,
                                tcsi_regard *ret_regard, tcs_error *err)
{
    TCS_ASSERT(wish->row_count > 0 && wish->rows[wish->row_count - 1] < frame->row_count);
    if (!detector->info->ops->regard)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: compares rows with no others", detector->info->name);
    return detector->info->ops->regard(detector, frame, wish, ret_regard, err);
}

double tcsi_detector_threshold(const tcsi_detector *detector)
{
    return detector->info->ops->threshold ? detector->info->ops->threshold(detector) : NAN;
}

size_t tcsi_detector_horizon(const tcsi_detector *detector)
{
    return detector->info->ops->horizon ? detector->info->ops->horizon(detector) : 0;
}

bool tcsi_detector_forecast(const tcsi_detector *detector, size_t channel, size_t index, tcsi_forecast *ret_forecast)
{
    TCS_ASSERT(channel < detector->channel_count);
    return detector->info->ops->forecast && detector->info->ops->forecast(detector, channel, index, ret_forecast);
}

size_t tcsi_detector_size_max(const tcsi_detector *detector, size_t row_count)
{
    /* A frame that is pushed row by row needs one row gathered. */
    size_t gathered = row_count > 0 && !detector->info->ops->score ? detector->channel_count * sizeof(double) : 0;
    return detector->info->ops->size_max(detector, row_count) + gathered;
}

/* ---- saved form: "TCSD", version, name, channels, seed, options in table order, fitted, state, "DONE", seal ---- */

enum { SAVED_VERSION = 1, SAVED_NAME_SIZE = 32, SEAL_SIZE = 8 };

static tcs_status check_seal(const unsigned char *bytes, size_t size, tcs_error *err)
{
    uint64_t seal = 0;
    if (size < SEAL_SIZE) return tcsi_fail(err, TCS_E_FORMAT, "saved state: %zu bytes are no saved detector", size);
    tcsi_codec codec = tcsi_codec_load(bytes + size - SEAL_SIZE, SEAL_SIZE, err);
    tcsi_codec_u64(&codec, &seal);
    if (seal == tcsi_seal(TCSI_SEAL_BEGIN, bytes, size - SEAL_SIZE)) return tcsi_codec_status(&codec);
    return tcsi_fail(err, TCS_E_FORMAT, "saved state: damaged or cut short (its checksum does not match)");
}

static void persist_all(tcsi_detector *detector, tcsi_codec *codec)
{
    const tcsi_detector_info *info = detector->info;
    for (size_t i = 0; i < info->parameter_count; i++) {
        const tcsi_parameter *parameter = &info->parameters[i];
        double value = option_get(detector, parameter);
        tcsi_codec_f64(codec, &value);
        if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) continue;
        if (value >= parameter->value_min && value <= parameter->value_max) option_set(detector, parameter, value);
        else tcsi_codec_refuse(codec, "an option out of range");
    }
}

tcs_status tcsi_detector_save(tcsi_detector *detector, tcsi_buffer *out, tcs_error *err)
{
    tcsi_codec codec = tcsi_codec_save(out, err);
    size_t begin = out->size;
    uint32_t version = SAVED_VERSION;
    char name[SAVED_NAME_SIZE] = { 0 };
    size_t length = strlen(detector->info->name);
    TCS_ASSERT(length < sizeof name);
    memcpy(name, detector->info->name, length);
    tcsi_codec_tag(&codec, "TCSD");
    tcsi_codec_u32(&codec, &version);
    tcsi_codec_bytes(&codec, name, sizeof name);
    tcsi_codec_size(&codec, &detector->channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
    tcsi_codec_u64(&codec, &detector->seed);
    persist_all(detector, &codec);
    tcsi_codec_bool(&codec, &detector->is_fitted);
    if (detector->info->ops->persist) detector->info->ops->persist(detector, &codec);
    tcsi_codec_tag(&codec, "DONE");
    if (tcsi_codec_status(&codec) == TCS_OK) {
        uint64_t seal = tcsi_seal(TCSI_SEAL_BEGIN, out->data + begin, out->size - begin);
        tcsi_codec_u64(&codec, &seal);
    }
    return tcsi_codec_status(&codec);
}

static tcs_status load_instance(const tcsi_detector_info *info, const tcsi_detector_setup *setup, tcsi_codec *codec,
                                tcsi_detector **ret_detector, tcs_error *err)
{
    /* Options first, so that init sizes memory for the saved ones. */
    tcsi_detector *detector = tcsi_alloc_zero(1, info->instance_size);
    if (!detector) return tcsi_fail_memory(err, info->name);
    *detector = (tcsi_detector){ .info = info, .channel_count = setup->channel_count, .seed = setup->seed,
                                 .pool = setup->pool, .progress = setup->progress, .training = setup->training };
    persist_all(detector, codec);
    tcs_status status = tcsi_codec_status(codec);
    if (status != TCS_OK) {
        tcsi_free(detector);
        return status;
    }
    if (info->ops->init) status = info->ops->init(detector, err);
    if (status == TCS_OK) {
        tcsi_codec_bool(codec, &detector->is_fitted);
        if (info->ops->persist) info->ops->persist(detector, codec);
        tcsi_codec_tag(codec, "DONE");
        if (codec->in_size > 0) tcsi_codec_refuse(codec, "more bytes than a detector has");
        status = tcsi_codec_status(codec);
    }
    if (status != TCS_OK) {
        tcsi_detector_destroy(detector);
        return status;
    }
    *ret_detector = detector;
    return TCS_OK;
}

tcs_status tcsi_detector_load(const void *bytes, size_t size, tcsi_pool *pool, tcsi_detector **ret_detector, tcs_error *err)
{
    tcs_status status = check_seal(bytes, size, err);
    if (status != TCS_OK) return status;
    tcsi_codec codec = tcsi_codec_load(bytes, size - SEAL_SIZE, err);
    tcsi_detector_setup setup = { .pool = pool };
    uint32_t version = 0;
    char name[SAVED_NAME_SIZE] = { 0 };
    tcsi_codec_tag(&codec, "TCSD");
    tcsi_codec_u32(&codec, &version);
    tcsi_codec_bytes(&codec, name, sizeof name);
    tcsi_codec_size(&codec, &setup.channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
    tcsi_codec_u64(&codec, &setup.seed);
    status = tcsi_codec_status(&codec);
    if (status != TCS_OK) return status;
    if (version != SAVED_VERSION) return tcsi_fail(err, TCS_E_FORMAT, "saved state: version %u, expected %d", version, SAVED_VERSION);
    if (name[SAVED_NAME_SIZE - 1] || setup.channel_count == 0) return tcsi_fail(err, TCS_E_FORMAT, "saved state: a damaged header");
    if (strcmp(name, tcsi_detector_per_channel.name) == 0)
        return load_instance(&tcsi_detector_per_channel, &setup, &codec, ret_detector, err);
    const tcsi_detector_info *info;
    status = tcsi_registry_get(name, &info, err);
    if (status != TCS_OK) return status;
    if (setup.channel_count > 1 && !(info->traits & TCSI_TRAIT_MULTIVARIATE))
        return tcsi_fail(err, TCS_E_FORMAT, "saved state: %s cannot hold %zu channels", name, setup.channel_count);
    return load_instance(info, &setup, &codec, ret_detector, err);
}
