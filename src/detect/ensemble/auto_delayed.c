/* detect/ensemble/auto_delayed.c -- the second verdict: the online ensemble's members, judged again when the event has passed.
 *
 * A causal score must speak while an event is only beginning; a member's value there still rises, and belongs to rows that its
 * window has not left yet.  One period later more can be said: each member's values are moved back to where their windows had
 * been centred (half its span for joins, half its average for residuals), added up and smoothed,
 *     score = MA(A, 0.02 L) + MA(A, L / 2) + 2 MA(E, L),        E: the seven joins, A: the three residuals,
 * with L the period and MA the centred moving mean.  Row t uses rows up to t + L and none later: an alarm by auto_online is
 * `suspected` at once, and confirmed or dismissed by this score at most one period later.
 * Members are those of detect/ensemble/causal.h; a value v becomes Z = (v - m) / (sqrt(variance + m^2) + 0.05 |m|) by the moments
 * of its own earlier values, those after the training rows weighing a tenth; Z / 10 below 0; times t / (t + 1.5 N).
 * Several channels: (highest + mean) / 2 of the channels that vary.
 * Cost: that of auto_online.  Memory: its own, and 7 numbers a row while scoring.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include "base/alloc.h"
#include "detect/ensemble/causal_set.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

static const double LATE_WEIGHT = 0.1, MEAN_SHARE = 0.05, BELOW = 0.1, DOUBT = 1.5;
/* How far back members are moved, in periods: C by span, R by span. */
static const double JOIN_SHIFTS[TCSI_CAUSAL_JOINS] = { 0.5, 0.4, 0.25, 0.12, 0.5, 0.4, 0.25 };
static const double SHARP = 0.02, BROAD = 0.5; /* widths that residuals are averaged over, in periods */

typedef struct options {
    size_t segment_count;
} options;

typedef struct auto_delayed {
    tcsi_detector base;
    options options;
    tcsi_causal_set set;
    float *score_parts;    /* (T, looked at) positive scores of the frame last scored, NULL before */
    size_t score_row_count;
} auto_delayed;

/* ---- life ---- */

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void forget_scores(auto_delayed *self)
{
    tcsi_free(self->score_parts);
    self->score_parts = NULL;
    self->score_row_count = 0;
}

static void deinit(tcsi_detector *base)
{
    auto_delayed *self = (auto_delayed *)base;
    forget_scores(self);
    tcsi_causal_set_deinit(&self->set);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    auto_delayed *self = (auto_delayed *)base;
    size_t varying_count;
    forget_scores(self);
    return tcsi_causal_set_fit(&self->set, train, self->options.segment_count, &varying_count, err);
}

/* ---- one channel ---- */

/* How unusual value is among those before it; then it joins them with the given weight. */
static double judge(tcsi_causal_moments *moments, double value, double count_min, double weight)
{
    double z = 0;
    if (moments->count == 0 && value == 0) return 0;
    if (moments->count >= count_min) {
        double size = sqrt(moments->square_sum / moments->count + moments->mean * moments->mean);
        z = (value - moments->mean) / (size + MEAN_SHARE * fabs(moments->mean) + 1e-12);
    }
    double difference = value - moments->mean;
    moments->count += weight;
    moments->mean += difference * weight / moments->count;
    moments->square_sum += weight * difference * (value - moments->mean);
    return z > 0 ? z : BELOW * z;
}

/* Adds value at row t moved back by shift; the last one fills the rows that then have none. */
static void add_moved(double *sums, size_t row_count, size_t t, size_t shift, double value)
{
    if (t >= shift) sums[t - shift] += value;
    size_t tail = row_count > shift ? row_count - shift : 0;
    for (size_t i = tail; t + 1 == row_count && i < row_count; i++) sums[i] += value;
}

