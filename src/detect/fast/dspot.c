/* detect/fast/dspot.c -- DSPOT: SPOT on the distance from a short moving average, for streams that drift.
 *
 * A. Siffer, P.-A. Fouque, A. Termier, C. Largouet, "Anomaly detection in streams with extreme value theory", KDD 2017,
 * Algorithm 3, on both sides: x' = x - mean of the last `depth` normal rows goes through SPOT (see spot.c and pot.c);
 * rows that are alarms do not enter the moving average.  After patience_count alarms on end, average and tails start anew.
 *
 * The moving average is a running sum, summed anew each time the ring comes round, so that rounding does not pile up.
 * Cost: O(1), two logarithms, refits amortized.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/fast/pot.h"

#include <math.h>
#include <string.h>

typedef struct options {
    tcsi_pot_options pot;
    size_t depth;
} options;

typedef struct moving_average {
    double *values; /* (depth), a ring */
    size_t count, next;
    double sum;     /* of values / depth: finite for any row */
} moving_average;

typedef struct dspot {
    tcsi_detector base;
    options options;
    tcsi_pot now, learned;
    moving_average average, average_learned;
    bool is_learned;
} dspot;

static void average_add(moving_average *average, double value, size_t depth)
{
    double part = value / (double)depth;
    if (average->count == depth) average->sum -= average->values[average->next] / (double)depth;
    else average->count++;
    average->values[average->next] = value;
    average->sum += part;
    average->next = (average->next + 1) % depth;
    if (average->next != 0) return;
    average->sum = 0;
    for (size_t i = 0; i < depth; i++) average->sum += average->values[i] / (double)depth;
}

static void average_copy(moving_average *to, const moving_average *from, size_t depth)
{
    memcpy(to->values, from->values, depth * sizeof *to->values);
    to->count = from->count;
    to->next = from->next;
    to->sum = from->sum;
}

static void average_clear(moving_average *average)
{
    average->count = average->next = 0;
    average->sum = 0;
}

static void reset(tcsi_detector *base)
{
    dspot *self = (dspot *)base;
    tcsi_pot_reset(&self->now);
    average_clear(&self->average);
    if (!self->is_learned) return;
    tcsi_pot_copy(&self->now, &self->learned);
    average_copy(&self->average, &self->average_learned, self->options.depth);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    dspot *self = (dspot *)base;
    tcs_status status = tcsi_pot_init(&self->now, &self->options.pot, err);
    if (status == TCS_OK) status = tcsi_pot_init(&self->learned, &self->options.pot, err);
    self->average.values = TCSI_NEW_ZEROS(double, self->options.depth);
    self->average_learned.values = TCSI_NEW_ZEROS(double, self->options.depth);
    if (status == TCS_OK && (!self->average.values || !self->average_learned.values)) status = tcsi_fail_memory(err, "a moving average");
    return status;
}

static void deinit(tcsi_detector *base)
{
    dspot *self = (dspot *)base;
    tcsi_pot_deinit(&self->now);
    tcsi_pot_deinit(&self->learned);
    tcsi_free(self->average.values);
    tcsi_free(self->average_learned.values);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    dspot *self = (dspot *)base;
    size_t depth = self->options.depth;
    double value = row->values[0], score;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (self->average.count < depth) {
        average_add(&self->average, value, depth);
        return;
    }
    tcsi_pot_outcome outcome = tcsi_pot_push(&self->now, value - self->average.sum, &score);
    if (outcome != TCSI_POT_WARMUP) *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
    if (outcome == TCSI_POT_RESTART) average_clear(&self->average);
    else if (outcome != TCSI_POT_ALARM) average_add(&self->average, value, depth);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    dspot *self = (dspot *)base;
    self->is_learned = false;
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->now.is_started) tcsi_pot_start(&self->now);
    self->is_learned = self->now.is_started;
    if (self->is_learned) {
        tcsi_pot_copy(&self->learned, &self->now);
        average_copy(&self->average_learned, &self->average, self->options.depth);
    }
    reset(base);
    return status;
}

static void persist_average(moving_average *average, size_t depth, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &average->count, depth);
    tcsi_codec_size(codec, &average->next, depth - 1);
    tcsi_codec_f64(codec, &average->sum);
    tcsi_codec_f64s(codec, average->values, depth);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = fabs(average->sum) <= 2 * TCS_VALUE_MAX;
    for (size_t i = 0; i < depth; i++) ok = ok && fabs(average->values[i]) <= TCS_VALUE_MAX;
    if (!ok) tcsi_codec_refuse(codec, "a moving average out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    dspot *self = (dspot *)base;
    tcsi_codec_tag(codec, "DSPT");
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_pot_persist(&self->now, codec);
    persist_average(&self->average, self->options.depth, codec);
    if (!self->is_learned) return;
    tcsi_pot_persist(&self->learned, codec);
    persist_average(&self->average_learned, self->options.depth, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const dspot *self = (const dspot *)base;
    (void)row_count;
    return sizeof *self + 2 * tcsi_pot_size(&self->options.pot) + 2 * self->options.depth * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(depth, 10, 1, 100000, "rows in the moving average"),
    TCSI_POT_PARAMETERS(offsetof(options, pot)),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_dspot = {
    .name = "dspot",
    .title = "streaming peaks over threshold with drift (DSPOT)",
    .paper = "A. Siffer, P.-A. Fouque, A. Termier, C. Largouet: Anomaly detection in streams with extreme value theory. KDD 2017, "
             "Algorithm 3",
    .summary = "SPOT on the distance from the average of the last normal rows: -log10 of the probability of so large a step. Finds "
               "sudden extremes in drifting streams; misses slow changes. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(dspot),
    .options_offset = offsetof(dspot, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
