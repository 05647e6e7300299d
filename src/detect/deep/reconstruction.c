/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

#include "base/alloc.h"
#include "detect/deep/learner.h"
#include "detect/tabular/table.h"
#include "series/moving.h"

#include <math.h>
#include <string.h>

typedef tcsi_reconstruction self_type;

enum { BATCH = TCSI_LEARNER_BATCH, STRIDES_A_WINDOW = 4, VALUES_MAX = 1 << 16 };
static const double spread_min = 1e-4; /* of a channel that is learned to the last digit: deviations of the data, squared */

/* ---- life ---- */

static tcs_status make_net(self_type *self, tcsi_reconstruction_build build, tcs_error *err)
{
    const size_t steps = self->options.steps, channels = self->base.channel_count;
    tcs_status status = tcsi_net_create(self->base.seed, &self->net, err);
    if (status != TCS_OK) return status;
    const tcsi_node_id x = tcsi_nn_input(self->net, steps, channels), target = tcsi_nn_input(self->net, steps, channels);
    const tcsi_reconstruction_nodes nodes = build(self->net, x, &self->options);
    self->output = nodes.output;
    self->loss = tcsi_nn_loss_squared(self->net, nodes.output, target);
    if (nodes.penalty != TCSI_NODE_NONE)
        self->loss = tcsi_nn_loss_sum(self->net, (tcsi_node_id[]){ self->loss, nodes.penalty }, (float[]){ 1, nodes.penalty_factor }, 2);
    return tcsi_net_finish(self->net, err);
}

tcs_status tcsi_reconstruction_init(tcsi_detector *base, tcsi_reconstruction_build build, tcs_error *err)
{
    self_type *self = (self_type *)base;
    if (self->options.steps % 4 > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: steps %zu, expected a multiple of 4", base->info->name, self->options.steps);
    if (base->channel_count > VALUES_MAX / self->options.steps)
        return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu channels in windows of %zu steps are more than %d values; choose columns or "
                                           "fewer steps",
                         base->info->name, base->channel_count, self->options.steps, VALUES_MAX);
    tcs_status status = make_net(self, build, err);
    const tcsi_plan_options training = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->loss };
    const tcsi_plan_options scoring = { .net = self->net, .batch = BATCH, .outputs = &self->output, .output_count = 1 };
    if (status == TCS_OK) status = tcsi_plan_create(&training, &self->training, err);
    if (status == TCS_OK) status = tcsi_plan_create(&scoring, &self->scoring, err);
    if (status != TCS_OK) return status;
    self->spreads = TCSI_NEW_ZEROS(double, base->channel_count);
    return self->spreads ? TCS_OK : tcsi_fail_memory(err, base->info->name);
}

static void forget_scores(self_type *self)
{
    tcsi_floats_deinit(&self->errors);
    self->step_count = 0;
}

void tcsi_reconstruction_deinit(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    forget_scores(self);
    tcsi_sequence_form_deinit(&self->form);
    tcsi_free(self->spreads);
    tcsi_plan_destroy(self->training);
    tcsi_plan_destroy(self->scoring);
    tcsi_net_destroy(self->net);
}

/* ---- errors of a sequence ---- */

static tcsi_lesson lesson_of(const self_type *self, const tcsi_sequence *sequence)
{
    return (tcsi_lesson){ .inputs = sequence->values.values, .targets = sequence->targets.values, .step_count = sequence->step_count,
                          .input_channels = sequence->channel_count, .target_channels = sequence->channel_count,
                          .window = self->options.steps };
}

/* Adds a window's squared errors, where a value is known. */
static void add_errors(const float *output, const float *target, size_t count, float *sums)
{
    for (size_t i = 0; i < count; i++) {
        float error = target[i] - output[i];
        if (!isnan(error)) sums[i] += error * error;
    }
}

typedef struct sweep {
    tcsi_floats inputs; /* (BATCH,W,C) */
    uint32_t *covers;   /* (U): windows that hold a step */
} sweep;

static void run_windows(self_type *self, const tcsi_lesson *lesson, const size_t *starts, size_t count, sweep *s, float *sums)
{
    const size_t values = lesson->window * lesson->input_channels;
    tcsi_lesson_gather(lesson, starts, count, s->inputs.values, NULL);
    /* The target is an input of the net too, but not of this plan's nodes. */
    const tcsi_run run = { .inputs = { s->inputs.values, s->inputs.values }, .batch = count, .seed = self->base.seed };
    tcsi_plan_forward(self->scoring, self->base.pool, &run);
    const float *outputs = tcsi_plan_values(self->scoring, self->output);
    for (size_t b = 0; b < count; b++) {
        const size_t at = starts[b] * lesson->input_channels;
        add_errors(outputs + b * values, lesson->targets + at, values, sums + at);
        for (size_t u = 0; u < lesson->window; u++) s->covers[starts[b] + u]++;
    }
}