/* x: (row_count) present values; room: (3, row_count).  Returns the scores, inside room. */
static const double *score_channel(tcsi_causal *causal, const double *x, size_t row_count, double *room)
{
    const double period = (double)causal->period, count_min = (double)tcsi_causal_quiet_count(causal);
    double values[TCSI_CAUSAL_MEMBERS], *joins = room, *residuals = room + row_count, *means = room + 2 * row_count;
    tcsi_causal_moments moments[TCSI_CAUSAL_MEMBERS] = { 0 };
    memset(room, 0, 3 * row_count * sizeof *room);
    tcsi_causal_reset(causal);
    for (size_t t = 0; t < row_count; t++) {
        double trust = t > 0 ? (double)t / ((double)t + DOUBT * (double)causal->train_row_count) : 0;
        tcsi_causal_members_push(causal, x[t], values);
        for (size_t i = 0; i < TCSI_CAUSAL_MEMBERS; i++) {
            bool early = t < causal->train_row_count || moments[i].count < count_min, is_join = i < TCSI_CAUSAL_JOINS;
            double judged = trust * judge(&moments[i], values[i], count_min, early ? 1 : LATE_WEIGHT);
            double back = is_join ? JOIN_SHIFTS[i] : tcsi_causal_averages[i - TCSI_CAUSAL_JOINS] / 2;
            add_moved(is_join ? joins : residuals, row_count, t, (size_t)(back * period + 0.5), judged);
        }
    }
    const size_t sharp = (size_t)(SHARP * period), broad = (size_t)(BROAD * period);
    tcsi_moving_mean(joins, row_count, causal->period, means);
    for (size_t t = 0; t < row_count; t++) joins[t] = 2 * means[t];
    tcsi_moving_mean(residuals, row_count, sharp > 1 ? sharp : 1, means);
    for (size_t t = 0; t < row_count; t++) joins[t] += means[t];
    tcsi_moving_mean(residuals, row_count, broad > 1 ? broad : 1, means);
    for (size_t t = 0; t < row_count; t++) joins[t] += means[t];
    return joins;
}

/* ---- a frame ---- */

typedef struct workspace {
    double *present;        /* (T) */
    double *room;           /* (3,T) */
    double *sum, *highest;  /* (T) over the channels present */
    uint32_t *counts;       /* (T) channels present */
    bool is_ready;          /* one channel has more rows than it stays quiet for */
} workspace;

static tcs_status workspace_init(workspace *w, size_t row_count, tcs_error *err)
{
    size_t cells;
    bool fits = tcsi_multiply(row_count, 3, &cells);
    *w = (workspace){ .present = TCSI_NEW_ARRAY(double, row_count), .room = fits ? TCSI_NEW_ARRAY(double, cells) : NULL,
                      .sum = TCSI_NEW_ZEROS(double, row_count), .highest = TCSI_NEW_ZEROS(double, row_count),
                      .counts = TCSI_NEW_ZEROS(uint32_t, row_count) };
    return w->present && w->room && w->sum && w->highest && w->counts ? TCS_OK : tcsi_fail_memory(err, "scores");
}

static void workspace_deinit(workspace *w)
{
    tcsi_free(w->present);
    tcsi_free(w->room);
    tcsi_free(w->sum);
    tcsi_free(w->highest);
    tcsi_free(w->counts);
}

