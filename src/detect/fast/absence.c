/* detect/fast/absence.c -- what should have happened and did not: values that stay away, and values that stand still.
 *
 * Two facts are learned of every channel.
 *   Cadence: mean and mean deviation of the time between values, exponentially weighted, intervals clipped so that one
 *     outage does not become the cadence.  A wait of d scores as the tail of an exponential distribution beyond the mean,
 *         log10(e) (d - mean) / max(deviation, SPREAD_PART mean),
 *     both when a value comes late and, in a channel that is missing while others are there, as long as it is missing.
 *   Standstill: how often a value repeats the one before exactly.  With R repeats and E changes seen, the run at hand
 *     among them, a run of r repeats has the likelihood (R/(R+E))^r under the geometric law (W. Feller, "An introduction to
 *     probability theory and its applications" I, 1968, section XI.2), and scores
 *         r log10((R + E) / R).
 *     Since the run itself is in R, a long one convinces but never beyond 0.43 E: a channel that always stood still, or
 *     changes now and then, stays calm.
 * A channel scores the higher of the two, a row its highest channel.
 *
 * Rows in which every channel is missing are MISSING by contract; their absence shows in the wait of the next row.
 * Without time stamps the row numbers are the time.  Time that stands still or runs backward teaches nothing.
 *
 * Cost: O(channels); 80 bytes a channel, twice.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"

#include <math.h>
#include <string.h>

static const double SPREAD_PART = 0.25;      /* of the mean interval: what any cadence is allowed to vary */
static const double INTERVAL_CLIP = 5;       /* spreads beyond the mean that an interval is learned as, at most */
static const double RUN_PRIOR = 0.5;         /* repeats and changes taken for seen at the start */
static const double RUN_WEIGHT_MAX = 20000;  /* repeats and changes are halved beyond: slow forgetting */
static const double SCORE_MAX = 1e6;

typedef struct options {
    double alpha;
    size_t warmup_count;
    bool standstill;
} options;

typedef struct channel_state {
    bool has_last, has_interval;
    int64_t last_time;
    double last_value;
    double interval_mean, interval_deviation;
    double repeats, changes; /* of runs that ended */
    uint64_t run;            /* repeats in the run at hand */
    uint64_t interval_count;
} channel_state;

typedef struct absence {
    tcsi_detector base;
    options options;
    channel_state *channels, *learned; /* (C) */
    double *parts;                     /* (C) of the last row */
    uint64_t row_count, learned_row_count;
    bool is_learned;
} absence;

static double wait_score(const channel_state *channel, double wait)
{
    double spread = fmax(channel->interval_deviation, SPREAD_PART * channel->interval_mean);
    if (!channel->has_interval || !(spread > 0) || wait <= channel->interval_mean) return 0;
    return fmin(0.4342944819032518 * (wait - channel->interval_mean) / spread, SCORE_MAX);
}

static double run_score(const channel_state *channel)
{
    double run = (double)channel->run, repeats = channel->repeats + run + RUN_PRIOR;
    return run * log10((repeats + channel->changes + RUN_PRIOR) / repeats);
}

static void learn_interval(channel_state *channel, double interval, double alpha)
{
    if (!(interval > 0)) return;
    if (!channel->has_interval) {
        channel->has_interval = true;
        channel->interval_mean = interval;
        channel->interval_count = 1;
        return;
    }
    double spread = fmax(channel->interval_deviation, SPREAD_PART * channel->interval_mean);
    double weight = fmax(alpha, 1.0 / (double)++channel->interval_count);
    double difference = fmin(interval - channel->interval_mean, INTERVAL_CLIP * spread);
    channel->interval_mean += weight * difference;
    channel->interval_deviation += weight * (fabs(difference) - channel->interval_deviation);
}

static void learn_run(channel_state *channel, double value)
{
    if (value == channel->last_value) {
        channel->run++;
        return;
    }
    channel->repeats += (double)channel->run;
    channel->changes += 1;
    channel->run = 0;
    if (channel->repeats + channel->changes <= RUN_WEIGHT_MAX) return;
    channel->repeats *= 0.5;
    channel->changes *= 0.5;
}

/* The channel's score at this time, whether it has a value or not. */
static double look(channel_state *channel, double value, int64_t time, const options *opt)
{
    bool present = tcsi_value_ok(value);
    double wait = channel->has_last ? (double)time - (double)channel->last_time : 0, score = wait_score(channel, wait);
    if (!present) return score;
    if (channel->has_last) {
        learn_interval(channel, wait, opt->alpha);
        learn_run(channel, value);
        if (opt->standstill) score = fmax(score, run_score(channel));
    }
    channel->has_last = true;
    channel->last_time = time;
    channel->last_value = value;
    return score;
}

