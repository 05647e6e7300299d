/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/window_net.h"

#include "base/alloc.h"
#include "series/moving.h"

typedef tcsi_window_net self_type;

enum { BATCH = TCSI_LEARNER_BATCH };

tcsi_node_id tcsi_window_net_dense(tcsi_net *net, const char *name, tcsi_node_id x, size_t units, tcsi_activation activation)
{
    tcsi_net_scope(net, "%s", name);
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units, .activation = activation });
}

/* ---- life ---- */

size_t tcsi_window_net_channels(const self_type *self)
{
    return tcsi_size_sum(self->base.channel_count, self->more_channels);
}

static tcs_status make_net(self_type *self, tcsi_window_net_build build, tcs_error *err)
{
    const size_t steps = self->options.steps, channels = tcsi_window_net_channels(self);
    tcs_status status = tcsi_net_create(self->base.seed, &self->net, err);
    if (status != TCS_OK) return status;
    const tcsi_node_id x = tcsi_nn_input(self->net, steps, channels), target = tcsi_nn_input(self->net, steps, channels);
    self->nodes = build(self->net, x, target, &self->options);
    return tcsi_net_finish(self->net, err);
}

tcs_status tcsi_window_net_init(self_type *self, tcsi_window_net_build build, tcs_error *err)
{
    const char *name = self->base.info->name;
    const size_t steps = self->options.steps;
    if (steps % 4 > 0) return tcsi_fail(err, TCS_E_INVALID, "%s: steps %zu, expected a multiple of 4", name, steps);
    tcs_status status = tcsi_sequence_check(name, self->base.channel_count, steps, err);
    if (status == TCS_OK) status = make_net(self, build, err);
    const tcsi_plan_options training = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->nodes.loss,
                                         .groups = self->nodes.groups };
    const tcsi_plan_options rival = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->nodes.rival_loss,
                                      .groups = self->nodes.rival_groups };
    const tcsi_plan_options scoring = { .net = self->net, .batch = BATCH, .outputs = &self->nodes.output, .output_count = 1 };
    if (status == TCS_OK) status = tcsi_plan_create(&training, &self->training, err);
    if (status == TCS_OK && self->nodes.rival_loss != 0) status = tcsi_plan_create(&rival, &self->rival, err);
    if (status == TCS_OK) status = tcsi_plan_create(&scoring, &self->scoring, err);
    return status;
}

void tcsi_window_net_deinit(self_type *self)
{
    tcsi_sequence_form_deinit(&self->form);
    tcsi_plan_destroy(self->training);
    tcsi_plan_destroy(self->rival);
    tcsi_plan_destroy(self->scoring);
    tcsi_net_destroy(self->net);
}

/* ---- learning ---- */

tcsi_lesson tcsi_window_net_lesson(const self_type *self, const tcsi_sequence *sequence)
{
    return (tcsi_lesson){ .inputs = sequence->values.values, .targets = sequence->targets.values, .step_count = sequence->step_count,
                          .input_channels = sequence->channel_count, .target_channels = sequence->channel_count,
                          .window = self->options.steps };
}

