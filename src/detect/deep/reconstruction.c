/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

typedef tcsi_reconstruction self_type;

enum { STRIDES_A_WINDOW = 4, BORDERS = 256 };
static const double spread_min = 1e-4, spread_max = 1e9; /* the least: of a channel that is learned to the last digit */

/* ---- life ---- */

tcs_status tcsi_reconstruction_init(tcsi_detector *base, tcsi_window_net_build build, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcs_status status = tcsi_window_net_init(&self->base, build, err);
    if (status != TCS_OK) return status;
    self->spreads = TCSI_NEW_ZEROS(double, tcsi_window_net_run_count(&self->base) * base->channel_count);
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
    tcsi_free(self->spreads);
    tcsi_window_net_deinit(&self->base);
}

tcsi_node_id tcsi_reconstruction_read(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options, tcsi_recurrent_layer layer)
{
    tcsi_net_scope(net, "encoder");
    return tcsi_nn_last(net, layer(net, x, options->hidden));
}

tcsi_node_id tcsi_reconstruction_write(tcsi_net *net, tcsi_node_id code, size_t channels, const tcsi_window_net_options *options,
                                       tcsi_recurrent_layer layer)
{
    tcsi_net_scope(net, "decoder");
    const tcsi_node_id h = layer(net, tcsi_nn_repeat(net, code, options->steps), options->hidden);
    return tcsi_window_net_head(net, "output", h, channels, options);
}

tcsi_window_net_nodes tcsi_reconstruction_recurrent(tcsi_net *net, tcsi_node_id x, tcsi_node_id target,
                                                    const tcsi_window_net_options *options, tcsi_recurrent_layer layer)
{
    tcsi_node_id h = tcsi_reconstruction_read(net, x, options, layer);
    h = tcsi_window_net_dense(net, "narrow", h, options->latent, TCSI_ACTIVATION_NONE);
    h = tcsi_reconstruction_write(net, tcsi_fleet_join(net, h, x, options->facts), tcsi_net_shape(net, target).channels, options, layer);
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_window_net_head_loss(net, tcsi_nn_loss_squared(net, h, target), h, options) };
}

/* ---- errors of a sequence ---- */

typedef struct sweep {
    const tcsi_lesson *lesson;
    float *sums;      /* (U,C) */
    uint32_t *covers; /* (U): windows that hold a step */
} sweep;

/* Adds each window's squared errors, where a value is known. */
static void add_errors(void *context, const size_t *starts, size_t count, const float *outputs)
{
    const sweep *s = context;
    const size_t channels = s->lesson->target_channels, values = s->lesson->window * channels;
    for (size_t b = 0; b < count; b++) {
        const float *target = s->lesson->targets + starts[b] * channels;
        float *sums = s->sums + starts[b] * channels;
        for (size_t i = 0; i < values; i++) {
            float error = target[i] - outputs[b * values + i];
            if (!isnan(error)) sums[i] += error * error;
        }
        for (size_t u = 0; u < s->lesson->window; u++) s->covers[starts[b] + u]++;
    }
}

/* Mean squared errors (U,C), by the run that was taken; sums and covers are the caller's room. */
static tcs_status find_errors(self_type *self, const tcsi_lesson *lesson, float *sums, uint32_t *covers, tcs_error *err)
{
    const size_t channels = lesson->target_channels;
    const size_t stride = lesson->window < STRIDES_A_WINDOW ? 1 : lesson->window / STRIDES_A_WINDOW;
    sweep s = { .lesson = lesson, .covers = covers, .sums = sums };
    memset(sums, 0, lesson->step_count * channels * sizeof *sums);
    memset(covers, 0, lesson->step_count * sizeof *covers);
    tcs_status status = tcsi_window_net_sweep(&self->base, lesson, stride, add_errors, &s, err);
    for (size_t u = 0; status == TCS_OK && u < lesson->step_count; u++)
        for (size_t c = 0; c < channels; c++) sums[u * channels + c] /= (float)covers[u];
    return status;
}

static void find_spreads(double *ret_spreads, const tcsi_sequence *sequence, const float *errors)
{
    const size_t channels = sequence->channel_count;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, count = 0;
        for (size_t u = 0; u < sequence->step_count; u++) {
            if (isnan(sequence->targets.values[u * channels + c])) continue;
            sum += errors[u * channels + c];
            count++;
        }
        ret_spreads[c] = fmax(count > 0 ? sum / count : 1, spread_min);
    }
}

/* Adds errors in units of the spreads to the sums, and gives of each step the root of the highest, as one channel is enough; of the rows of
 * a table the root of the mean over the channels that are known. */