/* Mean squared errors (U,C) into sums, which are zeros. */
static tcs_status find_errors(self_type *self, const tcsi_sequence *sequence, float *sums, tcs_error *err)
{
    const tcsi_lesson lesson = lesson_of(self, sequence);
    const size_t last = tcsi_lesson_window_count(&lesson) - 1, stride = lesson.window / STRIDES_A_WINDOW;
    size_t starts[BATCH], count = 0;
    sweep s = { .covers = TCSI_NEW_ZEROS(uint32_t, lesson.step_count) };
    tcs_status status = s.covers && tcsi_floats_init(&s.inputs, BATCH * lesson.window * lesson.input_channels)
                          ? TCS_OK : tcsi_fail_memory(err, "windows");
    for (size_t at = 0; status == TCS_OK && at < last + stride; at += stride) {
        starts[count++] = at < last ? at : last;
        if (count < BATCH && at < last) continue;
        run_windows(self, &lesson, starts, count, &s, sums);
        count = 0;
    }
    for (size_t u = 0; status == TCS_OK && u < lesson.step_count; u++)
        for (size_t c = 0; c < lesson.input_channels; c++) sums[u * lesson.input_channels + c] /= (float)s.covers[u];
    tcsi_floats_deinit(&s.inputs);
    tcsi_free(s.covers);
    return status;
}

static void find_spreads(self_type *self, const tcsi_sequence *sequence, const float *errors)
{
    const size_t channels = sequence->channel_count;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, count = 0;
        for (size_t u = 0; u < sequence->step_count; u++) {
            if (isnan(sequence->targets.values[u * channels + c])) continue;
            sum += errors[u * channels + c];
            count++;
        }
        self->spreads[c] = fmax(count > 0 ? sum / count : 1, spread_min);
    }
}

/* ---- learning ---- */

/* Learns form, weights and spreads; *ret_errors are those of the frame, in squared deviations. */
static tcs_status learn(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, tcsi_floats *ret_errors, tcs_error *err)
{
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    tcsi_floats errors = { 0 };
    const tcsi_learner learner = { .net = self->net, .plan = self->training, .loss = self->loss, .epochs = self->options.epochs,
                                   .rate = self->options.rate, .trim = self->options.trim, .seed = self->base.seed };
    tcs_status status = tcsi_sequence_form_learn(frame, self->options.window, self->options.steps, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(frame, &form, &sequence, err);
    const tcsi_lesson lesson = lesson_of(self, &sequence);
    if (status == TCS_OK) status = tcsi_learner_run(&learner, &lesson, self->base.pool, self->base.progress, err);
    if (status == TCS_OK && !tcsi_floats_init(&errors, sequence.step_count * sequence.channel_count))
        status = tcsi_fail_memory(err, "errors");
    if (status == TCS_OK) status = find_errors(self, &sequence, errors.values, err);
    if (status == TCS_OK) {
        find_spreads(self, &sequence, errors.values);
        tcsi_sequence_form_deinit(&self->form);
        self->form = form;
        *ret_sequence = sequence;
        *ret_errors = errors;
        return TCS_OK;
    }
    tcsi_floats_deinit(&errors);
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    return status;
}

tcs_status tcsi_reconstruction_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_floats errors = { 0 };
    forget_scores(self);
    tcs_status status = learn(self, train, &sequence, &errors, err);
    tcsi_sequence_deinit(&sequence);
    tcsi_floats_deinit(&errors);
    return status;
}

/* ---- scoring ---- */

static tcs_status measure(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, tcsi_floats *ret_errors, tcs_error *err)
{
    tcs_status status = tcsi_sequence_init(frame, &self->form, ret_sequence, err);
    if (status != TCS_OK || ret_sequence->step_count < self->options.steps) return status;
    if (!tcsi_floats_init(ret_errors, ret_sequence->step_count * ret_sequence->channel_count)) return tcsi_fail_memory(err, "errors");
    return find_errors(self, ret_sequence, ret_errors->values, err);
}

/* Errors in units of the spreads, and of each step the root of the highest: one channel is enough. */
static void weigh(const self_type *self, const tcsi_sequence *sequence, float *errors, double *ret_steps)
{
    const size_t channels = sequence->channel_count;
    for (size_t u = 0; u < sequence->step_count; u++) {
        double highest = 0;
        for (size_t c = 0; c < channels; c++) {
            float *error = errors + u * channels + c;
            *error = (float)(*error / self->spreads[c]);
            highest = fmax(highest, *error);
        }
        ret_steps[u] = sqrt(highest);
    }
}

