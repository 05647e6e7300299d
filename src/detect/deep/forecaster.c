/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

#include "base/alloc.h"
#include "detect/deep/learner.h"

#include <math.h>
#include <string.h>

typedef tcsi_forecaster self_type;

enum { H = TCSI_HORIZON_COUNT, RING = TCSI_HORIZON_MAX, BATCH = TCSI_LEARNER_BATCH, WARMUP = TCSI_HORIZON_MAX };
static const size_t horizons[H] = { 1, 4, 16 };
static const float degrees = 4;
static const double z_max = 30, scale_min = 0.3; /* what is foreseen to a hair is not strange when it is off by two */

/* ---- life ---- */

static size_t said_count(const self_type *self)
{
    return RING * H * 2 * self->base.channel_count;
}

static tcs_status make_net(self_type *self, tcsi_forecaster_build build, tcs_error *err)
{
    const size_t steps = self->options.steps, channels = self->base.channel_count;
    tcs_status status = tcsi_net_create(self->base.seed, &self->net, err);
    if (status != TCS_OK) return status;
    const tcsi_node_id x = tcsi_nn_input(self->net, steps, channels), target = tcsi_nn_input(self->net, steps, H * channels);
    const tcsi_node_id body = build(self->net, x, &self->options);
    tcsi_net_scope(self->net, "head");
    self->output = tcsi_nn_student_head(self->net, body, &(tcsi_student_head_options){ .units = H * channels });
    self->loss = tcsi_nn_loss_student(self->net, self->output, target, degrees);
    return tcsi_net_finish(self->net, err);
}

tcs_status tcsi_forecaster_init(tcsi_detector *base, tcsi_forecaster_build build, tcs_error *err)
{
    self_type *self = (self_type *)base;
    const size_t channels = base->channel_count;
    if (self->options.hidden % 4 > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: hidden %zu, expected a multiple of 4", base->info->name, self->options.hidden);
    tcs_status status = tcsi_sequence_check(base->info->name, channels, self->options.steps, err);
    if (status == TCS_OK) status = make_net(self, build, err);
    const tcsi_plan_options training = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->loss };
    if (status == TCS_OK) status = tcsi_plan_create(&training, &self->training, err);
    if (status == TCS_OK) status = tcsi_stream_net_create(self->net, self->output, &self->stream, err);
    if (status != TCS_OK) return status;
    self->now.last = TCSI_NEW_ZEROS(float, channels);
    self->now.said = TCSI_NEW_ZEROS(float, said_count(self));
    self->now.smoothed = TCSI_NEW_ZEROS(double, channels);
    return self->now.last && self->now.said && self->now.smoothed ? TCS_OK : tcsi_fail_memory(err, base->info->name);
}

void tcsi_forecaster_deinit(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    tcsi_free(self->now.last);
    tcsi_free(self->now.said);
    tcsi_free(self->now.smoothed);
    tcsi_sequence_form_deinit(&self->form);
    tcsi_stream_net_destroy(self->stream);
    tcsi_plan_destroy(self->training);
    tcsi_net_destroy(self->net);
}

void tcsi_forecaster_reset(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    tcsi_stream_net_reset(self->stream);
    self->now.row_count = 0;
    self->now.level = 0;
    memset(self->now.last, 0, base->channel_count * sizeof *self->now.last);
    memset(self->now.said, 0, said_count(self) * sizeof *self->now.said);
    memset(self->now.smoothed, 0, base->channel_count * sizeof *self->now.smoothed);
}

/* ---- learning ---- */

/* (U,H,C): what a row is to say of each horizon; NaN beyond the end. */
static void fill_targets(const tcsi_sequence *sequence, float *ret_targets)
{
    const size_t channels = sequence->channel_count;
    for (size_t u = 0; u < sequence->step_count; u++)
        for (size_t h = 0; h < H; h++)
            for (size_t c = 0; c < channels; c++) {
                const size_t ahead = u + horizons[h];
                ret_targets[(u * H + h) * channels + c] =
                    ahead < sequence->step_count ? sequence->targets.values[ahead * channels + c] : NAN;
            }
}

static tcs_status learn(self_type *self, const tcsi_sequence *sequence, tcs_error *err)
{
    const size_t channels = sequence->channel_count;
    tcsi_floats targets = { 0 };
    const tcsi_learner learner = { .net = self->net, .plan = self->training, .loss = self->loss, .epochs = self->options.epochs,
                                   .rate = self->options.rate, .trim = self->options.trim, .seed = self->base.seed };
    if (!tcsi_floats_init(&targets, sequence->step_count * H * channels)) return tcsi_fail_memory(err, "targets");
    fill_targets(sequence, targets.values);
    const tcsi_lesson lesson = { .inputs = sequence->values.values, .targets = targets.values, .step_count = sequence->step_count,
                                 .input_channels = channels, .target_channels = H * channels, .window = self->options.steps };
    tcsi_net_start(self->net);
    tcs_status status = tcsi_learner_run(&learner, &lesson, self->base.pool, self->base.progress, err);
    tcsi_floats_deinit(&targets);
    return status;
}

tcs_status tcsi_forecaster_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    tcs_status status = tcsi_sequence_form_learn(train, 0, 0, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(train, &form, &sequence, err);
    if (status == TCS_OK) status = learn(self, &sequence, err);
    if (status == TCS_OK) {
        tcsi_sequence_form_deinit(&self->form);
        self->form = form;
        form = (tcsi_sequence_form){ 0 };
    }
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    tcsi_forecaster_reset(base);
    return status;
}