static void weigh(const double *spreads, const tcsi_sequence *sequence, const float *errors, bool is_table, float *sums, double *ret_steps)
{
    const size_t channels = sequence->channel_count;
    for (size_t u = 0; u < sequence->step_count; u++) {
        double highest = 0, sum = 0, known = 0;
        for (size_t c = 0; c < channels; c++) {
            const float error = (float)(errors[u * channels + c] / spreads[c]);
            sums[u * channels + c] += error;
            highest = fmax(highest, error);
            sum += error;
            known += !isnan(sequence->targets.values[u * channels + c]);
        }
        ret_steps[u] = sqrt(is_table ? sum / fmax(known, 1) : highest);
    }
}

/* ---- learning and scoring ---- */

/* Every run over a sequence; learning, the spreads and the noise are found on the way.  The caller releases both, always. */
static tcs_status look(self_type *self, const tcsi_sequence *sequence, bool is_learning, tcsi_floats *ret_errors, tcsi_looks *ret_looks,
                       tcs_error *err)
{
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, sequence);
    const size_t channels = sequence->channel_count, cells = sequence->step_count * channels;
    const size_t runs = tcsi_window_net_run_count(&self->base);
    uint32_t *covers = TCSI_NEW_ARRAY(uint32_t, sequence->step_count);
    tcsi_floats errors = { 0 };
    tcs_status status = tcsi_looks_init(ret_looks, sequence->step_count, err);
    if (status == TCS_OK && (!covers || !tcsi_floats_init(&errors, cells) || !tcsi_floats_init(ret_errors, cells)))
        status = tcsi_fail_memory(err, "errors");
    for (size_t run = 0; run < runs && status == TCS_OK; run++) {
        double *spreads = self->spreads + run * channels;
        tcsi_window_net_take(&self->base, run);
        status = find_errors(self, &lesson, errors.values, covers, err);
        if (status != TCS_OK) break;
        if (is_learning) find_spreads(spreads, sequence, errors.values);
        weigh(spreads, sequence, errors.values, tcsi_window_net_is_table(&self->base), ret_errors->values, ret_looks->steps);
        tcsi_looks_add(ret_looks);
    }
    for (size_t i = 0; status == TCS_OK && i < cells; i++) ret_errors->values[i] /= (float)runs;
    if (status == TCS_OK && is_learning) tcsi_window_net_set_noise(&self->base, ret_looks);
    tcsi_floats_deinit(&errors);
    tcsi_free(covers);
    return status;
}

tcs_status tcsi_reconstruction_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_floats errors = { 0 };
    tcsi_looks looks = { 0 };
    forget_scores(self);
    tcs_status status = tcsi_window_net_learn(&self->base, train, NULL, &sequence, err);
    if (status == TCS_OK) status = look(self, &sequence, true, &errors, &looks, err);
    tcsi_sequence_deinit(&sequence);
    tcsi_floats_deinit(&errors);
    tcsi_looks_deinit(&looks);
    return status;
}

tcs_status tcsi_reconstruction_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_floats errors = { 0 };
    tcsi_looks looks = { 0 };
    forget_scores(self);
    tcsi_window_net_mark(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->base.options.steps) return TCS_OK; /* too short to learn from */
    tcs_status status = base->is_fitted ? tcsi_sequence_init(frame, &self->base.form, &sequence, err)
                                        : tcsi_window_net_learn(&self->base, frame, NULL, &sequence, err);
    if (status == TCS_OK && sequence.step_count >= self->base.options.steps) {
        status = look(self, &sequence, !base->is_fitted, &errors, &looks, err);
        if (status == TCS_OK) status = tcsi_window_net_spread_looks(&self->base, &sequence, &looks, ret_scores, err);
        if (status == TCS_OK) {
            self->errors = errors;
            self->step_count = sequence.step_count;
            errors = (tcsi_floats){ 0 };
        }
    }
    tcsi_looks_deinit(&looks);
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
    for (size_t u = row_begin / self->base.form.factor; u < self->step_count && u * self->base.form.factor < row_end; u++)
        for (size_t c = 0; c < channels; c++) ret_parts[c] += self->errors.values[u * channels + c];
}

/* ---- saved form and sizes ---- */

void tcsi_reconstruction_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_window_net_persist(&self->base, codec);
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    const size_t count = tcsi_window_net_run_count(&self->base) * base->channel_count;
    tcsi_codec_f64s(codec, self->spreads, count);
    bool fine = true;
    for (size_t c = 0; c < count; c++) fine &= self->spreads[c] >= spread_min && self->spreads[c] <= spread_max;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a spread out of range");
}

size_t tcsi_reconstruction_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    size_t cells = tcsi_size_product(tcsi_size_product(row_count, base->channel_count), 2 * sizeof(float));
    size_t own = sizeof *self + tcsi_size_product(tcsi_window_net_run_count(&self->base) * base->channel_count, sizeof(double));
    size_t steps = tcsi_size_product(row_count, sizeof(uint32_t)) + BORDERS;
    return tcsi_size_sum(tcsi_size_sum(own, tcsi_size_sum(cells, steps)), tcsi_window_net_size_max(&self->base, row_count));
}