static void add_channel(auto_delayed *self, const tcsi_frame *frame, size_t i, workspace *w)
{
    const double *column = tcsi_frame_column(frame, self->set.channels[i]);
    size_t count = tcsi_present_copy(column, frame->row_count, w->present), at = 0;
    const double *scores = score_channel(&self->set.members[i], w->present, count, w->room);
    w->is_ready = w->is_ready || count > tcsi_causal_quiet_count(&self->set.members[i]);
    for (size_t t = 0; t < frame->row_count; t++) {
        bool present = tcsi_value_ok(column[t]);
        double score = present ? scores[at++] : 0;
        self->score_parts[t * self->set.count + i] = (float)fmax(score, 0);
        if (!present) continue;
        w->highest[t] = w->counts[t] == 0 ? score : fmax(w->highest[t], score);
        w->sum[t] += score;
        w->counts[t]++;
    }
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    auto_delayed *self = (auto_delayed *)base;
    size_t cells;
    workspace w;
    forget_scores(self);
    tcs_status status = workspace_init(&w, frame->row_count, err);
    if (tcsi_multiply(frame->row_count, self->set.count, &cells)) self->score_parts = TCSI_NEW_ZEROS(float, cells);
    if (status == TCS_OK && !self->score_parts) status = tcsi_fail_memory(err, "contributions");
    for (size_t i = 0; status == TCS_OK && i < self->set.count; i++) add_channel(self, frame, i, &w);
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        ret_scores[t] = (tcs_score){ .state = w.counts[t] == 0 ? TCS_SCORE_MISSING : w.is_ready ? TCS_SCORE_READY : TCS_SCORE_WARMUP };
        if (ret_scores[t].state == TCS_SCORE_READY) ret_scores[t].value = (w.highest[t] + w.sum[t] / w.counts[t]) / 2;
    }
    if (status == TCS_OK) self->score_row_count = frame->row_count;
    workspace_deinit(&w);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const auto_delayed *self = (const auto_delayed *)base;
    memset(ret_parts, 0, base->channel_count * sizeof *ret_parts);
    for (size_t t = row_begin; t < row_end && t < self->score_row_count; t++)
        for (size_t i = 0; i < self->set.count; i++)
            ret_parts[self->set.channels[i]] += (double)self->score_parts[t * self->set.count + i];
}

/* ---- what it says of itself ---- */

static size_t horizon(const tcsi_detector *base)
{
    return tcsi_causal_set_period_max(&((const auto_delayed *)base)->set);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const auto_delayed *self = (const auto_delayed *)base;
    const size_t looked_at = base->channel_count < TCSI_CAUSAL_CHANNEL_COUNT_MAX ? base->channel_count : TCSI_CAUSAL_CHANNEL_COUNT_MAX;
    size_t scored = row_count * (6 * sizeof(double) + sizeof(uint32_t) + looked_at * sizeof(float));
    return sizeof *self + tcsi_causal_set_size(base->channel_count, self->options.segment_count) + scored;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    auto_delayed *self = (auto_delayed *)base;
    tcsi_codec_tag(codec, "DLAY");
    if (!tcsi_codec_loading(codec)) tcsi_causal_set_reset(&self->set); /* where a frame left the stream is no part of the state */
    tcsi_causal_set_persist(&self->set, base->channel_count, self->options.segment_count, codec);
    bool empty = base->is_fitted && self->set.count == 0;
    if (tcsi_codec_loading(codec) && empty) tcsi_codec_refuse(codec, "a fitted detector without channels");
}

static const tcsi_parameter parameters[] = {
    { "segment_count", TCSI_PARAMETER_COUNT, offsetof(options, segment_count), 80, 1, TCSI_LEAKY_SEGMENT_LIMIT_MAX,
      "stretches of 64 windows of the past kept to compare with, per channel and span" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .horizon = horizon,
    .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_auto_delayed = {
    .name = "auto_delayed",
    .title = "the online ensemble with a delay of at most one period",
    .paper = "Y. Zhu et al.: Matrix Profile II. ICDM 2016 (joins along diagonals, here with fading weights); L. Ljung: System "
             "Identification, 1999, section 11.2 (recursive residuals)",
    .summary = "The members of auto_online, moved back to the middle of their windows and smoothed: row t is judged by rows up to one "
               "period after it, and by none later. The second verdict on what auto_online suspected: places events better and "
               "dismisses false starts. Microseconds a row and 1 MB per channel; of more than 256 channels that vary, 256 evenly chosen "
               "ones are looked at.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TRAINED | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RELATIVE,
    .channel_count_max = TCSI_CAUSAL_CHANNEL_COUNT_MAX,
    .instance_size = sizeof(auto_delayed),
    .options_offset = offsetof(auto_delayed, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
