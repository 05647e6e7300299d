/* detect/fast/welford.c -- z-score against all history, the baseline that every other detector must beat.
 *
 * Mean and variance by Welford's recurrence, which never subtracts two large sums and so keeps its digits at any
 * offset.  Source: B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
 * Technometrics 4(3), 1962, equations (I) and (II).
 *
 * Each row is scored against the rows before it, then absorbed.  Finds: spikes and first-time level shifts.  Misses:
 * anything inside the range, slow drift, and everything after one huge outlier has widened the spread.
 * Cost: O(1), 40 bytes a channel.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include <math.h>

typedef struct options {
    size_t warmup_count;
    double spread_min;
} options;

typedef struct welford {
    tcsi_detector base;
    options options;
    uint64_t seen_count;
    double mean, square_sum; /* of deviations from the mean; >= 0, always */
} welford;

static void reset(tcsi_detector *base)
{
    welford *self = (welford *)base;
    self->seen_count = 0;
    self->mean = self->square_sum = 0;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    welford *self = (welford *)base;
    double value = row->values[0];
    if (ret_score->state == TCS_SCORE_MISSING) return; /* a gap: state untouched */
    if (self->seen_count == 0) self->mean = value;

    double difference = value - self->mean;
    bool ready = self->seen_count >= self->options.warmup_count;
    ret_score->state = ready ? TCS_SCORE_READY : TCS_SCORE_WARMUP;
    if (ready) {
        double spread = sqrt(self->square_sum / (double)(self->seen_count - 1));
        double floor = fmax(self->options.spread_min, 1e-12 * fabs(self->mean));
        ret_score->value = fabs(difference) / fmax(spread, fmax(floor, 1e-150));
    }
    self->seen_count++;
    self->mean += difference / (double)self->seen_count;
    self->square_sum += difference * (value - self->mean);
    TCS_ASSERT(self->square_sum >= 0);
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    welford *self = (welford *)base;
    tcsi_codec_tag(codec, "WELF");
    tcsi_codec_u64(codec, &self->seen_count);
    tcsi_codec_f64(codec, &self->mean);
    tcsi_codec_f64(codec, &self->square_sum);
    if (tcsi_codec_loading(codec) && !(self->square_sum >= 0 && fabs(self->mean) <= TCS_VALUE_MAX))
        tcsi_codec_refuse(codec, "a mean or spread out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)base;
    (void)row_count;
    return sizeof(welford);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(warmup_count, 30, 2, 1e9, "rows absorbed before the first score"),
    TCSI_REAL(spread_min, 0, 0, 1e100, "floor of the standard deviation, in units of the data"),
};

static const tcsi_detector_ops ops = {
    .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_welford = {
    .name = "welford",
    .title = "z-score against all history",
    .paper = "B. P. Welford: Note on a method for calculating corrected sums of squares and products. Technometrics 4(3), 1962",
    .summary = "The baseline: distance from the running mean in running standard deviations. Finds spikes and first-time level "
               "shifts; misses what stays inside the range and everything after one huge outlier. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(welford),
    .options_offset = offsetof(welford, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
