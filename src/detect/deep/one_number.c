/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"

#include "base/alloc.h"

#include <math.h>

typedef tcsi_one_number self_type;

enum { STRIDES_A_WINDOW = 16 };
static const double number_max = 1e12;

tcs_status tcsi_one_number_init(tcsi_detector *base, tcsi_window_net_build build, tcsi_window_net_prepare prepare, tcs_error *err)
{
    self_type *self = (self_type *)base;
    self->prepare = prepare;
    if (self->strides_a_window == 0) self->strides_a_window = STRIDES_A_WINDOW;
    tcs_status status = tcsi_window_net_init(&self->base, build, err);
    if (status != TCS_OK) return status;
    self->scales = TCSI_NEW_ZEROS(tcsi_scale, tcsi_window_net_run_count(&self->base));
    return self->scales ? TCS_OK : tcsi_fail_memory(err, base->info->name);
}

void tcsi_one_number_deinit(tcsi_detector *base)
{
    tcsi_free(((self_type *)base)->scales);
    tcsi_window_net_deinit(&((self_type *)base)->base);
}

/* ---- numbers of a sequence ---- */

typedef struct sweep {
    double *numbers; /* one a window, in order */
    size_t count;
} sweep;

static void take_numbers(void *context, const size_t *starts, size_t count, const float *outputs)
{
    sweep *s = context;
    (void)starts;
    for (size_t b = 0; b < count; b++) {
        double number = (double)outputs[b];
        s->numbers[s->count++] = isnan(number) ? number_max : fmax(-number_max, fmin(number_max, number));
    }
}

static size_t stride_of(const self_type *self)
{
    const size_t stride = self->base.options.steps / self->strides_a_window;
    return stride > 0 ? stride : 1;
}

static size_t number_count_max(const self_type *self, size_t step_count)
{
    return step_count / stride_of(self) + 2;
}

/* ---- learning and scoring ---- */

/* Windows -> steps: each number at its window's middle; the last window ends with the sequence, nearer than a stride. */
static void place(const self_type *self, const tcsi_scale *scale, const double *numbers, size_t count, size_t step_count, double *ret_steps)
{
    const double stride = (double)stride_of(self), half = (double)(self->base.options.steps - 1) / 2;
    const double last = (double)(step_count - self->base.options.steps);
    for (size_t u = 0; u < step_count; u++) {
        double at = fmax(0, fmin(last, (double)u - half)), before = floor(at / stride), begin = before * stride;
        size_t i = (size_t)before < count ? (size_t)before : count - 1;
        double width = fmin(stride, last - begin), share = width > 0 && i + 1 < count ? (at - begin) / width : 0;
        double value = numbers[i] + (share > 0 ? share * (numbers[i + 1] - numbers[i]) : 0);
        ret_steps[u] = self->read ? self->read(self, value) : fmax(0, tcsi_scale_one(scale, value));
    }
}

/* Every run over a sequence; learning, the scales and the noise are found on the way.  The caller releases the looks, always. */
static tcs_status look(self_type *self, const tcsi_sequence *sequence, bool is_learning, tcsi_looks *ret_looks, tcs_error *err)
{
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, sequence);
    const size_t count_max = number_count_max(self, sequence->step_count), runs = tcsi_window_net_run_count(&self->base);
    double *numbers = TCSI_NEW_ARRAY(double, count_max), *scratch = TCSI_NEW_ARRAY(double, count_max);
    tcs_status status = tcsi_looks_init(ret_looks, sequence->step_count, err);
    if (status == TCS_OK && !(numbers && scratch)) status = tcsi_fail_memory(err, "scores of windows");
    for (size_t run = 0; run < runs && status == TCS_OK; run++) {
        sweep s = { .numbers = numbers };
        tcsi_window_net_take(&self->base, run);
        status = tcsi_window_net_sweep(&self->base, &lesson, stride_of(self), take_numbers, &s, err);
        if (status != TCS_OK) break;
        if (is_learning) self->scales[run] = tcsi_scale_robust(numbers, s.count, scratch);
        place(self, &self->scales[run], numbers, s.count, sequence->step_count, ret_looks->steps);
        tcsi_looks_add(ret_looks);
    }
    if (status == TCS_OK && is_learning) tcsi_window_net_set_noise(&self->base, ret_looks);
    tcsi_free(numbers);
    tcsi_free(scratch);
    return status;
}

tcs_status tcsi_one_number_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_looks looks = { 0 };
    tcs_status status = tcsi_window_net_learn(&self->base, train, self->prepare, &sequence, err);
    if (status == TCS_OK) status = look(self, &sequence, true, &looks, err);
    tcsi_looks_deinit(&looks);
    tcsi_sequence_deinit(&sequence);
    return status;
}

tcs_status tcsi_one_number_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_looks looks = { 0 };
    tcsi_window_net_mark(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->base.options.steps) return TCS_OK; /* too short to learn from */
    tcs_status status = base->is_fitted ? tcsi_sequence_init(frame, &self->base.form, &sequence, err)
                                        : tcsi_window_net_learn(&self->base, frame, self->prepare, &sequence, err);
    if (status == TCS_OK && sequence.step_count >= self->base.options.steps) {
        status = look(self, &sequence, !base->is_fitted, &looks, err);
        if (status == TCS_OK) status = tcsi_window_net_spread_looks(&self->base, &sequence, &looks, ret_scores, err);
    }
    tcsi_looks_deinit(&looks);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- saved form and sizes ---- */

void tcsi_one_number_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_window_net_persist(&self->base, codec);
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    bool fine = true;
    for (size_t run = 0; run < tcsi_window_net_run_count(&self->base); run++) {
        tcsi_scale *scale = &self->scales[run];
        tcsi_codec_f64(codec, &scale->center);
        tcsi_codec_f64(codec, &scale->spread);
        tcsi_codec_bool(codec, &scale->constant);
        fine &= fabs(scale->center) <= number_max && scale->spread > 0 && scale->spread <= 10 * number_max;
    }
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a scale out of range");
}

size_t tcsi_one_number_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    const size_t scales = tcsi_window_net_run_count(&self->base) * sizeof(tcsi_scale);
    size_t doubles = row_count > 0 ? 2 * number_count_max(self, row_count) : 0;
    size_t own = sizeof *self + scales + tcsi_size_product(doubles, sizeof(double));
    return tcsi_size_sum(own, tcsi_window_net_size_max(&self->base, row_count));
}
