/* detect/fast/ewma.c -- robust exponentially weighted z-score, the cheapest detector that keeps up with drift.
 *
 * Each row is scored by its distance from an exponentially weighted mean, in exponentially weighted standard deviations of
 * the rows before it, then absorbed.  Recurrences: T. Finch, "Incremental calculation of weighted mean and variance",
 * University of Cambridge, 2009, section 9:
 *     step = alpha (x - mean);   mean += step;   var = (1 - alpha) (var + (x - mean_before) step)
 * A sum of non-negative terms, so var cannot turn negative and keeps its digits at any offset.
 *
 * Robust in three places.  The start is the median and the median absolute deviation of the first rows.  What is absorbed is
 * clipped at `clip` deviations (Huber's psi), so that one outlier neither drags the mean nor hides the next one behind a
 * widened spread.  And clipping itself must not blind the detector to a new normal: after patience_count clipped rows on
 * end they are taken as they are, and mean and spread are at the new level within a few times 1/alpha rows.
 *
 * Invariants: var >= 0; the state moves on usable rows only.  Cost: O(1), a square root and a division; the first rows are
 * held until the start.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>

typedef struct options {
    double alpha, clip, spread_min;
    size_t warmup_count, patience_count;
} options;

typedef struct ewma_state {
    bool started;
    uint64_t clipped_run;
    double mean, var;
} ewma_state;

typedef struct ewma {
    tcsi_detector base;
    options options;
    ewma_state now, learned; /* reset returns to learned: blank, or as fit left it */
    tcsi_first_rows first;
} ewma;

static void reset(tcsi_detector *base)
{
    ewma *self = (ewma *)base;
    self->now = self->learned;
    self->first.count = 0;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    ewma *self = (ewma *)base;
    return tcsi_first_rows_init(&self->first, self->options.warmup_count, err);
}

static void deinit(tcsi_detector *base)
{
    tcsi_first_rows_deinit(&((ewma *)base)->first);
}

static void start(ewma *self)
{
    double spread;
    tcsi_robust_center(self->first.values, self->first.count, &self->now.mean, &spread);
    self->now.var = spread * spread;
    self->now.started = true;
    self->first.count = 0;
}

static void absorb(ewma *self, double difference, double spread)
{
    double limit = self->options.clip * spread;
    bool far = fabs(difference) > limit;
    self->now.clipped_run = far ? self->now.clipped_run + 1 : 0;
    if (far && self->now.clipped_run <= self->options.patience_count) difference = copysign(limit, difference);
    double step = self->options.alpha * difference;
    self->now.mean += step;
    self->now.var = (1.0 - self->options.alpha) * (self->now.var + difference * step);
    TCS_ASSERT(self->now.var >= 0);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    ewma *self = (ewma *)base;
    double value = row->values[0];
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!self->now.started) {
        if (tcsi_first_rows_add(&self->first, value)) start(self);
        return;
    }
    double difference = value - self->now.mean;
    double spread = tcsi_robust_floor(sqrt(self->now.var), self->options.spread_min, self->now.mean);
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = fabs(difference) / spread };
    absorb(self, difference, spread);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    ewma *self = (ewma *)base;
    self->learned = (ewma_state){ 0 };
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->now.started && self->first.count >= 2) start(self); /* fewer rows than asked for: better than none */
    self->learned = self->now;
    reset(base);
    return status;
}

static void persist_state(ewma_state *state, tcsi_codec *codec)
{
    tcsi_codec_bool(codec, &state->started);
    tcsi_codec_u64(codec, &state->clipped_run);
    tcsi_codec_f64(codec, &state->mean);
    tcsi_codec_f64(codec, &state->var);
    if (tcsi_codec_loading(codec) && !(state->var >= 0 && isfinite(state->var) && fabs(state->mean) <= 2 * TCS_VALUE_MAX))
        tcsi_codec_refuse(codec, "a mean or spread out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    ewma *self = (ewma *)base;
    tcsi_codec_tag(codec, "EWMA");
    persist_state(&self->now, codec);
    persist_state(&self->learned, codec);
    tcsi_first_rows_persist(&self->first, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)row_count;
    return sizeof(ewma) + ((const ewma *)base)->first.capacity * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(alpha, 0.02, 1e-6, 1, "weight of the newest row in mean and variance"),
    TCSI_REAL(clip, 3, 0.5, 1e6, "absorbed distance from the mean at most, in deviations"),
    TCSI_REAL(spread_min, 0, 0, 1e100, "floor of the deviation, in units of the data"),
    TCSI_COUNT(warmup_count, 30, 2, 100000, "rows held for the start"),
    TCSI_COUNT(patience_count, 50, 0, 1e9, "clipped rows on end after which they count as the new normal"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_ewma = {
    .name = "ewma",
    .title = "robust exponentially weighted z-score",
    .paper = "T. Finch: Incremental calculation of weighted mean and variance. University of Cambridge, 2009, section 9",
    .summary = "Distance from an exponentially weighted mean in exponentially weighted deviations; what is absorbed is clipped, so that an "
               "outlier does not hide the next one. Finds spikes and jumps under slow drift; misses seasonal shapes. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(ewma),
    .options_offset = offsetof(ewma, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