/* ---- a row ---- */

/* What row `row` said of horizon number h: locations (C), then scales (C). */
static float *said_at(const self_type *self, uint64_t row, size_t h)
{
    return self->now.said + ((size_t)(row % RING) * H + h) * 2 * self->base.channel_count;
}

/* Mean over the horizons of a channel's squared deviations. */
static double surprise(const self_type *self, size_t c, float value)
{
    const size_t channels = self->base.channel_count;
    double sum = 0;
    for (size_t h = 0; h < H; h++) {
        const float *said = said_at(self, self->now.row_count - horizons[h], h);
        double z = fmin(fabs((double)value - (double)said[c]) / hypot((double)said[channels + c], scale_min), z_max);
        sum += z * z;
    }
    return sum / H;
}

static double mean_scale(const self_type *self)
{
    const size_t channels = self->base.channel_count;
    const float *said = said_at(self, self->now.row_count - 1, 0);
    double sum = 0;
    for (size_t c = 0; c < channels; c++) sum += (double)said[channels + c];
    return sum / (double)channels;
}

/* Reads the row, says what comes next. */
static void go_on(self_type *self)
{
    const size_t channels = self->base.channel_count;
    const float *answer = tcsi_stream_net_push(self->stream, self->now.last); /* locations (H,C), then scales (H,C) */
    for (size_t h = 0; h < H; h++) {
        float *said = said_at(self, self->now.row_count, h);
        memcpy(said, answer + h * channels, channels * sizeof *said);
        memcpy(said + channels, answer + (H + h) * channels, channels * sizeof *said);
    }
    self->now.row_count++;
}

static double fading(const self_type *self)
{
    const size_t rows = self->options.smoothing ? self->options.smoothing : self->form.window_row_count / 2;
    return 1 / (double)(rows > 0 ? rows : 1);
}

void tcsi_forecaster_push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    self_type *self = (self_type *)base;
    const bool is_warm = self->now.row_count >= WARMUP;
    const double share = fading(self);
    double highest = 0;
    for (size_t c = 0; c < base->channel_count; c++) {
        const float value = tcsi_sequence_value(&self->form, c, row->values[c]);
        if (isnan(value)) continue;
        if (is_warm) {
            const double part = surprise(self, c, value);
            self->now.smoothed[c] += share * (part - self->now.smoothed[c]);
            highest = fmax(highest, part);
        }
        self->now.last[c] = value;
    }
    if (is_warm && ret_score->state == TCS_SCORE_WARMUP) {
        self->now.level += share * (highest - self->now.level);
        *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = sqrt(self->now.level), .uncertainty = (float)mean_scale(self) };
    }
    go_on(self);
}

void tcsi_forecaster_contribute(const tcsi_detector *base, double *ret_parts)
{
    memcpy(ret_parts, ((const self_type *)base)->now.smoothed, base->channel_count * sizeof(double));
}

size_t tcsi_forecaster_horizon(const tcsi_detector *base)
{
    return ((const self_type *)base)->form.window_row_count;
}

/* ---- saved form and sizes ---- */

static bool state_ok(const self_type *self)
{
    const size_t channels = self->base.channel_count;
    bool fine = self->now.level >= 0 && self->now.level <= z_max * z_max;
    for (size_t c = 0; c < channels; c++)
        fine &= fabs((double)self->now.last[c]) <= TCSI_SEQUENCE_MAX && self->now.smoothed[c] >= 0 &&
                self->now.smoothed[c] <= z_max * z_max;
    for (size_t i = 0; i < said_count(self); i++) {
        const bool is_scale = i / channels % 2, is_said = i / (2 * H * channels) < self->now.row_count;
        fine &= isfinite(self->now.said[i]) && (!is_scale || !is_said || self->now.said[i] > 0);
    }
    return fine;
}

void tcsi_forecaster_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_codec_tag(codec, "DPFO");
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    tcsi_sequence_form_persist(&self->form, base->channel_count, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_net_persist(self->net, codec);
    tcsi_stream_net_persist(self->stream, codec);
    tcsi_codec_u64(codec, &self->now.row_count);
    tcsi_codec_f32s(codec, self->now.last, base->channel_count);
    tcsi_codec_f32s(codec, self->now.said, said_count(self));
    tcsi_codec_f64s(codec, self->now.smoothed, base->channel_count);
    tcsi_codec_f64(codec, &self->now.level);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !state_ok(self))
        tcsi_codec_refuse(codec, "a state out of range");
}

size_t tcsi_forecaster_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    const size_t channels = base->channel_count, steps = self->options.steps;
    size_t size = sizeof *self + tcsi_net_size(self->net) + tcsi_plan_size(self->training) + tcsi_stream_net_size(self->stream);
    size = tcsi_size_sum(size, tcsi_size_product(channels, sizeof(float) + sizeof(double) + 2 * sizeof(tcsi_scale)));
    size = tcsi_size_sum(size, tcsi_size_product(said_count(self), sizeof(float)));
    if (row_count == 0) return size;
    size_t targets = tcsi_size_product(tcsi_size_product(row_count, channels), H * sizeof(float));
    size = tcsi_size_sum(size, tcsi_size_sum(targets, tcsi_sequence_size_max(row_count, channels)));
    return tcsi_size_sum(size, tcsi_learner_size_max(self->net, row_count, steps, channels, H * channels));
}