static tcs_status spread(const self_type *self, const tcsi_sequence *sequence, float *errors, const tcsi_frame *frame,
                         tcs_score *ret_scores, tcs_error *err)
{
    const size_t smoothing = self->options.smoothing ? self->options.smoothing : self->form.window_row_count;
    double *steps = TCSI_NEW_ARRAY(double, sequence->step_count), *rows = TCSI_NEW_ARRAY(double, frame->row_count);
    double *smooth = TCSI_NEW_ARRAY(double, frame->row_count);
    tcs_status status = steps && rows && smooth ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) {
        weigh(self, sequence, errors, steps);
        tcsi_sequence_expand(sequence, steps, rows);
        tcsi_moving_mean(rows, frame->row_count, smoothing, smooth);
        for (size_t t = 0; t < frame->row_count; t++)
            if (ret_scores[t].state == TCS_SCORE_WARMUP) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = smooth[t] };
    }
    tcsi_free(steps);
    tcsi_free(rows);
    tcsi_free(smooth);
    return status;
}

/* MISSING where nothing is present, WARMUP elsewhere. */
static void mark_missing(const tcsi_frame *frame, tcs_score *ret_scores)
{
    for (size_t t = 0; t < frame->row_count; t++) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_MISSING };
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *values = tcsi_frame_column(frame, c);
        for (size_t t = 0; t < frame->row_count; t++)
            if (tcsi_value_ok(values[t])) ret_scores[t].state = TCS_SCORE_WARMUP;
    }
}

tcs_status tcsi_reconstruction_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_floats errors = { 0 };
    forget_scores(self);
    mark_missing(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->options.steps) return TCS_OK;
    tcs_status status = base->is_fitted ? measure(self, frame, &sequence, &errors, err) : learn(self, frame, &sequence, &errors, err);
    if (status == TCS_OK && errors.values) status = spread(self, &sequence, errors.values, frame, ret_scores, err);
    if (status == TCS_OK && errors.values) {
        self->errors = errors;
        self->step_count = sequence.step_count;
        errors = (tcsi_floats){ 0 };
    }
    tcsi_floats_deinit(&errors);
    tcsi_sequence_deinit(&sequence);
    return status;
}

void tcsi_reconstruction_contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const self_type *self = (const self_type *)base;
    const size_t channels = base->channel_count;
    for (size_t c = 0; c < channels; c++) ret_parts[c] = 0;
    if (self->step_count == 0) return;
    for (size_t u = row_begin / self->form.factor; u < self->step_count && u * self->form.factor < row_end; u++)
        for (size_t c = 0; c < channels; c++) ret_parts[c] += self->errors.values[u * channels + c];
}

size_t tcsi_reconstruction_horizon(const tcsi_detector *base)
{
    return ((const self_type *)base)->form.window_row_count;
}

/* ---- saved form and sizes ---- */

void tcsi_reconstruction_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_codec_tag(codec, "DPRE");
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    tcsi_sequence_form_persist(&self->form, base->channel_count, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f32s(codec, self->net->weights.values, self->net->weight_count);
    tcsi_codec_f32s(codec, self->net->states.values, self->net->state_count);
    tcsi_codec_f64s(codec, self->spreads, base->channel_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = tcsi_net_check_finite(self->net, NULL) == TCS_OK;
    for (size_t c = 0; c < base->channel_count; c++) fine &= self->spreads[c] >= spread_min && self->spreads[c] <= 1e9;
    if (!fine) tcsi_codec_refuse(codec, "a weight or spread out of range");
}

size_t tcsi_reconstruction_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    const size_t channels = base->channel_count, steps = self->options.steps;
    size_t size = sizeof *self + tcsi_net_size(self->net) + tcsi_plan_size(self->training) + tcsi_plan_size(self->scoring);
    size = tcsi_size_sum(size, tcsi_size_product(channels, sizeof(double) + 2 * sizeof(tcsi_scale)));
    if (row_count == 0) return size;
    size_t cells = tcsi_size_product(tcsi_size_product(row_count, channels), sizeof(float));
    size_t rows = tcsi_size_product(row_count, 3 * sizeof(double) + sizeof(uint32_t));
    size_t batch = tcsi_size_product(tcsi_size_product(BATCH * sizeof(float), steps), channels);
    size = tcsi_size_sum(size, tcsi_size_sum(tcsi_size_sum(cells, rows), batch));
    size = tcsi_size_sum(size, tcsi_sequence_size_max(row_count, channels));
    return tcsi_size_sum(size, tcsi_learner_size_max(self->net, row_count, steps, channels, channels));
}