tcs_status tcsi_window_net_learn(self_type *self, const tcsi_frame *frame, tcsi_window_net_prepare prepare, tcsi_sequence *ret_sequence,
                                 tcs_error *err)
{
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    const tcsi_learner learner = { .net = self->net, .plan = self->training, .loss = self->nodes.loss, .rival = self->rival,
                                   .rivalry = self->nodes.rivalry, .epochs = self->options.epochs, .rate = self->options.rate,
                                   .trim = self->options.trim, .seed = self->base.seed };
    tcs_status status = tcsi_sequence_form_learn(frame, self->options.window, self->options.steps, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(frame, &form, &sequence, err);
    tcsi_lesson lesson = tcsi_window_net_lesson(self, &sequence);
    tcsi_net_start(self->net);
    if (status == TCS_OK && prepare && tcsi_lesson_window_count(&lesson) > 0) status = prepare(self, &sequence, &lesson, err);
    if (status == TCS_OK) status = tcsi_learner_run(&learner, &lesson, self->base.pool, self->base.progress, err);
    if (status == TCS_OK) {
        tcsi_sequence_form_deinit(&self->form);
        self->form = form;
        *ret_sequence = sequence;
        return TCS_OK;
    }
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    return status;
}

/* ---- scoring ---- */

tcs_status tcsi_window_net_sweep(self_type *self, const tcsi_lesson *lesson, size_t stride, tcsi_window_net_visit visit, void *context,
                                 tcs_error *err)
{
    const size_t last = tcsi_lesson_window_count(lesson) - 1;
    size_t starts[BATCH], count = 0;
    tcsi_floats inputs = { 0 };
    if (!tcsi_floats_init(&inputs, BATCH * lesson->window * lesson->input_channels)) return tcsi_fail_memory(err, "windows");
    for (size_t at = 0; at < last + stride; at += stride) {
        starts[count++] = at < last ? at : last;
        if (count < BATCH && at < last) continue;
        tcsi_lesson_gather(lesson, starts, count, inputs.values, NULL);
        /* The target is an input of the net too, but this plan runs nothing that reads it. */
        const tcsi_run run = { .inputs = { inputs.values, inputs.values }, .batch = count, .seed = self->base.seed };
        tcsi_plan_forward(self->scoring, self->base.pool, &run);
        visit(context, starts, count, tcsi_plan_values(self->scoring, self->nodes.output));
        count = 0;
    }
    tcsi_floats_deinit(&inputs);
    return TCS_OK;
}

static size_t smoothing_of(const self_type *self)
{
    const size_t parts = self->smoothings_a_window ? self->smoothings_a_window : 1;
    return self->options.smoothing ? self->options.smoothing : self->form.window_row_count / parts + (parts > 1);
}

tcs_status tcsi_window_net_spread(const self_type *self, const tcsi_sequence *sequence, const double *steps, tcs_score *ret_scores,
                                  tcs_error *err)
{
    const size_t smoothing = smoothing_of(self), count = sequence->row_count;
    double *rows = TCSI_NEW_ARRAY(double, count), *smooth = TCSI_NEW_ARRAY(double, count);
    tcs_status status = rows && smooth ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) {
        tcsi_sequence_expand(sequence, steps, rows);
        tcsi_moving_mean(rows, count, smoothing, smooth);
        for (size_t t = 0; t < count; t++)
            if (ret_scores[t].state == TCS_SCORE_WARMUP) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = smooth[t] };
    }
    tcsi_free(rows);
    tcsi_free(smooth);
    return status;
}

void tcsi_window_net_mark(const tcsi_frame *frame, tcs_score *ret_scores)
{
    for (size_t t = 0; t < frame->row_count; t++) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_MISSING };
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *values = tcsi_frame_column(frame, c);
        for (size_t t = 0; t < frame->row_count; t++)
            if (tcsi_value_ok(values[t])) ret_scores[t].state = TCS_SCORE_WARMUP;
    }
}

size_t tcsi_window_net_horizon(const tcsi_detector *base)
{
    return ((const self_type *)base)->form.window_row_count;
}

/* ---- saved form and sizes ---- */

void tcsi_window_net_persist(self_type *self, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "DPWN");
    if (tcsi_codec_status(codec) != TCS_OK || !self->base.is_fitted) return;
    tcsi_sequence_form_persist(&self->form, tcsi_window_net_channels(self), codec);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_net_persist(self->net, codec);
}

size_t tcsi_window_net_size_max(const self_type *self, size_t row_count)
{
    const size_t channels = tcsi_window_net_channels(self), steps = self->options.steps;
    size_t size = sizeof *self + tcsi_net_size(self->net) + tcsi_plan_size(self->training) + tcsi_plan_size(self->scoring);
    if (self->rival) size = tcsi_size_sum(size, tcsi_plan_size(self->rival));
    size = tcsi_size_sum(size, tcsi_size_product(channels, 2 * sizeof(tcsi_scale)));
    if (row_count == 0) return size;
    size_t batch = tcsi_size_product(tcsi_size_product(BATCH * sizeof(float), steps), channels);
    size = tcsi_size_sum(size, tcsi_size_sum(batch, tcsi_size_product(row_count, 2 * sizeof(double))));
    size = tcsi_size_sum(size, tcsi_sequence_size_max(row_count, channels));
    return tcsi_size_sum(size, tcsi_learner_size_max(self->net, row_count, steps, channels, channels));
}