static void reset(tcsi_detector *base)
{
    absence *self = (absence *)base;
    size_t size = base->channel_count * sizeof *self->channels;
    self->row_count = self->is_learned ? self->learned_row_count : 0;
    if (self->is_learned) memcpy(self->channels, self->learned, size);
    else memset(self->channels, 0, size);
    memset(self->parts, 0, base->channel_count * sizeof *self->parts);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    absence *self = (absence *)base;
    self->channels = TCSI_NEW_ZEROS(channel_state, base->channel_count);
    self->learned = TCSI_NEW_ZEROS(channel_state, base->channel_count);
    self->parts = TCSI_NEW_ZEROS(double, base->channel_count);
    return self->channels && self->learned && self->parts ? TCS_OK : tcsi_fail_memory(err, "cadence of every channel");
}

static void deinit(tcsi_detector *base)
{
    absence *self = (absence *)base;
    tcsi_free(self->channels);
    tcsi_free(self->learned);
    tcsi_free(self->parts);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    absence *self = (absence *)base;
    int64_t time = row->time_ns != 0 ? row->time_ns : (int64_t)(row->sequence & INT64_MAX);
    double score = 0;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    for (size_t c = 0; c < base->channel_count; c++) {
        self->parts[c] = look(&self->channels[c], row->values[c], time, &self->options);
        score = fmax(score, self->parts[c]);
    }
    if (++self->row_count > self->options.warmup_count) *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
}

/* What comes after fit is another stretch of time: the last value is forgotten, the habits stay. */
static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    absence *self = (absence *)base;
    self->is_learned = false;
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    for (size_t c = 0; c < base->channel_count; c++) {
        self->learned[c] = self->channels[c];
        self->learned[c].has_last = false;
        self->learned[c].last_value = 0;
        self->learned[c].last_time = 0;
        self->learned[c].run = 0;
    }
    self->learned_row_count = self->row_count;
    self->is_learned = status == TCS_OK;
    reset(base);
    return status;
}

static void contribute(const tcsi_detector *base, double *ret_parts)
{
    memcpy(ret_parts, ((const absence *)base)->parts, base->channel_count * sizeof *ret_parts);
}

static void persist_channel(channel_state *channel, tcsi_codec *codec)
{
    double *numbers[] = {
        &channel->last_value, &channel->interval_mean, &channel->interval_deviation, &channel->repeats, &channel->changes
    };
    tcsi_codec_bool(codec, &channel->has_last);
    tcsi_codec_bool(codec, &channel->has_interval);
    tcsi_codec_i64(codec, &channel->last_time);
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_codec_f64(codec, numbers[i]);
    tcsi_codec_u64(codec, &channel->run);
    tcsi_codec_u64(codec, &channel->interval_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = fabs(channel->last_value) <= TCS_VALUE_MAX && channel->interval_mean >= 0 && channel->interval_mean <= 1e20;
    ok = ok && channel->interval_deviation >= 0 && channel->interval_deviation <= 1e21 && channel->repeats >= 0 && channel->changes >= 0;
    ok = ok && channel->repeats <= 1e20 && channel->changes <= 1e20 && channel->interval_count < UINT64_MAX;
    if (!ok) tcsi_codec_refuse(codec, "a cadence out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    absence *self = (absence *)base;
    tcsi_codec_tag(codec, "ABSN");
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_codec_u64(codec, &self->row_count);
    tcsi_codec_u64(codec, &self->learned_row_count);
    for (size_t c = 0; c < base->channel_count && tcsi_codec_status(codec) == TCS_OK; c++) {
        persist_channel(&self->channels[c], codec);
        if (self->is_learned) persist_channel(&self->learned[c], codec);
    }
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)row_count;
    return sizeof(absence) + base->channel_count * (2 * sizeof(channel_state) + sizeof(double));
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(alpha, 0.01, 1e-6, 1, "weight of the newest interval in the cadence"),
    TCSI_COUNT(warmup_count, 30, 1, 1e9, "rows before the first score"),
    TCSI_BOOL(standstill, 1, "exact repeats of a value are looked at as well"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .contribute = contribute, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_absence = {
    .name = "absence",
    .title = "absence and standstill",
    .paper = "waits: exponential tail over the learned cadence; runs: W. Feller: An introduction to probability theory and its "
             "applications I, 3rd edition 1968, section XI.2",
    .summary = "Time since a channel's last value against its learned cadence, and runs of exactly repeated values against how often "
               "values repeat. Finds outages, late data and stuck sensors; looks at no value otherwise. O(1) a channel.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(absence),
    .options_offset = offsetof(absence, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
