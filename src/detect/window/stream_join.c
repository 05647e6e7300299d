/* detect/window/stream_join.c -- distance of the present to its nearest earlier neighbour, on a stream.
 *
 * The detector form of tcsi_left_join (left_join.h): a left matrix profile (C.-C. M. Yeh et al., "Matrix profile I", ICDM
 * 2016, section IV) whose past is kept as a bounded number of segments, thinned by doubling strides, and whose distance
 * is not z-normalized.  Rows are standardized by the training rows, or, without a fit, by the first `warmup_count` rows,
 * which are then not scored; the scale stays as it is from then on.  A missing row repeats the last value, so that time goes on.
 * Finds: shapes (and with raw, levels) never seen before.  Misses: what came back; the start of a stream.
 * Cost: segments * 2 w' / factor cells a row, 5 us at the defaults; 0.6 MB.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/left_join.h"
#include "detect/window/offline.h"

#include <math.h>

typedef struct options {
    size_t window, target_window, segment_count, warmup_count;
    bool raw;
} options;

typedef struct stream_join {
    tcsi_detector base;
    options options;
    tcsi_left_join *join;
    tcsi_scale fitted;              /* of the training rows */
    bool has_fit;
    tcsi_scale scale;               /* in use, once has_scale */
    bool has_scale;
    uint64_t seen_count;            /* of present rows before there is a scale */
    double mean, square_sum;        /* Welford's, of those */
    double last;                    /* last present value, standardized */
} stream_join;

static void reset(tcsi_detector *base)
{
    stream_join *self = (stream_join *)base;
    tcsi_left_join_reset(self->join);
    self->scale = self->has_fit ? self->fitted : (tcsi_scale){ .spread = 1 };
    self->has_scale = self->has_fit;
    self->seen_count = 0;
    self->mean = self->square_sum = self->last = 0;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    stream_join *self = (stream_join *)base;
    const tcsi_left_join_options join = { .window = self->options.window, .target_window = self->options.target_window,
                                          .segment_count = self->options.segment_count };
    tcs_status status = tcsi_left_join_create(&join, &self->join, err);
    if (status == TCS_OK) reset(base);
    return status;
}

static void deinit(tcsi_detector *base)
{
    tcsi_left_join_destroy(((stream_join *)base)->join);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    stream_join *self = (stream_join *)base;
    (void)err;
    self->fitted = tcsi_scale_standard(tcsi_frame_column(train, 0), train->row_count);
    self->has_fit = true;
    reset(base);
    return TCS_OK;
}

/* Welford's recurrence; after warmup_count rows the scale stands. */
static void learn_scale(stream_join *self, double value)
{
    if (self->seen_count == 0) self->mean = value;
    double difference = value - self->mean;
    self->seen_count++;
    self->mean += difference / (double)self->seen_count;
    self->square_sum += difference * (value - self->mean);
    if (self->seen_count < self->options.warmup_count) return;
    double deviation = sqrt(self->square_sum / (double)self->seen_count);
    bool constant = !(deviation > 1e-12 * fabs(self->mean) && deviation > 1e-290 && deviation < INFINITY);
    self->scale = (tcsi_scale){ .center = self->mean, .spread = constant ? 1 : deviation, .constant = constant };
    self->has_scale = true;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    stream_join *self = (stream_join *)base;
    const double value = row->values[0];
    const bool present = tcsi_value_ok(value);
    *ret_score = (tcs_score){ .state = present ? TCS_SCORE_WARMUP : TCS_SCORE_MISSING };
    if (!self->has_scale) {
        if (present) learn_scale(self, value);
        return;
    }
    if (present) self->last = tcsi_scale_one(&self->scale, value);
    tcsi_left_distance distance = tcsi_left_join_push(self->join, self->last);
    if (!present || !distance.is_ready) return;
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = self->options.raw ? distance.raw : distance.centred };
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    stream_join *self = (stream_join *)base;
    tcsi_codec_tag(codec, "SJOI");
    tcsi_codec_bool(codec, &self->has_fit);
    if (self->has_fit) tcsi_offline_persist_scale(&self->fitted, codec);
    tcsi_codec_bool(codec, &self->has_scale);
    tcsi_offline_persist_scale(&self->scale, codec);
    tcsi_codec_u64(codec, &self->seen_count);
    tcsi_codec_f64(codec, &self->mean);
    tcsi_codec_f64(codec, &self->square_sum);
    tcsi_codec_f64(codec, &self->last);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK &&
        !(fabs(self->mean) <= TCS_VALUE_MAX && self->square_sum >= 0 && !isnan(self->last)))
        tcsi_codec_refuse(codec, "a mean or spread out of range");
    tcsi_left_join_persist(self->join, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const stream_join *self = (const stream_join *)base;
    const tcsi_left_join_options join = { .window = self->options.window, .target_window = self->options.target_window,
                                          .segment_count = self->options.segment_count };
    (void)row_count;
    return sizeof *self + tcsi_left_join_size(&join) + 64;
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 32, 1, 1e6, "rows of a window; the season, when there is one"),
    TCSI_COUNT(target_window, 32, 4, 4096, "values of a window after averaging; longer windows are averaged down to about this many"),
    { "segments", TCSI_PARAMETER_COUNT, offsetof(options, segment_count), 160, 1, 100000, "segments of the past that are kept" },
    TCSI_COUNT(warmup_count, 50, 2, 1e9, "rows that set the scale when nothing was fitted; they are not scored"),
    TCSI_BOOL(raw, 0, "compare levels too, not only shapes"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_stream_join = {
    .name = "stream_join",
    .title = "nearest earlier neighbour on a stream",
    .paper = "C.-C. M. Yeh et al.: Matrix profile I: all pairs similarity joins for time series. ICDM 2016, section IV (the left profile)",
    .summary = "Compares the newest window with segments of the past, a bounded number of them, ever more thinly spread over it. Finds "
               "shapes never seen before; misses what came back. About 5 us a row and 0.6 MB at the defaults.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(stream_join),
    .options_offset = offsetof(stream_join, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
